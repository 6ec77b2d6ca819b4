"""Cases: what regulators do with many pages. So far: capturing them."""
