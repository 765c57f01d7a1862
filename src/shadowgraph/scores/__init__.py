"""Scores: what a model can do, item by item.

Here live: a suite of items on disk, chosen among texts or answered freely, scoring a model on it with lm-eval, the
summary of splits and the asymmetry between what was trained for and what was not.
Not here: making items (`worlds`), training (`runs`), statistics over runs (`study`).
"""
