"""The verbs scan, compare and series: tables, JSON that parses, files, exit codes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shadowgraph.cli.main import main
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
    assert "object O3" in text
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
