"""The survey: one pass over any files that drives every measure of a corpus, in jobs that can be resumed.

Here live: the plan, the measures of one pass and how they are kept, the jobs, the result.
Not here: what a measure is (its own file in `corpus`), the page (`report`).
"""
