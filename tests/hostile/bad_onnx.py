"""Rows ON of the fault list: ONNX files that break the wire format, lie about their tensors, or lead out of the folder.

Here live: their makers, from the bytes up, since the official writer would refuse most of them.
Not here: assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

from badcase import Case, Maker, raw

M = "model.onnx"
VERSION = b"\x08\x08"
HUGE = 1 << 60
Part = int | bytes | str


def number(value: int) -> bytes:
    """A varint; a negative one has ten bytes."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def part(field: int, value: Part) -> bytes:
    """One field of a message: a number, or bytes behind their length."""
    if isinstance(value, int):
        return number(field << 3) + number(value)
    content = value.encode() if isinstance(value, str) else value
    return number(field << 3 | 2) + number(len(content)) + content


def stored(
    name: str, dims: tuple[int, ...] = (2, 3), kind: int = 1, data: bytes | None = None, more: bytes = b""
) -> bytes:
    """An initialiser, with as many bytes as a float32 of its shape needs unless told otherwise."""
    held = bytes(24) if data is None else data
    shape = b"".join(part(1, extent) for extent in dims)
    return part(5, shape + part(2, kind) + part(8, name) + (part(9, held) if held else b"") + more)


def outside(name: str = "w", **settings: str) -> bytes:
    """An initialiser of 24 bytes that lie in another file."""
    pairs = b"".join(part(13, part(1, key) + part(2, value)) for key, value in settings.items())
    return stored(name, data=b"", more=pairs + part(14, 1))


def node(operation: str, inputs: tuple[str, ...], output: str, name: str = "", more: bytes = b"") -> bytes:
    """A node of the graph."""
    ins = b"".join(part(1, each) for each in inputs)
    return part(1, ins + part(2, output) + part(3, name) + part(4, operation) + more)


def model(*graph: bytes, head: bytes = VERSION) -> bytes:
    """A file of one graph."""
    return head + part(7, b"".join(graph))


def made(*graph: bytes) -> Maker:
    return raw(model(*graph))


def beside(maker: Callable[[Path], None], *graph: bytes) -> Maker:
    """A file with something made beside it."""

    def make(path: Path) -> None:
        maker(path.parent)
        path.write_bytes(model(*graph))

    return make


def nested(depth: int) -> bytes:
    """A node whose attribute holds a graph with such a node, and so on."""
    inner = stored("deep")
    for _ in range(depth):
        inner = node("If", (), "y", more=part(5, part(1, "then_branch") + part(6, inner)))
    return inner


def many_fields() -> bytes:
    return part(1, part(1, b"") * 1_000_001)


def many_tensors(path: Path) -> None:
    path.write_bytes(model(*(stored(f"t{number}", (0,), data=b"") for number in range(50_001))))


def link(folder: Path) -> None:
    (folder.parent / "away").write_bytes(bytes(24))
    (folder / "w.data").symlink_to(folder.parent / "away")


def short(folder: Path) -> None:
    (folder / "w.data").write_bytes(bytes(20))


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "w.data")


WHOLE = model(stored("layers.0.weight"), node("MatMul", ("x", "layers.0.weight"), "y", "/layers.0/MatMul"))
HALVES = number(15) * 6  # six elements as numbers of variable length
NANS = stored("w", data=struct.pack("<6f", *[float("nan")] * 6))
BROKEN = ("not a whole protocol buffer",)
IN_MESSAGE = part(5, part(1, 2) + part(1, 3) + part(2, 1) + part(8, "w") + number(9 << 3 | 2) + number(HUGE))

ONNX_CASES: tuple[Case, ...] = (
    Case("ON01 empty", raw(b""), 3, ("empty file",), M),
    Case("ON01 page", raw(b"<!DOCTYPE html><html>"), 3, ("HTML",), M),
    Case("ON01 safetensors", raw(b'\x10\0\0\0\0\0\0\0{"a":1}          '), 3, (M,), M),
    Case("ON01 zeros", raw(bytes(4096)), 3, ("all zeros",), M),
    Case("ON01 no graph", raw(VERSION), 3, ("no graph in it",), M),
    Case("ON01 no version", raw(model(stored("w"), head=b"")), 3, ("no version",), M),
    Case("ON01 two graphs", raw(model(stored("w")) + part(7, stored("v"))), 3, ("two graphs",), M),
    Case("ON01 graph of a number", raw(VERSION + part(7, 3)), 3, BROKEN, M),
    *(Case(f"ON02 cut at {end}", raw(WHOLE[:end]), 3, (M,), M) for end in (1, 2, 3, 9, 20, 40, len(WHOLE) - 1)),
    Case("ON03 length of 2^60", raw(VERSION + number(7 << 3 | 2) + number(HUGE)), 3, BROKEN, M),
    Case("ON03 data of 2^60", made(IN_MESSAGE), 3, BROKEN, M),
    Case("ON03 over its message", made(part(5, b"\x4a\x20" + bytes(24)), stored("v")), 3, BROKEN, M),
    Case("ON04 endless number", raw(b"\x08" + b"\xff" * 11 + WHOLE), 3, BROKEN, M),
    Case("ON04 number of 70 bits", raw(b"\x08" + b"\xff" * 9 + b"\x7f" + WHOLE), 3, BROKEN, M),
    Case("ON05 group", made(b"\x0b\x0c"), 3, ("a group",), M),
    Case("ON05 wire type", made(b"\x0e"), 3, ("wire type 6",), M),
    Case("ON05 field 0", made(b"\x02\x00"), 3, BROKEN, M),
    Case("ON06 nested", made(nested(40)), 3, ("nested deeper",), M),
    Case("ON06 branch", made(nested(3), stored("w")), 0, ("in a branch of a node", "1 tensors"), M),
    Case("ON07 negative", made(stored("w", (-2, 3))), 3, ("negative", "'w'"), M),
    Case("ON08 overflow", made(stored("w", (1 << 40, 1 << 40))), 3, ("overflow", "'w'"), M),
    Case("ON08 axes", made(stored("w", (1,) * 100)), 3, ("more than 64 axes",), M),
    Case("ON09 too few bytes", made(stored("w", data=bytes(23))), 3, ("needs 24 bytes, 23", "'w'"), M),
    Case("ON09 no bytes", made(stored("w", data=b"")), 3, ("no values are stored", "'w'"), M),
    Case("ON09 two homes", made(stored("w", more=part(4, bytes(24)))), 3, ("stored twice", "'w'"), M),
    Case("ON09 other field", made(stored("w", data=b"", more=part(10, bytes(24)))), 3, ("of another type",), M),
    Case("ON09 few numbers", made(stored("w", kind=10, data=b"", more=part(5, b"\1"))), 3, ("does not fit",), M),
    Case("ON09 twice", made(stored("w", more=part(9, bytes(24)))), 3, ("stands twice",), M),
    Case("ON10 duplicate", made(stored("w"), stored("w")), 3, ("two initialisers of one name", "'w'"), M),
    Case("ON10 nameless", made(stored("")), 3, ("without a name",), M),
    Case("ON11 climbing", made(outside(location="../w.data")), 3, ("leads out of the folder", "'w'"), M),
    Case("ON11 absolute", made(outside(location="/etc/passwd")), 3, ("leads out of the folder", "'w'"), M),
    Case("ON11 nowhere", made(outside(location="w.data")), 3, ("no such file", "'w'"), M),
    Case("ON11 no location", made(outside(offset="0")), 3, ("leads out of the folder",), M),
    Case("ON11 link", beside(link, outside(location="w.data")), 3, ("leads out of the folder",), M),
    Case("ON11 pipe", beside(pipe, outside(location="w.data")), 3, ("named pipe",), M),
    Case("ON11 short", beside(short, outside(location="w.data")), 3, ("truncated", "'w'"), M),
    Case("ON11 offset", beside(short, outside(location="w.data", offset=str(HUGE))), 3, ("no count of bytes",), M),
    Case("ON11 offset behind", beside(short, outside(location="w.data", offset="99")), 3, ("truncated",), M),
    Case("ON11 negative", beside(short, outside(location="w.data", offset="-8")), 3, ("no count of bytes",), M),
    Case("ON11 length", beside(short, outside(location="w.data", length="20")), 3, ("20 are promised",), M),
    Case("ON12 sparse", made(part(15, b""), stored("w")), 3, ("sparse initialiser",), M),
    Case("ON12 segment", made(stored("w", more=part(3, b""))), 3, ("segments",), M),
    Case("ON13 type", made(stored("w", kind=99)), 3, ("unknown data type 99", "'w'"), M),
    Case("ON13 no type", made(part(5, part(8, "w"))), 3, ("unknown data type 0",), M),
    Case("ON13 text", made(stored("w", (), 8, b"", part(6, "hello"))), 0, ("variable length",), M),
    Case("ON14 only vectors", made(stored("v", (6,))), 0, ("vector (norm or bias)",), M),
    Case("ON14 no tensor", made(), 3, ("no tensor is stored",), M),
    Case(
        "ON15 halves as numbers", made(stored("w", kind=10, data=b"", more=part(5, HALVES))), 0, ("variable length",), M
    ),
    Case("ON15 scattered", made(stored("w", data=b"", more=part(4, bytes(12)) * 2)), 0, ("several runs",), M),
    Case("ON16 name", made(stored("\x1b[31m\u202eevil")), 0, ("\\x1b[31m\\u202eevil", "unusual name"), M),
    Case("ON16 long name", made(stored("n" * 5000)), 3, ("a name of 5000 bytes",), M),
    Case("ON16 no text", made(stored("w", more=b"").replace(b"w", b"\xff")), 3, ("not valid Unicode",), M),
    Case("ON17 many fields", made(many_fields()), 3, ("fields",), M, slow=True),
    Case(
        "ON17 many tensors",
        many_tensors,
        3,
        ("more than the limit",),
        M,
        slow=True,
    ),
    Case("ON18 not finite", made(NANS), 3, ("no matrix could be analysed",), M, verb="scan"),
)
