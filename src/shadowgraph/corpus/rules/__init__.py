"""The rules of regimes, one file a family: each takes an arm and a ground and returns what is taken.

Here live: choices of documents. Not here: order of presentation (`regime`), scores and clusters.
"""
