"""Measures: one number out of a spectrum, a norm or a small array.

Here may live: the value type `Spectrum`, scalar measures of it, closed-form nulls and the catalogue that names them.
Not here: any decomposition of a matrix (`spectra`), simulated nulls (`footprint`), anything that reads a file.
"""
