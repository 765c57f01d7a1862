"""Holm's adjustment and the step-down max-T: worked examples, brute force, laws, control of any false rejection."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.multiple import holm, westfall_young
from shadowgraph.stats.paired import paired
from shadowgraph.stats.resample import permutation_test


def test_golden() -> None:
    """Worked by hand: .01·4, .02·3, .03·2 raised to .06, .04·1 raised to .06."""
    found = holm({"d": 0.04, "a": 0.01, "c": 0.03, "b": 0.02})
    assert found == pytest.approx({"d": 0.06, "a": 0.04, "c": 0.06, "b": 0.06})
    assert list(found) == ["d", "a", "c", "b"]
    assert holm({}) == {}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=8))
def test_laws(p: dict[str, float]) -> None:
    found = holm(p)
    names = sorted(p, key=lambda name: p[name])
    assert all(p[name] <= found[name] <= min(1.0, len(p) * p[name]) for name in names)
    assert all(found[low] <= found[high] for low, high in itertools.pairwise(names))


def test_family_error_is_controlled() -> None:
    """Five true nulls, 4,000 families: any rejection at .05 in 1 − .99⁵ = .049 of them; 99.9 % interval."""
    stream = generator(61, "families")
    draws = stream.uniform(size=(4_000, 5))
    hits = sum(min(holm({str(i): float(p) for i, p in enumerate(row)}).values()) <= 0.05 for row in draws)
    low, high = scipy.stats.binom.interval(0.999, 4_000, 1 - 0.99**5)
    assert low <= hits <= high


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_bad_p_is_refused(bad: float) -> None:
    with pytest.raises(Defect):
        holm({"a": bad})


def by_brute_force(columns: np.ndarray, first: int) -> list[float]:
    """Step-down max-T of two arms, straight from the definition, with scipy's t."""
    size, order = len(columns), list(range(columns.shape[1]))

    def statistics(chosen: tuple[int, ...]) -> np.ndarray:
        rest = [place for place in range(size) if place not in chosen]
        return np.abs(np.asarray(scipy.stats.ttest_ind(columns[list(chosen)], columns[rest]))[0])

    observed = statistics(tuple(range(first)))
    order.sort(key=lambda column: -observed[column])
    table = np.stack([statistics(chosen) for chosen in itertools.combinations(range(size), first)])
    adjusted, highest = [0.0] * len(order), 0.0
    for place, column in enumerate(order):
        largest = table[:, order[place:]].max(axis=1)
        highest = max(highest, float(np.mean(largest >= observed[column] - 1e-9)))
        adjusted[column] = highest
    return adjusted


@pytest.mark.parametrize(("first", "second"), [(3, 3), (2, 4)])
def test_westfall_young_by_brute_force(first: int, second: int) -> None:
    rng = generator(62, "wy", str(first))
    columns = rng.normal(size=(first + second, 4)) * [1, 10, 0.1, 1] + rng.normal(size=(first + second, 1))
    columns[:first, 1] += 40
    found = westfall_young(columns[:first], columns[first:])
    assert list(found) == pytest.approx(by_brute_force(columns, first))


def test_one_column_is_the_plain_test() -> None:
    rng = generator(63, "one")
    a, b = rng.normal(size=(5, 1)) + 1, rng.normal(size=(5, 1))
    assert westfall_young(a, b)[0] == permutation_test(a[:, 0], b[:, 0]).p
    assert westfall_young(a)[0] == paired(a[:, 0]).p


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=20)
def test_laws_of_westfall_young(seed: int, arms: bool) -> None:
    """Not below the raw p; columns twice cost nothing; order and unit of columns do not matter; a blank one has 1."""
    rng = generator(seed, "laws")
    a, b = rng.normal([0, 0, 1, 3], size=(5, 4)), rng.normal(size=(5, 4)) if arms else None
    found = westfall_young(a, b)
    raw = [paired(a[:, j]).p if b is None else permutation_test(a[:, j], b[:, j]).p for j in range(4)]
    assert (found >= np.array(raw) - 1e-12).all()
    assert (found <= 1).all()
    places = [2, 0, 3, 1, 2]
    again = westfall_young(7 * a[:, places], None if b is None else 7 * b[:, places])
    assert list(again) == pytest.approx(list(found[places]))
    blank = np.column_stack([np.full(5, 0.1 if arms else 0.0), a])
    with_blank = westfall_young(blank, None if b is None else np.column_stack([np.full(5, 0.1), b]))
    assert list(with_blank) == pytest.approx([1.0, *found])


def test_westfall_young_samples_above_the_limit() -> None:
    rng = generator(64, "many")
    a = rng.normal([0.0, 0.0, 2.0], size=(18, 3))
    with pytest.raises(Defect, match="generator"):
        westfall_young(a)
    found = westfall_young(a, None, generator(65, "flips"), samples=999)
    assert found[2] == 1 / 1000
    assert found[:2].min() > 0.01


def test_westfall_young_refuses_bad_columns() -> None:
    good = np.ones((3, 2))
    for a, b in [(good * np.nan, good), (np.ones((3, 0)), None), (np.ones((0, 2)), None)]:
        with pytest.raises(Defect):
            westfall_young(a, b)
