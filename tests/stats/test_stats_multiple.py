"""Holm's adjustment: a worked example, laws, and control of any false rejection."""

import itertools

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.multiple import holm


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
