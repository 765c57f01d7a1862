"""Strided tensors: any view of a stored array has the values numpy gives it, whichever lines are read."""

import os
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from shadowgraph.weights.readers import strided
from shadowgraph.weights.tensor import ELEMENT_TYPES, Packing, Stamp, TensorEntry

TYPES = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype(ml_dtypes.bfloat16)}
PREFIX = 13


def stored(path: Path, values: np.ndarray[tuple[int], np.dtype[np.generic]]) -> Stamp:
    path.write_bytes(b"x" * PREFIX + values.tobytes())
    status = os.stat(path)
    return Stamp(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def entry(stamp: Stamp, kind: str, shape: list[int], strides: list[int]) -> TensorEntry:
    numbers = tuple((f"stride{axis}", stride) for axis, stride in enumerate(strides))
    reach = sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True)) + 1
    size = reach * TYPES[kind].itemsize
    return TensorEntry("a", kind, tuple(shape), stamp, PREFIX, size, packing=Packing("strided", numbers=numbers))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(sorted(TYPES)), st.booleans())
def test_any_view_is_the_one_numpy_gives(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str, apart: bool
) -> None:
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    strides = [data.draw(st.integers(0, 40)) for _ in shape]
    reach = sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True)) + 1
    values = np.linspace(-3, 3, reach).astype(TYPES[kind])
    found = entry(stored(tmp_path_factory.mktemp("s") / "f", values), kind, shape, strides)
    wanted = as_strided(values, shape, [stride * values.itemsize for stride in strides]).astype(np.float64)
    wanted = wanted.reshape(-1, shape[-1])
    first = data.draw(st.integers(0, len(wanted) - 1))
    last = data.draw(st.integers(first, len(wanted)))
    with pytest.MonkeyPatch.context() as patch:
        if apart:
            patch.setattr(strided, "CLOSE", 0)
            patch.setattr(strided, "PIECE", 7)
        np.testing.assert_array_equal(strided.decode(found, first, last), wanted[first:last])


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_squared_steps_are_those_of_the_next_number(kind: str, tmp_path: Path) -> None:
    values = np.array([1.0, 1.5, -2.0, 3.9, 0.0, 1e-7, 1000.0, np.inf, np.nan]).astype(TYPES[kind])
    found = entry(stored(tmp_path / "f", values), kind, [3, 3], [1, 3])
    bits = {8: np.uint64, 4: np.uint32, 2: np.uint16}[values.itemsize]
    finite = np.abs(values[np.isfinite(values.astype(np.float64))])
    above = (finite.view(bits) + 1).view(finite.dtype).astype(np.float64)
    steps = above - finite.astype(np.float64)
    assert strided.squared_steps(found, 0, 3) == pytest.approx(float((steps**2).sum()), rel=1e-12)
    assert ELEMENT_TYPES[kind].precision > 0


def test_a_transposed_matrix_reads_each_byte_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(300 * 400, dtype="<f4")
    found = entry(stored(tmp_path / "f", values), "F32", [400, 300], [1, 400])
    taken: list[int] = []
    original = strided.read_span

    def counted(descriptor: int, stamp: Stamp, offset: int, size: int) -> NDArray[np.uint8]:
        taken.append(size)
        return original(descriptor, stamp, offset, size)

    monkeypatch.setattr(strided, "read_span", counted)
    blocks = [strided.decode(found, first, first + 40) for first in range(0, 400, 40)]
    np.testing.assert_array_equal(np.concatenate(blocks), values.reshape(300, 400).T)
    assert sum(taken) == values.nbytes
    assert max(taken) <= 40 * 4
