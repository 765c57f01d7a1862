"""Every file a user writes, validated.

Here live: the models of study files and the reading of TOML with messages that name the key.
Not here: anything that acts on a specification.
"""
