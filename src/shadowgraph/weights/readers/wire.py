"""The wire format of protocol buffers, walked in a file without loading it.

Here lives: `Wire`, which lists the fields of one message at a time through a small window of the file.
Not here: what a field means. No message is ever held whole, and nothing calls itself: nesting is the caller's.
Format: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.readers.span import read_span
from shadowgraph.weights.tensor import Stamp

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIELD_CAP = 1_000_000  # fields of all messages that are looked at; a graph of a hundred layers has some 400,000
TEXT_CAP = 64_000  # bytes of one text
TEXTS_CAP = 256_000_000  # bytes of all texts
_WINDOW = 1 << 15
_VARINT_BYTES = 10
_KEY_CAP = 2**32 - 1
_GROUPS = (3, 4)


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: which field.
        kind: its wire type: `VARINT`, `FIXED64`, `BYTES` or `FIXED32`.
        value: the number of a varint, else the first byte in the file.
        size: number of bytes, 0 for a varint.
    """

    number: int
    kind: int
    value: int
    size: int


class Wire:
    """A file of nested messages: every length lies inside its parent, and the work in all is bounded."""

    def __init__(self, descriptor: int, stamp: Stamp) -> None:
        """Start with an empty window on an open file."""
        self.stamp = stamp
        self._descriptor = descriptor
        self._window = b""
        self._base = 0
        self._fields = 0
        self._texts = 0

    def fields(self, first: int, last: int) -> Iterator[Field]:
        """The fields of the message in bytes first … last − 1, in order.

        Raises:
            CheckpointError: a field that runs over its message, a group, an unknown wire type, or too many fields.
        """
        at = first
        while at < last:
            key, after = self._key(at, last)
            kind = key & 7
            if kind == VARINT:
                value, at = self.varint(after, last)
                yield Field(key >> 3, kind, value, 0)
                continue
            if kind == BYTES:
                size, after = self.varint(after, last)
            elif kind in (FIXED64, FIXED32):
                size = 8 if kind == FIXED64 else 4
            else:
                raise self.broken("a group, which is not read" if kind in _GROUPS else f"the wire type {kind}", at)
            if size > last - after:
                raise self.broken(f"field {key >> 3} needs {size} bytes, its message has {last - after} left", at)
            yield Field(key >> 3, kind, after, size)
            at = after + size

    def _key(self, at: int, last: int) -> tuple[int, int]:
        """Number and wire type of the field that begins at a byte, and the byte behind them."""
        self._fields += 1
        if self._fields > FIELD_CAP:
            raise self.broken(f"more than {FIELD_CAP:,} fields", at)
        key, after = self.varint(at, last)
        if not 8 <= key <= _KEY_CAP:
            raise self.broken(f"no field has the number {key >> 3}", at)
        return key, after

    def varint(self, at: int, last: int) -> tuple[int, int]:
        """A number of at most ten bytes and 64 bits that begins at a byte, and the byte behind it.

        Raises:
            CheckpointError: it is longer, or its message ends in it.
        """
        place = at - self._base
        if place < 0 or place + _VARINT_BYTES > len(self._window):
            self._move(at)
            place = 0
        if at < last and self._window[place] < 0x80:
            return self._window[place], at + 1
        value = shift = 0
        for byte in self._window[place : place + min(_VARINT_BYTES, last - at)]:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if value >= 1 << 64:
                    break
                return value, at + shift // 7
        raise self.broken("a number that does not end within its message, or has more than 64 bits", at)

    def varints(self, field: Field, cap: int) -> list[int]:
        """The numbers of a repeated field, which may stand alone or packed one behind the other.

        Raises:
            CheckpointError: more than `cap` of them, or another wire type.
        """
        if field.kind == VARINT:
            return [field.value]
        self.require(field, BYTES)
        found: list[int] = []
        at, last = field.value, field.value + field.size
        while at < last:
            if len(found) == cap:
                raise self.broken(f"more than {cap} numbers in one list", field.value)
            value, at = self.varint(at, last)
            found.append(value)
        return found

    def text(self, field: Field, cap: int = TEXT_CAP) -> str:
        """The text of a field.

        Raises:
            CheckpointError: longer than `cap` bytes, not UTF-8, or too much text in all.
        """
        self.require(field, BYTES)
        self._texts += field.size
        if field.size > cap or self._texts > TEXTS_CAP:
            raise self.broken(f"a name of {field.size} bytes, more than the limit", field.value)
        place = field.value - self._base
        if place < 0 or place + field.size > len(self._window):
            content = read_span(self._descriptor, self.stamp, field.value, field.size).tobytes()
        else:
            content = self._window[place : place + field.size]
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.broken("a name that is not valid Unicode", field.value) from error

    def require(self, field: Field, kind: int) -> Field:
        """The same field, whose wire type must be this one.

        Raises:
            CheckpointError: it is another.
        """
        if field.kind != kind:
            raise self.broken(f"field {field.number} has the wire type {field.kind}, not {kind}", field.value)
        return field

    def broken(self, found: str, at: int) -> CheckpointError:
        """The error that something is wrong at a byte."""
        return CheckpointError(
            f"not a whole protocol buffer: {found} (byte {at})",
            where=str(self.stamp.path),
            hint="download or export it again",
        )

    def _move(self, at: int) -> None:
        """Put the window on the bytes from `at` on."""
        size = max(0, min(_WINDOW, self.stamp.size - at))
        self._window = read_span(self._descriptor, self.stamp, at, size).tobytes()
        self._base = at
