"""Bricks of GGUF files, good and bad, written byte by byte: nothing here checks anything.

Here live: keys, tensor lines and whole files. Not here: the rows of the fault list (see `bad_gguf`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

U32, I32, TEXT, LIST, U64 = 4, 5, 8, 9, 10
F32, Q4_0, Q4_K, Q8_0 = 0, 2, 12, 8


def text(content: str | bytes, length: int | None = None) -> bytes:
    """A string with its length before it, or with another length."""
    data = content.encode() if isinstance(content, str) else content
    return struct.pack("<Q", len(data) if length is None else length) + data


def key(name: str | bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def word(name: str, content: str | bytes) -> bytes:
    """A key whose value is a text."""
    return key(name, TEXT, text(content))


def number(name: str, value: int, kind: int = U32) -> bytes:
    code = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 7: "B", 10: "Q", 11: "q"}[kind]
    return key(name, kind, struct.pack("<" + code, value))


def words(name: str, contents: Sequence[str | bytes]) -> bytes:
    """A key whose value is an array of texts."""
    return key(name, LIST, struct.pack("<IQ", TEXT, len(contents)) + b"".join(map(text, contents)))


def tensor(name: str | bytes, shape: Sequence[int], kind: int = F32, offset: int = 0, rank: int | None = None) -> bytes:
    """A line of the tensor table; the shape has the innermost axis first, as in the file."""
    rank = len(shape) if rank is None else rank
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", rank, *shape, kind, offset)


def gguf(
    keys: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    data: bytes = b"",
    *,
    version: int = 3,
    counts: tuple[int | None, int | None] = (None, None),
    alignment: int = 32,
) -> bytes:
    """A file; `counts` are the numbers of tensors and keys that it claims."""
    claimed = [len(held) if count is None else count for held, count in zip((tensors, keys), counts, strict=True)]
    head = b"GGUF" + struct.pack("<IQQ", version, *claimed) + b"".join(keys) + b"".join(tensors)
    return head + (b"\0" * (-len(head) % alignment) + data if tensors else b"")


LLAMA = word("general.architecture", "llama")
PARTS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def layer(prefix: str = "blk.0.", size: int = 8) -> tuple[list[bytes], bytes]:
    """Lines and data of the matrices of one layer, float32, every value its place in the file."""
    each = 4 * size * size
    lines = [tensor(f"{prefix}{part}.weight", (size, size), F32, each * at) for at, part in enumerate(PARTS)]
    count = len(PARTS) * size * size
    return lines, struct.pack(f"<{count}f", *((at % 97) - 48.0 for at in range(count)))
