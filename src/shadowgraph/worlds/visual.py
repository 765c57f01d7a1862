"""Questions about drawn pictures, with gold that follows from what was drawn.

Here live: the `VisualItem`, its two kinds (perception and reasoning), and the call that makes them.
Not here: the questions of each scene (`visual_chart`, `visual_shapes`, `visual_listing`, `visual_digits`), drawing
(`drawn`), what a model is shown (`scores`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any, Literal

from shadowgraph.errors import Defect, SpecError
from shadowgraph.identity import fingerprint
from shadowgraph.seeds import generator
from shadowgraph.worlds import visual_chart, visual_digits, visual_listing, visual_shapes
from shadowgraph.worlds.drawn.scene import Scene
from shadowgraph.worlds.item import normal, place_gold
from shadowgraph.worlds.visual_asked import Asked, Maker

Kind = Literal["perception", "reasoning"]

KINDS: tuple[Kind, ...] = ("perception", "reasoning")
ABILITIES: dict[Kind, tuple[str, ...]] = {
    "perception": ("read", "count", "locate"),
    "reasoning": ("compare", "difference", "trend", "arithmetic", "composition"),
}
SCENES: dict[str, tuple[Any, dict[str, Maker[Any]]]] = {
    "chart": (visual_chart.sample, visual_chart.QUESTIONS),
    "shapes": (visual_shapes.sample, visual_shapes.QUESTIONS),
    "listing": (visual_listing.sample, visual_listing.QUESTIONS),
    "digits": (visual_digits.sample, visual_digits.QUESTIONS),
}
"""For each kind of scene: how one is drawn at random, and the question of each ability it can carry."""

_SCENES_TRIED = 64


@dataclass(frozen=True, slots=True, repr=False)
class VisualItem:
    """One question about one picture.

    Attributes:
        id: unique name of the item.
        group: the picture; its questions share it and are resampled together.
        kind: "perception" (what is there) or "reasoning" (what follows from what is there).
        family: scene and ability, for example "chart_difference".
        scene: what is drawn.
        question: one line of text.
        answer: one line of text, the gold.
        choices: 2 … 4 answers to choose from, gold included.
        gold: index of the gold in `choices`.
        positional: whether the question speaks of rows, lines, sides or directions, so that a turned picture may
            change its answer.
        chromatic: whether the question or its answer names a colour.
    """

    id: str
    group: str
    kind: Kind
    family: str
    scene: Scene = field(repr=False)
    question: str
    answer: str
    choices: tuple[str, ...]
    gold: int
    positional: bool
    chromatic: bool

    def __post_init__(self) -> None:
        """Refuse an item whose gold is not the answer, or whose choices repeat."""
        if not 0 <= self.gold < len(self.choices) or self.choices[self.gold] != self.answer:
            raise Defect("the gold index does not point at the answer", where=self.id)
        if len({normal(choice) for choice in self.choices}) != len(self.choices):
            raise Defect("two choices read the same", where=self.id)

    def __repr__(self) -> str:
        """One line."""
        return f"VisualItem({self.id!r}, {self.question!r} → {self.answer!r}, {len(self.choices)} choices)"

    @property
    def fingerprint(self) -> str:
        """Digest of all fields."""
        return fingerprint(self)


def visual_items(
    seed: int, items: int, *, kinds: Sequence[Kind] = KINDS, scenes: Sequence[str] = tuple(SCENES)
) -> list[VisualItem]:
    """Make questions about pictures; a longer list begins with the shorter one.

    Scenes take turns; each picture is asked one question of each kind, and the abilities of a kind take turns too. No
    picture is drawn twice with the same question.

    Args:
        seed: integer seed; other seeds give other pictures.
        items: how many.
        kinds: of KINDS.
        scenes: of SCENES.

    Raises:
        SpecError: for an unknown kind or scene, or fewer than one item.
        EnvironmentFault: when scikit-learn is missing and digits are wanted.
    """
    for name, given, known in (("kind", kinds, KINDS), ("scene", scenes, tuple(SCENES))):
        if not given or set(given) - set(known) or len(set(given)) < len(given):
            raise SpecError(f"{name}s {', '.join(given) or 'none'}", hint=f"choose from {', '.join(known)}, each once")
    if items < 1:
        raise SpecError(f"{items} items", where="items", hint="give at least 1")
    return list(islice(_fresh(_stream(seed, kinds, scenes)), items))


def _fresh(items: Iterator[VisualItem]) -> Iterator[VisualItem]:
    """Items whose picture and question did not occur before."""
    seen: set[str] = set()
    for item in items:
        mark = fingerprint([item.scene, item.question])
        if mark not in seen:
            seen.add(mark)
            yield item


def _stream(seed: int, kinds: Sequence[Kind], scenes: Sequence[str]) -> Iterator[VisualItem]:
    """All items of a seed, without end."""
    for index in count():
        yield from _picture(seed, scenes[index % len(scenes)], index // len(scenes), kinds)


def _picture(seed: int, name: str, index: int, kinds: Sequence[Kind]) -> Iterator[VisualItem]:
    """The questions of one picture; scenes that cannot carry them are passed over."""
    sample, questions = SCENES[name]
    wanted: list[tuple[Kind, str]] = []
    for kind in kinds:
        able = [ability for ability in ABILITIES[kind] if ability in questions]
        wanted.append((kind, able[index % len(able)]))
    group = f"visual/{seed}/{name}/{index}"
    for attempt in range(_SCENES_TRIED):
        stream = generator(seed, "visual", name, str(index), str(attempt))
        scene: Scene = sample(stream)
        asked = [questions[ability](scene, stream) for _, ability in wanted]
        if all(asked):
            for (kind, ability), ask in zip(wanted, asked, strict=True):
                if ask is not None:
                    yield _item(group, (kind, f"{name}_{ability}"), scene, ask, seed)
            return
    raise Defect(f"{_SCENES_TRIED} scenes in a row could not carry their questions", where=group)


def _item(group: str, labels: tuple[Kind, str], scene: Scene, ask: Asked, seed: int) -> VisualItem:
    """One question with its choices in a drawn order."""
    kind, family = labels
    name = f"{group}/{family}"
    choices, gold = place_gold(ask.answer, ask.wrong, generator(seed, "visual gold", name))
    return VisualItem(
        id=name,
        group=group,
        kind=kind,
        family=family,
        scene=scene,
        question=ask.question,
        answer=ask.answer,
        choices=choices,
        gold=gold,
        positional=ask.positional,
        chromatic=ask.chromatic,
    )
