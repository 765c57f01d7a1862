"""The beginning of a GGUF file, read with bounds: magic, version, counts and the table of keys.

Here live: `Cursor`, which never reads past the file, and `read_keys`, which keeps what describes the model.
Not here: the tensors (see `gguf`), what the keys mean (see `gguf_config`). Long values are passed over: the words of a
tokeniser are counted, never built; of a chat template the beginning is kept for a remark, and nothing is ever rendered.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.sniff import foreign_content
from shadowgraph.weights.readers.span import read_span
from shadowgraph.weights.tensor import Stamp

Value = bool | int | float | str | tuple[int, ...]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
KEY_CAP = 65_535  # bytes of a key, as the format says
KEYS_CAP = 65_536
KEPT_CAP = 1 << 24  # bytes of all keys, names and kept values
STRINGS_CAP = 1 << 22  # strings in the arrays of one file; the largest vocabularies and merges have some 600,000
TEXT_KEPT = 1000  # bytes kept of a text
LIST_KEPT = 1024  # numbers kept of an array, one a layer
_WINDOW = 1 << 18

_TEXT, _LIST = 8, 9
_NUMBERS: Mapping[int, str] = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_INTEGERS = frozenset({0, 1, 2, 3, 4, 5, 10, 11})
_BOOLEAN = 7
UNSIGNED_32 = 4


class Cursor:
    """A place in an open file, moved forward by checked reads through a window of bounded size."""

    def __init__(self, descriptor: int, stamp: Stamp) -> None:
        """Begin at the first byte."""
        self._descriptor = descriptor
        self.stamp = stamp
        self.position = 0
        self._window = b""
        self._start = 0
        self._kept = 0
        self._strings = 0

    def fail(self, found: str, hint: str = "") -> CheckpointError:
        """A fault of this file."""
        return CheckpointError(found, where=str(self.stamp.path), hint=hint)

    @property
    def left(self) -> int:
        """Bytes from here to the end of the file."""
        return self.stamp.size - self.position

    def need(self, size: int, what: str) -> None:
        """Raise when the file ends before `size` more bytes."""
        if size > self.left:
            raise self.fail(
                f"truncated: {what} needs {size} bytes at byte {self.position}, {self.left} are left",
                "download or save it again",
            )

    def take(self, size: int, what: str) -> bytes:
        """The next bytes."""
        self.need(size, what)
        self._fill(size)
        at = self.position - self._start
        self.position += size
        return self._window[at : at + size]

    def number(self, code: str, what: str) -> int | float | bool:
        """The next little-endian number."""
        layout = struct.Struct("<" + code)
        return layout.unpack(self.take(layout.size, what))[0]

    def count(self, what: str) -> int:
        """The next unsigned 64-bit number."""
        return int(self.number("Q", what))

    def skip(self, size: int, what: str) -> None:
        """Pass over bytes without reading them."""
        self.need(size, what)
        self.position += size

    def text(self, limit: int, what: str) -> str:
        """A string of at most `limit` bytes, valid UTF-8."""
        length = self.count(f"the length of {what}")
        if length > limit:
            raise self.fail(f"{what} has {length} bytes, more than the limit of {limit}")
        self.keep(length)
        try:
            return self.take(length, what).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not valid UTF-8") from error

    def keep(self, size: int) -> None:
        """Count what stays in memory."""
        self._kept += size
        if self._kept > KEPT_CAP:
            raise self.fail(f"keys and names of more than {KEPT_CAP} bytes")

    def skip_texts(self, count: int, what: str) -> None:
        """Pass over strings one after another; only their lengths are looked at."""
        self._strings += count
        if self._strings > STRINGS_CAP:
            raise self.fail(f"more than {STRINGS_CAP} strings in arrays, the last of them {what}")
        self.need(8 * count, what)
        unpack = struct.Struct("<Q").unpack_from
        while count:
            self.need(8, what)
            self._fill(8)
            window, base = self._window, self._start
            at, last = self.position - base, len(window) - 8
            while count and at <= last:
                at += 8 + unpack(window, at)[0]
                count -= 1
            self.position = base + at
            if self.position > self.stamp.size:
                raise self.fail(f"truncated: a string of {what} ends past the end of the file")

    def _fill(self, size: int) -> None:
        """Let the window hold the next `size` bytes, which are there."""
        at = self.position - self._start
        if at < 0 or at + size > len(self._window):
            wanted = min(max(size, _WINDOW), self.left)
            self._window = read_span(self._descriptor, self.stamp, self.position, wanted).tobytes()
            self._start = self.position


@dataclass(frozen=True, slots=True)
class Keys:
    """What the beginning of a file says.

    Attributes:
        tensors: number of tensors that follow.
        values: numbers, texts cut to `TEXT_KEPT` bytes, and short arrays of integers, by key.
        types: number of the type of each value that is not an array.
        lengths: bytes of each text, elements of each array.
    """

    tensors: int
    values: Mapping[str, Value]
    types: Mapping[str, int]
    lengths: Mapping[str, int]

    def __repr__(self) -> str:
        """One line: counts."""
        return f"Keys({len(self.values)} values, {self.tensors} tensors)"


def read_keys(cursor: Cursor) -> Keys:
    """Read and check everything up to the first tensor's name.

    Raises:
        CheckpointError: no GGUF file, one of another byte order or version, or one that breaks the format.
    """
    _require_magic(cursor)
    tensors, keys = cursor.count("the number of tensors"), cursor.count("the number of keys")
    if keys > KEYS_CAP:
        raise cursor.fail(f"{keys} keys, more than the limit of {KEYS_CAP}")
    values: dict[str, Value] = {}
    types: dict[str, int] = {}
    lengths: dict[str, int] = {}
    seen: set[str] = set()
    for number in range(keys):
        key = cursor.text(KEY_CAP, f"key number {number + 1}")
        if not key:
            raise cursor.fail(f"key number {number + 1} is empty")
        if key in seen:
            raise cursor.fail(f"duplicate key '{printable(key)}'")
        seen.add(key)
        kind = int(cursor.number("I", f"the type of '{printable(key)}'"))
        what = f"the value of '{printable(key)}'"
        if kind == _LIST:
            held, lengths[key] = _array(cursor, what)
            if held is not None:
                values[key] = held
        else:
            types[key] = kind
            values[key] = _scalar(cursor, kind, key, what, lengths)
    return Keys(tensors, values, types, lengths)


def _require_magic(cursor: Cursor) -> None:
    """Refuse what is no GGUF file of a version and byte order that is read, saying what it is."""
    if cursor.stamp.size == 0:
        raise cursor.fail("empty file", "download or save it again")
    if cursor.stamp.size < 24:
        raise cursor.fail(f"{cursor.stamp.size} bytes, too short for a GGUF file", "download or save it again")
    magic = cursor.take(4, "the magic")
    if magic != MAGIC:
        cursor.position = 0
        foreign = foreign_content(cursor.take(min(512, cursor.left), "the first bytes"))
        if foreign is not None:
            raise cursor.fail(*foreign)
        raise cursor.fail(f"not a GGUF file: it begins with {magic!r}", "give the file of the weights")
    version = int(cursor.number("I", "the version"))
    if version and not version & 0xFFFF:
        raise cursor.fail("a big-endian GGUF file, which is not read", "convert it with gguf-convert-endian")
    if version not in VERSIONS:
        known = " and ".join(map(str, VERSIONS))
        raise cursor.fail(f"GGUF version {version}; versions {known} are read", "convert the model again")


def _scalar(cursor: Cursor, kind: int, key: str, what: str, lengths: dict[str, int]) -> Value:
    """A value that is no array; of a long text the beginning."""
    if kind == _TEXT:
        length = cursor.count(f"the length of {what}")
        cursor.need(length, what)
        kept = min(length, TEXT_KEPT)
        cursor.keep(kept)
        text = cursor.take(kept, what).decode("utf-8", "replace")
        cursor.skip(length - kept, what)
        lengths[key] = length
        return text
    code = _NUMBERS.get(kind)
    if code is None:
        raise cursor.fail(f"{what} is of the unknown type {kind}")
    if kind == _BOOLEAN:
        byte = cursor.take(1, what)[0]
        if byte > 1:
            raise cursor.fail(f"{what} is a boolean of {byte}, neither 0 nor 1")
        return bool(byte)
    return cursor.number(code, what)


def _array(cursor: Cursor, what: str) -> tuple[tuple[int, ...] | None, int]:
    """An array: its integers where they are few, and its length."""
    kind, length = int(cursor.number("I", f"the element type of {what}")), cursor.count(f"the length of {what}")
    if kind == _TEXT:
        cursor.skip_texts(length, what)
        return None, length
    if kind == _LIST:
        raise cursor.fail(f"{what} is an array of arrays, which no model needs")
    code = _NUMBERS.get(kind)
    if code is None:
        raise cursor.fail(f"{what} is an array of the unknown type {kind}")
    size = struct.calcsize("<" + code)
    if kind not in _INTEGERS or length > LIST_KEPT:
        cursor.skip(size * length, what)
        return None, length
    cursor.keep(size * length)
    return struct.unpack(f"<{length}{code}", cursor.take(size * length, what)), length
