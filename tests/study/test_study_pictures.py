"""A study over pictures through every room: rows as the scores will show them, proof, towers, page, records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_program import call

from shadowgraph.report.text import study_table
from shadowgraph.runs.loss import Shown, evaluate_loss
from shadowgraph.runs.sequences import UNSUPERVISED, as_seen
from shadowgraph.scores.vision_model import load as load_seeing
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.pictured import tables_of
from shadowgraph.study.questions import arm_tellings
from shadowgraph.study.seen import split_names
from shadowgraph.study.shown import along_of, loss_on
from shadowgraph.worlds.drawn.draw import draw

pytestmark = pytest.mark.timeout(900)
SPEC = Path(__file__).with_name("tiny-pictures.toml")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished study."""
    folder = tmp_path_factory.mktemp("pictures") / "out"
    call("study", "run", SPEC, "--output", folder, "--workers", "1")
    return folder


@pytest.fixture(scope="module")
def result(out: Path) -> dict[str, Any]:
    """Its result."""
    return json.loads((out / "result.json").read_text())


def test_rows_are_what_the_scores_will_show(out: Path) -> None:
    spec = load(SPEC, StudySpec)
    told = arm_tellings(spec, tables_of(spec)[0], spec.arms[0], 1, 32, own=False)
    _, processor = load_seeing(out / "base" / "run" / "model")
    folder = out / "corpus" / "perception-1"
    names = ("", ".supervised", ".pictures", ".shown")
    ids, marked, levels, shown = (np.load(folder / f"sequences{name}.npy") for name in names)
    for place, row in enumerate(told[:8]):
        made = processor(images=draw(row.scene), text=f"<image>\n{row.context}{row.answer}", return_tensors="np")
        words = made["input_ids"][0].tolist()
        assert ids[place].tolist()[: len(words)] == words
        assert set(ids[place][len(words) :].tolist()) == {0}
        head = processor.tokenizer(f"\n{row.context}")["input_ids"]
        assert np.flatnonzero(marked[place]).tolist() == list(range(9 + len(head), len(words) + 1))
        seen = as_seen(levels[shown[place]])[0]
        assert np.abs(seen - made["pixel_values"][0]).max() < 1 / 255


def test_a_base_forgets_its_pictures_and_keeps_its_rows(out: Path) -> None:
    assert not (out / "base" / "sequences.pictures.npy").exists()
    assert np.load(out / "base" / "sequences.npy").shape == (32, 120)


def test_losses_are_read_with_the_pictures(out: Path) -> None:
    base, rows = out / "base" / "run" / "model", out / "base" / "outside.npy"
    along = along_of(rows)
    assert along is not None
    assert loss_on(base, rows) != pytest.approx(loss_on(base, rows, 8))
    assert loss_on(base, rows) != pytest.approx(evaluate_loss(base, np.load(rows)[:, 9:]))
    assert UNSUPERVISED not in np.load(rows)


def test_runs_are_proven_alike_but_for_what_they_say(out: Path, result: dict[str, Any]) -> None:
    proof = json.loads((out / "matched.json").read_text())
    assert "pictures" in proof["fields"]
    assert "supervised_tokens" not in proof["fields"]
    assert "supervised tokens" in result["provenance"]["matched"]["differ_in"]
    for arm in proof["balance"]["arms"]:
        stated = [proof["statements"][f"{arm['name']}-{draw}"]["supervised_tokens"] for draw in range(2)]
        assert arm["means"]["supervised_tokens"] == pytest.approx(np.mean(stated))
    assert {item["pictures"][0] for item in proof["statements"].values()} == {1}


def test_towers_stand_apart_and_make_up_K(out: Path, result: dict[str, Any]) -> None:
    towers = result["towers"]
    places = [(row["tower"], row["layer"]) for row in towers["layers"] if row["arm"] == "coverage"]
    assert places == [(tower, layer) for tower in ("vision", "projector", "decoder") for layer in (0, 1)]
    assert all(row["erank_amplitude"]["null_sd"] > 0 for row in towers["layers"])
    record = json.loads((out / "runs" / "coverage-1" / "record.json").read_text())
    read, slots = record["towers"]["towers"], record["per_slot"]
    seen = [slot for slot in slots if slot.startswith("vision.")]
    assert len(seen) == 6
    shares = {"vision": len(seen), "decoder": len(slots) - len(seen)}
    pooled = sum(read[tower]["k"] * count for tower, count in shares.items()) / sum(shares.values())
    assert pooled == pytest.approx(record["K"], rel=1e-6)
    assert {row["endpoint"] for row in towers["contrasts"]} >= {"k_vision", "k_projector", "k_decoder"}


def test_sight_is_the_loss_with_its_own_and_with_another_picture(out: Path, result: dict[str, Any]) -> None:
    rows, base = out / "base" / "sight.npy", out / "base" / "run" / "model"
    marked, pictures, shown = (
        np.load(rows.with_suffix(f".{name}.npy")) for name in ("supervised", "pictures", "shown")
    )
    assert len(set(shown.tolist())) == len(shown)
    other = evaluate_loss(base, np.load(rows), along=Shown(marked, pictures, np.append(shown[1:], shown[0])))
    found = result["towers"]["sight"][0]
    assert found["arm"] == "base"
    assert found["own"] == pytest.approx(loss_on(base, rows), rel=1e-8)
    assert found["other"] == pytest.approx(other, rel=1e-8)
    assert found["own"] != found["other"]


def test_both_kinds_are_scored_in_every_dress(result: dict[str, Any]) -> None:
    found = {row["split"] for row in result["scores"]}
    assert found <= set(split_names())
    assert {"perception", "reasoning", "blind_perception", "outside_reasoning"} <= found
    means = {(row["arm"], row["split"]): row["mean"] for row in result["scores"] if row["measure"] == "bits_per_byte"}
    for row in result["towers"]["kinds"]:
        if row["measure"] == "bits_per_byte":
            at = means[row["arm"], row["split"]] - means["base", row["split"]]
            assert row["mean"] == pytest.approx(at, abs=1e-9)


def test_the_page_shows_the_towers(out: Path) -> None:
    page = (out / "report.html").read_text()
    for words in ('id="towers"', "near-static layers", "concentration of the update by tower", "scores by kind"):
        assert words in page


def test_the_table_shows_what_each_arm_gained_and_no_scores_that_are_not_there(result: dict[str, Any]) -> None:
    table = study_table(result)
    assert "own gain" in table
    assert "asymmetry" not in table
    assert "- / -" not in table


def test_records_alone_give_the_same_result(out: Path, tmp_path: Path) -> None:
    call("study", "records", out, "--into", tmp_path / "records")
    call("study", "run", SPEC, "--output", tmp_path / "again", "--records", tmp_path / "records")
    assert (tmp_path / "again" / "result.json").read_bytes() == (out / "result.json").read_bytes()
    assert not (tmp_path / "again" / "corpus").exists()
