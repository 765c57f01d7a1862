"""The command line: one verb a file, each a thin call of the rooms below, in floor order.

Here live: arguments, what goes to stdout (data) and stderr (progress), exit codes.
Not here: anything that a Python user would miss.
"""
