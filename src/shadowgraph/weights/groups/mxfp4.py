"""Groups of MXFP4 as gpt-oss stores them: blocks of 32 four-bit floats and their exponents.

Here lives: their recognition. Not here: decoding.

`X_blocks` (experts, out, blocks a row, 16 bytes) and `X_scales` (experts, out, blocks a row) stand for X, whose rows
are outputs here; stored plainly X is (experts, in, out).
"""

from __future__ import annotations

from shadowgraph.weights.groups.group import Entries, Group, logical, member, require, settled
from shadowgraph.weights.tensor import TensorEntry

BYTES = 16


def blocks(stem: str, entries: Entries) -> Group:
    """The group of a tensor that ends in `_blocks` and has `_scales` beside it."""

    def fit() -> TensorEntry:
        codes = member(entries, stem, "_blocks", ("U8",))
        require(len(codes.shape) >= 3, f"its blocks have {len(codes.shape)} axes")
        require(codes.shape[-1] == BYTES, f"a block of {codes.shape[-1]} bytes")
        scales = member(entries, stem, "_scales", ("U8", "F8_E8M0"))
        shapes = f"{list(scales.shape[:8])} for blocks of {list(codes.shape[:8])}"
        require(scales.shape == codes.shape[:-1], f"the shape of its scales, {shapes}")
        shape = (*codes.shape[:-2], codes.shape[-2] * 2 * BYTES)
        parts = {"codes": codes, "scales": scales}
        return logical(stem, "MXFP4", shape, method="mxfp4", parts=parts, numbers={"size": 2 * BYTES})

    return settled("MXFP4", f"{stem}_blocks", (f"{stem}_scales",), entries, fit)
