"""Byte and word kernels: one set of functions, two ways to run them.

Here live: the choice between compiled code (numba, extra `corpus`) and array arithmetic, which give the same bytes.
Not here: the functions (`compiled`, `arrays`) and what they are for (`features`, `contamination`).
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from types import ModuleType


@cache
def kernels(name: str = "auto") -> ModuleType:
    """The kernels to use.

    Args:
        name: "numba", "numpy", or "auto": compiled where numba is installed.

    Returns:
        A module with the functions of `arrays`; its `NAME` says which way it is, and belongs in every record.
    """
    if name == "numpy" or (name == "auto" and find_spec("numba") is None):
        from shadowgraph.corpus.kernels import arrays

        return arrays
    from shadowgraph.corpus.kernels import compiled

    return compiled


@cache
def describing(name: str = "auto") -> ModuleType:
    """The kernels of the measures that describe a corpus by itself, chosen like `kernels`.

    Args:
        name: "numba", "numpy", or "auto".

    Returns:
        A module with the functions of `described_arrays`.
    """
    if kernels(name).NAME == "numpy":
        from shadowgraph.corpus.kernels import described_arrays

        return described_arrays
    from shadowgraph.corpus.kernels import described

    return described
