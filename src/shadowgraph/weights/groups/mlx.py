"""Groups of MLX: codes in unsigned 32-bit words along the inputs, a scale and a bias for every run of them.

Here lives: their recognition. Not here: decoding.

Words and scales alone do not tell 4 bits in groups of 64 from 8 bits in groups of 32: the configuration must.
"""

from __future__ import annotations

from shadowgraph.errors import printable
from shadowgraph.weights.groups.declared import Declared
from shadowgraph.weights.groups.group import FLOATS, Entries, Group, Unfit, logical, member, require, settled
from shadowgraph.weights.tensor import TensorEntry

BITS = (2, 3, 4, 5, 6, 8)
WORD = 32


def affine(stem: str, entries: Entries, declared: Declared) -> Group:
    """The group of a `weight` of unsigned words with `scales`."""

    def fit() -> TensorEntry:
        weight = member(entries, stem, ".weight", ("U32",))
        require(len(weight.shape) >= 2, f"its weight has {len(weight.shape)} axes")
        scheme = declared.own.get(stem, declared.scheme)
        if scheme is None:
            raise Unfit("config.json declares that it is not quantised")
        require(scheme.mode == "affine", f"its mode '{printable(scheme.mode, 40)}' is not read")
        bits, size = scheme.bits, scheme.size
        if bits is None or size is None:
            raise Unfit("config.json does not say its bits and group size")
        require(bits in BITS and size > 0, f"config.json declares {bits} bits in groups of {size}")
        require(weight.shape[-1] * WORD % bits == 0, f"{weight.shape[-1]} words do not hold whole codes of {bits} bits")
        shape = (*weight.shape[:-1], weight.shape[-1] * WORD // bits)
        scales = member(entries, stem, ".scales", FLOATS)
        biases = member(entries, stem, ".biases", FLOATS)
        wanted = (*shape[:-1], shape[-1] // size)
        for part in (scales, biases):
            found = f"{list(part.shape[:8])} is not {list(wanted[:8])}"
            require(shape[-1] % size == 0 and part.shape == wanted, f"the shape of its scales or biases, {found}")
        parts = {"codes": weight, "scales": scales, "biases": biases}
        return logical(
            f"{stem}.weight",
            f"MLX-{bits}",
            shape,
            method="mlx",
            parts=parts,
            numbers={"bits": bits, "size": size},
            own=weight,
        )

    return settled("MLX", f"{stem}.weight", (f"{stem}.scales", f"{stem}.biases"), entries, fit)
