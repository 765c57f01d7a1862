"""What bases and arms over sources are trained on: exact tokens, disjoint parts, and presentation alone."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from study_sources import spec_of, study_folder

from shadowgraph.errors import DataError
from shadowgraph.identity import Json
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.sequences import consumption_order
from shadowgraph.spec.analysis import Affinity
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array, load_arrays
from shadowgraph.study.blends import make_regimes
from shadowgraph.study.corpora import base_corpus_job, pool_job
from shadowgraph.study.holdings import Holdings, load_documents, open_holdings, tokenizer_texts
from shadowgraph.study.layout import Layout
from shadowgraph.study.rotation import known_sources
from shadowgraph.study.sources import ARM, BASE, HELD, OUTSIDE, gather
from shadowgraph.study.training import order_seed

LENGTH, TOKENS = 32, 8 * 4 * 32
ARMS: list[dict[str, Any]] = [
    {"name": "known", "regime": "even", "sources": "known"},
    {"name": "new", "regime": "even", "sources": ["s0", "s1", "s2"]},
    {"name": "reversed", "regime": "even", "sources": ["s0", "s1", "s2"], "presented": "reversed"},
    {"name": "permuted", "regime": "even", "sources": ["s0", "s1", "s2"], "presented": "permuted"},
    {"name": "blocked", "regime": "even", "sources": ["s0", "s1", "s2"], "presented": "blocked"},
    {"name": "one", "regime": "even", "sources": "known", "pick": 1},
    {"name": "random", "regime": "random", "sources": "all"},
    {"name": "repeated", "regime": "repeated", "sources": "others", "share": 0.5, "repeats": 4},
    {"name": "blend", "regime": "blend", "sources": "others", "share": 0.5, "toward": ["quiz"]},
    {"name": "covering", "regime": "covering", "sources": "others"},
    {"name": "covering-new", "regime": "covering_new", "sources": "others"},
    {"name": "rare", "regime": "even", "sources": "benchmarks", "draws": 1},
]


def nothing(_: float) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudySpec, Layout, Holdings, dict[str, Json]]:
    """The corpora of two draws, each with a base of its own."""
    folder = tmp_path_factory.mktemp("files")
    spec = spec_of(folder, ARMS)
    arguments = study_folder(folder / "out", spec)
    base_corpus_job(arguments, nothing)
    for draw in range(2):
        pool_job({**arguments, "draw": draw}, nothing)
    layout = Layout(folder / "out")
    return spec, layout, open_holdings(spec, layout.holdings), arguments


Made = tuple[StudySpec, Layout, Holdings, dict[str, Json]]


def rows_of(layout: Layout, arm: str, draw: int = 0, name: str = "sequences") -> NDArray[np.uint16]:
    return load_array(layout.regime(arm, draw) / f"{name}.npy")


def chosen_of(layout: Layout, arm: str, draw: int = 0) -> NDArray[np.int64]:
    return load_documents(layout.regime(arm, draw) / "documents.npy")


def test_every_arm_holds_its_tokens_to_the_token_and_says_of_which_source(made: Made) -> None:
    spec, layout, holdings, _ = made
    for draw in range(2):
        for arm in spec.arms:
            folder = layout.regime(arm.name, draw)
            if arm.draws == 1 and draw == 1:
                assert not folder.exists()
                continue
            assert rows_of(layout, arm.name, draw).shape == (8 * 4, LENGTH)
            assert rows_of(layout, arm.name, draw, "own").shape == (16, LENGTH)
            taken = json.loads((folder / "taken.json").read_text())
            assert sum(taken.values()) == TOKENS
            if arm.regime == "even":
                assert max(taken.values()) - min(taken.values()) <= 1
            documents = chosen_of(layout, arm.name, draw)
            assert {holdings.names[number] for number in holdings.sources[documents]} == set(taken)
            np.testing.assert_array_equal(load_array(folder / "texts.npy"), holdings.keys[documents])
    blend = json.loads((layout.regime("blend", 0) / "taken.json").read_text())
    assert blend["quiz"] == TOKENS // 2


def windows(rows: NDArray[np.uint16], pool: NDArray[np.uint16]) -> bool:
    """Whether any row of tokens stands in a stream of tokens."""
    needle = {row[4:28].tobytes() for row in rows}
    data = np.ascontiguousarray(pool).tobytes()
    return any(part in data for part in needle)


def test_no_document_serves_two_ends(made: Made) -> None:
    spec, layout, holdings, _ = made
    for draw in range(2):
        base = load_documents(layout.base_of(spec, draw) / "documents.npy")
        assert set(holdings.parts[base].tolist()) == {BASE}
        for arm in spec.arms:
            if arm.draws is None or draw < arm.draws:
                assert set(holdings.parts[chosen_of(layout, arm.name, draw)].tolist()) == {ARM}
    panel = load_arrays(layout.base / "panel.npz")
    assert {name: rows.shape for name, rows in panel.items()} == {name: (8, LENGTH) for name in holdings.names}
    outside = load_array(layout.base / "outside.npy")
    assert outside.shape == (64, LENGTH)
    trained = np.concatenate([rows_of(layout, name).ravel() for name in ("known", "new", "random", "covering")])
    base_text = load_array(layout.base_of(spec, 0) / "sequences.npy").ravel()
    for rows in (*panel.values(), outside):
        assert not windows(rows, trained)
        assert not windows(rows, base_text)
    assert set(holdings.parts[holdings.sources == holdings.names.index("far")].tolist()) == {HELD, OUTSIDE}


def test_what_is_held_out_for_an_arm_is_never_in_it(made: Made) -> None:
    spec, layout, _, _ = made
    for arm in spec.arms:
        if arm.presented == "mixed":
            assert not windows(rows_of(layout, arm.name, name="own"), rows_of(layout, arm.name).ravel()), arm.name


def test_bases_of_neighbouring_draws_know_complements_evenly(made: Made) -> None:
    spec, layout, holdings, _ = made
    tokens = spec.training.base_tokens
    for draw in range(2):
        folder = layout.base_of(spec, draw)
        told = json.loads((folder / "sources.json").read_text())
        assert told["known"] == list(known_sources(spec, draw))
        assert len(told["known"]) == 3
        assert set(told["new"]) == {name for name in holdings.names if name != "far"} - set(told["known"])
        documents, taken = load_array(folder / "documents.npy")
        shares = np.bincount(holdings.sources[documents], taken, len(holdings.names))
        assert {holdings.names[number] for number in np.flatnonzero(shares)} == set(told["known"])
        assert shares.sum() == tokens
        assert np.ptp(shares[shares > 0]) <= 1
        assert load_array(folder / "counts.npy").sum() == tokens
    assert not set(known_sources(spec, 0)) & set(known_sources(spec, 1))


def test_presentations_hold_the_same_documents(made: Made) -> None:
    _, layout, holdings, _ = made
    plain = rows_of(layout, "new")
    for name in ("reversed", "permuted", "blocked"):
        assert sorted(chosen_of(layout, name)) == sorted(chosen_of(layout, "new")), name
    np.testing.assert_array_equal(np.bincount(rows_of(layout, "reversed").ravel()), np.bincount(plain.ravel()))
    np.testing.assert_array_equal(np.bincount(rows_of(layout, "blocked").ravel()), np.bincount(plain.ravel()))
    documents, taken = load_array(layout.regime("reversed", 0) / "documents.npy")
    stream, place = rows_of(layout, "reversed").ravel(), 0
    for document, size in zip(documents.tolist(), taken.tolist(), strict=True):
        start, end = holdings.offsets[document : document + 2].tolist()
        whole = size == end - start
        told = holdings.tokens[start : start + size - whole][::-1].tolist() + [0] * whole
        assert stream[place : place + size].tolist() == told
        place += size


def test_one_renaming_serves_training_and_held_out_text(made: Made) -> None:
    _, layout, _, _ = made
    renamed, table = rows_of(layout, "permuted").ravel(), dict[int, int]()
    for name in ("sequences", "own"):
        pairs = zip(
            rows_of(layout, "new", name=name).ravel(), rows_of(layout, "permuted", name=name).ravel(), strict=True
        )
        for before, after in pairs:
            assert table.setdefault(int(before), int(after)) == int(after)
    assert table[0] == 0
    assert len(set(table.values())) == len(table)
    assert (renamed != rows_of(layout, "new").ravel()).mean() > 0.5


def test_a_blocked_arm_is_consumed_source_by_source(made: Made) -> None:
    spec, layout, holdings, _ = made
    order = consumption_order(
        Recipe(steps=8, learning_rate=1.0, batch=4, sequence_length=LENGTH, order_seed=order_seed(spec, 0))
    )
    stream = rows_of(layout, "blocked")[order].ravel()
    documents, taken = load_array(layout.regime("blocked", 0) / "documents.npy")
    owners = holdings.sources[documents]
    assert (np.diff(owners) != 0).sum() == 2
    place = 0
    for document, size in zip(documents.tolist(), taken.tolist(), strict=True):
        start = int(holdings.offsets[document])
        np.testing.assert_array_equal(stream[place : place + size], holdings.tokens[start : start + size])
        place += size
    sheets = {
        name: json.loads((layout.regime(name, 0) / "balance.json").read_text()) for name in ("new", "blocked", "one")
    }
    assert sheets["blocked"]["sources_per_batch"] < 1.6 < 2.4 < sheets["new"]["sources_per_batch"]
    assert sheets["one"]["sources_per_batch"] == 1.0
    same = set(sheets["new"]) - {"sources_per_batch", "conditional_entropy"}
    assert {key: sheets["new"][key] for key in same} == {key: sheets["blocked"][key] for key in same}


def test_the_balance_sheet_says_what_the_arm_is(made: Made) -> None:
    _, layout, _, _ = made
    sheet = {name: json.loads((layout.regime(name, 0) / "balance.json").read_text()) for name in ("new", "repeated")}
    new, repeated = sheet["new"], sheet["repeated"]
    assert new["tokens"] == new["unique_tokens"] == TOKENS
    assert new["effective_sources"] == pytest.approx(3.0, abs=1e-3)
    assert new["boundary_share"] == pytest.approx(new["documents"] / TOKENS)
    assert new["benchmark_share"] == 0.0
    assert 0.55 < repeated["unique_token_share"] < 0.7
    assert repeated["unique_tokens"] == pytest.approx(repeated["unique_token_share"] * TOKENS)
    text = rows_of(layout, "new").astype(np.int64)
    joint = np.zeros((400, 400))
    np.add.at(joint, (text[:, :-1].ravel(), text[:, 1:].ravel()), 1.0)
    joint /= joint.sum()
    given = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-30)
    by_hand = -(joint[joint > 0] * np.log(given[joint > 0])).sum()
    assert new["conditional_entropy"] == pytest.approx(by_hand, abs=1e-9)


def test_covering_new_is_newer_to_the_base_than_covering(made: Made) -> None:
    spec, layout, holdings, _ = made
    heard = load_documents(layout.base_of(spec, 0) / "documents.npy")
    means: dict[str, float] = {}
    for arm in ("covering", "covering-new"):
        documents, taken = load_array(layout.regime(arm, 0) / "documents.npy")
        order = np.argsort(documents)
        means[arm] = float(np.average(holdings.novelty(documents[order], heard), weights=taken[order]))
    assert means["covering-new"] > means["covering"] + 0.1
    known = {holdings.names.index(name) for name in known_sources(spec, 0)}
    shares = json.loads((layout.regime("covering-new", 0) / "taken.json").read_text())
    assert sum(tokens for name, tokens in shares.items() if holdings.names.index(name) in known) < 0.2 * TOKENS


def test_draws_differ_and_a_rerun_gives_the_same_bytes(made: Made, tmp_path: Path) -> None:
    spec, layout, holdings, _ = made
    assert set(chosen_of(layout, "new", 0)) != set(chosen_of(layout, "new", 1))
    before = {path: path.read_bytes() for path in sorted((layout.root / "corpus").rglob("*.npy"))}
    make_regimes(spec, layout, holdings, 0)
    assert before == {path: path.read_bytes() for path in sorted((layout.root / "corpus").rglob("*.npy"))}


def test_disjoint_draws_share_no_document(made: Made) -> None:
    spec, layout, holdings, _ = made
    few = [arm for arm in spec.arms if arm.name in {"new", "random"}]
    apart = spec.model_copy(update={"study": spec.study.model_copy(update={"disjoint_draws": True}), "arms": few})
    place = Layout(layout.root / "apart")
    for draw in range(2):
        source, target = layout.base_of(spec, draw), place.base_of(spec, draw)
        target.mkdir(parents=True)
        (target / "counts.npy").write_bytes((source / "counts.npy").read_bytes())
        make_regimes(apart, place, holdings, draw)
    union = [set(chosen_of(place, "new", draw)) | set(chosen_of(place, "random", draw)) for draw in range(2)]
    assert union[0]
    assert not union[0] & union[1]


def test_too_few_tokens_name_the_source_what_it_holds_and_what_is_needed(made: Made) -> None:
    spec, layout, holdings, _ = made
    longer = spec.training.model_copy(update={"steps": 2000})
    with pytest.raises(DataError, match=r"the source 's\d' holds \d+ tokens for this arm and \d+ are needed"):
        make_regimes(spec.model_copy(update={"training": longer}), layout, holdings, 0)


def test_the_tokenizer_sees_equal_characters_of_every_source_and_nothing_that_is_trained_on(made: Made) -> None:
    spec, layout, _, arguments = made
    material = gather(spec, Path(str(arguments["files"])))
    texts = list(tokenizer_texts(material, len(spec.sources)))
    held = {
        material.texts[place]: int(material.sources[place]) for place in np.flatnonzero(material.parts == HELD).tolist()
    }
    sums = dict.fromkeys(range(len(spec.sources)), 0)
    for text in texts:
        owner = next(own for whole, own in held.items() if whole.startswith(text))
        sums[owner] += len(text)
    assert len(set(sums.values())) == 1
    facts = json.loads((layout.base / "corpus.json").read_text())
    assert facts["tokenizer"] == {"part": "held", "characters_a_source": sums[0]}
    assert set(facts["sources"]["s0"]) == {"held", "base", "arms"}


def test_gradients_are_read_on_sequences_that_nothing_else_uses(made: Made, tmp_path: Path) -> None:
    spec, _, _, arguments = made
    asked = spec.analysis.model_copy(update={"affinity": Affinity(top=2, batches=2)})
    spec = spec.model_copy(update={"analysis": asked, "arms": spec.arms[:2]})
    place = Layout(tmp_path)
    study_folder(tmp_path, spec)
    base_corpus_job({**arguments, "root": str(tmp_path)}, nothing)
    pool_job({**arguments, "root": str(tmp_path), "draw": 0}, nothing)
    gradients, panel = load_arrays(place.base / "gradients.npz"), load_arrays(place.base / "panel.npz")
    used = np.concatenate(
        [rows_of(place, "known").ravel(), load_array(place.base_of(spec, 0) / "sequences.npy").ravel()]
    )
    for name, rows in gradients.items():
        assert rows.shape == (2 * 4, LENGTH), name
        assert not windows(rows, panel[name].ravel())
        assert not windows(rows, used)


def test_a_shared_base_is_one_for_all_draws(tmp_path: Path) -> None:
    arms = [ARMS[1], {**ARMS[7], "documents": 2}, {"name": "all", "regime": "even", "sources": "all", "pick": 2}]
    del arms[1]["repeats"]
    spec = spec_of(tmp_path, arms, base="shared", draws=3)
    arguments = study_folder(tmp_path / "out", spec)
    base_corpus_job(arguments, nothing)
    layout = Layout(tmp_path / "out")
    assert {layout.base_of(spec, draw) for draw in range(3)} == {layout.base}
    assert json.loads((layout.base / "sources.json").read_text())["known"] == ["s0", "s1", "s2"]
    pool_job({**arguments, "draw": 2}, nothing)
    documents, counts = np.unique(chosen_of(layout, "repeated", 2), return_counts=True)
    assert (counts > 1).sum() == 2
    assert not (layout.base / "holdings" / "cells.npy").exists()
    assert len(documents) > 3


@pytest.mark.skipif("SHADOWGRAPH_DATA" not in os.environ, reason="needs SHADOWGRAPH_DATA: real texts")
def test_real_sources_go_through(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, [ARMS[0], ARMS[1]])
    real = {
        "s0": {"files": ("$SHADOWGRAPH_DATA/corpora/jargon.jsonl.gz",)},
        "far": {"files": ("$SHADOWGRAPH_DATA/corpora/debian_policy.jsonl.gz",)},
        "quiz": {"files": ("$SHADOWGRAPH_DATA/benchmarks/svamp/all.jsonl.gz",), "adapter": "svamp"},
    }
    tables = [table.model_copy(update=real.get(table.name, {})) for table in spec.sources]
    spec = spec.model_copy(update={"sources": tuple(tables)})
    arguments = study_folder(tmp_path / "out", spec)
    base_corpus_job(arguments, nothing)
    pool_job({**arguments, "draw": 0}, nothing)
    layout = Layout(tmp_path / "out")
    held = open_holdings(spec, layout.holdings).held_tokens()
    assert held["s0"]["arms"] > 100_000
    assert rows_of(layout, "new").max() < spec.model.vocabulary
