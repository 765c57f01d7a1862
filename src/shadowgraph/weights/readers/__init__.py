"""Readers: one file format a module, each turning a file into checked `TensorEntry` values.

Here live: opening and reading by position, recognition of foreign content, and one parser a format.
Not here: roles, families, directories. A reader knows one file and nothing of models.
"""
