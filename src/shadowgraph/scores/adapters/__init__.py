"""Questions from what others wrote for their own harnesses.

Here live: tasks of lm-eval as questions.
Not here: known benchmarks (`corpus.adapters`) and a user's own files (`scores.tasks`).
"""
