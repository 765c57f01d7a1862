"""An exam: questions, the dresses they are put in, and the rows a model is asked.

Here live: the exam, its identity, and the rows of every task under every rule with all that was declined and why.
Not here: the rules (`counterparts`), reading questions (`tasks`, `question`), putting it to a model (`sitting`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from shadowgraph.errors import DataError, SpecError, printable
from shadowgraph.identity import Json, fingerprint
from shadowgraph.scores.counterparts.rule import Probe
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.panel import CHAINED, panel
from shadowgraph.scores.question import Question
from shadowgraph.scores.suite import read_suite

ORIGINAL = "original"
ASKED = (*RULES, CHAINED)
PROGRAM = 1  # raised when a change of the code changes what is asked


@dataclass(frozen=True)
class Exam:
    """What a model is asked.

    Attributes:
        tasks: for each task its questions.
        rules: names of dresses, "original" among them.
        items: questions of a task at most, drawn by seed and id; None takes all.
        seed: of the draw and of every dress.
        suite: folder of a written suite, asked as it is; beside no tasks.
        named: lm-eval tasks asked exactly as lm-eval asks them.
        include: folder of task files for these.
    """

    tasks: Mapping[str, Sequence[Question]] = field(default_factory=dict[str, Sequence[Question]])
    rules: tuple[str, ...] = (ORIGINAL,)
    items: int | None = None
    seed: int = 0
    suite: Path | None = None
    named: tuple[str, ...] = ()
    include: Path | None = None

    def __post_init__(self) -> None:
        """Check that there is something to ask and that every rule is known.

        Raises:
            SpecError: there is nothing, a suite beside tasks, an unknown rule, or two names that make one split.
        """
        if not (self.tasks or self.suite or self.named):
            raise SpecError("there is nothing to score", where="score", hint="give a task, a benchmark or a suite")
        if self.tasks and self.suite:
            raise SpecError("a suite is asked as it is, tasks are dressed", where="score", hint="score them apart")
        if unknown := [name for name in self.rules if name not in ASKED]:
            raise SpecError(f"no rule is called {printable(unknown[0])!r}", hint=f"known: {', '.join(ASKED)}")
        names = [plain_name(name) for name in self.tasks]
        if twice := [name for name, often in Counter(names).items() if often > 1]:
            raise SpecError(f"two tasks are written {twice[0]!r}", where="score", hint="name them apart with NAME=PATH")

    @property
    def plan(self) -> dict[str, Json]:
        """Everything that decides what is asked, without paths."""
        return {
            "program": PROGRAM,
            "tasks": {name: fingerprint(list(questions)) for name, questions in self.tasks.items()},
            "rules": list(self.rules),
            "items": self.items,
            "seed": self.seed,
            "suite": None if self.suite is None else read_suite(self.suite).fingerprint,
            "named": list(self.named),
        }

    @cached_property
    def splits(self) -> tuple[Dressed, ...]:
        """Every task under every rule, task by task.

        Raises:
            SpecError: a task under a rule and another task make one split.
            DataError: no question of a task can be asked even as it is told.
        """
        found: list[Dressed] = []
        for name, questions in self.tasks.items():
            made = _dressed(name, questions, self)
            if not made[0].probes:
                reason = next(iter(made[0].declined), "it has no questions")
                raise DataError(f"none of its questions can be asked ({reason})", where=f"task {printable(name)!r}")
            found += made
        if twice := [name for name, often in Counter(part.split for part in found).items() if often > 1]:
            raise SpecError(f"two splits are called {twice[0]!r}", where="score", hint="name the tasks apart")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Dressed:
    """One task under one rule; a split of the suite where it has any probes.

    Attributes:
        split: its name there.
        task: name of the task.
        form: name of the rule.
        distance: "near" or "far", as the rule says; "" for the original.
        probes: what is asked, all of one kind.
        declined: for each reason how many questions the rule did not take.
    """

    split: str
    task: str
    form: str
    distance: str
    probes: tuple[Probe, ...]
    declined: Mapping[str, int]


def rules_of(panel: bool, named: Iterable[str] = ()) -> tuple[str, ...]:
    """The rules of an exam: the original alone, the named ones beside it, or all.

    Args:
        panel: all rules.
        named: these rules.

    Returns:
        Names, the original first.
    """
    return tuple(dict.fromkeys((ORIGINAL, *named, *(ASKED if panel and not tuple(named) else ()))))


def plain_name(name: str) -> str:
    """A task's name as the name of a split and of a file: letters, digits and underscores."""
    found = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return found if found and not found[0].isdigit() else f"task_{found}"


def rows_of(splits: Iterable[Dressed]) -> dict[str, list[dict[str, Any]]]:
    """The rows of a suite, empty splits left out."""
    return {part.split: [probe.row() for probe in part.probes] for part in splits if part.probes}


def _dressed(task: str, questions: Sequence[Question], exam: Exam) -> list[Dressed]:
    """One task under every rule; where a rule gives both kinds of probes, the replies have a split of their own."""
    own = [replace(question, source=task) for question in questions]
    laid = panel(own, seed=exam.seed, rules=exam.rules, items=exam.items)
    reasons = laid.reasons()
    found: list[Dressed] = []
    for rule in exam.rules:
        distance = "" if rule == ORIGINAL else RULES[rule].distance if rule in RULES else "far"
        name = plain_name(task) if rule == ORIGINAL else f"{plain_name(task)}_{rule}"
        parts = [probes for probes in laid.splits.values() if probes[0].form == rule] or [()]
        declined = next((why for split, why in reasons.items() if split == f"{distance}_{rule}"), {})
        if rule == ORIGINAL:
            others = {f"{each.distance}_{each.name}" for each in RULES.values()} | {f"far_{CHAINED}"}
            declined = next((why for split, why in reasons.items() if split not in others), {})
        for place, probes in enumerate(parts):
            suffix = "_replies" if place else ""
            found.append(Dressed(name + suffix, task, rule, distance, probes, {} if place else declined))
    return found
