"""The benchmark in other dresses: what a dress may change, the stage on a made study, and its table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_program import call

from shadowgraph.artifact import write_json
from shadowgraph.errors import DataError, SpecError
from shadowgraph.report.dress_text import dress_table
from shadowgraph.scores.item import ItemScore, write_scores
from shadowgraph.scores.suite import read_suite
from shadowgraph.seeds import generator
from shadowgraph.study.counterparts import run_counterparts, suite_job
from shadowgraph.study.dresses import TRAINED, Dress, dresses_of
from shadowgraph.study.layout import Layout
from shadowgraph.study.lopsided import TRANSFER_FAMILIES, panel_of
from shadowgraph.study.plan import freeze
from shadowgraph.worlds.panel import panel
from shadowgraph.worlds.recipe import PoolRecipe

TINY = Path(__file__).with_name("tiny.toml")
ITEMS = 24
RECIPE = PoolRecipe(people=20, places=6, test_items=8)
GAINS = {"base": 0.0, "aligned": 3.0, "covering": 1.0, "repeated": 1.0, "random": 1.0}


@pytest.fixture(scope="module")
def dresses() -> dict[str, Dress]:
    return {dress.name: dress for dress in dresses_of(RECIPE, 3, ITEMS)}


def test_the_trained_dress_is_that_of_the_panel(dresses: dict[str, Dress]) -> None:
    """The benchmark's layout draws nothing, so both ask the same to the letter."""
    asked = [(item.context, list(item.continuations), item.gold) for item in panel(RECIPE, 3, ITEMS)["benchmark"]]
    assert [(row["context"], row["continuations"], row["gold"]) for row in dresses[TRAINED].rows] == asked


def test_every_dress_asks_the_same_questions(dresses: dict[str, Dress]) -> None:
    assert {dress.distance for dress in dresses.values()} == {"trained", "near", "far", "pool", "unseen"}
    questions = {row["source"]: row["group"] for row in dresses[TRAINED].rows}
    assert len(questions) == ITEMS
    for dress in dresses.values():
        found = {row["source"]: row["group"] for row in dress.rows}
        assert found.items() <= questions.items(), dress.name
        assert len(found) + sum(dress.declined.values()) == ITEMS, dress.name
        assert len({row["id"] for row in dress.rows}) == len(dress.rows)


def test_dresses_are_the_same_again_and_differ_by_seed(dresses: dict[str, Dress]) -> None:
    assert {dress.name: dress for dress in dresses_of(RECIPE, 3, ITEMS)} == dresses
    assert next(dress for dress in dresses_of(RECIPE, 4, ITEMS)).rows != dresses[TRAINED].rows


def score_row(split: str, row: dict[str, Any], gain: float, rng: np.random.Generator) -> ItemScore:
    generated = "answers" in row
    bits = 6.0 - gain * (1.0 if split in {TRAINED, "near_original"} else 0.3) + 0.2 * float(rng.normal())
    choices = len(row.get("continuations", [""]))
    return ItemScore(
        id=row["id"],
        split=split,
        family=row["family"],
        group=row["group"],
        correct=bool(rng.random() < 0.3),
        bits_per_byte=bits,
        margin=None if generated else 0.0,
        loglikelihoods=(-1.0,) * choices,
        probability=None if generated else 1 / choices,
        kind="generate" if generated else "choice",
        form=row["form"],
        source=row["source"],
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that says it is finished, its counterparts scored by chance with known gains: no model is run."""
    root = tmp_path_factory.mktemp("study")
    layout, plan = Layout(root), freeze(TINY)
    write_json(layout.plan, {"plan_hash": plan.hash, **plan.frozen()})
    write_json(layout.complete, {})
    write_json(layout.counterparts / "asked.json", {"plan_hash": plan.hash, "items": ITEMS})
    suite_job({"root": str(root)}, lambda _: None)
    suite = read_suite(layout.counterparts / "suite")
    for model in ["base", *(f"{arm.name}-{draw}" for arm in plan.spec.arms for draw in range(2))]:
        rng, gain = generator(5, model), GAINS[model.split("-")[0]]
        found = [score_row(split, row, gain, rng) for split in suite.splits for row in suite.items(split)]
        write_scores(found, layout.counterparts / f"{model}.parquet")
    return root


def test_the_result_finds_the_gap_that_was_put_in(study: Path) -> None:
    result = run_counterparts(study, items=ITEMS, workers=1, overwrite=False, display=None)
    assert json.loads((Layout(study).counterparts / "result.json").read_text()) == result
    gaps = {(row["arm"], row["set"]): row for row in result["gaps"] if row["measure"] == "bits_per_byte"}
    for arm in ("aligned", "covering"):
        row = gaps[arm, "unfamiliar"]
        assert row["estimate"] == pytest.approx(0.7 * GAINS[arm], abs=0.15)
        assert len(row["runs"]) == 2
        for run in row["runs"]:
            assert run["interval"][0] < run["estimate"] < run["interval"][1]
    assert set(result["sets"]) == {"near", "unfamiliar"}
    assert not any(name.startswith("pool") for names in result["sets"].values() for name in names)
    beyond = gaps["aligned", "unfamiliar"]["beyond_reference"]
    assert beyond["interval"][0] < 1.4 < beyond["interval"][1]
    assert gaps["covering", "unfamiliar"]["beyond_reference"]["estimate"] == 0.0
    contrasts = {(row["dress"], row["measure"]): row for row in result["contrasts"]}
    assert contrasts[TRAINED, "bits_per_byte"]["estimate"] == pytest.approx(-2.0, abs=0.2)
    cells = {(row["model"], row["dress"], row["measure"]): row for row in result["scores"]}
    assert cells["aligned", TRAINED, "bits_per_byte"]["mean"] == pytest.approx(3.0, abs=0.2)
    for dress in result["dresses"]:
        assert dress["items"] + sum(dress["declined"].values()) == ITEMS
        assert (dress["chance"] is None) == (dress["kind"] == "generate")


def test_the_table_holds_every_dress_and_fits(study: Path) -> None:
    result = run_counterparts(study, items=ITEMS, workers=1, overwrite=False, display=None)
    text = dress_table(result)
    assert max(map(len, text.splitlines())) <= 100
    for dress in result["dresses"]:
        assert sum(line.startswith(dress["name"].replace("_", " ") + " ") for line in text.splitlines()) >= 2
    assert "…" not in text
    short = dress_table(result, only=["trained", "near_labels"])
    assert "near labels" in short
    assert "far open" not in short
    with pytest.raises(SpecError, match="no dress 'novel'"):
        dress_table(result, only=["novel"])
    with pytest.raises(DataError, match="no result of kind"):
        dress_table({**result, "kind": "study"})


def test_other_items_and_unfinished_studies_are_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="24 items, and 30 are asked for"):
        run_counterparts(study, items=30, workers=1, overwrite=False, display=None)
    with pytest.raises(DataError, match="no finished study"):
        run_counterparts(tmp_path, items=None, workers=1, overwrite=False, display=None)


def test_no_document_of_the_user_may_belong_to_the_transfer_panel(tmp_path: Path) -> None:
    spec = TINY.read_text().replace("documents = 3000", 'documents = 3000\nfiles = ["own.jsonl"]')
    (tmp_path / "study.toml").write_text(spec)
    for family, fine in (("letters", True), (min(TRANSFER_FAMILIES), False)):
        (tmp_path / "own.jsonl").write_text(json.dumps({"text": "a b", "family": family}) + "\n")
        if fine:
            assert freeze(tmp_path / "study.toml").files
            continue
        with pytest.raises(DataError, match="family of the transfer panel"):
            freeze(tmp_path / "study.toml")


def test_a_panel_an_arm_was_trained_on_is_refused() -> None:
    base = [
        ItemScore(f"{split}-1", split, family, "g", True, 1.0, 0.0, (0.0,))
        for split, family in (("other", "zebra"), ("retained", "maps"))
    ]
    assert panel_of(base, {"aligned": {"sums"}}).splits == ("other", "retained")
    with pytest.raises(DataError, match="'aligned' was trained on 'maps'"):
        panel_of(base, {"aligned": {"sums", "maps"}})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_study_gets_counterparts_and_keeps_its_own_bytes(tmp_path: Path) -> None:
    """The tiny study through the command line; scored again after a loss, to the same bytes."""
    out = tmp_path / "out"
    call("study", "run", TINY, "--output", out, "--workers", "2")
    before = {path: path.read_bytes() for path in (out / "result.json", out / "scores.parquet", out / "report.html")}
    table = call("study", "counterparts", out, "--workers", "2")
    assert "Bits per byte" in table
    result = (out / "counterparts" / "result.json").read_bytes()
    for name in ("base.parquet", "aligned-1.parquet", "result.json"):
        (out / "counterparts" / name).unlink()
    assert call("study", "counterparts", out, "--workers", "1") == table
    assert (out / "counterparts" / "result.json").read_bytes() == result
    assert {path: path.read_bytes() for path in before} == before
