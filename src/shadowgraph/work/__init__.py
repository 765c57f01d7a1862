"""Resumable work: pure functions over jobs, in one process or several.

Here live: the job, the two executors, and the account of progress.
Not here: what a job computes; rooms above name their own functions.
"""
