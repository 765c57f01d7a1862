"""Values of every GGUF type against the official library: random blocks, rows alone, rounding of what it quantises."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf_models import Raw, blocks, numbers, write
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, EnvironmentFault
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.readers import gguf_values, span
from shadowgraph.weights.readers.gguf import read_header
from shadowgraph.weights.readers.gguf_types import TYPES
from shadowgraph.weights.readers.values import read_values
from shadowgraph.weights.tensor import TensorEntry

official = pytest.importorskip("gguf")
quants = pytest.importorskip("gguf.quants")

DECODED = {kind.name: number for number, kind in TYPES.items() if not kind.is_plain and not kind.reason}
QUANTISED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4")
ROWS, BLOCKS = 5, 3


def theirs(raw: NDArray[np.uint8], number: int) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        return quants.dequantize(raw, official.GGMLQuantizationType(number)).astype(np.float64)


def stored(path: Path, raw: NDArray[np.uint8], number: int) -> TensorEntry:
    return read_header(write(path, {"w": Raw(raw, number)})).entries[0]


def test_the_table_of_types_is_the_official_one() -> None:
    """Q8_1 alone differs: ggml stores 36 bytes, the library says 40; no file holds it."""
    sizes = {number.value: (number.name, *size) for number, size in official.GGML_QUANT_SIZES.items()}
    ours = {number: (kind.name, kind.elements, kind.size) for number, kind in TYPES.items()}
    assert ours.keys() == sizes.keys()
    assert {number for number in ours if ours[number] != sizes[number]} == {9}
    known = {number.name for number in quants._type_traits}
    assert set(DECODED) == known - {"BF16"}


@pytest.mark.parametrize("name", DECODED)
def test_random_blocks_are_what_thelibrary_says(name: str, tmp_path: Path) -> None:
    """Also of scales that are not finite, which random bytes make now and then."""
    number, kind = DECODED[name], TYPES[DECODED[name]]
    raw = blocks(ROWS, BLOCKS, kind.size, name)
    entry = stored(tmp_path / "w.gguf", raw, number)
    assert (entry.dtype, entry.shape) == (name, (ROWS, BLOCKS * kind.elements))
    expected = theirs(raw, number)
    assert np.array_equal(read_values(entry), expected, equal_nan=True)
    for row in range(ROWS):
        assert np.array_equal(read_values(entry, (row, row + 1)), expected[row : row + 1], equal_nan=True)


@pytest.mark.parametrize("name", DECODED)
def test_pieces_of_any_size_are_the_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number, kind = DECODED[name], TYPES[DECODED[name]]
    raw = blocks(ROWS, BLOCKS, kind.size, name)
    entry = stored(tmp_path / "w.gguf", raw, number)
    monkeypatch.setattr(gguf_values, "PIECE", 2 * kind.elements)
    assert np.array_equal(gguf_values.decode(entry, 1, 4), theirs(raw, number)[1:4], equal_nan=True)


@settings(max_examples=40)
@given(
    name=st.sampled_from(sorted(DECODED)),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3)),
    data=st.data(),
)
def test_any_lines_of_a_stack_are_read_alone(
    name: str, shape: tuple[int, int, int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    number, kind = DECODED[name], TYPES[DECODED[name]]
    raw = blocks(shape[0] * shape[1], shape[2], kind.size, name, str(shape)).reshape(*shape[:2], -1)
    entry = stored(tmp_path_factory.getbasetemp() / "stack.gguf", raw, number)
    lines = shape[0] * shape[1]
    first = data.draw(st.integers(0, lines))
    last = data.draw(st.integers(first, lines))
    expected = theirs(raw.reshape(lines, -1), number)[first:last]
    assert np.array_equal(gguf_values.decode(entry, first, last), expected, equal_nan=True)


@pytest.mark.parametrize("name", QUANTISED)
def test_what_thelibrary_quantises_is_read_as_it_reads_it(name: str, tmp_path: Path) -> None:
    values = numbers(8, 512, label=name)
    raw = quants.quantize(values, official.GGMLQuantizationType(DECODED[name]))
    found = read_values(stored(tmp_path / "w.gguf", raw, DECODED[name]))
    assert np.array_equal(found, theirs(raw, DECODED[name]))
    assert np.corrcoef(found.ravel(), values.ravel())[0, 1] > (0.6 if name.startswith("TQ") else 0.98)


def test_only_the_rows_asked_for_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = stored(tmp_path / "w.gguf", blocks(100, 2, 34, "rows"), DECODED["Q8_0"])
    read: list[tuple[int, int]] = []
    genuine = os.preadv

    def reading(descriptor: int, buffers: list[Any], offset: int) -> int:
        read.append((offset, sum(len(buffer) for buffer in buffers)))
        return genuine(descriptor, buffers, offset)

    monkeypatch.setattr(span.os, "preadv", reading)
    read_values(entry, (7, 9))
    assert read == [(entry.offset + 7 * 68, 2 * 68)]


def test_plain_types_are_read_as_in_any_format(tmp_path: Path) -> None:
    import ml_dtypes

    values = numbers(3, 4)
    half = values.astype(ml_dtypes.bfloat16)
    tensors = {
        "F32": values,
        "F16": values.astype(np.float16),
        "F64": values.astype(np.float64),
        "BF16": Raw(half.view(np.uint8).reshape(3, 8), 30),
        **{f"I{bits}": np.arange(6).astype(f"i{bits // 8}").reshape(2, 3) for bits in (8, 16, 32, 64)},
    }
    found = {entry.name: entry for entry in read_header(write(tmp_path / "w.gguf", tensors)).entries}
    assert {name: entry.dtype for name, entry in found.items()} == {name: name for name in tensors}
    assert all(entry.packing is None for entry in found.values())
    for name, expected in (("F32", values), ("F16", values.astype(np.float16)), ("F64", values), ("BF16", half)):
        assert np.array_equal(read_values(found[name]), expected.astype(np.float64))
    assert found["I8"].unreadable == "I8: integer or boolean type"


def test_a_factor_beside_a_matrix_is_multiplied(tmp_path: Path) -> None:
    raw, number = blocks(4, 1, 66, "factor"), DECODED["TQ2_0"]
    raw[:, 64:] = np.frombuffer(np.float16(0.5).tobytes(), dtype=np.uint8)
    single, each = numbers(4, 3, label="single"), numbers(2, 2, 3, label="each")
    factors = np.array([2.0, 3.0], dtype=np.float32)
    path = write(
        tmp_path / "w.gguf",
        {
            "a.weight": Raw(raw, number),
            "a.scale": np.array([0.25], dtype=np.float32),
            "b.weight": single,
            "b.scale": np.array([3.0], dtype=np.float32),
            "c.weight": each,
            "c.scale": factors,
            "d.weight": single,
            "d.scale": factors,
            "e.scale": factors,
        },
    )
    found = {entry.name: entry for entry in read_header(path).entries}
    assert np.array_equal(read_values(found["a.weight"]), 0.25 * theirs(raw, number))
    assert np.array_equal(read_values(found["b.weight"]), 3.0 * single.astype(np.float64))
    assert np.array_equal(read_values(found["c.weight"]), each * factors[:, None, None].astype(np.float64))
    assert gguf_values.decode(found["c.weight"], 1, 3).tolist() == (
        np.concatenate([2.0 * each[0, 1:].astype(np.float64), 3.0 * each[1, :1].astype(np.float64)]).tolist()
    )
    assert "does not fit" in found["d.weight"].unreadable
    assert {name for name, entry in found.items() if entry.companion} == {"a.scale", "b.scale", "c.scale", "d.scale"}


def test_without_thelibrary_headers_are_read_and_blocks_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "w.gguf", {"blk.0.attn_q.weight": Raw(blocks(4, 1, 34, "missing"), DECODED["Q8_0"])})
    monkeypatch.setitem(sys.modules, "gguf", None)
    gguf_values.library.cache_clear()
    checkpoint = open_checkpoint(path)
    assert checkpoint.family == "gguf"
    with pytest.raises(EnvironmentFault, match=r"shadowgraph\[gguf\]") as caught:
        next(checkpoint.matrices()).load()
    assert caught.value.exit_code == 5


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    entry = stored(path, blocks(4, 1, 34, "changed"), DECODED["Q8_0"])
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match="changed while reading"):
        read_values(entry)
