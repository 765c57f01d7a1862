"""Tasks that lm-eval knows by name.

Here live: finding a task, making its requests, and its outcomes as scores of items.
Not here: suites (`suite`), the model (`harness`). This module imports lm-eval with its data sets.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import datasets
import datasets.exceptions
import lm_eval.api.task
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager

from shadowgraph.errors import DataError, Defect, EnvironmentFault, SpecError, printable
from shadowgraph.scores.calibration import softmax
from shadowgraph.scores.engine import Engine, Progress
from shadowgraph.scores.harness import ModelEngine, quiet
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.outcome import bits_per_byte
from shadowgraph.scores.part import Part
from shadowgraph.scores.row import COMMON, form_of, golden, source_of

SHOTS_SEED = 1234  # of the examples shown before a question; what lm-eval's command takes
_NO_DATA = (OSError, ValueError, ConnectionError, datasets.exceptions.DatasetsError)


def task_parts(engine: Engine, names: Sequence[str], include: Path | None) -> list[Part]:
    """One part for each lm-eval task behind the names.

    Args:
        engine: must be over a local model, since lm-eval asks it itself.
        names: tasks, groups or tags.
        include: folder of task files; names that it does not know are looked up among lm-eval's own.

    Raises:
        SpecError: when a name is not known, or the engine is not over a local model.
        EnvironmentFault: when a task's data are not on this machine.
        DataError: when a task has no gold answers, or none that can be compared to the letter.
    """
    if not isinstance(engine, ModelEngine):
        raise SpecError("tasks by name need a model on this machine", where=engine.name, hint="write them as a suite")
    with silent(engine.threads):
        return [_part(engine, name, task) for name, task in load_tasks(names, include).items()]


def load_tasks(names: Sequence[str], include: Path | None) -> dict[str, Any]:
    """The lm-eval tasks behind names, ready to make requests; call it inside `silent`.

    Args:
        names: tasks, groups or tags.
        include: folder of task files; names that it does not know are looked up among lm-eval's own.

    Returns:
        lm-eval's tasks by name.

    Raises:
        SpecError: when a name is not known.
        EnvironmentFault: when a task's data are not on this machine.
    """
    found: dict[str, Any] = {}
    indices = _Indices(include)
    for name in names:
        found |= _load(indices.knowing(name), name)
    return found


class _Indices:
    """Indices of task files: the given folder's, and lm-eval's own, read when first needed since that takes seconds."""

    def __init__(self, include: Path | None) -> None:
        self.include = None if include is None else str(include)
        self.own: Any = None if include is None else TaskManager(include_path=self.include, include_defaults=False)

    @cached_property
    def all(self) -> Any:
        return TaskManager(include_path=self.include)

    def knowing(self, name: str) -> Any:
        """The index that knows a name.

        Raises:
            SpecError: when none does.
        """
        if self.own is not None and name in self.own.all_tasks:
            return self.own
        known: list[str] = self.all.all_tasks
        if name in known:
            return self.all
        near = [one for one in known if name.lower() in one.lower()][:5]
        hint = f"near it: {', '.join(near)}" if near else "give the folder of your own task files"
        raise SpecError("lm-eval has no task of this name", where=printable(name), hint=hint)


def _load(manager: Any, name: str) -> dict[str, Any]:
    """The tasks behind a name, ready to make requests."""
    try:
        tasks: dict[str, Any] = manager.load([name])["tasks"]
    except _NO_DATA as error:
        text = str(error).strip()
        found = f"its data cannot be read here ({printable(text.splitlines()[0] if text else type(error).__name__)})"
        hint = "nothing is fetched from a hub; give a task file whose data_files lie on this machine, as full paths"
        raise EnvironmentFault(found, where=f"task {printable(name)!r}{_dataset(manager, name)}", hint=hint) from error
    for task in tasks.values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
    return tasks


def _dataset(manager: Any, name: str) -> str:
    """The data set a task wants, in words."""
    entry = manager.task_index.get(name)
    wanted = (entry.cfg or {}).get("dataset_path") if entry is not None else None
    return f", data set {printable(str(wanted))!r}" if wanted else ""


def _part(engine: ModelEngine, name: str, task: Any) -> Part:
    """A task as a part; its identity is everything it asks and expects."""
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        raise DataError("has no gold answers: it measures how likely a text is", where=f"task {printable(name)!r}")
    task.set_fewshot_seed(SHOTS_SEED)
    task.build_all_requests()
    digest = hashlib.sha256()
    for instance in task.instances:
        asked = [instance.doc_id, instance.arguments, task.doc_to_target(instance.doc)]
        digest.update(json.dumps(asked, default=str).encode())
    documents = len({instance.doc_id for instance in task.instances})
    filters = len(task._filters)
    return Part(_plain(name), documents * filters, digest.hexdigest(), lambda tell: _scores(engine, name, task, tell))


def _scores(engine: ModelEngine, name: str, task: Any, tell: Progress) -> list[ItemScore]:
    """Let lm-eval run the task and read its samples."""
    engine.model.places = [f"task {printable(name)!r} request {n}" for n in range(len(task.instances))]
    engine.model.watch = None
    task.set_fewshot_seed(SHOTS_SEED)
    with silent(engine.threads):
        tasks: Any = {"tasks": {name: task}, "groups": {}, "group_map": {}}
        results: Any = evaluate(lm=engine.model, task_dict=tasks, bootstrap_iters=0, log_samples=True)
    if results is None:
        raise Defect("lm-eval gave no result", where=name)
    tell(0.9)
    samples: list[dict[str, Any]] = results["samples"][name]
    splits = {sample["filter"] for sample in samples}
    bits = _answer_bits(engine, name, samples) if task.OUTPUT_TYPE == "generate_until" else {}
    scores: list[ItemScore] = []
    for sample in samples:
        split = _plain(name) if len(splits) == 1 else _plain(f"{name}_{sample['filter']}")
        named = _named(name, split, sample)
        if task.OUTPUT_TYPE == "multiple_choice":
            scores.append(_choice(named, sample, task))
        elif task.OUTPUT_TYPE == "loglikelihood":
            scores.append(_followed(named, sample))
        else:
            scores.append(_reply(named, sample, bits.get(sample["doc_id"])))
    return scores


def _named(name: str, split: str, sample: Mapping[str, Any]) -> dict[str, Any]:
    """Who the item is: what its document says where that is a row of a suite, else its number in the task."""
    doc: Mapping[str, Any] = sample["doc"]
    if all(isinstance(doc.get(key), str) for key in COMMON):
        own = {key: doc[key] for key in ("id", "family", "group")}
        return {"split": split, **own, "form": form_of(doc), "source": source_of(doc)}
    number = f"{name}-{sample['doc_id']}"
    return {"split": split, "id": number, "family": name, "group": number, "source": number}


def _choice(named: dict[str, Any], sample: Mapping[str, Any], task: Any) -> ItemScore:
    """A sample of a choice task; acc and acc_norm are lm-eval's own where the task asks for them."""
    arguments: Sequence[Sequence[str]] = sample["arguments"]
    values = tuple(float(value) for value, _ in sample["filtered_resps"])
    if "acc_mutual_info" in sample:  # the second half of its requests are the choices without their context
        values = values[: len(values) // 2]
    target = task.doc_to_text(sample["doc"]) if task.multiple_input else sample["target"]
    if isinstance(target, list):
        target = target[0]
    gold = target if isinstance(target, int) else task.doc_to_choice(sample["doc"]).index(target)
    if not 0 <= gold < len(values):
        raise DataError("has no gold answer", where=f"task {named['family']!r} item {named['id']!r}")
    normalised = sample.get("acc_norm")
    return ItemScore(
        **named,
        correct=bool(sample.get("acc", values.index(max(values)) == gold)),
        bits_per_byte=bits_per_byte(values[gold], arguments[gold][1]),
        margin=values[gold] - max(value for index, value in enumerate(values) if index != gold),
        loglikelihoods=values,
        correct_normalised=None if normalised is None else bool(normalised),
        probability=softmax(values)[gold],
    )


def _followed(named: dict[str, Any], sample: Mapping[str, Any]) -> ItemScore:
    """A sample of a task that asks whether a text is what the model would go on with."""
    value, greedy = sample["filtered_resps"][0]
    text = str(sample["arguments"][0][1])
    return ItemScore(
        **named,
        correct=bool(greedy),
        bits_per_byte=bits_per_byte(float(value), text),
        margin=None,
        loglikelihoods=(float(value),),
        kind="generate",
    )


def _answer_bits(engine: ModelEngine, name: str, samples: Sequence[Mapping[str, Any]]) -> dict[int, tuple[float, int]]:
    """For each document of a generate task with a target: log-likelihood (nats) and bytes of its first target."""
    if "exact_match" not in samples[0]:
        measured = ", ".join(samples[0]["metrics"])
        raise DataError(f"is measured by {measured}, not by exact match", where=f"task {printable(name)!r}")
    rows: dict[int, Any] = {}
    for sample in samples:
        target, context = sample["target"], str(sample["arguments"][0][0])
        answers = [str(one) for one in (target if isinstance(target, list) else [target])]
        if answers and answers[0].strip() and context.strip():
            rows[sample["doc_id"]] = golden({"id": str(sample["doc_id"]), "context": context, "answers": answers})
    values = engine.loglikelihoods(name, list(rows.values()))
    sizes = [len(row["continuations"][0].encode()) for row in rows.values()]
    return {doc: (value[0], size) for doc, value, size in zip(rows, values, sizes, strict=True)}


def _reply(named: dict[str, Any], sample: Mapping[str, Any], bits: tuple[float, int] | None) -> ItemScore:
    """A sample of a generate task; the exact match is lm-eval's own, the bits are those of its first target."""
    return ItemScore(
        **named,
        correct=bool(sample["exact_match"]),
        bits_per_byte=None if bits is None else -bits[0] / math.log(2) / bits[1],
        margin=None,
        loglikelihoods=() if bits is None else (bits[0],),
        reply=str(sample["resps"][0][0]),
        kind="generate",
    )


def _plain(name: str) -> str:
    """A task's name as the name of a split and of a file."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


@contextmanager
def silent(threads: int) -> Generator[None]:
    """Run with `threads` threads, without chatter and without the progress bars of tasks and data sets."""
    module: Any = lm_eval.api.task
    bar, shown = module.tqdm, not datasets.are_progress_bars_disabled()
    module.tqdm = partial(bar, disable=True)
    datasets.disable_progress_bars()
    try:
        with quiet(threads):
            yield
    finally:
        module.tqdm = bar
        if shown:
            datasets.enable_progress_bars()
