"""Rows GG of the fault list: GGUF files that break the format, lie about it, or hold no model.

Here live: their makers. Not here: bricks (see `gguf_bytes`), assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import struct
from pathlib import Path

from badcase import Case, Maker, raw
from gguf_bytes import (
    F32,
    I32,
    LIST,
    LLAMA,
    PARTS,
    Q4_0,
    TEXT,
    U32,
    gguf,
    key,
    layer,
    number,
    tensor,
    text,
    word,
    words,
)

LINES, DATA = layer()
WHOLE = gguf([LLAMA], LINES, DATA)
PAYLOAD = "{{ self.__init__.__globals__.__builtins__.__import__('os').system('touch pwned') }}\x1b[2J\u202e"


def _one(*lines: bytes, data: bytes = b"\0" * 64, keys: tuple[bytes, ...] = ()) -> Maker:
    """A file of these tensors."""
    return raw(gguf([LLAMA, *keys], lines, data))


def _keys(*keys: bytes) -> Maker:
    """A good model with these keys."""
    return raw(gguf([LLAMA, *keys], LINES, DATA))


def _aligned(kind: int, value: int) -> Maker:
    return _keys(number("general.alignment", value, kind))


def part(at: int, count: int, total: int, lines: list[bytes], data: bytes) -> bytes:
    """A part of a split model, numbered from 0."""
    keys = [number("split.no", at, 2), number("split.count", count, 2), number("split.tensors.count", total, I32)]
    return gguf([LLAMA, *keys] if at == 0 else keys, lines, data)


def _parts(path: Path, present: tuple[int, ...], count: int = 3, total: int = 7) -> None:
    """Some of three files of one model: the first two hold three matrices each, the last one."""
    each = len(DATA) // len(PARTS)
    for at in present:
        names = PARTS[3 * at : 3 * at + 3]
        lines = [tensor(f"blk.0.{name}.weight", (8, 8), F32, each * place) for place, name in enumerate(names)]
        data = DATA[: each * len(lines)]
        (path.parent / f"m-{at + 1:05d}-of-00003.gguf").write_bytes(part(at, count, total, lines, data))


def _long_words(path: Path) -> None:
    """Five million empty words: no model has so many, and each must be looked at to be passed over."""
    count = 5_000_000
    head = gguf([LLAMA, key("tokenizer.ggml.tokens", LIST, struct.pack("<IQ", TEXT, count))], LINES, b"", counts=(7, 2))
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(len(head) + 8 * count)


def _many_keys(path: Path) -> None:
    """Keys of the largest length, until what would be kept is too much."""
    each = 60_000
    keys = [key(f"{at:06d}".ljust(each, "x"), 0, b"\0") for at in range(400)]
    path.write_bytes(gguf(keys, LINES, DATA))


def _mmproj(path: Path) -> None:
    lines, data = layer("v.blk.0.")
    clip = [word("general.architecture", "clip"), number("clip.vision.block_count", 1)]
    path.write_bytes(gguf(clip, lines, data))


def _file(id: str, make: Maker, code: int, *said: str) -> Case:
    return Case(id, make, code, said, "model.gguf")


FIRST = "m-00001-of-00003.gguf"
OTHER = tensor("b", (8,), F32, 32)

GGUF_CASES: tuple[Case, ...] = (
    _file("GG01 magic", raw(b"GGML" + WHOLE[4:]), 3, "not a GGUF file"),
    _file("GG01 empty", raw(b""), 3, "empty file"),
    _file("GG01 short", raw(WHOLE[:20]), 3, "too short"),
    _file("GG01 zip", raw(b"PK\x03\x04" + WHOLE), 3, "zip archive"),
    *(
        _file(f"GG01 version {version}", raw(gguf([LLAMA], LINES, DATA, version=version)), 3, f"version {version}")
        for version in (0, 1, 4, 99)
    ),
    _file("GG01 big-endian", raw(b"GGUF" + struct.pack(">IQQ", 3, 1, 1) + b"\0" * 64), 3, "big-endian"),
    *(
        _file(f"GG02 {what} {count:x}", raw(gguf([LLAMA], LINES, DATA, counts=counts)), 3, what, "more than")
        for count in (2**63, 2**64 - 1)
        for what, counts in (("tensors", (count, None)), ("keys", (None, count)))
    ),
    _file("GG03 endless", raw(gguf([key("a", TEXT, text("b", 2**63))], LINES, DATA)), 3, "truncated", "'a'"),
    _file("GG03 past the file", raw(gguf([key("a", TEXT, text("b", 10_000))], LINES, DATA)), 3, "truncated", "'a'"),
    _file("GG03 key", raw(gguf([text("k", 2**63)], LINES, DATA)), 3, "key number 1"),
    _file("GG03 name", raw(gguf([LLAMA], [text("w", 2**63) + LINES[0]], DATA)), 3, "name of tensor number 1"),
    _file(
        "GG04 texts", raw(gguf([key("a", LIST, struct.pack("<IQ", TEXT, 2**63))], LINES, DATA)), 3, "more than", "'a'"
    ),
    _file("GG04 bytes", raw(gguf([key("a", LIST, struct.pack("<IQ", 0, 2**63))])), 3, "truncated", "'a'"),
    _file("GG04 lying", raw(gguf([key("a", LIST, struct.pack("<IQQ", TEXT, 4, 2**62))], LINES, DATA)), 3, "'a'"),
    _file("GG04 many", _long_words, 3, "more than", "strings"),
    _file("GG05", raw(gguf([key("a", LIST, struct.pack("<IQ", LIST, 1) * 5000)], LINES)), 3, "array of arrays", "'a'"),
    _file("GG06", _keys(key("a", 99, b"\0" * 8)), 3, "unknown type 99", "'a'"),
    _file("GG06 array", _keys(key("a", LIST, struct.pack("<IQ", 99, 1) + b"\0" * 8)), 3, "unknown type 99", "'a'"),
    _file("GG06 boolean", _keys(number("a", 2, 7)), 3, "boolean", "'a'"),
    _file("GG07 duplicate", _keys(number("a", 1), number("a", 1)), 3, "duplicate key 'a'"),
    _file("GG07 empty", _keys(number("", 1)), 3, "empty"),
    _file("GG07 long", _keys(number("k" * 65_536, 1)), 3, "more than the limit"),
    _file("GG07 many", _many_keys, 3, "more than"),
    _file("GG07 key not UTF-8", _keys(key(b"\xff\xfe", U32, b"\0\0\0\0")), 3, "not valid UTF-8"),
    _file("GG07 name not UTF-8", _one(tensor(b"\xff\xfe", (8,))), 3, "not valid UTF-8"),
    *(_file(f"GG08 {value}", _aligned(U32, value), 3, "general.alignment") for value in (0, 3, 13, 2**30)),
    _file("GG08 signed", _aligned(I32, 32), 3, "general.alignment"),
    _file("GG08 array", _keys(key("general.alignment", LIST, struct.pack("<IQI", U32, 1, 32))), 3, "general.alignment"),
    _file("GG09 five axes", _one(tensor("a", (1, 1, 1, 1, 1))), 3, "5 axes", "'a'"),
    _file("GG09 a million axes", _one(tensor("a", (1, 1), rank=1_000_000)), 3, "1000000 axes", "'a'"),
    _file("GG09 empty", _one(tensor("a", (0, 8))), 0, "empty"),
    _file("GG09 wrapping", _one(tensor("a", (2**32, 2**32 + 1))), 3, "overflow", "'a'"),
    _file("GG09 negative", _one(tensor("a", (2**64 - 1,))), 3, "overflow", "'a'"),
    _file("GG09 hidden", _one(tensor("a", (0, 2**40, 2**40))), 3, "overflow", "'a'"),
    _file("GG10 unknown", _one(tensor("a", (32,), 999)), 3, "type 999", "'a'"),
    _file("GG10 removed", _one(tensor("a", (32,), 31)), 3, "Q4_0_4_4", "'a'"),
    _file("GG10 row", _one(tensor("a", (16, 2), Q4_0)), 3, "no multiple of the 32", "'a'"),
    _file("GG11 past the end", _one(tensor("a", (8,), F32, 2**40)), 3, "hole", "'a'"),
    _file("GG11 unaligned", _one(tensor("a", (8,)), tensor("b", (8,), F32, 33)), 3, "alignment 32", "'b'"),
    _file("GG11 overlapping", _one(tensor("a", (16,)), OTHER), 3, "overlaps", "'b'"),
    _file("GG11 out of order", _one(OTHER, tensor("a", (8,))), 3, "out of order", "'b'"),
    _file("GG11 truncated", raw(WHOLE[:-8]), 3, "truncated", "'blk.0.ffn_down.weight'"),
    _file("GG11 tail", raw(WHOLE + b"PK\x03\x04evil"), 0, "8 bytes after the last tensor"),
    _file("GG12 duplicate", _one(tensor("a", (8,)), tensor("a", (8,), F32, 32)), 3, "duplicate tensor 'a'"),
    _file("GG12 long", _one(tensor("n" * 65, (8,))), 3, "65 bytes"),
    _file("GG12 escape", _one(tensor("\x1b[2J\u202ew", (8,))), 0, "\\x1b[2J\\u202ew"),
    Case("GG13 missing", lambda path: _parts(path, (0, 2)), 3, ("missing",), FIRST),
    Case("GG13 wrong count", lambda path: _parts(path, (0, 1, 2), count=4), 3, ("by its keys part 1 of 4",), FIRST),
    Case("GG13 no keys", raw(WHOLE), 3, ("1 of 3 parts", "missing: 2, 3"), FIRST),
    Case("GG13 never", raw(part(5, 3, 7, LINES, DATA)), 3, ("split.no 5",), "model.gguf"),
    _file("GG14 no decoder", _one(tensor("a", (128, 2), 41)), 0, "no decoder"),
    _file("GG14 activations", _one(tensor("a", (256,), 15), data=b"\0" * 320), 0, "activations"),
    _file("GG15", _keys(word("tokenizer.chat_template", PAYLOAD)), 0, "never rendered", "\\x1b[2J\\u202e"),
    _file("GG15 named", _keys(word("tokenizer.chat_template.a\x07b", "{% x %}")), 0, "never rendered", "a\\x07b"),
    _file("GG16 mmproj", _mmproj, 0, "v.blk.0.attn_q.weight"),
    _file("GG16 vocabulary", raw(gguf([LLAMA, words("tokenizer.ggml.tokens", ["a", "b"])])), 3, "no weight matrices"),
    _file("GG16 adapter", _keys(word("general.type", "adapter")), 3, "adapter"),
    _file("GG16 importance", _keys(word("general.type", "imatrix")), 3, "importance matrix"),
)
