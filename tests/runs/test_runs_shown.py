"""Pictures kept once and as levels: the same run as with one float picture a row, and the loss on such rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shadowgraph.errors import DataError
from shadowgraph.runs.loss import Shown, evaluate_loss
from shadowgraph.runs.matched import prove_matched, statement
from shadowgraph.runs.model import load_model
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.sequences import Along, as_seen, read_stream
from shadowgraph.runs.train import train
from shadowgraph.seeds import generator

PLACE, ROWS = 63, 24


@pytest.fixture
def looking(seeing: dict[str, Any]) -> Recipe:
    """A short run of a tiny llava."""
    return Recipe(6, 1e-3, seeing, batch=4, sequence_length=12, family="llava")


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Along, Along]:
    """Rows, what goes along with them as levels kept once, and the same as one float picture a row."""
    ids = generator(1, "ids").integers(0, 60, (ROWS, 12)).astype(np.uint16)
    ids[:, :4] = PLACE
    levels = generator(1, "levels").integers(0, 256, (5, 1, 3, 4, 4)).astype(np.uint8)
    shown = generator(1, "shown").integers(0, 5, ROWS)
    marked = np.zeros(ids.shape, np.bool_)
    marked[:, 8:] = True
    files = {"rows": ids, "mask": marked, "levels": levels, "shown": shown, "floats": as_seen(levels[shown])}
    for name, array in files.items():
        np.save(tmp_path / f"{name}.npy", array)
    paths = {name: tmp_path / f"{name}.npy" for name in files}
    once = Along(paths["mask"], paths["levels"], paths["shown"])
    return paths["rows"], once, Along(paths["mask"], paths["floats"])


def test_levels_kept_once_train_the_same_model(
    looking: Recipe, kept: tuple[Path, Along, Along], tmp_path: Path
) -> None:
    rows, once, each = kept
    runs = [train(looking, rows, tmp_path / name, along=along) for name, along in (("a", once), ("b", each))]
    assert runs[0].statement["order"] == runs[1].statement["order"]
    models = [(run.model / "model.safetensors").read_bytes() for run in runs]
    assert models[0] == models[1]
    stated = [statement(looking, rows, None, None, along) for along in (once, each)]
    assert stated[0].shown != stated[1].shown == "none"
    assert "shown" not in prove_matched(stated).fields


def test_the_loss_counts_marked_tokens_of_the_picture_shown(
    looking: Recipe, kept: tuple[Path, Along, Along], tmp_path: Path
) -> None:
    rows, once, _ = kept
    run = train(looking, rows, tmp_path / "run", along=once)
    ids, marked, levels, shown = (np.load(path) for path in (rows, *once.files))
    found = evaluate_loss(run.model, ids, along=Shown(marked, levels, shown), batch=5)
    model = load_model(run.model)
    with torch.inference_mode():
        logits = model(
            input_ids=torch.from_numpy(ids.astype(np.int64)),
            pixel_values=torch.from_numpy(as_seen(levels[shown][:, 0])),
        ).logits
    likely = torch.log_softmax(logits[:, :-1].double(), -1)
    gold = likely.gather(-1, torch.from_numpy(ids.astype(np.int64))[:, 1:, None])[..., 0].numpy()
    assert found == pytest.approx(-gold[marked[:, 1:]].mean(), rel=1e-5)
    other = evaluate_loss(run.model, ids, along=Shown(marked, levels, (shown + 1) % 5), batch=5)
    assert other != pytest.approx(found, rel=1e-6)


def test_levels_cover_what_a_processor_gives() -> None:
    seen = as_seen(np.array([0, 255, 51], np.uint8))
    assert seen.tolist() == pytest.approx([-1.0, 1.0, -0.6], abs=1e-6)
    assert seen.dtype == np.float32


def test_what_is_shown_is_checked(looking: Recipe, kept: tuple[Path, Along, Along], tmp_path: Path) -> None:
    rows, once, _ = kept
    assert read_stream(rows, looking, once).supervised_tokens == ROWS * 4
    shown = np.load(once.files[2])
    for wrong, words in ((shown + 5, "outside 0 … 4"), (shown[1:], "integers needed"), (shown * 1.0, "float64")):
        np.save(tmp_path / "wrong.npy", wrong)
        with pytest.raises(DataError, match=words):
            read_stream(rows, looking, Along(once.supervised, once.pictures, tmp_path / "wrong.npy"))
    with pytest.raises(DataError, match="there are none"):
        read_stream(rows, looking, Along(once.supervised, None, once.shown))
    ids, marked, levels, held = (np.load(path) for path in (rows, *once.files))
    with pytest.raises(DataError, match="other rows"):
        evaluate_loss(tmp_path, ids, along=Shown(marked[1:], levels, held))
    with pytest.raises(DataError, match="no token"):
        evaluate_loss(tmp_path, ids, along=Shown(np.zeros_like(marked), levels, held))
