"""What people read: one-file HTML pages, their figures and the terminal table.

Here live: renderings of a finished `result.json`. A page is a pure function of that file.
Not here: any statistic, any reading of weights, any decision; a number that is not in the result is not on the page,
except sums a reader could redo by hand (differences of two printed means, gains over the base).
"""
