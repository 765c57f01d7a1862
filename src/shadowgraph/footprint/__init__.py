"""Footprint: what training left in the weights, matrix by matrix, beside its null.

Here live: the scan, the storage floor, simulated nulls, the table, the endpoint K and contrasts of two footprints.
Not here: reading of files (`weights`), decompositions (`spectra`), formulas (`measures`), scores, verdicts.
"""
