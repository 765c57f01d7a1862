"""An exam: questions, the dresses they are put in, and the rows a model is asked.

Here live: the exam, its identity, and the rows of every task under every rule with all that was declined and why.
Not here: the rules (`counterparts`), reading questions (`tasks`, `question`), putting it to a model (`sitting`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowgraph.errors import DataError, SpecError, printable, require
from shadowgraph.identity import Json, fingerprint
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.counterparts.text_rules import TEXT_RULES
from shadowgraph.scores.panel import CHAINED, panel
from shadowgraph.scores.question import Question
from shadowgraph.scores.row import kind_of, row_fault
from shadowgraph.scores.suite import read_suite
from shadowgraph.worlds.visual import KINDS

if TYPE_CHECKING:
    from shadowgraph.scores.visual_panel import VisualPanel

ORIGINAL = "original"
ASKED = (*RULES, CHAINED)
TEXT = frozenset(rule.name for rule in TEXT_RULES)
PROGRAM = 1  # raised when a change of the code changes what is asked


@dataclass(frozen=True)
class Exam:
    """What a model is asked.

    Attributes:
        tasks: for each task its questions.
        rules: names of dresses, "original" among them.
        drawn: drawn questions about pictures, beside no tasks; a rule about words or about pictures dresses them.
        items: questions of a task at most, drawn by seed and id; None takes all.
        seed: of the draw and of every dress.
        suite: folder of a written suite, asked as it is; beside no tasks.
        named: lm-eval tasks asked exactly as lm-eval asks them.
        include: folder of task files for these.
        files: where the questions of a task were read, for messages; no part of the plan.
    """

    tasks: Mapping[str, Sequence[Question]] = field(default_factory=dict[str, Sequence[Question]])
    rules: tuple[str, ...] = (ORIGINAL,)
    items: int | None = None
    seed: int = 0
    suite: Path | None = None
    named: tuple[str, ...] = ()
    include: Path | None = None
    drawn: int | None = None
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])

    def __post_init__(self) -> None:
        """Check that there is something to ask and that every rule is known.

        Raises:
            SpecError: there is nothing, a suite beside tasks, an unknown rule, or two names that make one split.
        """
        if not (self.tasks or self.suite or self.named or self.drawn):
            raise SpecError("there is nothing to score", where="score", hint="give a task, a benchmark or a suite")
        if self.tasks and self.suite:
            raise SpecError("a suite is asked as it is, tasks are dressed", where="score", hint="score them apart")
        if self.drawn is not None and (self.drawn < 1 or self.tasks or self.suite or self.named):
            found = "pictures are asked alone, at least one" if self.drawn > 0 else f"{self.drawn} pictures"
            raise SpecError(found, where="score", hint="score them apart")
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
            **({} if self.drawn is None else {"drawn": self.drawn}),
        }

    @cached_property
    def pictured(self) -> VisualPanel | None:
        """The drawn questions with their pictures; None where none are asked for.

        Raises:
            EnvironmentFault: when the extra that draws is missing.
        """
        if self.drawn is None:
            return None
        require("PIL", "worlds")
        from shadowgraph.scores.visual_panel import visual_panel
        from shadowgraph.worlds.visual import visual_items

        rules = [name for name in self.rules if name in TEXT]
        looks = None if len(self.rules) > 1 else ()
        return visual_panel(visual_items(self.seed, self.drawn), seed=self.seed, text_rules=rules, picture_rules=looks)

    @cached_property
    def splits(self) -> tuple[Dressed, ...]:
        """Every task under every rule, task by task.

        Raises:
            SpecError: a task under a rule and another task make one split.
            DataError: no question of a task can be asked even as it is told, or one that no reply could answer.
        """
        found: list[Dressed] = [] if self.pictured is None else list(_pictured(self.pictured))
        for name, questions in self.tasks.items():
            made = _dressed(name, questions, self)
            if not made[0].rows:
                reason = next(iter(made[0].declined), "it has no questions")
                raise DataError(f"none of its questions can be asked ({reason})", where=f"task {printable(name)!r}")
            self._check(name, questions, made)
            found += made
        if twice := [name for name, often in Counter(part.split for part in found).items() if often > 1]:
            raise SpecError(f"two splits are called {twice[0]!r}", where="score", hint="name the tasks apart")
        return tuple(found)

    def _check(self, task: str, questions: Sequence[Question], made: Sequence[Dressed]) -> None:
        """Refuse what a suite would refuse, by task or file, row and dress, before anything is written."""
        for part in made:
            for row in part.rows:
                fault = row_fault(row, kind_of(part.rows[0]))
                if fault is None:
                    continue
                told = row.get("source", row["id"])
                number = next((n for n, one in enumerate(questions, start=1) if one.id == told), None)
                place = f"item {printable(str(told))!r}" if number is None else f"row {number}"
                task_file = self.files.get(task)
                where = f"task {printable(task)!r}" if task_file is None else printable(str(task_file))
                key = {"answers": "answer", "continuations": "choices", "context": "prompt"}.get(fault[0], fault[0])
                hint = f"found as it is put in the dress {part.form!r}; change the row or leave it out"
                raise DataError(fault[1], where=f"{where} {place} key {key!r}", hint=hint)


@dataclass(frozen=True, slots=True)
class Dressed:
    """One task under one rule; a split of the suite where it has any probes.

    Attributes:
        split: its name there.
        task: name of the task.
        form: name of the rule.
        distance: "near" or "far", as the rule says; "" for the original.
        rows: what is asked, all of one kind, as rows of a suite.
        declined: for each reason how many questions the rule did not take.
    """

    split: str
    task: str
    form: str
    distance: str
    rows: tuple[Mapping[str, Any], ...]
    declined: Mapping[str, int]


def rules_of(panel: bool, named: Iterable[str] = ()) -> tuple[str, ...]:
    """The rules of an exam: the original alone, the named ones beside it, or all, the named ones first.

    Args:
        panel: all rules.
        named: these rules, too.

    Returns:
        Names, the original first.
    """
    return tuple(dict.fromkeys((ORIGINAL, *named, *(ASKED if panel else ()))))


def plain_name(name: str) -> str:
    """A task's name as the name of a split and of a file: letters, digits and underscores."""
    found = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return found if found and not found[0].isdigit() else f"task_{found}"


def rows_of(splits: Iterable[Dressed]) -> dict[str, list[dict[str, Any]]]:
    """The rows of a suite, empty splits left out."""
    return {part.split: [dict(row) for row in part.rows] for part in splits if part.rows}


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
            rows = tuple(probe.row() for probe in probes)
            found.append(Dressed(name + suffix, task, rule, distance, rows, {} if place else declined))
    return found


def _pictured(panel: VisualPanel) -> Iterator[Dressed]:
    """The splits of a panel of pictures; those that declined every question have no rows."""
    left = dict(panel.declined)
    for split in (*panel.splits, *(name for name in left if name not in panel.splits)):
        rows = panel.splits.get(split, ())
        plain = split.removesuffix("_reply")
        declined = left.pop(plain, {})
        if not rows and not declined:
            continue
        kind = next(kind for kind in KINDS if plain.endswith(kind))
        head, _, rest = plain.removesuffix(kind).rstrip("_").partition("_")
        distance = head if head in ("near", "far") else ""
        yield Dressed(split, kind, rest if distance else head or ORIGINAL, distance, tuple(rows), declined)
