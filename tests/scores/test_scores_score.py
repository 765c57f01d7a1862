"""Scores: equal to a direct computation, repeatable, quiet, and kept in Parquet."""

from __future__ import annotations

import functools
import json
import logging
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from shadowgraph.errors import CheckpointError, DataError, SpecError
from shadowgraph.scores.item import read_scores, summarise, write_scores
from shadowgraph.scores.loading import load
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
        assert item.margin is not None
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


def test_replies_are_greedy_and_end_where_the_row_says(model_dir: Path, tmp_path: Path) -> None:
    # Oracle: torch by hand, one token at a time, no cache, no batches.
    plain: dict[str, Any] = {"family": "f", "group": "g", "answers": ["river"], "tokens": 5, "until": []}
    rows = [{**plain, "id": str(n), "context": text} for n, text in enumerate(("river stone", "north", "apple gives"))]
    suite = write_suite({"replies": rows}, tmp_path)
    model, tokenizer = load(model_dir)
    found = score_module(model, tokenizer, suite, batch=2)
    for row, item in zip(rows, found, strict=True):
        ids = tokenizer(row["context"])["input_ids"]
        start = len(ids)
        with torch.no_grad():
            while len(ids) < start + 5 and (len(ids) == start or ids[-1] != 0):
                ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        assert item.reply == tokenizer.decode(ids[start:], skip_special_tokens=True)
        assert item.loglikelihoods == pytest.approx((_direct(model, tokenizer, row["context"], " river"),), abs=1e-4)
    assert any(item.reply for item in found)
    stop = next(item.reply for item in found if len(item.reply) > 2)[1:3]
    ended = write_suite({"replies": [{**row, "until": [stop]} for row in rows]}, tmp_path / "ended")
    for whole, cut in zip(found, score_module(model, tokenizer, ended, batch=2), strict=True):
        assert cut.reply == whole.reply.split(stop)[0]


def test_a_shared_context_gives_the_same_numbers(model_dir: Path, items: Items, tmp_path: Path) -> None:
    # 1e-4 nats: sums in float32 in another order; measured 3e-5 on log-likelihoods down to -300.
    alone = {**items["inside"][0], "id": "empty", "context": ""}
    suite = write_suite({**items, "bare": [alone]}, tmp_path)
    model, tokenizer = load(model_dir)
    for batch in (1, 3, 32):
        plain, shared = (score_module(model, tokenizer, suite, batch=batch, share=share) for share in (False, True))
        for one, other in zip(plain, shared, strict=True):
            assert one.loglikelihoods == pytest.approx(other.loglikelihoods, abs=1e-4)
            assert one.correct == other.correct


def _nothing(*_: Any) -> Iterator[Any]:
    return iter(())


def test_only_what_is_read_is_computed_and_changes_nothing(
    model_dir: Path, items: Items, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = write_suite(items, tmp_path)
    model, tokenizer = load(model_dir)
    positions: list[int] = []
    forward = type(model).forward

    @functools.wraps(forward)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = forward(self, *args, **kwargs)
        positions.append(found.logits.shape[1])
        return found

    monkeypatch.setattr(type(model), "forward", watched)
    kept = score_module(model, tokenizer, suite, batch=4)
    most = max(positions)
    monkeypatch.setattr("shadowgraph.scores.harness.planned", _nothing)
    whole = score_module(model, tokenizer, suite, batch=4)
    assert [item.loglikelihoods for item in whole] == [item.loglikelihoods for item in kept]
    assert max(positions) > most


def test_an_encoder_decoder(model_dir: Path, items: Items, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    made: Any = T5Config
    config = made(
        vocab_size=300, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4, initializer_factor=3.0,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = T5ForConditionalGeneration(config).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(str(model_dir))
    reply = {"id": "r", "family": "f", "group": "g", "context": "river", "answers": ["x"], "tokens": 4}
    suite = write_suite({"inside": items["inside"], "replies": [reply]}, tmp_path)
    found = score_module(model, tokenizer, suite, batch=4)
    for row, item in zip(items["inside"], found, strict=False):
        text = row["continuations"][row["gold"]]
        source = torch.tensor([tokenizer(row["context"])["input_ids"]])
        target = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            logs = model(input_ids=source, labels=target).logits[0].double().log_softmax(-1)
        assert item.loglikelihoods[row["gold"]] == pytest.approx(float(logs.gather(1, target.T).sum()), abs=1e-4)
    assert found[-1].kind == "generate"
    with pytest.raises(SpecError, match="cannot share"):
        score_module(model, tokenizer, suite, share=True)


@pytest.fixture
def copied(model_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_dir, tmp_path / "copied"))


def test_a_model_that_cannot_be_loaded_says_why(copied: Path, items: Items, tmp_path: Path) -> None:
    write_suite(items, tmp_path / "suite")

    def refused(match: str) -> None:
        with pytest.raises(CheckpointError, match=match) as caught:
            score(copied, tmp_path / "suite")
        assert "\n" not in str(caught.value)

    config = json.loads((copied / "config.json").read_text())
    for wrong, says in (
        ({**config, "hidden_size": 40}, "cannot be loaded"),
        ({**config, "num_hidden_layers": 3}, "tensors are missing, first"),
        ({**config, "hidden_size": "many"}, "cannot be loaded"),
        ({**config, "model_type": "unheard_of"}, "cannot be loaded .*unheard_of"),
        ({**config, "vocab_size": 10}, "cannot be loaded"),
    ):
        (copied / "config.json").write_text(json.dumps(wrong))
        refused(says)
    (copied / "config.json").write_text("{")
    refused(r"config\.json: the model cannot be loaded \(not JSON")
    (copied / "config.json").unlink()
    refused(r"no config\.json")
    (copied / "config.json").write_text(json.dumps(config))
    weights = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(weights[:-40])
    refused("cannot be loaded")
    (copied / "model.safetensors").unlink()
    refused("no weights in safetensors")
    (copied / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    refused(r"pickled \(pytorch_model\.bin\)")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copied / name).unlink()
    refused("no tokenizer")
    with pytest.raises(CheckpointError, match="no such folder"):
        score(tmp_path / "nowhere", tmp_path / "suite")


def test_a_text_that_the_model_cannot_take_is_named(model_dir: Path, tmp_path: Path) -> None:
    model, tokenizer = load(model_dir)
    row = {"id": "odd", "family": "f", "group": "g", "context": "question:", "continuations": [" a", " b"], "gold": 0}

    def refused(match: str, **changes: Any) -> None:
        made = {key: value for key, value in {**row, **changes}.items() if value is not None}
        suite = write_suite({"odd": [made]}, tmp_path)
        with pytest.raises(DataError, match=rf"split 'odd' item 'odd': .*{match}"):
            score_module(model, tokenizer, suite)

    refused("window of 128 tokens", continuations=[" b", " river" * 200])
    refused("asks for 128 tokens", continuations=None, gold=None, answers=["a"], tokens=128)
    joined = next(text for text in ("river", "stone", "apple") if len(tokenizer(text)["input_ids"]) == 1)
    refused("joins context and continuation", context=joined[:2], continuations=[joined[2:], " b"])
    long = write_suite({"long": [{**row, "context": "river " * 300}]}, tmp_path / "long")
    from shadowgraph.scores.harness import ModelEngine

    engine = ModelEngine(model, tokenizer)
    score(engine, long.path)
    assert engine.cut == 2


def test_an_id_beyond_the_model_is_named(model_dir: Path, items: Items, tmp_path: Path) -> None:
    model, tokenizer = load(model_dir)
    tokenizer.add_tokens(["zebra"])
    suite = write_suite({"inside": [{**items["inside"][0], "context": "a zebra"}]}, tmp_path)
    with pytest.raises(CheckpointError, match="item 'inside-0': the tokenizer gives id 300, but the model knows 300"):
        score_module(model, tokenizer, suite)


def test_killed_scoring_of_a_folder_goes_on(model_dir: Path, copied: Path, items: Items, tmp_path: Path) -> None:
    write_suite(items, tmp_path / "suite")
    told: list[float] = []
    found = score(model_dir, tmp_path / "suite", folder=tmp_path / "scores", progress=told.append)
    assert told == sorted(told)
    assert len(told) > 15
    assert score(copied, tmp_path / "suite", folder=tmp_path / "scores") == found  # the same files elsewhere
    with pytest.raises(DataError, match="scores of another model"):
        score(model_dir, tmp_path / "suite", batch=2, folder=tmp_path / "scores")
