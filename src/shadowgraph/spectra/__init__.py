"""Spectra: from a matrix in memory to its singular values.

Here may live: the plan that picks a method, the methods themselves, and the bound each gives on its error.
Not here: reading matrices from files (`weights`), numbers made from singular values (`measures`), nulls (`footprint`).
"""
