"""The panel of a benchmark: its own items, their counterparts, other benchmarks, and items made on the fly.

Here live: laying out the splits, keeping them apart, counting what was declined, and writing the whole as a suite.
Not here: how one question is dressed (`counterparts`), how families are generated (`generated`), scoring (`score`).

Splits: `<benchmark>` as its source tells it, `near_<rule>`, `far_<rule>`, `transfer_<name>`, `generated_<family>`.
A split holds rows of one kind; where some rows are answered freely and others by choice, the free ones have a split of
their own, `<split>_free`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shadowgraph.artifact import write_json
from shadowgraph.errors import SpecError
from shadowgraph.scores.counterparts.composed import chained, chains, compose
from shadowgraph.scores.counterparts.rule import Declined, Probe, Rule, dressed
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.generated import Level, choice_probe, free_probe, generated
from shadowgraph.scores.question import Question, check
from shadowgraph.scores.suite import Suite, write_suite
from shadowgraph.seeds import generator, keyed_uniform
from shadowgraph.worlds.item import normal

CHAINED = "chained"
"""The one counterpart that needs two questions; it is asked for like a rule."""

TWO_HOP = "two_hop"
"""The generated split in which the answer to one family's item goes into a second step."""

NOBODY: Mapping[str, Sequence[Question]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Refusal:
    """One question a split does not hold: split, source, the question's id, and why."""

    split: str
    source: str
    question: str
    reason: str


@dataclass(frozen=True, slots=True)
class PanelSuite:
    """All splits of a panel.

    Attributes:
        splits: probes by split, in order: benchmarks, near, far, transfer, generated.
        declined: every question that a split does not hold, with the reason.
        seed: all of it follows from the questions and this number.
        level: where the dial of the generated families stood.
    """

    splits: Mapping[str, tuple[Probe, ...]]
    declined: tuple[Refusal, ...]
    seed: int
    level: Level

    def __repr__(self) -> str:
        """One line: splits, probes, refusals, seed."""
        probes = sum(len(rows) for rows in self.splits.values())
        return (
            f"PanelSuite({len(self.splits)} splits, {probes} probes, {len(self.declined)} declined, seed {self.seed})"
        )

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """The splits as rows for `write_suite`."""
        return {split: [probe.row() for probe in probes] for split, probes in self.splits.items()}

    def reasons(self) -> dict[str, dict[str, int]]:
        """For each split that declined something: how often for which reason, the most frequent first."""
        counts: dict[str, Counter[str]] = {}
        for refusal in self.declined:
            counts.setdefault(refusal.split, Counter())[refusal.reason] += 1
        return {split: dict(counter.most_common()) for split, counter in counts.items()}


def panel(
    questions: Iterable[Question],
    *,
    seed: int,
    rules: Iterable[str] | None = None,
    items: int | None = None,
    transfer: Mapping[str, Sequence[Question]] = NOBODY,
    trained_on: Collection[str] = (),
    generated_families: Iterable[str] = (),
    level: Level = "medium",
) -> PanelSuite:
    """Lay out a panel.

    Args:
        questions: of the benchmarks a model may have been aligned to.
        seed: of all draws; written into the panel.
        rules: names of `table.RULES`, or "chained"; by default all.
        items: largest number of questions of one source and of one generated family; which ones follows from their ids.
        transfer: other benchmarks, by name.
        trained_on: names of all sources any training arm used; a transfer benchmark among them is refused.
        generated_families: names of `generated.GENERATED`, or "two_hop".
        level: where the dial of the generated families stands.

    Raises:
        SpecError: for an unknown rule, a repeated id, or a transfer benchmark that is not free of training or of the
            benchmarks themselves.
        DataError: when a question is not sound.
    """
    aligned = tuple(questions)
    named = (*RULES, CHAINED) if rules is None else tuple(dict.fromkeys(rules))
    unknown = [name for name in named if name not in RULES and name != CHAINED]
    if unknown:
        raise SpecError(f"there is no rule {unknown[0]!r}", hint=f"choose from {', '.join((*RULES, CHAINED))}")
    _check_apart(aligned, transfer, trained_on)
    kept = _few(aligned, items, seed)
    layout = _Layout(seed)
    for question in kept:
        layout.dress(_split_name(question.source), RULES["original"], question)
    for rule in sorted((RULES[name] for name in named if name not in (CHAINED, "original")), key=_distance):
        for question in kept:
            layout.dress(f"{rule.distance}_{rule.name}", rule, question)
    if CHAINED in named:
        layout.chain(kept)
    for name, others in transfer.items():
        for question in _few(tuple(others), items, seed):
            layout.dress(f"transfer_{_split_name(name)}", RULES["original"], question)
    taken = [question.prompt for question in aligned]
    for name in generated_families:
        layout.generate(name, items or 100, level, taken)
    return PanelSuite(MappingProxyType(layout.finished()), tuple(layout.declined), seed, level)


def write_panel(suite: PanelSuite, folder: Path) -> Suite:
    """Write a panel as a suite, with `panel.json` beside it: seed, level, sizes, and what was declined and why.

    Args:
        suite: the panel.
        folder: receives the files; equal panels give equal bytes.

    Raises:
        DataError: when the panel is empty or a row is malformed.
    """
    written = write_suite(suite.rows(), folder)
    record = {
        "schema_version": "1.0",
        "seed": suite.seed,
        "level": suite.level,
        "items": {split: len(probes) for split, probes in suite.splits.items()},
        "reasons": suite.reasons(),
        "declined": [[one.split, one.source, one.question, one.reason] for one in suite.declined],
    }
    write_json(folder / "panel.json", record)
    return written


class _Layout:
    """Splits as they grow, with the groups that chains have joined."""

    def __init__(self, seed: int) -> None:
        """Begin empty."""
        self.seed = seed
        self.probes: dict[str, list[Probe]] = {}
        self.declined: list[Refusal] = []
        self.joined: dict[str, str] = {}

    def dress(self, split: str, rule: Rule, question: Question) -> None:
        """Put a question, dressed by a rule, into a split, or note why not."""
        found = dressed(rule, question, self.seed)
        if isinstance(found, Declined):
            self.declined.append(Refusal(split, question.source, question.id, found.reason))
        else:
            self.probes.setdefault(split, []).append(found)

    def chain(self, questions: Sequence[Question]) -> None:
        """Join questions of each source in pairs; the clusters of both become one."""
        split = f"far_{CHAINED}"
        for source in dict.fromkeys(question.source for question in questions):
            own = [question for question in questions if question.source == source]
            groups = {question.id: question.group for question in own}
            found, left = chains(own, self.seed)
            for chain in found:
                self._join(groups[chain.first], groups[chain.second])
                self.probes.setdefault(split, []).append(chained(chain))
            self.declined += [Refusal(split, source, name, declined.reason) for name, declined in left]

    def generate(self, name: str, items: int, level: Level, taken: Sequence[str]) -> None:
        """A generated family in both forms, or the two-hop split made of one."""
        if name == TWO_HOP:
            self._two_hop(items, level, taken)
            return
        split = f"generated_{name}"
        for question in generated(name, seed=self.seed, items=items, level=level, taken=taken):
            if question.choices:
                self.probes.setdefault(split, []).append(choice_probe(question))
            self.probes.setdefault(split, []).append(free_probe(question))

    def finished(self) -> dict[str, tuple[Probe, ...]]:
        """The splits, one kind of row each, groups joined."""
        found: dict[str, tuple[Probe, ...]] = {}
        for split, probes in self.probes.items():
            clustered = [replace(probe, group=self._root(probe.group)) for probe in probes]
            chosen = tuple(probe for probe in clustered if probe.kind == "choice")
            free = tuple(probe for probe in clustered if probe.kind == "generate")
            found[split] = chosen or free
            if chosen and free:
                found[f"{split}_free"] = free
        return found

    def _two_hop(self, items: int, level: Level, taken: Sequence[str]) -> None:
        split = f"generated_{TWO_HOP}"
        for question in generated("leg_counting", seed=self.seed + 1, items=items, level=level, taken=taken):
            bare = replace(question, choices=(), gold=-1, family=split)
            found = compose(bare, generator(self.seed, "counterpart", TWO_HOP, question.id))
            if isinstance(found, Declined):
                self.declined.append(Refusal(split, question.source, question.id, found.reason))
            else:
                self.probes.setdefault(split, []).append(replace(found, form=TWO_HOP))

    def _root(self, group: str) -> str:
        while self.joined.get(group, group) != group:
            group = self.joined[group]
        return group

    def _join(self, one: str, two: str) -> None:
        first, second = sorted((self._root(one), self._root(two)))
        self.joined[second] = first


def _distance(rule: Rule) -> bool:
    """Near rules first."""
    return rule.distance == "far"


def _split_name(source: str) -> str:
    """A source's name as the name of a split."""
    plain = re.sub(r"\W+", "_", source, flags=re.ASCII).strip("_") or "benchmark"
    return plain if plain[0].isalpha() else f"benchmark_{plain}"


def _few(questions: Sequence[Question], items: int | None, seed: int) -> tuple[Question, ...]:
    """At most `items` questions of each source, chosen by their ids alone, in their order."""
    if items is None:
        return tuple(questions)
    if items < 1:
        raise SpecError(f"{items} items", where="items", hint="give at least 1")
    kept: set[str] = set()
    for source in dict.fromkeys(question.source for question in questions):
        ids = [question.id for question in questions if question.source == source]
        place = dict(zip(ids, keyed_uniform(seed, "panel items", ids).tolist(), strict=True))
        kept |= set(sorted(ids, key=place.__getitem__)[:items])
    return tuple(question for question in questions if question.id in kept)


def _check_apart(
    aligned: Sequence[Question], transfer: Mapping[str, Sequence[Question]], trained_on: Collection[str]
) -> None:
    """Refuse repeated ids, and transfer benchmarks that training or the benchmarks themselves have seen."""
    for question in aligned:
        check(question)
    repeated = [name for name, count in Counter(question.id for question in aligned).items() if count > 1]
    if repeated:
        raise SpecError("the id stands for two questions", where=repeated[0], hint="ids are unique in a panel")
    trained = {name.lower() for name in trained_on}
    own = {question.source for question in aligned}
    texts = {_whole(question) for question in aligned}
    for name, questions in transfer.items():
        for source in (name, *dict.fromkeys(question.source for question in questions)):
            if source.lower() in trained:
                raise SpecError("a training arm used this source", where=f"transfer {name!r}", hint="take another one")
            if source in own:
                raise SpecError("is one of the panel's own benchmarks", where=f"transfer {name!r}")
        same = next((question.id for question in questions if _whole(question) in texts), None)
        if same is not None:
            raise SpecError(f"item {same!r} stands in the panel's own benchmarks too", where=f"transfer {name!r}")


def _whole(question: Question) -> str:
    """What a question is recognised by."""
    return normal("\n".join((question.prompt, question.answer)))
