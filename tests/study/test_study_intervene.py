"""Edits of one update: what each loses, at which rank, and what it must equal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.seeds import generator
from shadowgraph.study.intervene import BY_NORM, BY_RANK, changed, edited_values, energy_of

VALUES = st.one_of(st.just(0.0), st.floats(1e-6, 100.0))
SPECTRA = st.lists(VALUES, min_size=1, max_size=24).map(lambda found: np.array(sorted(found)[::-1]))
SEEDS, RANKS = st.integers(0, 99), st.integers(0, 30)


def order_of(values: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    return generator(seed, "order").permutation(values.size).astype(np.int64)


def lost(values: NDArray[np.float64], edit: str, strength: float, order: NDArray[np.int64]) -> float:
    return energy_of(values) - energy_of(edited_values(edit, values, strength, order))  # pyright: ignore[reportArgumentType]


@given(SPECTRA, SEEDS, RANKS)
def test_equal_rank_and_energy_against_random_and_equal_energy_against_top(
    values: NDArray[np.float64], seed: int, rank: int
) -> None:
    order, slack = order_of(values, seed), 1e-9 * energy_of(values) + 1e-300
    top, random = lost(values, "top", rank, order), lost(values, "random", rank, order)
    assert top == pytest.approx(energy_of(values[:rank]), abs=slack)
    assert lost(values, "top_shrunk", rank, order) == pytest.approx(random, abs=slack)
    for edit in ("random_energy", "bottom_energy", "scaled"):
        assert lost(values, edit, rank, order) == pytest.approx(top, abs=slack), edit
    shrunk = edited_values("top_shrunk", values, rank, order)
    assert np.array_equal(shrunk[rank:], values[rank:])


@given(SPECTRA, SEEDS, RANKS)
def test_no_edit_adds_to_a_component_or_turns_its_sign(values: NDArray[np.float64], seed: int, rank: int) -> None:
    order = order_of(values, seed)
    for edit in BY_RANK:
        found = edited_values(edit, values, rank, order)
        assert np.all(found >= 0.0), edit
        assert np.all(found <= values * (1 + 1e-12)), edit
        assert np.array_equal(edited_values(edit, values, 0, order), values), edit


@given(SPECTRA, SEEDS, st.floats(0.0, 2.0))
def test_flattened_updates_have_the_energy_of_interpolated_ones(
    values: NDArray[np.float64], seed: int, norm: float
) -> None:
    order = order_of(values, seed)
    plain = energy_of(edited_values("interpolated", values, norm, order))
    for edit in BY_NORM[1:]:
        assert energy_of(edited_values(edit, values, norm, order)) == pytest.approx(plain, rel=1e-9), edit
    flat = edited_values("flattened", values, 1.0, order)
    alive = flat[flat > 0]
    assert np.ptp(alive) <= 1e-9 * values.max(initial=0.0) if alive.size else not values.any()


def test_golden_numbers_by_hand() -> None:
    """s = 4, 3, 2, 1: energies 16, 9, 4, 1 of 30. All numbers by hand."""
    values, order = np.array([4.0, 3.0, 2.0, 1.0]), np.array([2, 0, 3, 1])
    assert edited_values("top", values, 1, order).tolist() == [0, 3, 2, 1]
    assert edited_values("random", values, 1, order).tolist() == [4, 3, 0, 1]
    assert edited_values("top_shrunk", values, 1, order) == pytest.approx([np.sqrt(12), 3, 2, 1])
    assert edited_values("random_energy", values, 1, order) == pytest.approx([np.sqrt(4), 3, 0, 1])  # 4 + 12 of 16
    assert edited_values("bottom_energy", values, 1, order) == pytest.approx([np.sqrt(14), 0, 0, 0])  # 1 + 4 + 9 + 2
    assert edited_values("scaled", values, 1, order) == pytest.approx(values * np.sqrt(14 / 30))
    assert edited_values("flattened", values, 1, order) == pytest.approx([np.sqrt(7.5)] * 4)
    assert edited_values("half_flattened", values, 0.5, order) == pytest.approx(np.sqrt(values) * np.sqrt(7.5 / 10))
    assert changed(values, edited_values("bottom_energy", values, 1, order)) == 4
    assert changed(values, edited_values("random_energy", values, 1, order)) == 2


@given(SPECTRA, SEEDS)
def test_at_full_rank_nothing_is_left(values: NDArray[np.float64], seed: int) -> None:
    order = order_of(values, seed)
    for edit in ("top", "random", "random_energy", "bottom_energy", "scaled"):
        assert not edited_values(edit, values, values.size, order).any(), edit
    assert energy_of(edited_values("top_shrunk", values, values.size, order)) <= 1e-12 * energy_of(values)


def test_a_change_below_rounding_is_none() -> None:
    values = np.array([4.0, 2.0, 0.0])
    assert changed(values, values * (1 - 1e-14)) == 0
    assert changed(values, np.array([4.0, 0.0, 0.0])) == 1
    assert changed(np.zeros(2), np.zeros(2)) == 0


def test_rounding_is_not_raised_by_flattening() -> None:
    flat = edited_values("flattened", np.array([1.0, 0.5, 1e-17, 0.0]), 1.0, np.arange(4))
    assert np.count_nonzero(flat) == 2
