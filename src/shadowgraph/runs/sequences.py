"""The stream of token sequences a run consumes, and its order.

Here live: reading a packed array and what goes along with its rows, the order of consumption, digests of batches.
Not here: cutting documents into sequences (`corpus`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError
from shadowgraph.runs.recipe import Recipe
from shadowgraph.seeds import generator

UNSUPERVISED = -100  # the label that carries no loss


@dataclass(frozen=True, slots=True)
class Along:
    """Files whose rows go along with those of the sequences.

    Attributes:
        supervised: `.npy` of (N, L) booleans, whether a token carries loss; None for all tokens.
        pictures: `.npy` of (N, p, c, h, w) float32 pixel values as the model's image processor gives them: p pictures
            a row, in the order of their places in it; None without pictures. Or of uint8 levels 0 … 255, a quarter of
            the size, which the model sees as level / 127.5 − 1: what a processor with mean and deviation .5 gives.
        shown: `.npy` of (N,) integers, the row of `pictures` that goes with each row, so that a picture which several
            rows show is kept once; None where row n shows picture n.
    """

    supervised: Path | None = None
    pictures: Path | None = None
    shown: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are given."""
        return tuple(path for path in (self.supervised, self.pictures, self.shown) if path is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """What a run consumes, row by row.

    Attributes:
        ids: (N, L) token ids.
        labels: (N, L) int64 token ids, `UNSUPERVISED` where a token carries no loss; None where all carry it.
        pictures: (M, p, c, h, w) float32 or uint8 as stored, None without.
        shown: (N,) int64 rows of `pictures`; None where row n shows picture n.
    """

    ids: NDArray[np.integer]
    labels: NDArray[np.int64] | None = None
    pictures: NDArray[np.float32] | NDArray[np.uint8] | None = None
    shown: NDArray[np.int64] | None = None

    @property
    def supervised_tokens(self) -> int:
        """Tokens that carry loss; the first of a row has nothing before it to be predicted from."""
        if self.labels is None:
            return self.ids.shape[0] * (self.ids.shape[1] - 1)
        return int(np.count_nonzero(self.labels[:, 1:] != UNSUPERVISED))

    def batch(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """Ids, and labels and pictures if any, of some rows."""
        parts = [part[rows] for part in (self.ids, self.labels) if part is not None]
        pixels = self.pixels(rows)
        return tuple(parts if pixels is None else [*parts, pixels])

    def pixels(self, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """What the model sees of some rows, (B, p, c, h, w); None without pictures."""
        if self.pictures is None:
            return None
        return as_seen(self.pictures[rows if self.shown is None else self.shown[rows]])


def as_seen(pictures: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixel values as the model sees them: floats as they are, levels 0 … 255 as level / 127.5 − 1."""
    if pictures.dtype == np.uint8:
        return pictures.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    return pictures.astype(np.float32, copy=False)


def read_stream(path: Path, recipe: Recipe, along: Along | None = None) -> Stream:
    """Read token sequences and what goes along with them, and check both.

    Places of pictures never carry loss: nothing can be learnt from predicting a placeholder.

    Args:
        path: `.npy` file as for `read_sequences`.
        recipe: what the run asks for.
        along: files that go with the rows.

    Returns:
        The stream, rows as stored.

    Raises:
        DataError: a malformed file, another number of rows, rows with unequal numbers of picture places, places without
            pictures or the reverse, or a batch that carries no loss.
    """
    ids, along = read_sequences(path, recipe), along or Along()
    token = recipe.picture_token
    places = ids == token if token is not None else np.zeros(ids.shape, np.bool_)
    shown = None if along.shown is None else _read_shown(along, len(ids))
    pictures = None if along.pictures is None else _read_pictures(along.pictures, places, shown)
    if along.pictures is None and places.any():
        raise DataError("there are places for pictures and no pictures", where=str(path), hint="give pictures")
    if along.supervised is None and pictures is None:
        return Stream(ids)
    supervised = ~places if along.supervised is None else _read_array(along.supervised) & ~places
    if supervised.shape != ids.shape or supervised.dtype != np.bool_:
        raise DataError(
            f"holds {supervised.shape} {supervised.dtype}, {ids.shape} bool needed", where=str(along.supervised)
        )
    stream = Stream(ids, np.where(supervised, ids.astype(np.int64), UNSUPERVISED), pictures, shown)
    carries = np.count_nonzero(supervised[:, 1:], axis=1)[consumption_order(recipe)]
    carried = carries.reshape(recipe.steps, recipe.batch).sum(axis=1) > 0
    if not carried.all():
        raise DataError(f"the batch of step {int(np.argmin(carried)) + 1} carries no loss", where=str(along.supervised))
    return stream


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
    array = _read_array(path)
    wanted = (recipe.steps * recipe.batch, recipe.sequence_length)
    if array.shape != wanted:
        raise DataError(
            f"holds {array.shape} tokens, the recipe needs {wanted}",
            where=str(path),
            hint="rows are steps × batch, columns sequence_length",
        )
    if array.dtype not in (np.dtype(np.uint16), np.dtype(np.int32)):
        raise DataError(f"token ids are {array.dtype}, not uint16 or int32", where=str(path))
    vocabulary = recipe.vocabulary
    outside = (array < 0) | (array >= vocabulary)
    if outside.any():
        row = int(np.flatnonzero(outside.any(axis=1))[0])
        raise DataError(f"a token id is outside 0 … {vocabulary - 1}", where=f"{path} row {row}")
    return array


def consumption_order(recipe: Recipe) -> NDArray[np.int64]:
    """The (steps × batch,) permutation of rows, by `order_seed` alone: the same stream in every arm."""
    return generator(recipe.order_seed, "order").permutation(recipe.steps * recipe.batch).astype(np.int64)


def batch_digest(rows: NDArray[np.integer], *along: NDArray[Any]) -> str:
    """Digest of one batch: 16 hex digits of BLAKE2b over its ids and labels as little-endian 32-bit integers, and
    pictures as 32-bit floats.
    """
    digest = hashlib.blake2b(np.ascontiguousarray(rows, dtype="<i4").tobytes(), digest_size=8)
    for part in along:
        kind = "<f4" if part.dtype.kind == "f" else "<i4"
        digest.update(np.ascontiguousarray(part, dtype=kind).tobytes())
    return digest.hexdigest()


def chain_digest(batches: Iterable[str]) -> str:
    """Digest of a sequence of batch digests, in order."""
    return hashlib.sha256("\n".join(batches).encode()).hexdigest()


def planned_batches(stream: Stream, recipe: Recipe) -> list[str]:
    """The `steps` batch digests that a run of this recipe on this stream must consume, in order."""
    order = consumption_order(recipe).reshape(recipe.steps, recipe.batch)
    return [batch_digest(*stream.batch(rows)) for rows in order]


def _read_array(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """An array as stored; mapped, its values stay on disk.

    Raises:
        DataError: for a missing or foreign file.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"not a .npy array ({error})", where=str(path)) from error
    return array


def _read_shown(along: Along, rows: int) -> NDArray[np.int64]:
    """Which picture goes with each row, checked against the pictures."""
    if along.shown is None or along.pictures is None:
        raise DataError("says which picture a row shows, and there are none", where=str(along.shown))
    array, held = _read_array(along.shown), len(_read_array(along.pictures, mapped=True))
    if array.shape != (rows,) or array.dtype.kind not in "iu":
        raise DataError(f"holds {array.shape} {array.dtype}, ({rows},) integers needed", where=str(along.shown))
    if array.min(initial=0) < 0 or array.max(initial=0) >= held:
        raise DataError(f"names a picture outside 0 … {held - 1}", where=str(along.shown))
    return array.astype(np.int64)


def _read_pictures(
    path: Path, places: NDArray[np.bool_], shown: NDArray[np.int64] | None
) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Pixel values, checked against the places for them."""
    array = _read_array(path)
    known = array.dtype in (np.dtype(np.float32), np.dtype(np.uint8))
    short = shown is None and array.shape[:1] != places.shape[:1]
    if array.ndim != 5 or short or not known or 0 in array.shape:
        wanted = f"({places.shape[0] if shown is None else 'M'}, p, c, h, w) float32 or uint8"
        raise DataError(f"holds {array.shape} {array.dtype}, not {wanted}", where=str(path))
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise DataError("a pixel is not finite", where=str(path))
    counts = places.sum(axis=1)
    if counts.min() != counts.max() or counts[0] == 0 or counts[0] % array.shape[1]:
        row = int(np.argmax(counts != counts[0])) if counts[0] else 0
        raise DataError(
            f"{int(counts[row])} places for {array.shape[1]} pictures",
            where=f"{path} row {row}",
            hint="equal in all rows",
        )
    return array
