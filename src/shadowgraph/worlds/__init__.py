"""Procedural worlds: questions with gold answers and the documents that tell them.

Here live: items with gold, families, the fictional world, distractors, formats, pools and panels.
Not here: tokens, arms or selection (see `corpus`), scoring with a model (see `scores`).
"""
