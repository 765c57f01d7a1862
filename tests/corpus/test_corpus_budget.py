"""Budgets: quotas that hold wherever they are cut, trees that share evenly, and the proof over arms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.corpus.budget import BudgetRow, fill, length_bins, pace, prove_budget, quota_order, turns_of
from shadowgraph.errors import DataError
from shadowgraph.seeds import generator


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20), st.integers(2, 6), st.floats(0.05, 0.5))
def test_quotas_hold_to_within_a_document(seed: int, bins: int, part: float) -> None:
    stream = generator(seed, "quota")
    lengths, labels = stream.integers(1, 30, 600), stream.integers(0, bins, 600)
    held = np.bincount(labels, weights=lengths, minlength=bins)
    order = quota_order(stream.permutation(600), labels, held / held.sum(), lengths)
    assert sorted(order.tolist()) == list(range(600))
    budget = int(part * held.sum())
    chosen = fill(order, lengths, budget, "arm")
    given_tokens = np.bincount(labels[chosen.documents], weights=chosen.taken, minlength=bins)
    assert np.abs(given_tokens - budget * held / held.sum()).max() <= 30


def test_a_stratum_without_a_share_comes_last() -> None:
    lengths = np.ones(10, np.int64)
    labels = np.array([0, 1] * 5)
    order = quota_order(np.arange(10), labels, np.array([0.0, 1.0]), lengths)
    assert labels[order].tolist() == [1] * 5 + [0] * 5


def test_pacing_level_by_level_shares_a_tree_evenly() -> None:
    fine = np.repeat([0, 1, 2], [300, 300, 300])  # two leaves under node 0, one under node 1
    coarse = np.array([0, 0, 1])[fine]
    lengths = np.full(900, 2)
    order = np.arange(900)
    for labels in (fine, coarse):
        order = pace(order, labels, lengths)
    chosen = fill(order, lengths, 400, "arm")
    assert np.bincount(fine[chosen.documents], weights=chosen.taken).tolist() == [100, 100, 200]


def test_length_bins_are_quarters_of_a_doubling() -> None:
    assert length_bins(np.array([1, 2, 4, 1024])).tolist() == [0, 4, 8, 40]
    assert length_bins(np.array([100]))[0] == length_bins(np.array([105]))[0]


def test_turns_count_what_stood_before() -> None:
    assert turns_of(np.array([3, 1, 3, 3, 1])).tolist() == [0, 0, 1, 2, 1]


def test_the_proof_refuses_what_differs() -> None:
    rows = [BudgetRow("a", 0, 1000, 1000), BudgetRow("b", 0, 1000, 999)]
    assert prove_budget(rows) == {"tokens": 1000, "supervised_least": 999, "supervised_most": 1000}
    with pytest.raises(DataError, match="c draw 1: 999 tokens, a has 1000"):
        prove_budget([*rows, BudgetRow("c", 1, 999, 999)])
    with pytest.raises(DataError, match=r"more than 0.1% apart.*budget.supervised to 998"):
        prove_budget([*rows, BudgetRow("d", 0, 1000, 998)])
    with pytest.raises(DataError, match="no arms"):
        prove_budget([])
