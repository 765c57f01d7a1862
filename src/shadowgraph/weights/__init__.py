"""Weights: from bytes on a disk to named matrices, one at a time, never the whole model.

Here live: bounded readers, the list of files that make a checkpoint, the role table, splitting and pairing.
Not here: any decomposition, any statistic, any model code. This room works without torch and transformers.
"""
