"""Energy over matrices: closed forms, bounds, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.measures.distribution import depth_centre, effective_number, gini, group_shares
from shadowgraph.measures.spectrum import Reading
from shadowgraph.seeds import generator

energies = st.lists(st.floats(0.0, 1e300), min_size=1, max_size=30).map(np.array).filter(lambda each: each.max() > 0)


def test_closed_forms() -> None:
    """Equal shares and a single holder of four; (1, 3): Gini 1/4, entropy of (1/4, 3/4)."""
    equal, single, pair = np.full(4, 2.5), np.array([0.0, 0.0, 7.0, 0.0]), np.array([1.0, 3.0])
    assert (gini(equal).value, effective_number(equal).value) == pytest.approx((0.0, 4.0))
    assert (gini(single).value, effective_number(single).value) == pytest.approx((0.75, 1.0))
    assert gini(pair).value == pytest.approx(0.25)
    assert effective_number(pair).value == pytest.approx(0.25**-0.25 * 0.75**-0.75)
    assert depth_centre(pair, np.array([0.0, 1.0])).value == pytest.approx(0.75)
    shares = group_shares(single + equal, ["a", "b", "a", "b"])
    assert {group: reading.value for group, reading in shares.items()} == pytest.approx({"a": 12 / 17, "b": 5 / 17})


@given(energies, st.integers(0, 1000))
def test_bounds_order_and_scale(values: np.ndarray, seed: int) -> None:
    size = values.size
    first, second = gini(values).value, effective_number(values).value
    assert first is not None
    assert second is not None
    assert 0 <= first <= 1 - 1 / size + 1e-12
    assert 1 - 1e-12 <= second <= size * (1 + 1e-12)
    shuffled = generator(seed, "shuffle").permutation(values) * 2.0**-60
    assert gini(shuffled).value == pytest.approx(first, abs=1e-9)
    assert effective_number(shuffled).value == pytest.approx(second, rel=1e-9)
    groups = [("x", "y", "z")[index % 3] for index in range(size)]
    assert sum(each.value or 0.0 for each in group_shares(values, groups).values()) == pytest.approx(1.0)


def test_nothing_and_nonsense() -> None:
    nothing = np.zeros(3)
    for reading in (gini(nothing), effective_number(nothing), depth_centre(nothing, nothing)):
        assert reading == Reading(None, "no_change")
    assert group_shares(nothing, ["a", "a", "b"]) == dict.fromkeys("ab", Reading(None, "no_change"))
    for bad in (np.zeros(0), np.array([-1.0]), np.array([float("inf")])):
        for function in (gini, effective_number):
            with pytest.raises(Defect):
                function(bad)
    with pytest.raises(Defect):
        depth_centre(np.ones(1), np.array([float("nan")]))
    with pytest.raises(Defect):
        group_shares(np.ones(2), ["a"])
