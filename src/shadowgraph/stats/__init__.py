"""Statistics: arrays in, frozen results out.

Here may live: resampling, effect sizes, equivalence, multiplicity, path matching, calibration.
Not here: anything that knows what the numbers are (footprints, scores, runs) or reads a file.
"""
