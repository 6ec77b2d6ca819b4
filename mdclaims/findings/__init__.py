"""Pages to findings: the whole way in one place (`screening`), and what a finding is (`findings`)."""
