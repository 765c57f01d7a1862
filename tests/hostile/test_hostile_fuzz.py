"""Differential fuzzing: whatever we accept the official reader accepts, with the same names, shapes, types and bytes.

Mutants are made from valid files; where the two readers differ, we are the stricter one, and only for listed reasons.
"""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from badcase import packed, tensor
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import explore, flipped, mutate
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save_file

from shadowgraph.errors import CheckpointError
from shadowgraph.seeds import generator
from shadowgraph.weights.readers.safetensors import read_header
from shadowgraph.weights.readers.values import read_values, stored_pieces

# Reasons for which we refuse what the official reader takes.
STRICTER = re.compile(r"duplicate key|does not begin with|__metadata__|not JSON|content is|content looks|Unicode|NaN")
SECONDS = 5.0
SECONDS_LONG = 120.0
SPLICES = (0, 1, 2**31, 2**32, 2**63, 2**64 - 1)
HEADER = {"__metadata__": {"a": "b"}, "x": tensor("F32", [2, 2], 0, 16), "y": tensor("BF16", [3], 16, 22)}
VALID = packed(json.dumps(HEADER).encode(), bytes(range(22)))
Found = dict[str, tuple[str, tuple[int, ...], bytes]]


def theirs(data: bytes) -> Found | None:
    """What the official reader sees, None when it refuses."""
    try:
        return {name: (info["dtype"], tuple(info["shape"]), bytes(info["data"])) for name, info in deserialize(data)}
    except (SafetensorError, OverflowError):
        return None


def ours(path: Path) -> Found | str:
    """What we see, or why we refuse."""
    try:
        entries = read_header(path).entries
        return {
            entry.name: (entry.dtype, entry.shape, b"".join(piece.tobytes() for piece in stored_pieces(entry)))
            for entry in entries
        }
    except CheckpointError as error:
        return str(error)


def agree(data: bytes, path: Path) -> bool:
    """Compare both readers on one mutant; returns whether it was accepted."""
    path.write_bytes(data)
    started = time.perf_counter()
    found, oracle = ours(path), theirs(data)
    assert time.perf_counter() - started < 2
    if isinstance(found, str):
        assert str(path) in found
        assert oracle is None or STRICTER.search(found), (found, data[:200])
        return False
    assert oracle == found, data[:200]
    return True


def test_every_cut_and_every_flipped_bit_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "mutant.safetensors"
    assert agree(VALID, path)
    for end in range(len(VALID)):
        assert not agree(VALID[:end], path)
    accepted = 0
    for place in range(len(VALID) - 22):
        for bit in range(8):
            accepted += agree(flipped(VALID, place, bit), path)
    assert accepted > 20  # a changed name is another name


@pytest.mark.parametrize("number", SPLICES)
def test_spliced_lengths(number: int, tmp_path: Path) -> None:
    path = tmp_path / "mutant.safetensors"
    assert not agree(number.to_bytes(8, "little") + VALID[8:], path)
    text = json.dumps(HEADER)
    for old in ("16", "22", "3", "0"):
        agree(packed(text.replace(old, str(number), 1).encode(), bytes(range(22))), path)
        agree(packed(text.replace(old, str(number)).encode(), bytes(range(22))), path)


def _syntax(stream: np.random.Generator, content: bytearray, place: int, length: int) -> None:
    content[place : place + 1] = b'{}[]",:0123456789.eE-\\u\x00'[length : length + 1]


def _length(stream: np.random.Generator, content: bytearray, place: int, length: int) -> None:
    content[:8] = max(0, len(content) - 8 - 22 + int(stream.integers(-2, 3))).to_bytes(8, "little")


def search(seconds: float, path: Path, seed: int) -> tuple[int, int]:
    """Mutate until the time is over; returns the number of mutants and of those accepted."""
    stream = generator(seed, "fuzz")

    def mutant() -> bytes:
        made = mutate(stream, VALID, (_syntax, _length))
        if int(stream.integers(0, 2)):  # keep the length honest, so that changes behind it are reached
            made = max(0, len(made) - 30).to_bytes(8, "little") + made[8:]
        return made

    return explore(seconds, mutant, lambda data: agree(data, path))


def test_random_mutants_for_a_short_time(tmp_path: Path) -> None:
    tried, _ = search(SECONDS, tmp_path / "mutant.safetensors", 0)
    assert tried >= 50


@pytest.mark.slow
def test_random_mutants_for_a_long_time(tmp_path: Path, record_property: Any) -> None:
    seed = int(os.environ.get("FUZZ_SEED", "1"))
    tried, accepted = search(SECONDS_LONG, tmp_path / "mutant.safetensors", seed)
    record_property("mutants", tried)
    assert accepted > 0


@settings(max_examples=60)
@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=5),
    dtype=st.sampled_from([np.float64, np.float32, np.float16]),
)
def test_we_read_what_the_official_writer_writes(
    shapes: list[list[int]], dtype: type, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tensors = {
        f"t{i}": np.asarray(np.arange(int(np.prod(shape))).reshape(shape) / 7, dtype=dtype)
        for i, shape in enumerate(shapes)
    }
    path = tmp_path_factory.getbasetemp() / "written.safetensors"
    save_file(tensors, path)
    entries = read_header(path).entries
    assert {entry.name for entry in entries} == set(tensors)
    for entry in entries:
        assert np.array_equal(read_values(entry), tensors[entry.name].astype(np.float64))
