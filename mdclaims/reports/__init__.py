"""Results to reports. Each module takes results and returns text; none of them reads, scores or prints."""
