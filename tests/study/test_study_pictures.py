"""A study over pictures through every room: rows as the scores will show them, proof, towers, page, records."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from study_program import call

from shadowgraph.errors import DataError, SpecError
from shadowgraph.report.text import study_table
from shadowgraph.runs.loss import Shown, evaluate_loss
from shadowgraph.runs.sequences import UNSUPERVISED, as_seen
from shadowgraph.scores.suite import read_suite
from shadowgraph.scores.vision_model import load as load_seeing
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import shown as shown_module
from shadowgraph.study.layout import Layout
from shadowgraph.study.pictured import make_pictured_base, make_pictured_regimes, tables_of
from shadowgraph.study.questions import Telling, arm_tellings, base_tellings, families_of
from shadowgraph.study.seen import split_names, write_seen_suite
from shadowgraph.study.shown import Writer, along_of, loss_on, write_reader
from shadowgraph.worlds.drawn.draw import draw
from shadowgraph.worlds.drawn.scene import Figure, Scene, Shapes

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


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    """What writes rows, its tokenizer trained on a few of them."""
    spec = load(SPEC, StudySpec)
    table, vision = tables_of(spec)
    folder = tmp_path_factory.mktemp("reader")
    texts = [f"\n{row.context}{row.answer}" for row in arm_tellings(spec, table, spec.arms[1], 0, 120, own=False)]
    write_reader(texts, spec, vision, folder)
    return Writer(spec, vision, folder)


def told(name: str, shape: str, answer: str = " red", group: str = "one") -> Telling:
    """A row about a picture of one red figure."""
    return Telling(
        name, "shapes_read", "Question: What?\nAnswer:", answer, Shapes(2, (Figure(shape, "red", 1, 2),)), group
    )


def test_rows_that_share_a_name_show_their_own_pictures(writer: Writer, tmp_path: Path) -> None:
    rows = [told("a", "star"), told("b", "circle"), told("c", "star", group="other")]
    done: list[float] = []
    writer.write(rows, tmp_path / "rows.npy", done.append)
    levels, shown = np.load(tmp_path / "rows.pictures.npy"), np.load(tmp_path / "rows.shown.npy")
    assert shown.tolist() == [0, 1, 0]
    assert done == [0.5, 1.0]
    for row, place in zip(rows, shown, strict=True):
        assert np.array_equal(levels[place, 0], writer.levels(row.scene))
    assert not np.array_equal(levels[0], levels[1])


def test_no_row_of_an_arm_shows_a_picture_that_its_question_is_not_about(writer: Writer, tmp_path: Path) -> None:
    spec = load(SPEC, StudySpec)
    rows = arm_tellings(spec, tables_of(spec)[0], spec.arms[1], 0, 300, own=False)
    named: dict[str, set[Scene]] = {}
    for row in rows:
        named.setdefault(row.group, set()).add(row.scene)
    twice = [row for row in rows if len(named[row.group]) > 1]
    assert twice  # kinds of question are asked apart, and one picture could not carry both
    writer.write(twice, tmp_path / "rows.npy")
    levels, shown = np.load(tmp_path / "rows.pictures.npy"), np.load(tmp_path / "rows.shown.npy")
    for row, place in zip(twice, shown, strict=True):
        assert np.array_equal(levels[place, 0], writer.levels(row.scene))


def test_the_longest_row_that_has_no_room_is_named(writer: Writer, tmp_path: Path) -> None:
    rows = [told("short", "star"), told("long", "star", " red" * 120), told("longest", "star", " red" * 200)]
    needed = len(writer.words(rows)[2]) + 9
    with pytest.raises(SpecError, match="120 tokens, and the row longest has") as refused:
        writer.write(rows, tmp_path / "rows.npy")
    assert f"give {needed} or more" in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_row_that_fills_its_room_is_taken(writer: Writer, tmp_path: Path) -> None:
    rows = [told("a", "star")]
    tight = copy.copy(writer)
    tight.length = len(writer.words(rows)[0]) + 9
    tight.write(rows, tmp_path / "rows.npy")
    ids, marked = (np.load(tmp_path / f"rows{name}.npy")[0] for name in ("", ".supervised"))
    assert len(ids) == tight.length
    assert marked[-1]
    assert ids[-1] == 0
    tight.length -= 1
    with pytest.raises(SpecError, match="the row a has"):
        tight.write(rows, tmp_path / "rows.npy")


def test_rows_whose_pictures_are_gone_are_refused(writer: Writer, tmp_path: Path) -> None:
    rows = tmp_path / "rows.npy"
    writer.write([told("a", "star")], rows)
    found = along_of(rows)
    assert found is not None
    assert [path.name for path in found.files] == ["rows.supervised.npy", "rows.pictures.npy", "rows.shown.npy"]
    (tmp_path / "rows.pictures.npy").unlink()
    with pytest.raises(DataError, match=r"rows\.pictures\.npy: missing beside rows that show pictures"):
        along_of(rows)
    assert along_of(tmp_path / "text.npy") is None


def test_an_exchanged_row_shows_the_picture_of_the_next(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [told(shape, shape) for shape in ("star", "circle", "square")]
    writer.write(rows, tmp_path / "rows.npy")
    asked: list[list[int]] = []

    def loss(_: Path, ids: NDArray[np.integer], *, along: Shown) -> float:
        assert len(ids) == len(along.shown) == len(along.supervised)
        asked.append(along.shown.tolist())
        return 1.0

    monkeypatch.setattr(shown_module, "evaluate_loss", loss)
    for first in (None, 2):
        for exchanged in (False, True):
            loss_on(tmp_path, tmp_path / "rows.npy", first, exchanged=exchanged)
    assert asked == [[0, 1, 2], [1, 2, 0], [0, 1], [1, 2]]


def test_a_suite_shows_blinds_and_dresses_pictures_that_nobody_saw(tmp_path: Path) -> None:
    spec = load(SPEC, StudySpec)
    write_seen_suite(spec, tmp_path)
    rows = {
        name: [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        for name in read_suite(tmp_path).splits
    }
    assert set(rows) <= set(split_names())
    assert len(rows["perception"]) == len(rows["reasoning"]) == spec.scores.items
    for kind in ("perception", "reasoning"):
        own = {row["source"]: row for row in rows[kind]}
        assert [row["source"] for row in rows[f"blind_{kind}"]] == list(own)
        assert all("image" not in row and row["form"] == "blind" for row in rows[f"blind_{kind}"])
        for row in rows[f"words_{kind}"]:
            assert row["image"] == own[row["source"]]["image"]
            assert row["context"] != own[row["source"]]["context"]
        for row in rows[f"look_{kind}"]:
            assert row["image"] != own[row["source"]]["image"]
            assert row["context"] == own[row["source"]]["context"]
        assert {row["family"].split("_")[0] for row in rows[f"outside_{kind}"]} == {"chart"}
        assert all("image" in row for row in rows[f"outside_{kind}"])
    table = tables_of(spec)[0]
    trained = [*base_tellings(spec, table, 90), *arm_tellings(spec, table, spec.arms[1], 0, 90, own=False)]
    assert not {row["group"] for row in rows["perception"]} & {row.group for row in trained}
    every = [row["id"] for split in rows.values() for row in split]
    assert len(set(every)) == len(every)


def test_the_balance_of_an_arm_counts_its_own_rows(tmp_path: Path) -> None:
    spec, layout = load(SPEC, StudySpec), Layout(tmp_path)
    table, vision = tables_of(spec)
    make_pictured_base(spec, layout, lambda _: None)
    make_pictured_regimes(spec, layout, 0, lambda _: None)
    narrow = spec.arms[0]
    rows = arm_tellings(spec, table, narrow, 0, 32, own=False)
    folder = layout.regime(narrow.name, 0)
    sheet = json.loads((folder / "balance.json").read_text())
    words = Writer(spec, vision, layout.base / "tokenizer").words(rows)
    lengths = [len(row) for row in words]
    counts, before = np.bincount([token for row in words for token in row], minlength=420), layout.base / "counts.npy"
    p, q = ((one + 1) / (one + 1).sum() for one in (counts, np.load(before)))
    assert sheet["tokens"] == sum(lengths)
    assert sheet["document_length"] == pytest.approx(sum(lengths) / 32)
    assert sheet["unique_token_share"] == 1.0
    assert sheet["kl_to_base"] == pytest.approx(float((p * np.log(p / q)).sum()))
    kinds = families_of(table.scenes)
    assert sheet["perception_share"] == pytest.approx(np.mean([kinds[row.family] == "perception" for row in rows]))
    assert sheet["pictures"] == len({row.scene for row in rows})
    assert sheet["supervised_tokens"] == int(np.load(folder / "sequences.supervised.npy").sum())
    assert sum(json.loads((folder / "taken.json").read_text()).values()) == sum(lengths)
    own = arm_tellings(spec, table, narrow, 0, 64, own=True)
    wanted = [[*[419] * vision.places, *one] for one in Writer(spec, vision, layout.base / "tokenizer").words(own)]
    assert [row[: len(one)].tolist() for row, one in zip(np.load(folder / "own.npy"), wanted, strict=True)] == wanted
    assert np.load(before).sum() == sum(
        len(one) for one in Writer(spec, vision, layout.base / "tokenizer").words(base_tellings(spec, table, 32))
    )


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
