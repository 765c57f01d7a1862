"""Values of every readable type are exact, scales reach their blocks, and little more than the result is in memory."""

import math
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.quantised import resolve
from shadowgraph.weights.readers import values as values_room
from shadowgraph.weights.readers.values import read_values, stored_pieces, subtract_values
from shadowgraph.weights.tensor import Stamp, TensorEntry

TYPES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
}
FLOAT8: dict[str, Any] = {
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
}
KINDS = {np.dtype(kind): name for name, kind in (TYPES | FLOAT8 | {"F8_E8M0": ml_dtypes.float8_e8m0fnu}).items()}


def stored(folder: Path, **tensors: NDArray[Any]) -> dict[str, TensorEntry]:
    """Bare bytes on a disk, one file a tensor."""
    found: dict[str, TensorEntry] = {}
    for name, array in tensors.items():
        path = folder / name
        path.write_bytes(array.tobytes())
        status = path.stat()
        stamp = Stamp(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        found[name] = TensorEntry(name, KINDS[array.dtype], array.shape, stamp, 0, status.st_size)
    return found


@pytest.mark.parametrize("kind", TYPES)
def test_every_bit_pattern_of_16_bits_and_random_wider_ones_are_exact(kind: str, tmp_path: Path) -> None:
    """Origin: numpy's and ml_dtypes' own conversions; equal to the bit, NaN where they say NaN."""
    width = np.dtype(TYPES[kind]).itemsize
    if width == 2:
        array = np.arange(65536, dtype=np.uint16).view(TYPES[kind]).reshape(256, 256)
    else:
        array = generator(0, kind).standard_normal((300, 257)).astype(TYPES[kind])
    entry = stored(tmp_path, w=array)["w"]
    with np.errstate(invalid="ignore"):
        expected = array.astype(np.float64)
    assert np.array_equal(read_values(entry), expected, equal_nan=True)
    assert np.array_equal(read_values(entry, (7, 19)), expected[7:19], equal_nan=True)


@pytest.mark.parametrize("kind", FLOAT8)
def test_all_256_values_of_an_8_bit_float(kind: str, tmp_path: Path) -> None:
    """Origin: torch's conversion, an implementation of its own; the factor 1/2 is exact."""
    torch = pytest.importorskip("torch")
    raw = np.arange(256, dtype=np.uint8).reshape(16, 16)
    entries = resolve(stored(tmp_path, w=raw.view(FLOAT8[kind]), w_scale=np.full((), 0.5, np.float32)), {})
    names = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}
    theirs = torch.from_numpy(raw).view(getattr(torch, names.get(kind, kind.replace("F8_", "float8_").lower())))
    assert np.array_equal(read_values(entries["w"]), 0.5 * theirs.to(torch.float64).numpy(), equal_nan=True)


def spread(scale: NDArray[np.float64], shape: tuple[int, ...], block: tuple[int, ...]) -> NDArray[np.float64]:
    """Every factor repeated over its block, the blocks at the far edges cut."""
    for axis, extent in enumerate(block):
        scale = np.repeat(scale, extent, axis=axis)
    return scale[tuple(slice(0, extent) for extent in shape)]


@given(
    lead=st.lists(st.integers(1, 3), max_size=1),
    rows=st.integers(1, 300),
    columns=st.integers(1, 300),
    block=st.tuples(st.integers(1, 130), st.integers(1, 130)),
    suffix=st.sampled_from(["_scale_inv", "_scale"]),
    piece=st.sampled_from([64, 1000, 1 << 20]),
)
def test_block_scales(
    lead: list[int],
    rows: int,
    columns: int,
    block: tuple[int, int],
    suffix: str,
    piece: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """value = stored · factor of its block, for declared blocks, blocks cut at the edge, stacked experts."""
    shape = (*lead, rows, columns)
    grid = (*lead, -(-rows // block[0]), -(-columns // block[1]))
    stream = generator(0, "scale", str(shape))
    weight = stream.standard_normal(shape).astype(ml_dtypes.float8_e4m3fn)
    scale = stream.uniform(0.5, 2.0, grid).astype(np.float32)
    config = {"quantization_config": {"weight_block_size": list(block)}}
    entries = resolve(stored(tmp_path_factory.getbasetemp(), w=weight, **{f"w{suffix}": scale}), config)
    expected = weight.astype(np.float64) * spread(scale.astype(np.float64), shape, (*[1] * len(lead), *block))
    before, values_room.PIECE = values_room.PIECE, piece
    try:
        assert entries["w"].scale is not None, entries["w"]
        assert np.array_equal(read_values(entries["w"]), expected)
        last = shape[0] - shape[0] // 3
        assert np.array_equal(read_values(entries["w"], (shape[0] // 3, last)), expected[shape[0] // 3 : last])
    finally:
        values_room.PIECE = before
    assert entries[f"w{suffix}"].companion


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((), np.float32), ((1,), ml_dtypes.bfloat16), ((1, 1), np.float16), ((300,), np.float32), ((300, 1), np.float32),
     ((3, 2), np.float32), ((3, 2), ml_dtypes.float8_e8m0fnu)],
)  # fmt: skip
def test_scales_of_a_tensor_of_its_rows_and_of_undeclared_blocks(
    shape: tuple[int, ...], kind: Any, tmp_path: Path
) -> None:
    stream = generator(0, "shapes")
    weight = stream.standard_normal((300, 200)).astype(ml_dtypes.float8_e5m2)
    scale = stream.uniform(0.5, 2.0, shape).astype(kind) if shape else np.full((), 0.75, dtype=kind)
    entry = resolve(stored(tmp_path, w=weight, w_scale_inv=scale), {})["w"]
    factors = scale.astype(np.float64)
    if shape == (3, 2):
        factors = spread(factors, (300, 200), (128, 128))
    elif shape == (300,):
        factors = factors[:, None]
    elif len(shape) < 2:
        factors = factors.reshape(1, 1)
    assert np.array_equal(read_values(entry), weight.astype(np.float64) * factors)


def test_an_8_bit_float_without_its_scale_is_never_read(tmp_path: Path) -> None:
    entry = resolve(stored(tmp_path, w=np.zeros((4, 4), dtype=ml_dtypes.float8_e4m3fn)), {})["w"]
    assert entry.unreadable == "F8_E4M3: fp8 without scale"
    with pytest.raises(CheckpointError, match="fp8 without scale"):
        read_values(entry)


@given(shape=st.lists(st.integers(0, 40), min_size=1, max_size=3), piece=st.sampled_from([8, 100, 1 << 20]))
def test_subtraction_in_pieces_is_subtraction(
    shape: list[int], piece: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = generator(0, "subtract", str(shape)).standard_normal(shape).astype(np.float32)
    entry = stored(tmp_path_factory.getbasetemp(), s=array)["s"]
    values = np.ones(shape)
    before, values_room.PIECE = values_room.PIECE, piece
    try:
        subtract_values(values, entry)
    finally:
        values_room.PIECE = before
    assert np.array_equal(values, 1.0 - array.astype(np.float64))
    assert b"".join(part.tobytes() for part in stored_pieces(entry, 7)) == array.tobytes()


@pytest.mark.parametrize("kind", ["F32", "BF16"])
def test_a_difference_holds_one_array_and_a_piece(kind: str, tmp_path: Path) -> None:
    """At most 2.5 times the matrix in float32; the result alone is 2 times."""
    from safetensors.numpy import save_file

    from shadowgraph.weights.pairing import pair

    name, shape = "model.layers.0.mlp.up_proj.weight", (4096, 4096)
    for side in "ab":
        (tmp_path / side).mkdir()
        save_file({name: np.zeros(shape, dtype=TYPES[kind])}, tmp_path / side / "model.safetensors")
    update = pair(open_checkpoint(tmp_path / "a"), open_checkpoint(tmp_path / "b")).updates[0]
    tracemalloc.start()
    try:
        update.difference()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2.5 * 4 * math.prod(shape)


def test_companions_are_no_parameters(tmp_path: Path) -> None:
    entries = stored(
        tmp_path,
        **{
            "model.layers.0.mlp.up_proj.weight": np.zeros((256, 128), dtype=ml_dtypes.float8_e4m3fn),
            "model.layers.0.mlp.up_proj.weight_scale_inv": np.ones((2, 1), dtype=np.float32),
            "model.layers.0.mlp.up_proj.input_scale": np.ones((1,), dtype=np.float32),
        },
    )
    found = resolve(entries, {})
    assert {name.rsplit(".", 1)[1]: entry.companion for name, entry in found.items()} == {
        "weight": False,
        "weight_scale_inv": True,
        "input_scale": True,
    }


def test_a_scale_of_a_readable_tensor_is_a_parameter_of_its_own(tmp_path: Path) -> None:
    entries = stored(tmp_path, g=np.ones((4, 4), np.float32), g_scale=np.ones((4, 4), np.float32))
    assert resolve(entries, {}) == entries
    assert replace(entries["g"], barred="x").unreadable == "x"
