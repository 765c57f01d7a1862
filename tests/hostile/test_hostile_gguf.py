"""Differential fuzzing of GGUF: what we accept, the official reader reads as the same tensors; refusals are quick.

The official reader is asked only about what we accepted: on some of what we refuse it does not end.
"""

import os
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf_bytes import LIST, LLAMA, Q4_0, Q8_0, gguf, key, number, tensor, word, words
from mutants import explore, flipped, mutate

from shadowgraph.errors import CheckpointError
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.readers.gguf import read_header
from shadowgraph.weights.readers.gguf_keys import Cursor
from shadowgraph.weights.readers.span import opened
from shadowgraph.weights.readers.values import stored_pieces

official = pytest.importorskip("gguf")

SECONDS = 5.0
SECONDS_LONG = 90.0
SPLICES = (0, 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1)
KEYS = (
    LLAMA,
    number("llama.block_count", 1),
    number("flag", 1, 7),
    words("tokenizer.ggml.tokens", ["a", "bc", "def"]),
    key("heads", LIST, struct.pack("<IQ3i", 5, 3, 4, 4, 4)),
    word("tokenizer.chat_template", "{{ x }}"),
)
LINES = (
    tensor("output_norm.weight", (4,)),
    tensor("blk.0.attn_q.weight", (32, 2), Q4_0, 32),
    tensor("blk.0.attn_k.weight", (32, 3), Q8_0, 96),
)
DATA = bytes(range(200)) + b"\0" * (198 - 200 % 198)
VALID = gguf(KEYS, LINES, DATA[:198])
Found = dict[str, tuple[str, tuple[int, ...], bytes]]


def theirs(path: Path) -> Found:
    """What the official reader sees."""
    return {
        each.name: (each.tensor_type.name, tuple(int(n) for n in each.shape[::-1]), each.data.tobytes())
        for each in official.GGUFReader(path).tensors
    }


def ours(path: Path) -> Found | str:
    """What we see, or why we refuse."""
    try:
        return {
            entry.name: (entry.dtype, entry.shape, b"".join(piece.tobytes() for piece in stored_pieces(entry)))
            for entry in read_header(path).entries
        }
    except CheckpointError as error:
        return str(error)


def agree(data: bytes, path: Path) -> bool:
    """Read one mutant; what is accepted is compared. Returns whether it was."""
    path.write_bytes(data)
    started = time.process_time()
    found = ours(path)
    assert time.process_time() - started < 2
    if isinstance(found, str):
        assert str(path) in found
        assert len(found) < 2000
        assert found.isprintable()
        return False
    assert theirs(path) == found, data[:300]
    return True


def test_every_cut(tmp_path: Path) -> None:
    path = tmp_path / "mutant.gguf"
    assert agree(VALID, path)
    for end in range(len(VALID)):
        assert not agree(VALID[:end], path)


@pytest.mark.parametrize("bits", [range(1), pytest.param(range(1, 8), marks=pytest.mark.slow)])
def test_every_flipped_bit_of_the_header(bits: range, tmp_path: Path) -> None:
    """Another bit of each byte from one byte to the next; the slow case flips the others."""
    path, accepted = tmp_path / "mutant.gguf", 0
    for place in range(len(VALID) - 198):
        for bit in bits:
            accepted += agree(flipped(VALID, place, (place + bit) % 8), path)
    assert accepted > 20  # a changed key is another key


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("splice", SPLICES)
def test_spliced_lengths(splice: int, size: int, tmp_path: Path) -> None:
    """Places all over the header overwritten with a number."""
    path = tmp_path / "mutant.gguf"
    number = (splice % 256**size).to_bytes(size, "little")
    for place in range(8, len(VALID) - 198 - size, 7):
        agree(VALID[:place] + number + VALID[place + size :], path)


def _kind(stream: np.random.Generator, content: bytearray, place: int, length: int) -> None:
    content[place : place + 4] = struct.pack("<I", int(stream.integers(0, 45)))


def _number(stream: np.random.Generator, content: bytearray, place: int, length: int) -> None:
    content[place : place + 8] = struct.pack("<Q", SPLICES[int(stream.integers(0, len(SPLICES)))])


def mutant(stream: np.random.Generator) -> bytes:
    """A mutant of the valid file."""
    return mutate(stream, VALID, (_kind, _number), shortest=60)


def search(seconds: float, path: Path, seed: int) -> tuple[int, int]:
    """Mutate until the time is over; returns the number of mutants and of those accepted."""
    stream = generator(seed, "fuzz", "gguf")
    return explore(seconds, lambda: mutant(stream), lambda data: agree(data, path))


def test_random_mutants_for_a_short_time(tmp_path: Path) -> None:
    tried, _ = search(SECONDS, tmp_path / "mutant.gguf", 0)
    assert tried >= 50


@pytest.mark.slow
def test_random_mutants_for_a_long_time(tmp_path: Path, record_property: Any) -> None:
    tried, accepted = search(SECONDS_LONG, tmp_path / "mutant.gguf", int(os.environ.get("FUZZ_SEED", "1")))
    record_property("mutants", tried)
    assert accepted > 0


def test_mutants_are_opened_or_refused_as_checkpoints(tmp_path: Path) -> None:
    """Nothing but our own refusal leaves the whole way from bytes to matrices, whatever keys and names say."""
    path, stream, loaded = tmp_path / "mutant.gguf", generator(3, "fuzz", "gguf"), 0
    for _ in range(200):
        path.write_bytes(mutant(stream))
        try:
            loaded += sum(matrix.load().size == matrix.parameters for matrix in open_checkpoint(path).matrices())
        except CheckpointError:
            continue
    assert loaded > 20


def test_a_vocabulary_is_passed_over_quickly(tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    path.write_bytes(gguf([*KEYS[:3], words("tokenizer.ggml.tokens", ["word"] * 500_000)], LINES, DATA[:198]))
    started = time.process_time()
    assert len(read_header(path).entries) == 3
    assert time.process_time() - started < 2


def test_nothing_stays_of_a_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    path.write_bytes(gguf([*KEYS[:3], words("tokenizer.ggml.tokens", ["word" * 20] * 50_000)], LINES, DATA[:198]))
    tracemalloc.start()
    try:
        read_header(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000 < path.stat().st_size / 2


def test_the_cursor_goes_back_for_what_it_recognises(tmp_path: Path) -> None:
    path = tmp_path / "file.gguf"
    path.write_bytes(bytes(range(256)) * 4096)
    with opened(path) as (descriptor, stamp):
        cursor = Cursor(descriptor, stamp)
        assert cursor.take(4, "head") == bytes(range(4))
        cursor.skip(300_000, "middle")
        assert cursor.take(2, "word") == bytes([300_004 % 256, 300_005 % 256])
        cursor.position = 1
        assert cursor.take(3, "head") == bytes([1, 2, 3])
