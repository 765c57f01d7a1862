"""The label: corpora are matched on what is measured of them and never on K; who finds no match is named."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
from study_made import SOURCES, evidence_of, noise, record_of, spec_of

from shadowgraph.study import kinship, labelled
from shadowgraph.study.layout import RunKey
from shadowgraph.study.readings import Runs, gather

POSITIVE = [f"p{index}" for index in range(6)]
NEGATIVE = [f"n{index}" for index in range(12)]
ANALYSIS: dict[str, Any] = {
    "groups": {"bench": POSITIVE, "plain": NEGATIVE},
    "label": {"name": "benchmark", "positive": "bench", "negative": "plain"},
}


def runs_of(effect: float, *, far: str = "", affinity: bool = False, common: float = 0.1, own: float = 0.3) -> Runs:
    """Six corpora with the label, two matches each; K follows novelty, plus an effect of the label."""
    arms: dict[str, dict[str, Any]] = {name: {} for name in (*POSITIVE, *NEGATIVE)}
    spec = spec_of(arms, ANALYSIS, draws=1, benchmarks=SOURCES[:2])

    def run(key: RunKey) -> dict[str, Any]:
        place = int(key.arm[1:]) % 6
        novelty = 3.0 + place + (9.0 if key.arm == far else 0.05 * int(key.arm[1:]) / 12)
        labelled_one = key.arm.startswith("p")
        k = 0.3 * novelty + effect * labelled_one + noise(key.arm, 0, 0.02)
        mine = own if labelled_one else 0.1
        shares = {"alpha": mine, "beta": common, "gamma": 0.1, "delta": 0.9 if key.arm == "n0" else 0.1}
        sources = {"alpha": 100} if labelled_one else {"delta": 100}
        return record_of(key, K=k, base_loss=novelty, affinity=shares if affinity else None, sources=sources)

    return gather(spec, evidence_of(spec, run).records)


def read(value: object) -> Any:
    """A part of a result, as a reader of the file meets it."""
    return json.loads(json.dumps(value, allow_nan=False))


def strata_of(runs: Runs) -> labelled.Strata:
    label = runs.spec.analysis.label
    assert label is not None
    return labelled.strata_of(runs, label)


def test_the_label_is_found_where_it_matters_and_not_where_novelty_does() -> None:
    for effect in (0.0, 0.2):
        runs = runs_of(effect)
        strata = strata_of(runs)
        row = labelled.asked(runs, strata).main()
        assert row["n"] == [6, 12]
        assert row["estimate"] == pytest.approx(effect, abs=0.03)
        assert (float(str(row["p"])) <= 0.05) == (effect > 0)
        residual = read(labelled.table(runs, strata, row))["residual"]
        assert residual["estimate"] == pytest.approx(effect, abs=0.05)


def test_sets_are_disjoint_within_calipers_and_blind_to_k() -> None:
    strata = strata_of(runs_of(0.2))
    members = [name for arm, others in strata.sets for name in (arm, *others)]
    assert len(members) == len(set(members)) == 18
    assert all(max(strata.apart(arm, other).values()) <= 1.0 for arm, others in strata.sets for other in others)
    assert strata.sets == strata_of(runs_of(5.0)).sets


def test_corpora_are_matched_on_five_numbers_and_nothing_else() -> None:
    """Loss, divergence and entropy in nats, lengths and unique tokens as shares; no K, norm or count among them."""
    strata = strata_of(runs_of(0.2))
    limits = {
        "base_loss": 0.25,
        "kl_to_base": 0.2,
        "unigram_entropy": 0.2,
        "document_length": 0.2,
        "unique_token_share": 0.2,
    }
    assert strata.limits == limits
    assert all(set(numbers) == set(limits) for numbers in strata.covariates.values())
    assert read(labelled.table(runs_of(0.2), strata, {}))["relative"] == ["document_length", "unique_token_share"]


def beyond(key: str) -> list[str]:
    """Who is left over when the first labelled corpus lies just beyond the caliper in one covariate."""
    runs = runs_of(0.2)
    apart = {
        "base_loss": 0.3,
        "kl_to_base": 0.21,
        "unigram_entropy": 0.21,
        "document_length": 26.0,
        "unique_token_share": 0.3,
    }

    def moved(record: Any) -> dict[str, Any]:
        if key == "base_loss":
            return dict(record) | {key: record[key] - apart[key]}
        return dict(record) | {"balance": record["balance"] | {key: record["balance"][key] + apart[key]}}

    records = [moved(one) if arm == "p0" else one for arm in runs.arms for one in runs.of(arm)]
    strata = strata_of(gather(runs.spec, records))
    used = {name for arm, others in strata.sets for name in (arm, *others)}
    return [arm for arm in runs.arms if arm not in used]


@pytest.mark.parametrize("key", ["base_loss", "kl_to_base", "unigram_entropy", "document_length", "unique_token_share"])
def test_a_caliper_missed_in_any_one_covariate_parts_a_stratum(key: str) -> None:
    assert beyond(key) == ["p0", "n0", "n6"]


def test_the_label_changes_places_inside_strata_alone() -> None:
    """All 3^6 places of the label, by hand."""
    runs = runs_of(0.03)
    strata = strata_of(runs)
    k = {arm: float(runs.of(arm)[0]["K"]) for arm in runs.arms}
    parts = [[k[arm], *(k[other] for other in others)] for arm, others in strata.sets]
    ways = [[own[i] - (sum(own) - own[i]) / (len(own) - 1) for i in range(len(own))] for own in parts]
    means = np.array([np.mean(chosen) for chosen in itertools.product(*ways)])
    row = labelled.asked(runs, strata).main()
    assert means.size == 3**6
    assert row["estimate"] == pytest.approx(means[0])
    assert row["p"] == pytest.approx(np.mean(np.abs(means) >= abs(means[0]) - 1e-12))


def test_a_corpus_without_a_match_is_named_with_what_it_misses() -> None:
    runs = runs_of(0.2, far="p3")
    strata = strata_of(runs)
    row = labelled.asked(runs, strata).main()
    unmatched = read(labelled.table(runs, strata, row))["unmatched"]
    (lost,) = unmatched["positive"]
    assert (lost["arm"], lost["misses"]) == ("p3", ["base_loss"])
    assert read(row)["n"][0] == 5
    assert len(unmatched["negative"]) == 2


def test_the_label_is_read_at_equal_norm_and_strata_without_a_range_drop_out() -> None:
    runs = runs_of(0.2)
    (norm, progress) = labelled.readings(runs, strata_of(runs))
    assert (norm["reading"], norm["n"]) == ("norm-matched", [6, 12])
    assert norm["estimate"] == pytest.approx(0.2, abs=0.03)
    assert progress["status"] == "ok"
    moved = [
        dict(record) | {"snapshots": [point | {"log_norm": point["log_norm"] + 9.0} for point in record["snapshots"]]}
        if record["arm"] == "p2"
        else record
        for arm in runs.arms
        for record in runs.of(arm)
    ]
    apart = gather(runs.spec, moved)
    (norm, _) = labelled.readings(apart, strata_of(apart))
    assert norm["n"] == [5, 10]
    assert norm["dropped"] == [{"arm": "p2", "draw": None, "status": "no number"}]


def test_no_match_at_all_is_not_estimable() -> None:
    spec = spec_of({"p0": {}, "n0": {}}, ANALYSIS | {"groups": {"bench": ["p0"], "plain": ["n0"]}}, draws=1)
    made = evidence_of(spec, lambda key: record_of(key, K=1.0, base_loss=4.0 if key.arm == "p0" else 9.0))
    runs = gather(spec, made.records)
    row = labelled.asked(runs, strata_of(runs)).main()
    assert (row["status"], row["estimate"]) == ("not estimable", None)


def test_affinity_is_held_against_sources_an_arm_was_not_trained_on() -> None:
    runs = runs_of(0.0, affinity=True)
    found = read(kinship.table(runs, strata_of(runs)))
    arms = {str(row["arm"]): row for row in found["arms"]}
    assert found["benchmarks"] == ["alpha", "beta"]
    assert arms["p0"]["benchmark"] == pytest.approx(0.2)
    assert arms["p0"]["control"] == pytest.approx(0.1)
    assert arms["p0"]["own_excess"] == pytest.approx(0.2)
    # n0 lies wholly in the space of "delta", on which it was trained; that does not count against it.
    assert arms["n0"]["control"] == pytest.approx(0.1)
    assert found["test"]["estimate"] == pytest.approx(0.2)
    assert kinship.table(runs_of(0.0), None) is None


def test_affinity_inside_a_stratum_is_read_in_the_spaces_of_one_benchmark() -> None:
    # "beta" draws every update; only "alpha" was trained on, and it shows in its updates or does not.
    for own in (0.1, 0.3):
        runs = runs_of(0.0, affinity=True, common=0.7, own=own)
        found = read(kinship.table(runs, strata_of(runs)))
        assert found["test"]["estimate"] == pytest.approx(own - 0.1)
