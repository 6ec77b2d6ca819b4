"""Where people work with results: pages of a local server."""
