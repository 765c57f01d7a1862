"""Leading directions against the base: planted alignments, the closed nulls, rotation, intruders and two runs."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from shadowgraph.footprint.relation import (
    EPSILONS,
    OVERLAPS,
    ROTATIONS,
    TOPS,
    intruder_key,
    intruder_readings,
    relation_nulls,
    relation_readings,
    run_agreement,
)
from shadowgraph.measures.spectrum import Reading
from shadowgraph.seeds import generator

Matrix = NDArray[np.float64]
M, N, TOP = 96, 80, 8


def rotation(size: int, label: str) -> Matrix:
    basis, _ = np.linalg.qr(generator(1, label).standard_normal((size, size)))
    return np.asarray(basis)


def weights(m: int = M, n: int = N) -> tuple[Matrix, Matrix, Matrix]:
    """A base with well separated singular values, and its vectors."""
    left, right = rotation(m, f"left{m}"), rotation(n, f"right{n}")
    size = min(m, n)
    return (left[:, :size] * 1.1 ** -np.arange(size)) @ right[:, :size].T, left, right


def value(reading: Reading) -> float:
    assert reading.value is not None, reading.status
    return reading.value


def related(base: Matrix, update: Matrix, k: int = TOP) -> dict[str, Reading]:
    return relation_readings(base, base + update, update, k=k, intruders=False)


def test_update_inside_the_leading_block_of_the_base() -> None:
    base, left, right = weights()
    inside = related(base, 1e-3 * left[:, :3] @ right[:, 2:5].T)
    assert [value(inside[key]) for key in OVERLAPS] == pytest.approx([1.0, 1.0, 1.0], abs=1e-9)
    outside = related(base, 1e-3 * left[:, 20:23] @ right[:, 30:33].T)
    assert [value(outside[key]) for key in OVERLAPS] == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    half = related(base, 1e-3 * left[:, [1, 30]] @ right[:, [40, 2]].T)
    assert [value(half[key]) for key in OVERLAPS] == pytest.approx([0.5, 0.5, 0.0], abs=1e-9)


def test_nulls_agree_with_noise() -> None:
    """40 Gaussian updates: means within 4 standard errors, spreads within 35 %; left and right differ by shape."""
    base, _, _ = weights()
    nulls = relation_nulls((M, N), TOP)
    assert (nulls["base_overlap_left"].mean, nulls["base_overlap_right"].mean) == (TOP / M, TOP / N)
    stream = generator(2, "noise")
    draws = [related(base, 1e-6 * stream.standard_normal((M, N))) for _ in range(40)]
    for key in OVERLAPS:
        found = np.array([value(draw[key]) for draw in draws])
        assert found.mean() == pytest.approx(nulls[key].mean, abs=4 * nulls[key].sd / 40**0.5), key
        assert found.std(ddof=1) == pytest.approx(nulls[key].sd, rel=0.35), key


def test_rotation_of_the_leading_subspace() -> None:
    """Turning one leading direction out of the subspace by .3 radians is the largest angle; scaling turns nothing."""
    base, left, _ = weights()
    turn = np.eye(M)
    turn[np.ix_([0, M - 1], [0, M - 1])] = [[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]]
    moved = left @ turn @ left.T @ base
    found = relation_readings(base, moved, moved - base, k=TOP, intruders=False)
    assert value(found["base_rotation_left"]) == pytest.approx(0.3, abs=1e-7)
    assert value(found["base_rotation_right"]) == pytest.approx(0.0, abs=1e-6)
    scaled = related(base, 0.5 * base)
    assert [value(scaled[key]) for key in ROTATIONS] == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("shape", [(M, N), (N, M)])
def test_one_strong_foreign_direction_is_one_intruder(shape: tuple[int, int]) -> None:
    """A direction spread evenly over all vectors of the base has no cosine above √(log-ish / m)."""
    base, _, _ = weights(*shape)
    m, n = shape
    foreign = generator(3, "foreign").standard_normal((m, 1)) @ generator(4, "foreign").standard_normal((1, n))
    found = intruder_readings(base, base + 5.0 * foreign / np.linalg.norm(foreign))
    assert {value(found[intruder_key(top, 0.5)]) for top in (1, 10)} == {1.0}
    assert found[intruder_key(100, 0.5)].status == "too_small"
    curve = [value(found[intruder_key(10, epsilon)]) for epsilon in EPSILONS]
    assert curve == sorted(curve)


def test_small_update_has_no_intruder() -> None:
    base, _, _ = weights()
    found = intruder_readings(base, base + 1e-9 * generator(5, "small").standard_normal((M, N)))
    assert {value(found[intruder_key(top, epsilon)]) for top in (1, 10) for epsilon in EPSILONS} == {0.0}


def test_equal_singular_values_are_one_subspace() -> None:
    """The orthogonal matrix and itself turned inside: every single vector is arbitrary, none is an intruder."""
    base = rotation(64, "equal")
    moved = base + 1e-13 * generator(6, "equal").standard_normal((64, 64))
    found = intruder_readings(base, moved)
    assert {value(found[intruder_key(10, epsilon)]) for epsilon in EPSILONS} == {0.0}


def test_one_decomposition_of_the_base_serves_both() -> None:
    base, _, _ = weights()
    update = 0.3 * generator(8, "both").standard_normal((M, N))
    found = relation_readings(base, base + update, update, k=TOP)
    apart = related(base, update) | intruder_readings(base, base + update)
    assert found.keys() == apart.keys()
    assert {key for key in found if found[key].status != apart[key].status} == set()
    both = [(value(found[key]), value(apart[key])) for key in found if found[key].status == "ok"]
    assert [one for one, _ in both] == pytest.approx([other for _, other in both], abs=1e-6)


def test_statuses() -> None:
    base, _, _ = weights()
    small = relation_readings(base, base, np.zeros((M, N)), k=50)
    assert {small[key].status for key in (*OVERLAPS, *ROTATIONS)} == {"too_small"}
    assert intruder_key(TOPS[0], EPSILONS[0]) in small
    still = related(base, np.zeros((M, N)))
    assert {still[key].status for key in OVERLAPS} == {"no_change"}
    assert relation_nulls((20, 300), 32) == {}
    assert intruder_readings(np.zeros((M, N)), base)[intruder_key(1, 0.5)].status == "no_change"


def test_agreement_of_two_runs() -> None:
    _, left, right = weights()
    stream = generator(7, "runs")
    noise = [0.01 * stream.standard_normal((M, N)) for _ in range(2)]
    signal = 10.0 * left[:, :TOP] @ right[:, :TOP].T
    same = run_agreement(signal + noise[0], signal + noise[1], k=TOP)
    assert all(value(reading) > 0.99 for reading in same.values())
    unrelated = run_agreement(noise[0], noise[1], k=TOP)
    assert all(abs(value(reading)) < 0.15 for reading in unrelated.values())
    assert {reading.status for reading in run_agreement(noise[0], np.zeros((M, N)), k=TOP).values()} == {"no_change"}
    assert {reading.status for reading in run_agreement(noise[0], noise[1], k=60).values()} == {"too_small"}
