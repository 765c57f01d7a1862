"""Our outcomes and those of lm-eval's own command on one trained model, to the last digit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scores_tasks import tasks, train

from shadowgraph.errors import DataError, EnvironmentFault, SpecError
from shadowgraph.scores.item import ItemScore, SplitScore, summarise
from shadowgraph.scores.score import score
from shadowgraph.scores.suite import write_suite

pytestmark = pytest.mark.slow
CHOICES = ("letters", "endings", "pairs", "yesno", "unequal")
REPLIES = ("numbers", "lines")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained until some items come out right and some wrong, with the suite beside it."""
    folder = tmp_path_factory.mktemp("agreement")
    train(folder / "model")
    write_suite(tasks(60), folder / "suite")
    return folder


@pytest.fixture(scope="module")
def ours(trained: Path) -> dict[str, list[ItemScore]]:
    found: dict[str, list[ItemScore]] = {}
    for item in score(trained / "model", trained / "suite", batch=8):
        found.setdefault(item.split, []).append(item)
    return found


def _command(
    trained: Path, splits: tuple[str, ...], out: str
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Run lm-eval's command on some splits: its aggregates, and for each split its samples in order."""
    line = [sys.executable, "-m", "lm_eval", "run", "--model", "hf"]
    line += ["--model_args", f"pretrained={trained / 'model'},dtype=float32", "--device", "cpu", "--batch_size", "8"]
    line += ["--tasks", ",".join(f"shadowgraph_{split}" for split in splits), "--include_path", "."]
    line += ["--log_samples", "--output_path", str(trained / out)]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": str(trained / "cache")}
    environment = {**os.environ, **offline, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(line, cwd=trained / "suite", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (results,) = (trained / out).rglob("results_*.json")
    samples: dict[str, list[dict[str, Any]]] = {}
    for split in splits:
        (path,) = (trained / out).rglob(f"samples_shadowgraph_{split}_*.jsonl")
        rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
        samples[split] = sorted(rows, key=lambda row: row["doc_id"])
    return json.loads(results.read_text())["results"], samples


def test_five_kinds_of_choice_and_two_of_reply_agree_with_the_command(
    trained: Path, ours: dict[str, list[ItemScore]]
) -> None:
    results, samples = _command(trained, (*CHOICES, *REPLIES), "together")
    means: dict[str, SplitScore] = {split.split: split for items in ours.values() for split in summarise(items)}
    for split in CHOICES:
        theirs = results[f"shadowgraph_{split}"]
        assert (means[split].accuracy, means[split].accuracy_normalised) == (
            theirs["acc,none"],
            theirs["acc_norm,none"],
        )
        for item, row in zip(ours[split], samples[split], strict=True):
            assert item.id == row["doc"]["id"]
            assert (item.correct, item.correct_normalised) == (row["acc"] == 1.0, row["acc_norm"] == 1.0)
            # The command batches all its tasks together, so that float32 sums run in another order.
            assert item.loglikelihoods == pytest.approx([float(value) for value, _ in row["filtered_resps"]], abs=1e-4)
    for split, reading in zip(REPLIES, ("number", "line"), strict=True):
        assert means[split].exact_match == results[f"shadowgraph_{split}"][f"exact_match,{reading}"]
        for item, row in zip(ours[split], samples[split], strict=True):
            assert (item.reply, item.correct) == (row["resps"][0][0], row["exact_match"] == 1.0)
    # The tasks are neither all right nor all wrong, and the two accuracies are not one number.
    assert sum(0.1 < means[split].accuracy < 0.9 for split in (*CHOICES, *REPLIES)) >= 5
    assert any(means[split].accuracy != means[split].accuracy_normalised for split in CHOICES)


def test_alone_a_task_agrees_to_the_last_bit(trained: Path, ours: dict[str, list[ItemScore]]) -> None:
    _, samples = _command(trained, ("endings",), "alone")
    for item, row in zip(ours["endings"], samples["endings"], strict=True):
        assert item.loglikelihoods == tuple(float(value) for value, _ in row["filtered_resps"])


def test_the_same_tasks_by_name(
    trained: Path, ours: dict[str, list[ItemScore]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(trained / "suite")
    names = [f"shadowgraph_{split}" for split in ("letters", "unequal", "numbers")]
    found = score(trained / "model", tasks=names, include=".", batch=8, folder=tmp_path / "scores")
    assert [replace(item, split=item.split.removeprefix("shadowgraph_")) for item in found] == [
        item for split in ("letters", "unequal", "numbers") for item in ours[split]
    ]
    assert score(trained / "model", tasks=names, include=".", batch=8, folder=tmp_path / "scores") == found


def test_a_task_whose_data_are_elsewhere_or_that_has_no_gold(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "away.yaml").write_text(
        "task: away\ndataset_path: nobody/nothing_here\ntest_split: test\noutput_type: multiple_choice\n"
        "doc_to_text: a\ndoc_to_choice: b\ndoc_to_target: c\n"
    )
    data = tmp_path / "text.jsonl"
    data.write_text('{"text": "river and stone"}\n')
    (tmp_path / "text.yaml").write_text(
        f"task: likely\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\ntest_split: test\n"
        "output_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: text\n"
        "metric_list: [{metric: bits_per_byte}]\n"
    )
    with pytest.raises(EnvironmentFault, match="task 'away', data set 'nobody/nothing_here': its data cannot be read"):
        score(trained / "model", tasks=["away"], include=tmp_path)
    with pytest.raises(DataError, match="task 'likely': has no gold answers"):
        score(trained / "model", tasks=["likely"], include=tmp_path)
    with pytest.raises(SpecError, match="unheard_of: lm-eval has no task of this name"):
        score(trained / "model", tasks=["unheard_of"])
