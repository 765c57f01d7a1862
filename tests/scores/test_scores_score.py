"""Scores: equal to a direct computation, repeatable, quiet, and kept in Parquet."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from shadowgraph.errors import CheckpointError, DataError
from shadowgraph.scores.harness import load
from shadowgraph.scores.item import read_scores, summarise, write_scores
from shadowgraph.scores.score import score, score_module
from shadowgraph.scores.suite import write_suite

Items = dict[str, list[dict[str, Any]]]


def _direct(model: Any, tokenizer: Any, context: str, continuation: str) -> float:
    """log p(continuation | context), nats: one text at a time, no padding, no batches."""
    head = tokenizer(context)["input_ids"]
    ids = torch.tensor([tokenizer(context + continuation)["input_ids"]])
    with torch.no_grad():
        logs = model(input_ids=ids).logits[0].double().log_softmax(-1)
    return sum(float(logs[place - 1, ids[0, place]]) for place in range(len(head), ids.shape[1]))


def test_equal_to_a_direct_computation(model_dir: Path, items: Items, tmp_path: Path) -> None:
    # Oracle: torch by hand in float64 after the logits; 1e-4 nats covers float32 sums and padding.
    write_suite(items, tmp_path)
    scores = score(model_dir, tmp_path, batch=4)
    model, tokenizer = load(model_dir)
    rows = [(split, row) for split, some in items.items() for row in some]
    assert [(item.split, item.id, item.group) for item in scores] == [(s, row["id"], row["group"]) for s, row in rows]
    for item, (_, row) in zip(scores, rows, strict=True):
        wanted = [_direct(model, tokenizer, row["context"], text) for text in row["continuations"]]
        assert item.loglikelihoods == pytest.approx(wanted, abs=1e-4)
        gold = row["gold"]
        size = len(row["continuations"][gold].encode())
        assert item.bits_per_byte == pytest.approx(-wanted[gold] / math.log(2) / size, abs=1e-5)
        assert item.correct == (max(wanted) == wanted[gold])
        assert (item.margin > 0) == item.correct
    assert len({item.correct for item in scores}) == 2


def test_the_same_again_and_silent(
    model_dir: Path, items: Items, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(items, tmp_path)
    model, tokenizer = load(model_dir)
    capfd.readouterr()
    torch.manual_seed(5)
    state, level = torch.get_rng_state(), logging.getLogger("lm_eval").level
    first = score(model_dir, tmp_path)
    other = write_suite({"inside": items["outside"]}, tmp_path / "other")
    score_module(model, tokenizer, other)
    assert score(model_dir, tmp_path) == first
    assert score_module(model, tokenizer, suite) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert logging.getLogger("lm_eval").level == level
    assert capfd.readouterr() == ("", "")


def test_batch_size_moves_only_the_last_digits(model_dir: Path, items: Items, tmp_path: Path) -> None:
    write_suite(items, tmp_path)
    one, many = (score(model_dir, tmp_path, batch=size) for size in (1, 32))
    assert [item.bits_per_byte for item in one] == pytest.approx([item.bits_per_byte for item in many], abs=1e-4)


def test_summary_and_parquet(model_dir: Path, items: Items, tmp_path: Path) -> None:
    write_suite(items, tmp_path)
    scores = score(model_dir, tmp_path)
    write_scores(scores, tmp_path / "scores.parquet")
    assert read_scores(tmp_path / "scores.parquet") == scores
    before = (tmp_path / "scores.parquet").read_bytes()
    write_scores(scores, tmp_path / "scores.parquet")
    assert (tmp_path / "scores.parquet").read_bytes() == before
    inside, outside = summarise(scores)
    assert (inside.split, inside.items, outside.split, outside.items) == ("inside", 9, "outside", 6)
    assert inside.chance == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
    assert inside.accuracy == sum(item.correct for item in scores[:9]) / 9
    (tmp_path / "text.parquet").write_text("no")
    for name in ("text.parquet", "absent.parquet"):
        with pytest.raises(DataError, match="cannot be read"):
            read_scores(tmp_path / name)


def test_no_model_no_tokenizer(model_dir: Path, items: Items, tmp_path: Path) -> None:
    write_suite(items, tmp_path / "suite")
    with pytest.raises(CheckpointError, match="no tokenizer"):
        score(tmp_path, tmp_path / "suite")
    (tmp_path / "tokenizer.json").write_bytes((model_dir / "tokenizer.json").read_bytes())
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        score(tmp_path, tmp_path / "suite")


@pytest.mark.slow
def test_the_task_files_work_in_lm_eval_itself(
    model_dir: Path, items: Items, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets.config
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    suite = tmp_path / "suite"
    write_suite(items, suite)
    monkeypatch.chdir(suite)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    model, tokenizer = load(model_dir)
    engine: Any = HFLM
    results: Any = simple_evaluate(
        model=engine(pretrained=model, tokenizer=tokenizer, batch_size=4),
        tasks=["shadowgraph_inside", "shadowgraph_outside"],
        task_manager=TaskManager(include_path=str(suite), include_defaults=False),
        bootstrap_iters=0,
    )
    for split in summarise(score(model_dir, suite, batch=4)):
        assert results["results"][f"shadowgraph_{split.split}"]["acc,none"] == pytest.approx(split.accuracy)
