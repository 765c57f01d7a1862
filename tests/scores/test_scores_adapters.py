"""Tasks of lm-eval as questions: the same numbers as lm-eval's own, and files that our readers take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shadowgraph.cli.main import main
from shadowgraph.errors import DataError
from shadowgraph.scores.adapters.lm_eval_task import task_questions
from shadowgraph.scores.exam import Exam
from shadowgraph.scores.item import read_scores
from shadowgraph.scores.score import score
from shadowgraph.scores.sitting import sit
from shadowgraph.scores.tasks import read_task, write_task

DOCUMENTS = [
    {"q": f"river stone {word}?", "options": ["apple town", "seven", "older green"], "right": n % 3, "reply": word}
    for n, word in enumerate(("north", "letter", "count", "takes", "gives", "green"))
]
TASKS: dict[str, dict[str, Any]] = {
    "own_choice": {"output_type": "multiple_choice", "doc_to_text": "Question: {{q}}\nAnswer:",
                   "doc_to_choice": "options", "doc_to_target": "right", "metric_list": [{"metric": "acc"}]},
    "own_reply": {"output_type": "generate_until", "doc_to_text": "Question: {{q}}\nAnswer:", "doc_to_target": "reply",
                  "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4},
                  "metric_list": [{"metric": "exact_match"}]},
    "own_perplexity": {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "q",
                       "metric_list": [{"metric": "word_perplexity"}]},
    "own_empty": {"output_type": "generate_until", "doc_to_text": "q", "doc_to_target": "",
                  "generation_kwargs": {"until": ["\n"]}, "metric_list": [{"metric": "exact_match"}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of task files with their data."""
    folder = tmp_path_factory.mktemp("tasks")
    data = folder / "documents.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in DOCUMENTS))
    for name, config in TASKS.items():
        head = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}},
                "test_split": "test", "metadata": {"version": 1.0}}  # fmt: skip
        (folder / f"{name}.yaml").write_text(
            "".join(f"{key}: {json.dumps(v)}\n" for key, v in {**head, **config}.items())
        )
    return folder


def test_the_same_numbers_as_the_task_itself(model_dir: Path, include: Path, tmp_path: Path) -> None:
    tasks = task_questions("own_choice", include)
    wanted = score(model_dir, tasks=["own_choice"], include=include)
    sit(Exam(tasks), model_dir, tmp_path / "out")
    found = read_scores(tmp_path / "out" / "scores.parquet")
    assert [item.loglikelihoods for item in found] == [item.loglikelihoods for item in wanted]
    assert [item.correct for item in found] == [item.correct for item in wanted]
    assert len({item.correct for item in found}) == 2


def test_a_task_becomes_a_file_our_reader_takes(include: Path, tmp_path: Path) -> None:
    for name in ("own_choice", "own_reply"):
        (questions,) = task_questions(name, include).values()
        write_task(questions, tmp_path / f"{name}.jsonl")
        assert read_task(tmp_path / f"{name}.jsonl") == questions
        assert [question.id for question in questions] == [f"{name}-{n}" for n in range(len(DOCUMENTS))]
    first = questions[0]
    assert (first.prompt, first.answer, first.style) == (
        "Question: river stone north?\nAnswer:",
        "north",
        "continuation",
    )


def test_tasks_that_ask_no_question_are_refused(include: Path) -> None:
    with pytest.raises(DataError, match="loglikelihood_rolling, which is no question"):
        task_questions("own_perplexity", include)
    with pytest.raises(DataError, match="task 'own_empty' item 0: has no gold answer"):
        task_questions("own_empty", include)


def test_the_command_on_a_local_model(
    model_dir: Path, include: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["score", str(model_dir), "--lm-eval", "own_choice", "--include", str(include)]
    assert main([*command, "--output", str(tmp_path / "exact"), "--json"]) == 0
    exact = json.loads(capsys.readouterr().out)
    assert [(row["split"], row["items"]) for row in exact["splits"]] == [("own_choice", 6)]
    assert main([*command, "--rules", "cloze,permuted", "--items", "4"]) == 0
    shown = capsys.readouterr().out
    assert "own_choice" in shown
    assert "6 declined" not in shown
    assert str(tmp_path) not in (tmp_path / "exact" / "result.json").read_text()
    assert main(["score", str(include), "--lm-eval", "own_choice", "--include", str(include)]) == 3
    assert "no tokenizer" in capsys.readouterr().err
