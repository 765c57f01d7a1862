"""Many documents as one buffer: the form in which a corpus flows through every measure.

Here live: the batch, cutting long documents at paragraph bounds, batches from Python objects.
Not here: files (`readers`) and what is measured.

A book in one row is cut into pieces of at most `LONGEST` characters; a piece keeps the id of its parent and a number.
Pieces put together are the parent again, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.document import Document
from shadowgraph.corpus.kernels import kernels
from shadowgraph.errors import DataError

LONGEST = 4000  # characters of one piece


@dataclass(frozen=True, eq=False)
class Batch:
    """n documents, their texts end to end.

    Attributes:
        ids: n ids; the pieces of one document share its id.
        parts: (n,) number of the piece, from 1; 0 for a whole document.
        sources: n labels.
        families: n labels.
        formats: n labels.
        media: n references or None.
        buffer: (bytes,) UTF-8 of all texts.
        offsets: (n+1,) text d is buffer[offsets[d]:offsets[d+1]].
        path: which kernels read it, "auto", "numba" or "numpy".
    """

    ids: Sequence[str]
    parts: NDArray[np.int64]
    sources: Sequence[str]
    families: Sequence[str]
    formats: Sequence[str]
    media: Sequence[str | None]
    buffer: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    path: str = "auto"

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.ids)

    def __repr__(self) -> str:
        """One line: documents and bytes."""
        return f"Batch({len(self)} documents, {len(self.buffer)} bytes)"

    def name(self, document: int) -> str:
        """The id of a document, with the number of its piece: `id` or `id#3`."""
        part = int(self.parts[document])
        return f"{self.ids[document]}#{part}" if part else self.ids[document]

    def text(self, document: int) -> str:
        """The text of a document."""
        return self.buffer[self.offsets[document] : self.offsets[document + 1]].tobytes().decode()

    def documents(self) -> Iterator[Document]:
        """The documents one by one."""
        for d in range(len(self)):
            labels = (self.sources[d], self.families[d], self.formats[d])
            yield Document(self.name(d), *labels, self.text(d), self.media[d])

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """(n,) 64 bits of the digest of each parent's id: what decides the shard, the same wherever it is read."""
        known: dict[str, bytes] = {}
        for item in self.ids:
            if item not in known:
                known[item] = hashlib.blake2b(item.encode(), digest_size=8).digest()
        return np.frombuffer(b"".join(known[item] for item in self.ids), "<u8").astype(np.uint64)

    @cached_property
    def words(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Hashes of all words, and (n+1,) where each document's begin and end; computed once for all measures."""
        return kernels(self.path).word_hashes(self.buffer, self.offsets)

    def take(self, chosen: NDArray[np.int64]) -> Batch:
        """The chosen documents, in the order given."""
        place: list[int] = chosen.tolist()
        pieces = [self.buffer[self.offsets[d] : self.offsets[d + 1]] for d in place]
        lengths = np.diff(self.offsets)[chosen]
        return Batch(
            [self.ids[d] for d in place],
            self.parts[chosen],
            [self.sources[d] for d in place],
            [self.families[d] for d in place],
            [self.formats[d] for d in place],
            [self.media[d] for d in place],
            np.concatenate(pieces) if pieces else np.zeros(0, np.uint8),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            self.path,
        )


def cut_points(text: str | bytes, limit: int) -> list[int]:
    """Where to cut a text so that no piece is longer than `limit`; the last entry is its length.

    A cut falls behind the last blank line of a piece; without one behind the last line end, without that behind the
    last space, and without any of these at the limit.
    """
    points: list[int] = []
    start = 0
    marks: tuple[str, ...] | tuple[bytes, ...] = (
        ("\n\n", "\n", " ") if isinstance(text, str) else (b"\n\n", b"\n", b" ")
    )
    while len(text) - start > limit:
        stop = start + limit
        found = (text.rfind(mark, start, stop) for mark in marks)  # pyright: ignore[reportArgumentType]
        place = next((at + len(mark) for at, mark in zip(found, marks, strict=True) if at >= start), stop)
        points.append(place)
        start = place
    return [*points, len(text)]


def cut_long(batch: Batch, limit: int | None = LONGEST) -> Batch:
    """Cut the documents of a batch that are longer than `limit` characters; None leaves them whole."""
    lengths = np.diff(batch.offsets)
    if limit is None or not len(batch) or int(lengths.max()) <= limit:
        return batch
    if kernels(batch.path).NAME == "numba":
        from shadowgraph.corpus.kernels.rows import cut_texts

        starts, owners = cut_texts(batch.buffer, batch.offsets, limit)
    else:
        starts, owners = _cut_texts(batch.buffer, batch.offsets, limit)
    counts = np.bincount(owners, minlength=len(batch))
    parts = np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners] + 1
    place: list[int] = owners.tolist()
    return Batch(
        [batch.ids[d] for d in place],
        np.where(counts[owners] > 1, parts, 0),
        [batch.sources[d] for d in place],
        [batch.families[d] for d in place],
        [batch.formats[d] for d in place],
        [batch.media[d] for d in place],
        batch.buffer,
        np.append(starts, batch.offsets[-1]),
        batch.path,
    )


def _cut_texts(
    buffer: NDArray[np.uint8], offsets: NDArray[np.int64], limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First byte of each piece and the text it belongs to, without compiled code."""
    data = buffer.tobytes()
    starts: list[int] = []
    owners: list[int] = []
    for d, (begin, end) in enumerate(pairwise(offsets.tolist())):
        points = [end - begin] if end - begin <= limit else _byte_points(data[begin:end], limit)
        starts.extend([begin, *(begin + point for point in points[:-1])])
        owners.extend([d] * len(points))
    return np.array(starts, np.int64), np.array(owners, np.int64)


def _byte_points(data: bytes, limit: int) -> list[int]:
    """The cuts of one text in bytes; limits count characters."""
    if data.isascii():
        return cut_points(data, limit)
    text = data.decode()
    points = cut_points(text, limit)
    pieces = [len(text[a:b].encode()) for a, b in zip([0, *points[:-1]], points, strict=True)]
    return np.cumsum(pieces).tolist()


def batch_of(documents: Iterable[Document], *, limit: int | None = LONGEST, path: str = "auto") -> Batch:
    """Put documents into one batch, long ones cut.

    Args:
        documents: the documents.
        limit: characters of a piece, None to leave texts whole.
        path: kernels to use.

    Raises:
        DataError: when a text cannot be written as UTF-8.
    """
    held = list(documents)
    try:
        texts = [document.text.encode() for document in held]
    except UnicodeEncodeError as error:
        raise DataError("a text holds a lone surrogate", where="documents", hint="decode it as UTF-8") from error
    whole = Batch(
        [document.id for document in held],
        np.zeros(len(held), np.int64),
        [document.source for document in held],
        [document.family for document in held],
        [document.format for document in held],
        [document.media for document in held],
        np.frombuffer(b"".join(texts), np.uint8),
        np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64),
        path,
    )
    return cut_long(whole, limit)


def batches_of(
    documents: Iterable[Document], *, size: int = 512, limit: int | None = LONGEST, path: str = "auto"
) -> Iterator[Batch]:
    """Stream documents from any iterable in batches.

    Args:
        documents: the documents, taken as they come.
        size: documents of a batch before cutting.
        limit: characters of a piece, None to leave texts whole.
        path: kernels to use.
    """
    stream = iter(documents)
    while held := list(islice(stream, size)):
        yield batch_of(held, limit=limit, path=path)
