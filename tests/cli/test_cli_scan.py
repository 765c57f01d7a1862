"""The verbs scan, compare and series: tables, JSON that parses, files, exit codes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from shadowgraph.cli.main import main
from shadowgraph.cli.scan_table import number
from shadowgraph.seeds import generator

NAMES = {
    **{f"model.layers.{layer}.mlp.up_proj.weight": (24, 16) for layer in (0, 1)},
    "model.layers.0.self_attn.q_proj.weight": (16, 16),
    "model.embed_tokens.weight": (20, 16),
}


def model(folder: Path, rank: int = 0, seed: int = 0) -> str:
    """A small Llama-named model: the base, or the base plus an update of some rank."""
    content: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    for name, (m, n) in NAMES.items():
        content[name] = 0.02 * generator(0, name).standard_normal((m, n))
        if rank:
            stream = generator(seed + 1, name)
            content[name] += 1e-3 * stream.standard_normal((m, rank)) @ stream.standard_normal((rank, n))
    folder.mkdir(parents=True)
    save_file(content, folder / "model.safetensors")
    return str(folder)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    return model(tmp_path / "tuned", 2), model(tmp_path / "base")


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_scan_writes_files_table_and_json(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, rows = tmp_path / "out", tmp_path / "rows.csv"
    assert main(["scan", pair[0], "--base", pair[1], "--output", str(out), "--csv", str(rows), "--nulls", "none"]) == 0
    text = capsys.readouterr().out
    assert "the update W1 - W0 (O3); no null was asked for" in text
    assert "levels mean nothing alone" in text
    assert sorted(path.name for path in out.iterdir()) == ["footprint.json", "footprint.parquet", "spectra.parquet"]
    with rows.open(newline="") as stream:
        assert {row["object"] for row in csv.DictReader(stream)} == {"O1", "O2", "O3"}
    assert main(["scan", pair[0], "--base", pair[1], "--objects", "O3", "--nulls", "rowcol", "--json"]) == 0
    document = told(capsys)
    assert document["kind"] == "footprint"
    assert isinstance(document["rows"], list)
    assert {row["null"] for row in document["rows"]} == {"rowcol", "none"}
    assert isinstance(document["endpoint"], dict)
    assert isinstance(document["endpoint"]["K"], float)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--objects", "O4"], "unknown objects: O4"),
        (["--nulls", "normal"], "unknown nulls: normal"),
        (["--precision", "half"], "unknown precision"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_odd_options_exit_2(
    wrong: list[str], message: str, pair: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", pair[0], "--base", pair[1], *wrong]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""


def test_compare_takes_footprints_or_models(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = model(tmp_path / "other", 8, seed=3)
    for name, side in (("a", pair[0]), ("b", other)):
        assert main(["scan", side, "--base", pair[1], "--output", str(tmp_path / name), "--nulls", "none"]) == 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    stored = told(capsys)
    assert main(["compare", pair[0], other, "--base", pair[1], "--json"]) == 0
    scanned = told(capsys)
    assert isinstance(stored["K"], dict)
    assert stored["K"]["value"] > 0
    assert {key: stored[key] for key in ("K", "per_slot", "cells")} == {
        key: scanned[key] for key in ("K", "per_slot", "cells")
    }
    assert stored["agreement"] == {}
    assert isinstance(scanned["agreement"], dict)
    assert len(scanned["agreement"]) == 3
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    text = capsys.readouterr().out
    assert "variant" in text
    assert "no interval" in text
    assert main(["compare", str(tmp_path / "a"), other]) == 2
    assert "--base" in capsys.readouterr().err


def test_series_lists_steps_and_what_was_left_out(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    for step, rank in ((10, 1), (20, 3)):
        model(run / f"checkpoint-{step}", rank)
    (run / "checkpoint-30").mkdir()
    out = tmp_path / "out"
    assert main(["series", str(run), "--base", pair[1], "--output", str(out), "--json"]) == 0
    document = told(capsys)
    assert isinstance(document["steps"], list)
    assert [row["step"] for row in document["steps"]] == [10, 20]
    assert isinstance(document["skipped"], list)
    assert [item["tensor"] for item in document["skipped"]] == ["checkpoint-30"]
    assert json.loads((out / "series.json").read_text()) == document
    assert (out / "series.parquet").exists()
    assert main(["series", str(run), "--base", pair[1], "--output", str(out)]) == 0
    text = capsys.readouterr().out
    assert "PR up" in text
    assert "left out: checkpoint-30" in text
    assert main(["series", pair[1]]) == 3


@pytest.mark.parametrize("verb", ["compare", "series"])
def test_a_new_verb_shows_two_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert capsys.readouterr().out.count(f"shadowgraph {verb}") >= 2


def test_the_table_says_what_its_numbers_are(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", pair[0], "--base", pair[1], "--objects", "O3", "--heads"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert "each value / that of Gaussian noise of the same shape" in lines[0]
    assert len({len(line) for line in lines[1:6]}) == 1  # columns stand under their titles
    assert all(" / " in line for line in lines[2:6])
    assert any(line.startswith("energy of the update by slot: ") and line.count("%") == 3 for line in lines)
    assert any("Gini" in line and "centre of depth" in line for line in lines)
    assert any(line.startswith("note: heads: ov cannot be read in 1 layer") for line in lines)
    assert lines[-3].startswith("K ")
    assert lines[-3].endswith("in nats")
    assert shown.err == ""  # no line of progress for what takes a moment
    assert main(["scan", pair[0], "--base", pair[1], "--nulls", "rowcol"]) == 0
    assert "noise with the same row and column energies" in capsys.readouterr().out


def test_nothing_changed_is_told_in_words(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", pair[1], "--base", pair[1], "--nulls", "none"]) == 0
    text = capsys.readouterr().out
    assert "K (no_change)" in text
    assert "3 no_change" in text
    assert text.count("no update to read") == 1
    assert "None" not in text


def test_what_was_left_out_is_one_line_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(model(tmp_path / "normed"))
    norms = {f"model.layers.{layer}.input_layernorm.weight": np.ones(16) for layer in range(5)}
    save_file(load_file(folder / "model.safetensors") | norms, folder / "model.safetensors")
    assert main(["scan", str(folder), "--nulls", "none"]) == 0
    left = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out: ")]
    assert len(left) == 1
    assert left[0].startswith("left out: 5 (vector (norm or bias)): model.layers.0.input_layernorm.weight, ")
    assert left[0].endswith(", …")


def test_a_contrast_says_which_update_is_meant(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = model(tmp_path / "other", 8, seed=3)
    assert main(["compare", pair[0], other, "--base", pair[1]]) == 0
    assert "the update of A is the more concentrated; it is 0." in capsys.readouterr().out
    assert main(["compare", other, pair[0], "--base", pair[1]]) == 0
    assert "the update of A is the less concentrated; it is " in capsys.readouterr().out
    assert main(["compare", other, other, "--base", pair[1]]) == 0
    assert "equally concentrated\nk by slot" in capsys.readouterr().out
    assert main(["compare", pair[1], pair[0], "--base", pair[1]]) == 0
    text = capsys.readouterr().out
    assert "K absent" in text
    assert "concentrated" not in text


@pytest.mark.parametrize(("value", "text"), [(6.7, "6.70"), (0.0594, "0.0594"), (1234.4, "1234"), (51.0, "51.0")])
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("verb", ["scan", "compare", "series", "inspect"])
def test_examples_stay_lines_of_their_own(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert main([verb, "--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "Examples:" in lines
    assert sum(line.startswith(f"shadowgraph {verb} ./") for line in lines) >= 2
