"""Quantisation steps of GGUF blocks against the library's own decoding, and against errors that occur."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf_models import Raw, blocks, numbers, write
from numpy.typing import NDArray

from shadowgraph.footprint.floor import rounding_variance
from shadowgraph.seeds import generator
from shadowgraph.weights.readers.gguf import read_header
from shadowgraph.weights.readers.gguf_steps import block_steps, plain_steps
from shadowgraph.weights.readers.gguf_types import TYPES
from shadowgraph.weights.readers.gguf_values import squared_steps

official = pytest.importorskip("gguf")
quants = pytest.importorskip("gguf.quants")

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
NUMBERS = {kind.name: number for number, kind in TYPES.items()}

# Even types: the bytes of the codes, the lowest and highest of them, and how many steps lie between.
EVEN = {
    "Q4_0": (2, 18, 0, 255, 15),
    "Q4_1": (4, 20, 0, 255, 15),
    "Q5_0": (2, 22, 0, 255, 31),
    "Q5_1": (4, 24, 0, 255, 31),
    "Q8_0": (2, 34, 0, 1, 1),
    "Q2_K": (16, 80, 0, 255, 3),
    "Q3_K": (0, 96, 0, 255, 7),
    "Q4_K": (16, 144, 0, 255, 15),
    "Q5_K": (16, 176, 0, 255, 31),
    "Q6_K": (0, 192, 0, 255, 63),
    "TQ1_0": (0, 52, 0, 255, 2),
    "TQ2_0": (0, 64, 0, 255, 3),
}
# Scalar codebooks: where their codes of four bits begin.
LISTS = {"IQ4_NL": 2, "IQ4_XS": 8, "MXFP4": 1, "NVFP4": 4}


def _first_words(raw: Bytes) -> None:
    """Of each eight bytes the first four are indices; the others hold signs and the scale."""
    raw[:, 2:].reshape(raw.shape[0], -1, 8)[:, :, :4] = 0


def _masked(raw: Bytes) -> None:
    raw[:, 2:34] = 0
    raw[:, 34:50].view(np.uint16)[...] &= 0x7000


def _zeroed(*spans: tuple[int, int]) -> Callable[[Bytes], None]:
    def fill(raw: Bytes) -> None:
        for first, last in spans:
            raw[:, first:last] = 0

    return fill


# Vector codebooks: how every run becomes the first listed vector with its scale kept; range of levels; bits a choice.
VECTORS: dict[str, tuple[Callable[[Bytes], None], float, float]] = {
    "IQ2_XXS": (_first_words, 104.0, 15 / 8),
    "IQ2_XS": (_zeroed((2, 66)), 104.0, 16 / 8),
    "IQ2_S": (_zeroed((2, 34), (66, 74)), 104.0, 18 / 8),
    "IQ3_XXS": (_zeroed((2, 66)), 134.0, 23 / 8),
    "IQ3_S": (_zeroed((2, 74)), 32.0, 26 / 8),
    "IQ1_S": (_masked, 3.25, 11 / 8),
    "IQ1_M": (_zeroed((0, 48)), 3.25, 11 / 8),
}


def decoded(raw: Bytes, name: str) -> Floats:
    with np.errstate(all="ignore"):
        return quants.dequantize(raw, official.GGMLQuantizationType(NUMBERS[name])).astype(np.float64)


def finite_blocks(name: str) -> Bytes:
    """Random blocks of which the library makes finite values, whatever their codes."""
    raw = blocks(200, 1, TYPES[NUMBERS[name]].size, name, "steps")
    return np.ascontiguousarray(raw[np.isfinite(decoded(raw, name)).all(axis=1)])


def test_every_decoded_type_has_steps() -> None:
    decoded_types = {kind.name for kind in TYPES.values() if not kind.is_plain and not kind.reason}
    assert decoded_types == {*EVEN, *LISTS, *VECTORS}


@pytest.mark.parametrize("name", EVEN)
def test_the_step_of_an_even_type_is_the_distance_of_its_codes(name: str) -> None:
    first, last, low, high, between = EVEN[name]
    raw = finite_blocks(name)
    ends: list[Floats] = []
    for code in (low, high):
        filled = raw.copy()
        filled[:, first:last] = code
        ends.append(decoded(filled, name))
    steps = (ends[1] - ends[0]) / between
    assert block_steps(raw, TYPES[NUMBERS[name]]) == pytest.approx(float((steps**2).sum()), rel=1e-3)


@pytest.mark.parametrize("name", LISTS)
def test_the_step_of_a_listed_value_is_that_of_its_cell(name: str) -> None:
    """From all sixteen values that the library gives each element: variance of an even error in its cell, times 12."""
    first, raw = LISTS[name], finite_blocks(name)
    levels: list[Floats] = []
    for code in range(16):
        filled = raw.copy()
        filled[:, first:] = code | code << 4
        levels.append(decoded(filled, name))
    order = np.sort(np.stack(levels), axis=0)
    total = 0.0
    for value, values in zip(decoded(raw, name).ravel(), order.reshape(16, -1).T, strict=True):
        several = np.unique(values)
        if len(several) > 1:
            gaps = np.diff(several)
            at = int(np.argmin(np.abs(several - value)))
            below, above = gaps[max(at - 1, 0)] / 2, gaps[min(at, len(gaps) - 1)] / 2
            total += 12.0 * (below**3 + above**3) / (3.0 * (below + above))
    assert block_steps(raw, TYPES[NUMBERS[name]]) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("name", VECTORS)
def test_the_step_of_a_listed_vector_is_that_of_an_even_grid(name: str) -> None:
    fill, span, bits = VECTORS[name]
    raw = finite_blocks(name)
    filled = raw.copy()
    fill(filled)
    grid = getattr(quants, name)
    grid.init_grid()
    first = np.abs(grid.grid.reshape(grid.grid_shape)[0].astype(np.float64))
    listed = first - 0.125 if name.startswith("IQ1") else first  # the first vector of IQ1 is all −1, shifted by 1/8
    scales = np.abs(decoded(filled, name)).reshape(-1, len(listed)) / listed
    expected = float((scales**2).sum()) * (span / 2.0**bits) ** 2
    assert block_steps(raw, TYPES[NUMBERS[name]]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "group"), [("IQ2_XXS", 32), ("IQ2_XS", 16), ("IQ2_S", 16), ("IQ3_XXS", 32), ("IQ3_S", 32)]
)
def test_the_even_grid_is_an_upper_estimate_of_the_error(name: str, group: int) -> None:
    """Normal values, each run rounded to the nearest listed vectors at the best of many scales, signs free or even."""
    kind = getattr(quants, name)
    kind.init_grid()
    grid = kind.grid.reshape(kind.grid_shape).astype(np.float64)
    stream = generator(0, "gguf", "vectors", name)
    values = stream.standard_normal((60, group))
    best, chosen = np.full(60, np.inf), np.zeros(60)
    for scale in np.linspace(0.5, 4.0, 25) / grid.max():
        sizes = np.abs(values).reshape(-1, grid.shape[1]) / scale
        nearest = (np.square(grid).sum(axis=1) - 2.0 * sizes @ grid.T).argmin(axis=1)
        error = np.square(sizes - grid[nearest]).sum(axis=1)
        if not name.endswith("_S"):  # seven signs of eight are stored: half the time the cheapest is turned
            turned = (4.0 * sizes * grid[nearest]).min(axis=1)
            error += turned * stream.integers(0, 2, len(error)) * (grid.shape[1] / 8)
        total = error.reshape(60, -1).sum(axis=1) * scale**2
        better = total < best
        best[better], chosen[better] = total[better], scale
    _, span, bits = VECTORS[name]
    estimate = float(np.mean(chosen**2)) * (span / 2.0**bits) ** 2 / 12.0
    assert 1.0 < estimate / (best.mean() / group) < 2.0


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("Q4_0", 0.8, 1.2),
        ("Q4_1", 0.8, 1.2),
        ("Q5_0", 0.8, 1.2),
        ("Q5_1", 0.8, 1.2),
        ("Q8_0", 0.9, 1.1),
        ("MXFP4", 0.5, 2.0),
    ],
)
def test_the_variance_is_that_of_the_errors_that_occur(name: str, least: float, most: float, tmp_path: Path) -> None:
    values = numbers(64, 512, label=name)
    raw = quants.quantize(values, official.GGMLQuantizationType(NUMBERS[name]))
    entry = read_header(write(tmp_path / "w.gguf", {"w": Raw(raw, NUMBERS[name])})).entries[0]
    error = np.square(decoded(raw, name) - values).sum()
    assert least < squared_steps(entry, 0, 64) / 12.0 / error < most
    half = squared_steps(entry, 0, 32) + squared_steps(entry, 32, 64)
    assert half == pytest.approx(squared_steps(entry, 0, 64), rel=1e-12)


@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_a_plain_matrix_with_a_factor_has_the_steps_of_its_type(dtype: str, tmp_path: Path) -> None:
    values = numbers(4, 6).astype({"F32": np.float32, "F16": np.float16}[dtype])
    values[0, 0] = 0.0
    tensors = {"w.weight": values, "w.scale": np.array([3.0], dtype=np.float32)}
    entry = read_header(write(tmp_path / "w.gguf", tensors)).entries[0]
    wide = values.astype(np.float64)
    assert plain_steps(wide.ravel(), dtype) == pytest.approx(12.0 * 24 * rounding_variance(wide, dtype), rel=1e-12)
    assert squared_steps(entry, 0, 4) == pytest.approx(9.0 * plain_steps(wide.ravel(), dtype), rel=1e-12)


@pytest.mark.parametrize("name", [*EVEN, *LISTS, *VECTORS])
def test_steps_are_finite_whatever_the_bytes(name: str) -> None:
    for fill in (0, 0x7F, 0xFF):
        raw = np.full((3, TYPES[NUMBERS[name]].size), fill, dtype=np.uint8)
        assert 0.0 <= block_steps(raw, TYPES[NUMBERS[name]]) < np.inf
