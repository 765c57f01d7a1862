"""Audit: what may be said about one model and its base, and what may not.

Here live: checks with permanent codes, the reference, and the verdict.
Not here: formulas, the scan, the page. A verdict without a reference is inconclusive, whatever the numbers are.
"""
