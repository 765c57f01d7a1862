"""Sources of a study: their paths, documents, parts, and which of them a draw's base knows."""

import json
import os
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_sources import spec_of

from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.errors import DataError, SpecError
from shadowgraph.spec.material import Arm, SourceTable
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.rotation import known_sources, new_sources, sources_of
from shadowgraph.study.sources import ARM, BASE, HELD, OUTSIDE, expand, gather, read_source, source_files

ARMS: list[dict[str, Any]] = [
    {"name": "known", "regime": "even", "sources": "known"},
    {"name": "new", "regime": "even", "sources": "new"},
]


def test_only_the_one_variable_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHADOWGRAPH_DATA", str(tmp_path))
    assert expand("$SHADOWGRAPH_DATA/a/b.jsonl", Path("x")) == tmp_path / "a" / "b.jsonl"
    assert expand("a/b.jsonl", Path("x")) == Path("x/a/b.jsonl")
    with pytest.raises(SpecError, match=r"\$HOME"):
        expand("$HOME/a.jsonl", Path("x"))
    monkeypatch.delenv("SHADOWGRAPH_DATA")
    with pytest.raises(SpecError, match=r"SHADOWGRAPH_DATA is not set"):
        expand("$SHADOWGRAPH_DATA/a.jsonl", Path("x"))


def test_files_are_named_as_the_study_file_names_them(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ARMS)
    found = source_files(spec, tmp_path)
    assert found["s0.jsonl"] == tmp_path / "s0.jsonl"
    assert set(found) == {path.name for path in tmp_path.iterdir()}
    moved = spec.model_copy(update={"sources": (SourceTable(name="a", files=(".",), role="outside"),)})
    assert set(source_files(moved, tmp_path)) == {f"./{path.name}" for path in tmp_path.iterdir()}


def test_a_study_without_text_outside_is_refused(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ARMS)
    inside = spec.model_copy(update={"sources": tuple(s for s in spec.sources if s.role == "arm")})
    with pytest.raises(SpecError, match="outside"):
        source_files(inside, tmp_path)


def test_only_takes_texts_by_id_and_items_by_group(tmp_path: Path) -> None:
    spec_of(tmp_path, ARMS)
    text = SourceTable.model_validate(
        {"name": "a", "files": ["s0.jsonl"], "columns": {"id": "doc"}, "only": "s0/1?", "shortest": 0}
    )
    assert 10 <= len(read_source(text, tmp_path)) < 60
    item = SourceTable(name="q", files=("quiz.jsonl",), adapter="question_answer", only="sum-1", shortest=0)
    assert len(read_source(item, tmp_path)) == 200
    with pytest.raises(DataError, match="'q' holds no document"):
        read_source(item.model_copy(update={"only": "none"}), tmp_path)


def test_a_text_that_stands_twice_counts_once(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ARMS)
    before = gather(spec, tmp_path)
    (tmp_path / "s1.jsonl").write_text((tmp_path / "s1.jsonl").read_text() + "\n" + (tmp_path / "s0.jsonl").read_text())
    after = gather(spec, tmp_path)
    assert len(set(after.texts)) == len(after.texts)
    assert after.dropped["twice"] > 100
    assert set(before.texts) == set(after.texts)


def test_parts_belong_to_the_text_and_not_to_its_place(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ARMS)
    before = gather(spec, tmp_path)
    rows = (tmp_path / "s2.jsonl").read_text().split("\n")
    (tmp_path / "s2.jsonl").write_text("\n".join(reversed(rows)))
    after = gather(spec, tmp_path)
    assert after.texts == before.texts
    np.testing.assert_array_equal(after.parts, before.parts)


def test_every_source_has_the_parts_of_its_role(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ARMS)
    material = gather(spec, tmp_path)
    found = {
        source.name: set(material.parts[material.sources == number].tolist())
        for number, source in enumerate(spec.sources)
    }
    assert found["s0"] == {HELD, BASE, ARM}
    assert found["quiz"] == {HELD, ARM}
    assert found["far"] == {HELD, OUTSIDE}
    assert material.dropped["spare"] > 0
    longer = spec.training.model_copy(update={"base_steps": 1000})
    own = gather(spec.model_copy(update={"training": longer}), tmp_path)
    parts = own.parts[own.sources == 0]
    assert 0.35 < (parts == BASE).sum() / np.isin(parts, (BASE, ARM)).sum() < 0.65


def test_items_that_models_are_scored_on_are_in_no_part(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ARMS)
    items = read_benchmark("question_answer", [tmp_path / "quiz.jsonl"]).items[:7]
    row = {"doc": "leak", "text": f"Before it. {items[0].prompt} {items[0].answer} and after it."}
    with (tmp_path / "s4.jsonl").open("a") as stream:
        stream.write("\n" + json.dumps(row))
    free = gather(spec, tmp_path)
    kept = gather(spec, tmp_path, [Benchmark("quiz", items)])
    assert any(items[0].prompt in text for text in free.texts)
    assert not any(item.prompt in text for text in kept.texts for item in items)
    assert kept.dropped["scored"] == 1
    assert len(free.texts) - len(kept.texts) == 8


def rotating(count: int, draws: int) -> StudySpec:
    names = [f"r{number}" for number in range(count)]
    tables = [{"name": name, "files": ["x"], "base": "rotate"} for name in names]
    tables += [{"name": "all-time", "files": ["x"], "base": "always"}, {"name": "never", "files": ["x"]}]
    tables.append({"name": "out", "files": ["x"], "role": "outside"})
    training = {"sequence_length": 32, "batch": 4, "base_steps": 12, "steps": 8}
    rates = {"base_learning_rate": 3e-3, "learning_rate": 1e-3, "warmup_steps": 2}
    sizes = {"hidden": 32, "intermediate": 64, "layers": 2, "heads": 2, "key_value_heads": 1}
    return StudySpec.model_validate(
        {
            "schema_version": "1.0",
            "study": {"name": "r", "question": "Who knows what?", "seed": 9, "draws": draws, "base": "each_draw"},
            "sources": tables,
            "arms": ARMS,
            "model": {"vocabulary": 400, **sizes},
            "training": training | rates,
            "analysis": {"primary": ["known", "new"], "smallest_effect": 0.05},
        }
    )


@settings(max_examples=20, deadline=None)
@given(count=st.integers(2, 9), pairs=st.integers(1, 6))
def test_neighbouring_draws_know_complements(count: int, pairs: int) -> None:
    spec = rotating(count, 2 * pairs)
    sizes: list[int] = []
    for draw in range(0, 2 * pairs, 2):
        first, second = (set(known_sources(spec, at)) - {"all-time"} for at in (draw, draw + 1))
        assert not first & second
        assert first | second == {f"r{number}" for number in range(count)}
        assert abs(len(first) - len(second)) == count % 2
        assert set(new_sources(spec, draw)) == second | {"never"}
        assert "all-time" in known_sources(spec, draw)
        sizes.append(len(first) - len(second))
    assert abs(sum(sizes)) <= 1


def test_halves_differ_between_pairs_of_draws() -> None:
    spec = rotating(8, 16)
    halves = {frozenset(known_sources(spec, draw)) for draw in range(0, 16, 2)}
    assert len(halves) >= 5
    together = Counter(pair for half in halves for pair in combinations(sorted(half - {"all-time"}), 2))
    assert len(together) >= 20


@pytest.mark.parametrize("pick", [1, 2, 4])
def test_picks_are_couples_that_take_turns(pick: int) -> None:
    spec = rotating(8, 8)
    known = Arm(name="known", regime="even", sources="known", pick=pick)
    new = Arm(name="new", regime="even", sources="new", pick=pick, presented="reversed")
    both: list[set[str]] = []
    for draw in range(8):
        mine, theirs = (set(sources_of(spec, arm, draw)) for arm in (known, new))
        assert mine <= set(known_sources(spec, draw))
        assert theirs <= set(new_sources(spec, draw))
        assert len(mine) == len(theirs) == pick
        both.append(mine | theirs)
    counts = Counter(name for one in both for name in one)
    assert set(counts.values()) == {2 * pick}
    if pick < 4:  # four couples: no source stands in two draws before all have stood in one
        turns = 4 // pick
        for start in range(0, 8, turns):
            assert sum(map(len, both[start : start + turns])) == len(set().union(*both[start : start + turns])) == 8


def test_the_side_of_a_picked_source_is_a_toss_of_a_coin() -> None:
    spec = rotating(2, 60)
    arm = Arm(name="known", regime="even", sources="known", pick=1)
    first = [sources_of(spec, arm, draw) for draw in range(60)]
    count = first.count(("r0",))
    assert count == 30  # one couple: the neighbouring draws are complements
    assert len({tuple(first[draw : draw + 4]) for draw in range(0, 60, 4)}) > 2  # in an order that varies


def test_picks_of_other_selections_take_turns_and_are_shared_by_arms() -> None:
    spec = rotating(6, 8)
    arm = Arm(name="a", regime="even", sources=("r0", "r1", "r2", "never"), pick=2)
    twin = arm.model_copy(update={"name": "b", "presented": "blocked"})
    counts: Counter[str] = Counter()
    for draw in range(8):
        assert sources_of(spec, arm, draw) == sources_of(spec, twin, draw)
        counts.update(sources_of(spec, arm, draw))
    assert set(counts.values()) == {4}
    with pytest.raises(SpecError, match="picks 5 of 4"):
        sources_of(spec, arm.model_copy(update={"pick": 5}), 0)
    with pytest.raises(SpecError, match="picks 4 of 3"):
        sources_of(spec, Arm(name="c", regime="even", sources="known", pick=4), 0)


@pytest.mark.skipif("SHADOWGRAPH_DATA" not in os.environ, reason="needs SHADOWGRAPH_DATA: real texts")
def test_real_texts_are_cut_to_their_bounds(tmp_path: Path) -> None:
    source = SourceTable(name="jargon", files=("$SHADOWGRAPH_DATA/corpora/jargon.jsonl.gz",))
    texts = read_source(source, tmp_path)
    lengths = np.array([len(text) for text in texts])
    assert lengths.max() <= source.longest
    assert (lengths >= source.shortest).mean() > 0.9
