"""Reading of adapters: updates of a model's matrices that are stored beside it as factors.

Here live: finding an adapter's files, its configuration, its scales, and its updates against a base or alone.
Not here: the recognition of an adapter by its tensors' names (`weights.adapter`), spectra of products (`spectra`).
"""
