"""Runs: one training recipe, one stream of tokens, one reproducible model.

Here live: the recipe, the statement of what a run will consume, the proof that runs differ in data alone, the
training itself on the Hugging Face Trainer, and the run read back from its folder.
Not here: which documents an arm gets (`corpus`), what a model can do (`scores`), several runs together (`study`).
"""
