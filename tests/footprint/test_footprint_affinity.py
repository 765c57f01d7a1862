"""Shares of an update in given directions: exact cases, the null, and what is refused."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from shadowgraph.errors import DataError
from shadowgraph.footprint.affinity import affinity
from shadowgraph.seeds import generator


@dataclass(frozen=True)
class Pair:
    left: NDArray[np.float64]
    right: NDArray[np.float64]


def orthonormal(n: int, k: int, label: str) -> NDArray[np.float64]:
    return np.linalg.qr(generator(5, "affinity", label).standard_normal((n, k)))[0]


SIDES = Pair(orthonormal(48, 4, "left"), orthonormal(32, 4, "right"))


def test_an_update_inside_the_directions_has_all_of_its_energy_there() -> None:
    core = generator(5, "core").standard_normal((4, 4))
    found = affinity([("a", SIDES.left @ core @ SIDES.right.T)], {"a": SIDES})
    assert found.left.value == pytest.approx(1.0, abs=1e-12)
    assert found.right.value == pytest.approx(1.0, abs=1e-12)
    assert found.both.value == pytest.approx(1.0, abs=1e-12)


def test_an_update_beside_them_has_none() -> None:
    noise = generator(5, "noise").standard_normal((48, 32))
    found = affinity([("a", noise - SIDES.left @ (SIDES.left.T @ noise))], {"a": SIDES})
    assert found.left.value == pytest.approx(0.0, abs=1e-20)
    assert found.both.value == pytest.approx(0.0, abs=1e-20)
    assert found.right.value is not None
    assert found.right.value > 0.02


def test_noise_shows_the_null() -> None:
    stream = generator(5, "null")
    sides = {f"m{index}": SIDES for index in range(60)}
    found = affinity(((name, stream.standard_normal((48, 32))) for name in sides), sides)
    assert found.null == pytest.approx((4 / 48, 4 / 32, 16 / (48 * 32), 4 / 32))
    assert found.matrices == 60
    # 60 × 4 × 32 squared normals on the left: relative sd √(2 / 7,680) = .016; 60 × 16 for both: .046
    assert found.left.value == pytest.approx(4 / 48, rel=0.07)
    assert found.right.value == pytest.approx(4 / 32, rel=0.07)
    assert found.short == found.right
    assert found.both.value == pytest.approx(16 / (48 * 32), rel=0.2)


def test_matrices_are_weighted_by_their_energy_and_those_without_directions_left_out() -> None:
    inside = SIDES.left[:, :1] @ SIDES.right[:, :1].T
    beside = generator(5, "beside").standard_normal((48, 1))
    beside -= SIDES.left @ (SIDES.left.T @ beside)
    outside = beside / np.linalg.norm(beside) @ SIDES.right[:, :1].T
    found = affinity([("a", 3.0 * inside), ("b", outside), ("c", inside)], {"a": SIDES, "b": SIDES})
    assert found.matrices == 2
    assert found.left.value == pytest.approx(0.9)


def test_nothing_to_read_is_said_and_another_shape_refused() -> None:
    assert affinity([("a", np.zeros((48, 32)))], {"a": SIDES}).left.status == "no_change"
    assert affinity([("a", np.ones((48, 32)))], {}).both.status == "absent"
    assert affinity([("a", np.full((48, 32), np.nan))], {"a": SIDES}).right.status == "non_finite"
    with pytest.raises(DataError, match="48 and 32 entries"):
        affinity([("a", np.ones((32, 48)))], {"a": SIDES})
