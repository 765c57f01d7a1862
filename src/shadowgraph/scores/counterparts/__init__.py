"""Counterparts: the same question in another dress, its answer kept.

Here live: what a rule is, the rules and their table.
Not here: the question itself (`scores.question`), suites on disk (`scores.suite`).
"""
