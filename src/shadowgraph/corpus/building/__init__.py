"""The stages of `corpus build`, each a job that leaves whole files: survey, parts, pool, arms, the answer.

Here live: the jobs. Not here: the door (`corpus.build`) and the rules (`corpus.rules`).
"""
