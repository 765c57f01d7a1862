"""Documents become token-matched regimes.

Here live: reading documents, the tokenised pool, the alignment target, the token budget, regimes and their balance.
Not here: training, and where documents come from.
"""
