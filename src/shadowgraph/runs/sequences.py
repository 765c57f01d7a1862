"""The stream of token sequences a run consumes, and its order.

Here live: reading a packed array, the order in which its rows are consumed, digests of batches.
Not here: cutting documents into sequences (`corpus`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError
from shadowgraph.runs.recipe import Recipe
from shadowgraph.seeds import generator


def read_sequences(path: Path, recipe: Recipe) -> NDArray[np.integer]:
    """Read token sequences and check them against the recipe.

    Args:
        path: `.npy` file of (steps × batch, sequence_length) unsigned 16-bit or signed 32-bit token ids.
        recipe: what the run asks for.

    Returns:
        The array as stored.

    Raises:
        DataError: for a missing or foreign file, another shape, or an id outside the vocabulary (names the row).
    """
    try:
        array: NDArray[np.integer] = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"not a .npy array ({error})", where=str(path)) from error
    wanted = (recipe.steps * recipe.batch, recipe.sequence_length)
    if array.shape != wanted:
        raise DataError(
            f"holds {array.shape} tokens, the recipe needs {wanted}",
            where=str(path),
            hint="rows are steps × batch, columns sequence_length",
        )
    if array.dtype not in (np.dtype(np.uint16), np.dtype(np.int32)):
        raise DataError(f"token ids are {array.dtype}, not uint16 or int32", where=str(path))
    outside = (array < 0) | (array >= recipe.architecture["vocab_size"])
    if outside.any():
        row = int(np.flatnonzero(outside.any(axis=1))[0])
        raise DataError(f"a token id is outside 0 … {recipe.architecture['vocab_size'] - 1}", where=f"{path} row {row}")
    return array


def consumption_order(recipe: Recipe) -> NDArray[np.int64]:
    """The (steps × batch,) permutation of rows, by `order_seed` alone: the same stream in every arm."""
    return generator(recipe.order_seed, "order").permutation(recipe.steps * recipe.batch).astype(np.int64)


def batch_digest(rows: NDArray[np.integer]) -> str:
    """Digest of one batch's token ids, 16 hex digits of BLAKE2b over little-endian 32-bit integers."""
    return hashlib.blake2b(np.ascontiguousarray(rows, dtype="<i4").tobytes(), digest_size=8).hexdigest()


def chain_digest(batches: Iterable[str]) -> str:
    """Digest of a sequence of batch digests, in order."""
    return hashlib.sha256("\n".join(batches).encode()).hexdigest()


def planned_batches(sequences: NDArray[np.integer], recipe: Recipe) -> list[str]:
    """The `steps` batch digests that a run of this recipe on these sequences must consume, in order."""
    order = consumption_order(recipe).reshape(recipe.steps, recipe.batch)
    return [batch_digest(sequences[rows]) for rows in order]
