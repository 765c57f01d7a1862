"""Groups: stored tensors that together are one quantised matrix, recognised by names, shapes and configuration.

Here live: what makes a group of each method, and the logical entry that stands for it or the reason why none does.
Not here: decoding (`readers.packed_integers`, `readers.packed_codes`), scales of 8-bit floats (`quantised`).
"""
