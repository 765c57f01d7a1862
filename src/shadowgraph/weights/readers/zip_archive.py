"""Zip archives as torch writes them: our own bounded check that every reader must see the same members.

Here live: `read_archive`, `Archive` and `Member`. Not here: what the members mean (see `torch_archive`).
Programs disagree on zip files whose two lists of members differ, that hide bytes between members, or that compress:
here all of these are refused. What is left are members that lie one behind the other, from the first byte to the list.
Format: PKWARE, .ZIP File Format Specification 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.span import read_span
from shadowgraph.weights.tensor import Stamp

MEMBER_CAP = 250_000
LISTED_CAP = 64_000_000  # bytes of the central directory
NAME_CAP = 1_000
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_DESCRIPTOR, _UTF8 = 0x0008, 0x0800
_ENCRYPTED = 0x2041  # bits 0, 6 and 13
_SECOND_NAME = 0x7075


@dataclass(frozen=True, slots=True)
class Member:
    """One stored member: where its bytes lie and their checksum as the archive lists it."""

    name: str
    offset: int
    size: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Archive:
    """The checked members of an archive.

    Attributes:
        stamp: the file.
        members: by name, in the order of their bytes.
        summed: whether the writer computed checksums; all are zero where it did not.
    """

    stamp: Stamp
    members: dict[str, Member]
    summed: bool

    def read(self, descriptor: int, name: str, limit: int) -> bytes:
        """The bytes of a small member, checked against its checksum.

        Raises:
            CheckpointError: larger than `limit`, or other bytes than were written.
        """
        member = self.members[name]
        where = _place(self.stamp, name)
        if member.size > limit:
            raise CheckpointError(f"{member.size} bytes, more than the limit of {limit}", where=where)
        data = read_span(descriptor, self.stamp, member.offset, member.size).tobytes()
        if self.summed and zlib.crc32(data) != member.checksum:
            raise CheckpointError("its bytes do not have the checksum listed", where=where, hint="download it again")
        return data


@dataclass(frozen=True, slots=True)
class _Listed:
    """A record of the central directory."""

    name: str
    flags: int
    checksum: int
    size: int
    header: int


def read_archive(descriptor: int, stamp: Stamp) -> Archive:
    """Check an archive and list its members; only the records of the format are read.

    Raises:
        CheckpointError: anything that two readers could understand differently, or that torch does not write.
        EnvironmentFault: the device refuses.
    """
    start, size, count = _directory(descriptor, stamp)
    listed = list(_records(read_span(descriptor, stamp, start, size).tobytes(), count, stamp))
    listed.sort(key=lambda record: record.header)
    members: dict[str, Member] = {}
    position, previous = 0, ""
    for record in listed:
        if record.name in members:
            raise CheckpointError("the archive holds two members of this name", where=_place(stamp, record.name))
        if record.header < position:
            found = f"the member overlaps '{printable(previous)}' or the list of members"
            raise CheckpointError(found, where=_place(stamp, record.name))
        if record.header > position:
            found = f"{record.header - position} bytes of no member lie before it: something may hide there"
            raise CheckpointError(found, where=_place(stamp, record.name))
        offset, position = _local(descriptor, stamp, record, start)
        members[record.name] = Member(record.name, offset, record.size, record.checksum)
        previous = record.name
    if position != start:
        found = f"{start - position} bytes of no member lie before the list of members: something may hide there"
        raise CheckpointError(found, where=str(stamp.path))
    return Archive(stamp, members, any(record.checksum for record in listed))


def _directory(descriptor: int, stamp: Stamp) -> tuple[int, int, int]:
    """Start, size and number of records of the central directory, from the end record and its 64-bit form."""
    tail = min(stamp.size, _END.size + _LOCATOR.size + _END64.size)
    data = read_span(descriptor, stamp, stamp.size - tail, tail).tobytes()
    if data[-_END.size :][:4] != b"PK\x05\x06":
        raise CheckpointError(
            "the zip archive does not end with its end record: it is cut, or something follows it",
            where=str(stamp.path),
            hint="download or save it again",
        )
    _, disk, first, here, count, size, start, comment = _END.unpack(data[-_END.size :])
    if comment or disk or first or here != count:
        raise CheckpointError("the zip archive has a comment or several parts", where=str(stamp.path))
    end = stamp.size - _END.size
    if data[-_END.size - _LOCATOR.size :][:4] == b"PK\x06\x07":
        count, size, start = _directory64(data, stamp, (count, size, start))
        end -= _LOCATOR.size + _END64.size
    if start + size != end:
        found = "the list of members does not lie where the end record says"
        raise CheckpointError(found, where=str(stamp.path), hint="download or save it again")
    if count > MEMBER_CAP or size > LISTED_CAP or size < count * _CENTRAL.size:
        raise CheckpointError(
            f"{count} members in {size} bytes of list, limits are {MEMBER_CAP} and {LISTED_CAP}", where=str(stamp.path)
        )
    return start, size, count


def _directory64(data: bytes, stamp: Stamp, short: tuple[int, int, int]) -> tuple[int, int, int]:
    """Number of records, size and start as the 64-bit end record has them; the short one must agree or be full."""
    where = str(stamp.path)
    _, disk, place, disks = _LOCATOR.unpack(data[-_END.size - _LOCATOR.size : -_END.size])
    record = data[: -_END.size - _LOCATOR.size]
    here = stamp.size - _END.size - _LOCATOR.size - _END64.size
    if len(record) < _END64.size or disk or disks > 1 or place != here:
        raise CheckpointError("the 64-bit end record of the zip archive does not lie before its locator", where=where)
    mark, length, _, _, disk, first, held, count, size, start = _END64.unpack(record[-_END64.size :])
    if mark != b"PK\x06\x06" or length != _END64.size - 12 or disk or first or held != count:
        raise CheckpointError("the 64-bit end record of the zip archive is not one", where=where)
    for value, wide, full in zip(short, (count, size, start), (_FULL16, _FULL32, _FULL32), strict=True):
        if value not in {wide, full}:
            raise CheckpointError("the two end records of the zip archive differ", where=where)
    return count, size, start


def _records(data: bytes, count: int, stamp: Stamp) -> Iterator[_Listed]:
    """The records of the central directory, each checked by itself."""
    position = 0
    for _ in range(count):
        fields = data[position : position + _CENTRAL.size]
        if len(fields) < _CENTRAL.size or fields[:4] != b"PK\x01\x02":
            raise CheckpointError("the list of members is broken", where=str(stamp.path))
        *fixed, named, extra, comment, disk, _, _, header = _CENTRAL.unpack(fields)
        _, _, _, flags, method, _, _, checksum, packed, size = fixed
        position += _CENTRAL.size
        raw, more = data[position : position + named], data[position + named : position + named + extra]
        position += named + extra + comment
        if position > len(data):
            raise CheckpointError("the list of members is cut", where=str(stamp.path))
        name = _name(raw, stamp)
        size, packed, header = _widened(more, (size, packed, header), stamp, name)
        _require_plain(stamp, name, flags, method)
        if size != packed or comment or disk:
            raise CheckpointError("the member has two sizes, a comment or another disk", where=_place(stamp, name))
        yield _Listed(name, flags, checksum, size, header)
    if position != len(data):
        raise CheckpointError("the list of members holds more than it counts", where=str(stamp.path))


def _require_plain(stamp: Stamp, name: str, flags: int, method: int) -> None:
    """Refuse encryption, compression and every flag but those of torch's own writer."""
    if flags & _ENCRYPTED:
        raise CheckpointError("the member is encrypted", where=_place(stamp, name))
    if flags & ~(_DESCRIPTOR | _UTF8):
        raise CheckpointError(f"the member has unusual flags ({flags:#06x})", where=_place(stamp, name))
    if method:
        raise CheckpointError(
            f"the member is compressed (method {method}); torch stores its members as they are",
            where=_place(stamp, name),
            hint="save it again with torch.save",
        )


def _name(raw: bytes, stamp: Stamp) -> str:
    """The name of a member, which must be a plain path below the archive."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError("the name of a member is not UTF-8", where=str(stamp.path)) from error
    parts = name.split("/")
    plain = name.isprintable() and 0 < len(name) <= NAME_CAP and not {"", ".", ".."} & set(parts)
    if not plain or "\\" in name or ":" in name:
        raise CheckpointError(
            f"the name of the member '{printable(name)}' leads out of the archive or is no plain path",
            where=str(stamp.path),
        )
    return name


def _widened(extra: bytes, short: tuple[int, int, int], stamp: Stamp, name: str) -> tuple[int, int, int]:
    """Size, stored size and place of a member, from its 64-bit extra field where the short ones are full."""
    wide: bytes | None = None
    position = 0
    while position < len(extra):
        if len(extra) - position < 4:
            raise CheckpointError("the extra fields of the member are broken", where=_place(stamp, name))
        kind, length = struct.unpack_from("<2H", extra, position)
        position += 4 + length
        if position > len(extra) or kind == _SECOND_NAME or (kind == 1 and wide is not None):
            raise CheckpointError("the extra fields of the member are broken", where=_place(stamp, name))
        wide = extra[position - length : position] if kind == 1 else wide
    found: list[int] = []
    at = 0
    for value in short:
        if value != _FULL32 or wide is None:
            found.append(value)
            continue
        if len(wide) - at < 8:
            raise CheckpointError("the 64-bit sizes of the member are cut", where=_place(stamp, name))
        found.append(int.from_bytes(wide[at : at + 8], "little"))
        at += 8
    return found[0], found[1], found[2]


def _local(descriptor: int, stamp: Stamp, record: _Listed, limit: int) -> tuple[int, int]:
    """First byte of a member's data and the first byte after the member, its own header held against the list."""
    where = _place(stamp, record.name)
    raw = record.name.encode()
    if record.header + _LOCAL.size + len(raw) > limit:
        raise CheckpointError("the member begins behind the list of members", where=where)
    data = read_span(descriptor, stamp, record.header, _LOCAL.size + len(raw)).tobytes()
    mark, _, flags, method, _, _, checksum, packed, size, named, extra = _LOCAL.unpack(data[: _LOCAL.size])
    if mark != b"PK\x03\x04" or data[_LOCAL.size :] != raw or named != len(raw):
        raise CheckpointError("the member's own header has another name than the list of members", where=where)
    if flags != record.flags or method:
        raise CheckpointError("the member's own header has other flags than the list of members", where=where)
    offset = record.header + _LOCAL.size + named + extra
    end = offset + record.size
    if end > limit:
        raise CheckpointError(
            f"truncated: the member needs {record.size} bytes at {offset}, the list of members begins at {limit}",
            where=where,
            hint="download or save it again",
        )
    if flags & _DESCRIPTOR and (checksum, packed, size) in {(0, 0, 0), (0, _FULL32, _FULL32)}:
        return offset, _after_descriptor(descriptor, stamp, record, end, limit)
    if _FULL32 in {packed, size}:
        more = read_span(descriptor, stamp, offset - extra, extra).tobytes()
        size, packed, _ = _widened(more, (size, packed, 0), stamp, record.name)
    if (checksum, packed, size) != (record.checksum, record.size, record.size):
        raise CheckpointError("the member's own header has another size than the list of members", where=where)
    return offset, _after_descriptor(descriptor, stamp, record, end, limit) if flags & _DESCRIPTOR else end


def _after_descriptor(descriptor: int, stamp: Stamp, record: _Listed, end: int, limit: int) -> int:
    """The first byte after the record behind a member's data, which must repeat its checksum and size."""
    data = read_span(descriptor, stamp, end, min(24, limit - end)).tobytes()
    for form, length in (("<4sLLL", 16), ("<4sLQQ", 24)):
        if len(data) >= length and struct.unpack_from(form, data) == (
            b"PK\x07\x08",
            record.checksum,
            record.size,
            record.size,
        ):
            return end + length
    found = "the record behind the member's data has another size than the list of members"
    raise CheckpointError(found, where=_place(stamp, record.name))


def _place(stamp: Stamp, name: str) -> str:
    return f"{stamp.path}: member '{printable(name, 80)}'"
