"""Lab and auditor for benchmark shadows."""
