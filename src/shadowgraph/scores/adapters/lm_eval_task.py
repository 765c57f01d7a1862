"""A task of lm-eval as questions, so that the panel can dress them and an endpoint can answer them.

Here live: what a task's documents say, read through the task's own templates.
Not here: scoring a task exactly as lm-eval does (`named`). This module imports lm-eval with its data sets.

Worked examples, filters and metrics of the task are not taken over: a question has its prompt, as the task tells it
without examples, its choices and its gold. `tasks.write_task` makes a file of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shadowgraph.errors import DataError, printable
from shadowgraph.scores.named import load_tasks, silent
from shadowgraph.scores.question import Question, check


def task_questions(name: str, include: Path | None = None) -> dict[str, tuple[Question, ...]]:
    """Read the documents of a task, or of every task of a group.

    Args:
        name: a task, group or tag.
        include: folder of task files; names that it does not know are looked up among lm-eval's own.

    Returns:
        For each task its questions, one a document; a prompt is told as a text to go on with.

    Raises:
        SpecError: when lm-eval has no task of this name.
        EnvironmentFault: when a task's data are not on this machine.
        DataError: when a task has no gold answers, or asks in a way that is no question with one context.
    """
    with silent(threads=1):
        tasks = load_tasks([name], include)
        return {each: tuple(_question(each, task, number, doc) for number, doc in _documents(each, task))
                for each, task in tasks.items()}  # fmt: skip


def _documents(name: str, task: Any) -> list[tuple[int, Any]]:
    """The task's numbered documents."""
    where = f"task {printable(name)!r}"
    if task.OUTPUT_TYPE not in {"multiple_choice", "generate_until"}:
        raise DataError(f"asks by {task.OUTPUT_TYPE}, which is no question with an answer", where=where)
    if task.OUTPUT_TYPE == "multiple_choice" and task.multiple_input:
        raise DataError("has another context for each choice, which no question has", where=where)
    found = list(enumerate(task.eval_docs))
    if not found:
        raise DataError("no items", where=where)
    return found


def _question(name: str, task: Any, number: int, doc: Any) -> Question:
    """One document as a question."""
    where = f"task {printable(name)!r} item {number}"
    label = f"{name}-{number}"
    prompt, target = str(task.doc_to_text(doc)), task.doc_to_target(doc)
    targets: Sequence[Any] = target if isinstance(target, list) else [target]
    if not targets or targets[0] is None or targets[0] == "":
        raise DataError("has no gold answer", where=where)
    if task.OUTPUT_TYPE == "generate_until":
        answers = [str(each).strip() for each in targets]
        question = Question(label, name, label, name, prompt, answers[0], accepted=tuple(dict.fromkeys(answers[1:])),
                            style="continuation")  # fmt: skip
    else:
        choices = tuple(str(choice).strip() for choice in task.doc_to_choice(doc))
        gold = targets[0] if isinstance(targets[0], int) else _place(str(targets[0]).strip(), choices)
        if not 0 <= gold < len(choices):
            found = f"the gold {printable(str(targets[0]))!r} names none of {len(choices)} choices"
            raise DataError(found, where=where)
        question = Question(label, name, label, name, prompt, choices[gold], choices, gold, style="continuation")
    check(question)
    return question


def _place(text: str, choices: Sequence[str]) -> int:
    """The place of a text among the choices, −1 where it is none of them."""
    return choices.index(text) if text in choices else -1
