"""Estimated sums lie within their stated error, and the exact parts are exact."""

import numpy as np
import pytest
from spectra_sources import Rows, with_values

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.spectra.sketch import Function, sketch


def entropy_term(squares: np.ndarray) -> np.ndarray:
    return -squares * np.log(np.where(squares > 0.0, squares, 1.0))


FUNCTIONS: dict[str, Function] = {
    "count": np.ones_like,
    "energy": lambda squares: squares,
    "nuclear": np.sqrt,
    "entropy": entropy_term,
}


def cases() -> dict[str, np.ndarray]:
    stream = generator(1, "cases")
    noise = stream.normal(size=(220, 140))
    spiked = noise + 40.0 * with_values(np.array([4.0, 3.0, 2.0, 1.0]), 220, 140)
    return {
        "noise": noise / np.linalg.norm(noise),
        "spiked": spiked / np.linalg.norm(spiked),
        "wide": (spiked / np.linalg.norm(spiked)).T.copy(),
        "fading": with_values(1.0 / np.arange(1.0, 141.0), 220, 140),
    }


@pytest.mark.parametrize("name", sorted(cases()))
def test_errors_hold(name: str) -> None:
    """Of 8 draws with three free sums each, none is outside its 99.9 % interval; the interval is of use."""
    matrix = cases()[name]
    squares = np.square(np.linalg.svd(matrix, compute_uv=False))
    truth = {key: float(np.sum(function(squares))) for key, function in FUNCTIONS.items()}
    for draw in range(8):
        found = sketch(Rows(matrix), FUNCTIONS, generator=generator(draw, "probes"))
        assert found.energy == pytest.approx(truth["energy"], rel=1e-12)
        assert found.estimates["count"].value == pytest.approx(140, rel=1e-9)
        assert found.estimates["energy"].value == pytest.approx(truth["energy"], rel=1e-9)
        assert abs(found.fourth.value - np.sum(squares**2)) <= found.fourth.error
        for key in ("nuclear", "entropy"):
            estimate = found.estimates[key]
            assert abs(estimate.value - truth[key]) <= estimate.error < 0.08 * truth[key]


def test_taking_out_does_not_bias() -> None:
    """With many probes the error is small, and the truth is still within it, though the vectors are not exact."""
    matrix = cases()["noise"]
    truth = float(np.linalg.svd(matrix, compute_uv=False).sum())
    found = sketch(matrix, {"nuclear": np.sqrt}, probes=200, steps=40, generator=generator(3, "many"))
    estimate = found.estimates["nuclear"]
    assert abs(estimate.value - truth) <= estimate.error < 0.02 * truth


def test_ends() -> None:
    matrix = with_values(np.array([3.0, 2.0, 1.0]), 9, 7)
    stream = generator(2, "ends")
    for deflate in (3, 7, 9):  # all of the rank, all of the side, more than there is
        found = sketch(matrix, {"nuclear": np.sqrt}, deflate=deflate, generator=stream)
        assert found.estimates["nuclear"].value == pytest.approx(6.0, rel=1e-6)
    zero = sketch(np.zeros((5, 4)), {"one": np.ones_like}, deflate=1, generator=stream)
    assert (zero.estimates["one"].value, zero.estimates["one"].error, zero.energy) == (4.0, 0.0, 0.0)
    for bad in ({"steps": 3}, {"probes": 3}, {"deflate": 0}):
        with pytest.raises(Defect):
            sketch(matrix, {}, generator=stream, **bad)
    with pytest.raises(Defect, match="not finite"), np.errstate(divide="ignore"):
        sketch(matrix, {"log": lambda x: np.log(x * 0.0)}, generator=stream)
