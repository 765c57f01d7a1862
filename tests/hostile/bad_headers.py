"""Rows ST of the fault list: safetensors files that break the format, lie about it, or change while they are read.

Here live: their makers. Not here: assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from badcase import Case, Maker, llama_file, packed, raw, tensor, written

from shadowgraph.weights.readers import span


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", 100_000_001) + b"{")
        stream.truncate(100_000_100)


def zipped(*members: str, byteorder: bytes = b"little") -> Maker:
    """An archive as torch or numpy writes it; the bytes of a big-endian one would be read wrong, not refused."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for member in members:
                archive.writestr(member, byteorder if member.endswith("byteorder") else b"x")

    return make


def _socket(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is limited to about a hundred characters
    try:
        server.bind(path.name)
    finally:
        os.chdir(here)
        server.close()


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def many(count: int) -> Maker:
    """A header of so many tensors of no element."""
    entry = '"t{}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    return lambda path: packed_text(path, "{" + ",".join(map(entry.format, range(count))) + "}")


def packed_text(path: Path, header: str) -> None:
    path.write_bytes(packed(header.encode()))


def _at_first_value(patch: pytest.MonkeyPatch, happen: Any) -> None:
    """Let something happen once, when the first bytes behind the header are asked for."""
    genuine, calls = os.preadv, [0]

    def reading(descriptor: int, buffers: list[Any], offset: int) -> int:
        calls[0] += 1
        if calls[0] == 3:
            happen()
        return genuine(descriptor, buffers, offset)

    patch.setattr(span.os, "preadv", reading)


def cut(patch: pytest.MonkeyPatch, path: Path) -> None:
    _at_first_value(patch, lambda: os.truncate(path, path.stat().st_size - 8))


def replaced(patch: pytest.MonkeyPatch, path: Path) -> None:
    def happen() -> None:
        other = path.with_name("other")
        other.write_bytes(path.read_bytes())
        other.replace(path)

    _at_first_value(patch, happen)


def forbidden(patch: pytest.MonkeyPatch, path: Path) -> None:
    """Mode 000 as an ordinary user meets it; the superuser's tests read everything."""
    genuine = os.open

    def refusing(place: Any, *rest: Any) -> int:
        if Path(place) == path:
            raise PermissionError(13, "Permission denied")
        return genuine(place, *rest)

    patch.setattr(span.os, "open", refusing)


F = b"\0" * 4
FIXED = {"w": tensor("F32", [1], 0, 4)}
DUPLICATE = (
    b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
)
DUPLICATE_OTHER = (
    b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
)
DUPLICATE_META = b'{"__metadata__":{"a":"1","a":"2"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"

HEADER_CASES: tuple[Case, ...] = (
    Case("ST01", raw(b""), 3, ("empty file",)),
    Case("ST02", raw(b"\x01\x02\x03\x04\x05\x06\x07"), 3, ("too short",)),
    Case("ST03", raw(packed(b"{" + b" " * 51, length=10_000)), 3, ("truncated", "10000")),
    Case("ST04", raw(packed(b"{}" + b" " * 20, length=2**63)), 3, ("cap",)),
    Case("ST05", _sparse, 3, ("cap",)),
    Case("ST06", raw(packed(b'{"\xff\xfe":1}')), 3, ("UTF-8",)),
    Case("ST07 hello", raw(packed(b"hello")), 3, ("does not begin",)),
    Case("ST07 list", raw(packed(b"[1,2]")), 3, ("does not begin",)),
    Case("ST07 null", raw(packed(b"null")), 3, ("does not begin",)),
    Case("ST07 broken", raw(packed(b'{"a":')), 3, ("not JSON",)),
    Case("ST08", raw(packed(b"   " + json.dumps(FIXED).encode(), F)), 3, ("does not begin",)),
    Case(
        "ST09", written({"a": tensor("F32", [1], 0, 4), "b": tensor("F32", [1], 0, 4)}, F), 3, ("overlap", "'a'", "'b'")
    ),
    Case(
        "ST10", written({"a": tensor("F32", [1], 0, 4), "b": tensor("F32", [1], 8, 12)}, F * 3), 3, ("hole of 4", "'b'")
    ),
    Case("ST11", written(FIXED, F + b"PK\x03\x04evil"), 3, ("tail of 8",)),
    Case(
        "ST12",
        written({"a": tensor("F32", [4], 0, 16), "b": tensor("F32", [4], 16, 32)}, b"\0" * 24),
        3,
        ("truncated", "'b'"),
    ),
    Case("ST13", written({"a": tensor("F32", [5], 0, 16)}, b"\0" * 16), 3, ("needs 20 bytes", "'a'")),
    Case("ST14", written({"a": tensor("F32", [2**62, 8], 0, 4)}, F), 3, ("overflow", "'a'")),
    Case("ST15", written({"a": tensor("F32", [1], -4, 0)}, F), 3, ("data_offsets", "'a'")),
    Case("ST15 backwards", written({"a": tensor("F32", [1], 4, 0)}, F), 3, ("data_offsets", "'a'")),
    Case("ST16 same", raw(packed(DUPLICATE, F)), 3, ("duplicate key 'w'",)),
    Case("ST16 other", raw(packed(DUPLICATE_OTHER, F * 2)), 3, ("duplicate key 'w'",)),
    Case("ST17", raw(packed(DUPLICATE_META, F)), 3, ("duplicate key 'a'",)),
    Case("ST18", written({"__metadata__": {"a": 1}, **FIXED}, F), 3, ("__metadata__", "'a'")),
    Case("ST18 list", written({"__metadata__": [], **FIXED}, F), 3, ("__metadata__",)),
    Case("ST19", written({"a": tensor("Q4_K", [1], 0, 4)}, F), 3, ("Q4_K", "BF16")),
    Case("ST19 list", written({"a": {**tensor("F32", [1], 0, 4), "dtype": ["F32"]}}, F), 3, ("unknown dtype",)),
    Case("ST20", written({"a": tensor("F32", [1], 0, 4, stride=[1])}, F), 0, ("extra fields: stride",)),
    Case("ST21", raw(packed(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0.0,4.0]}}', F)), 3, ("data_offsets",)),
    Case("ST21 boolean", raw(packed(b'{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}', F)), 3, ("shape",)),
    Case("ST22", raw(packed(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)), 3, ("nested too deep",)),
    Case("ST22 digits", raw(packed(b'{"a":' + b"9" * 10_000 + b"}")), 3, ("not JSON",)),
    Case("ST22 constant", raw(packed(b'{"a":NaN}')), 3, ("not JSON",)),
    Case("ST23", many(1_000_000), 3, ("more than",)),
    Case("ST24", written({"a": tensor("F32", [1] * 1000, 0, 4)}, F), 0, ("rank 1000 > 8",)),
    Case("ST25 overflow", written({"a": tensor("F32", [2**40, 2**40, 0], 0, 0)}), 3, ("overflow",)),
    Case("ST25 empty", written({"a": tensor("F32", [0, 2**40], 0, 0)}), 0, ("empty",)),
    Case("ST26 empty", written({"": tensor("F32", [1], 0, 4)}, F), 0, ("unusual name",)),
    Case("ST26 long", written({"x" * 1_000_000: tensor("F32", [1], 0, 4)}, F), 0, ("unusual name", "1000000")),
    Case("ST26 NUL", written({"a\0b": tensor("F32", [1], 0, 4)}, F), 0, ("unusual name", "a\\x00b")),
    Case(
        "ST26 surrogate",
        raw(packed(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', F)),
        3,
        ("Unicode",),
    ),
    Case("ST28", written({"\x1b[2J\u202eevil": tensor("F32", [1], 0, 4)}, F), 0, ("\\x1b[2J\\u202eevil",)),
    Case("ST28 link", written({"\x1b]8;;http://x\x07": tensor("F32", [1], 0, 4)}, F), 0, ("\\x1b]8;;http://x\\x07",)),
    Case("ST27", written({'<img src=x onerror="alert(1)">': tensor("F32", [2, 2], 0, 16)}, F * 4), 0, ("<img src=x",)),
    Case("ST30", raw(LFS), 3, ("Git LFS pointer", "git lfs pull")),
    Case("ST31 HTML", raw(b"\n<!DOCTYPE html><html>404</html>"), 3, ("HTML",)),
    Case("ST31 zeros", raw(b"\0" * 4096), 3, ("partial download",)),
    Case("ST31 error", raw(b'{"error":"Repository not found"}'), 3, ("error message",)),
    Case("ST32 zip", zipped("archive/data.pkl"), 3, ("zip archive of torch",)),
    Case("ST32 npz", zipped("w.npy"), 3, ("numpy arrays",)),
    Case("ST32 any zip", zipped("readme.txt"), 3, ("zip archive;",)),
    Case("VA13", zipped("a/data.pkl", "a/byteorder", byteorder=b"big"), 3, ("zip archive of torch", "pickle")),
    Case("VA13 bin", zipped("a/byteorder", byteorder=b"big"), 3, ("zip archive of torch",), "pytorch_model.bin"),
    Case("ST32 JSON", raw(b'{\n "weight_map": {}}'), 3, ("JSON text",)),
    Case("ST32 pickle", raw(pickle.dumps({"a": list(range(100))})), 3, ("pickle",)),
    Case("ST32 gguf", raw(b"GGUF\x03\0\0\0" + b"\0" * 50), 3, ("GGUF",)),
    Case("ST33 folder", lambda path: path.mkdir(), 3, ("directory",)),
    Case("ST33 pipe", os.mkfifo, 3, ("named pipe",)),
    Case("ST33 device", _device, 3, ("character device",)),
    Case("ST33 socket", _socket, 3, ("socket",)),
    Case("ST34", written({"a": tensor("BOOL", [1], 0, 1)}, b"\x07"), 0, ("BOOL",)),
    Case("ST35", llama_file, 3, ("while reading",), verb="scan", during=cut),
    Case("ST36", llama_file, 3, ("changed while reading",), verb="scan", during=replaced),
    Case("ST37", llama_file, 5, ("permission denied",), during=forbidden),
    Case("absent", lambda path: None, 3, ("no such file",)),
    Case("entry is a list", raw(packed(b'{"a":[1]}')), 3, ("not an object", "'a'")),
    Case("entry lacks shape", raw(packed(b'{"a":{"dtype":"F32","data_offsets":[0,4]}}', F)), 3, ("lacks shape",)),
)
