"""Subspaces: scipy's angles, closed-form nulls by simulation, and intruders that a rotation cannot fake."""

import math

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.measures.null import block_energy_null, overlap_null
from shadowgraph.measures.spectrum import Reading
from shadowgraph.measures.subspace import block_energy, intruder_curve, overlap, principal_angles, subspace_agreement
from shadowgraph.seeds import generator


def basis(seed: int, size: int, count: int) -> np.ndarray:
    return np.linalg.qr(generator(seed, "basis", str(size), str(count)).normal(size=(size, count)))[0]


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5), st.integers(6, 20))
@settings(max_examples=40)
def test_angles_are_those_of_scipy(seed: int, k: int, r: int, m: int) -> None:
    left, right = basis(seed, m, k), basis(seed + 1, m, r)
    angles = principal_angles(left, right)
    assert angles == pytest.approx(np.sort(scipy.linalg.subspace_angles(left, right)), abs=1e-9)
    assert np.all(np.diff(angles) >= -1e-12)
    assert overlap(left, right).value == pytest.approx(np.sum(np.cos(angles) ** 2) / r, abs=1e-12)


@pytest.mark.parametrize("angle", [1e-12, 1e-9, 1e-4, 0.5, 1.5, math.pi / 2])
def test_small_angles_keep_their_digits(angle: float) -> None:
    """A plane turned by a known angle; a cosine alone would lose 1e-9 altogether."""
    first = np.eye(5, 2)
    second = np.array([[1, 0], [0, math.cos(angle)], [0, math.sin(angle)], [0, 0], [0, 0]])
    assert principal_angles(first, second) == pytest.approx([0.0, angle], rel=1e-6, abs=1e-15)


def test_overlap_nulls_by_simulation() -> None:
    """64 × 256, k = 16: left 16/64, right 16/256, block 16²/(64·256); 40 draws, 5 standard errors."""
    m, n, k, r = 64, 256, 16, 8
    base = [basis(81, m, k), basis(82, n, k)]
    stream = generator(83, "updates")
    rows: list[list[float]] = []
    for _ in range(40):
        update = stream.normal(size=(m, n))
        left, _, right = np.linalg.svd(update, full_matrices=False)
        core = base[0].T @ update @ base[1]
        readings = [overlap(base[0], left[:, :r]), overlap(base[1], right[:r].T), block_energy(core, np.sum(update**2))]
        rows.append([reading.value or 0.0 for reading in readings])
    found = np.array(rows)
    expected = [overlap_null(k, m), overlap_null(k, n), block_energy_null(k, m, n)]
    assert expected == [0.25, 0.0625, 256 / 16384]
    assert np.all(np.abs(found.mean(axis=0) - expected) < 5 * found.std(axis=0, ddof=1) / math.sqrt(40))


def test_block_energy_of_the_base_itself_is_one() -> None:
    left, right = basis(84, 12, 3), basis(85, 20, 3)
    update = left @ np.diag([3.0, 2.0, 1.0]) @ right.T
    assert block_energy(left.T @ update @ right, float(np.sum(update**2))).value == pytest.approx(1.0)
    assert block_energy(np.zeros((2, 2)), 0.0) == Reading(None, "no_change")
    with pytest.raises(Defect):
        block_energy(np.ones((2, 2)), 3.0)


def test_agreement_is_one_for_equals_and_nought_by_chance() -> None:
    first = basis(86, 40, 4)
    assert subspace_agreement(first, first @ basis(87, 4, 4)).value == pytest.approx(1.0)
    chance = [subspace_agreement(first, basis(seed, 40, 4)).value or 0.0 for seed in range(100, 160)]
    assert abs(np.mean(chance)) < 5 * np.std(chance, ddof=1) / math.sqrt(60)
    assert subspace_agreement(np.eye(3), np.eye(3)).status == "too_small"


def test_vectors_that_are_not_orthonormal_are_refused() -> None:
    good = basis(88, 6, 2)
    for bad in (good * 1.1, np.ones((6, 2)), np.full((6, 2), float("nan"))):
        for function in (principal_angles, overlap, subspace_agreement):
            with pytest.raises(Defect):
                function(good, bad)
    with pytest.raises(Defect):
        overlap_null(7, 6)


EPSILONS, TOPS = (0.3, 0.5, 0.8), (1, 3)


def test_intruders_are_counted_along_both_axes() -> None:
    """Rows with best cosines .9, .2 and .6."""
    cosines = np.array([[0.9, 0.1, 0.0], [0.2, -0.1, 0.1], [0.0, 0.3, -0.6]])
    assert intruder_curve(cosines, EPSILONS, TOPS).tolist() == [[0, 0, 0], [1, 1, 2]]
    for epsilons, tops in [((1.1,), (1,)), ((0.5,), (4,)), ((0.5,), (0,))]:
        with pytest.raises(Defect):
            intruder_curve(cosines, epsilons, tops)
    with pytest.raises(Defect):
        intruder_curve(cosines * 2, EPSILONS, TOPS)


def test_a_planted_direction_is_an_intruder_and_the_base_has_none() -> None:
    stream = generator(89, "base")
    base = stream.normal(size=(30, 50))
    left, values, _ = np.linalg.svd(base, full_matrices=False)
    new = np.outer(basis(90, 30, 1), basis(91, 50, 1))
    for strength, expected in [(0.0, 0), (10.0, 1)]:
        moved, moved_values, _ = np.linalg.svd(base + strength * values[0] * new, full_matrices=False)
        curve = intruder_curve(moved.T[:3] @ left, (0.8,), TOPS, values=moved_values[:3], base_values=values)
        assert curve[:, 0].tolist() == [expected, expected]


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_rotation_inside_a_cluster_makes_no_intruder(seed: int) -> None:
    """Equal singular values: any rotation inside a cluster, on either side, gives the same curve."""
    base_values = np.array([5.0, 5.0, 5.0, 3.0, 3.0, 1.0])
    turn = np.eye(6)
    turn[:3, :3], turn[3:5, 3:5] = basis(seed, 3, 3), basis(seed + 1, 2, 2)
    plain = intruder_curve(np.eye(6)[:5] @ turn, EPSILONS, (1, 5), values=base_values[:5], base_values=base_values)
    assert not plain.any()
    mixed = basis(seed + 2, 6, 6)
    first = intruder_curve(mixed[:5], EPSILONS, (5,), values=base_values[:5], base_values=base_values)
    second = intruder_curve(
        turn[:5, :5].T @ mixed[:5] @ turn, EPSILONS, (5,), values=base_values[:5], base_values=base_values
    )
    assert first.tolist() == second.tolist()


def test_one_vector_spread_over_two_clusters_does_not_serve_two() -> None:
    """A cluster of two of W1: one lies between two clusters of W0, the other outside all of them."""
    half = math.sqrt(0.5)
    cosines = np.array([[half, half, 0.0], [0.0, 0.0, 0.0]])
    curve = intruder_curve(cosines, (0.6,), (2,), values=np.array([2.0, 2.0]), base_values=np.array([3.0, 2.0, 1.0]))
    assert curve.tolist() == [[1]]
