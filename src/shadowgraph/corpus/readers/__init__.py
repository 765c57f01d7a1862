"""Readers of files, one format each.

Here live: opening paths (`files`), JSON Lines (`lines`), Parquet and Arrow (`columnar`), plain rows (`records`).
Not here: what a row must hold (`document`) and many documents as one buffer (`batch`).
"""
