"""The controlled experiment: a frozen plan, its execution, and what may be concluded.

Here live: the plan, its jobs, the records of runs, and the analysis that turns them into a result.
Not here: the statistics themselves (`stats`), training (`runs`), pages (`report`).
"""
