"""Cuts, flips and mutants of an ONNX file: refused, or read as the official library reads it; fast either way."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from bad_onnx import node, number, part, stored
from google.protobuf.message import DecodeError
from mutants import explore, flipped, mutate

from shadowgraph.errors import CheckpointError
from shadowgraph.seeds import generator
from shadowgraph.weights.readers.onnx import read_header
from shadowgraph.weights.readers.values import stored_pieces

SECONDS, SECONDS_LONG = 4.0, 90.0
SPLICES = (0, 1, 127, 128, 2**31, 2**32, 2**60, 2**63, 2**64 - 1)
BRANCH = part(5, part(1, "then_branch") + part(6, stored("c.weight")))
VALID = (
    part(1, 8)
    + part(2, "writer")
    + part(
        7,
        node("MatMul", ("x", "a.weight"), "y", more=part(9, part(1, "k") + part(2, "v")))
        + node("Constant", (), "k", more=part(5, part(1, "value") + stored("", (2, 1), data=bytes(range(8)))))
        + node("If", ("t",), "z", more=BRANCH)
        + stored("a.weight", data=bytes(range(24)))
        + stored("b.bias", (3,), data=b"", more=part(4, bytes(range(12))))
        + stored("d.weight", (2, 2), kind=16, data=bytes(range(8))),
    )
)


def theirs(data: bytes) -> list[bytes] | None:
    """Stored bytes of all tensors as the official library sees them, None when it refuses."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        return None
    graphs, found = [model.graph], list[bytes]()
    while graphs:
        graph = graphs.pop()
        attributes = [attribute for each in graph.node for attribute in each.attribute]
        tensors = [*graph.initializer, *(attribute.t for attribute in attributes)]
        found += [np.array(t.float_data, "<f4").tobytes() or t.raw_data for t in tensors]
        for attribute in attributes:
            graphs += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
    return found


def ours(path: Path) -> list[bytes] | str:
    """Stored bytes of all tensors as we see them, or why we refuse."""
    try:
        entries = read_header(path).entries
        return [b"".join(piece.tobytes() for piece in stored_pieces(entry)) for entry in entries if entry.size]
    except CheckpointError as error:
        return str(error)


def same(content: bytes, held: bytes) -> bool:
    """Equal bytes; a NaN changes its bits on the way through Python's floats."""
    if content == held or len(content) != len(held) or len(content) % 4:
        return content == held
    with np.errstate(invalid="ignore"):
        return np.array_equal(np.frombuffer(content, "<f4"), np.frombuffer(held, "<f4"), equal_nan=True)


def agree(data: bytes, path: Path) -> bool:
    """Compare both readers on one mutant; returns whether it was accepted, by both where the official one reads it.

    The official library also parses parts that we pass over, and refuses a file for what is broken in them.
    """
    path.write_bytes(data)
    started = time.process_time()
    found = ours(path)
    assert time.process_time() - started < 2
    if isinstance(found, str):
        assert str(path) in found
        assert found.isprintable()
        return False
    oracle = theirs(data)
    if oracle is None:
        return False
    assert all(any(same(content, held) for held in oracle) for content in found), data
    return True


def test_every_cut_and_every_flipped_bit(tmp_path: Path) -> None:
    path = tmp_path / "mutant.onnx"
    assert agree(VALID, path)
    assert [entry.name for entry in read_header(path).entries] == ["k", "c.weight", "a.weight", "b.bias", "d.weight"]
    for end in range(len(VALID)):
        path.write_bytes(VALID[:end])
        assert isinstance(ours(path), str)
    accepted = 0
    for place in range(len(VALID)):
        for bit in range(8):
            accepted += agree(flipped(VALID, place, bit), path)
    assert accepted > 100  # values, and names of what is not read


@pytest.mark.parametrize("length", SPLICES)
def test_spliced_lengths(length: int, tmp_path: Path) -> None:
    path = tmp_path / "mutant.onnx"
    for place in range(1, len(VALID)):
        agree(VALID[:place] + number(length) + VALID[place + 1 :], path)


def _number(stream: np.random.Generator, content: bytearray, place: int, length: int) -> None:
    content[place : place + 1] = number(SPLICES[int(stream.integers(0, len(SPLICES)))])


def search(seconds: float, path: Path, seed: int) -> tuple[int, int]:
    """Mutate until the time is over; returns the number of mutants and of those accepted."""
    stream = generator(seed, "fuzz")
    return explore(seconds, lambda: mutate(stream, VALID, (_number,)), lambda data: agree(data, path))


def test_random_mutants_for_a_short_time(tmp_path: Path) -> None:
    tried, _ = search(SECONDS, tmp_path / "mutant.onnx", 0)
    assert tried >= 50


@pytest.mark.slow
def test_random_mutants_for_a_long_time(tmp_path: Path, record_property: Any) -> None:
    tried, accepted = search(SECONDS_LONG, tmp_path / "mutant.onnx", int(os.environ.get("FUZZ_SEED", "1")))
    record_property("mutants", tried)
    assert accepted > 0
