"""A panel of questions about pictures: as made, in unfamiliar words, in unfamiliar pictures, and without the picture.

Here live: the splits of the panel, what declined and why, and the panel as a suite on disk.
Not here: the questions (`worlds.visual`), the rules (`counterparts`), the model (`vision`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.errors import SpecError
from shadowgraph.scores.counterparts.picture_rules import PICTURE_RULES, PictureRule, redressed
from shadowgraph.scores.counterparts.rule import Declined, Probe, Rule, dressed
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.counterparts.text_rules import TEXT_RULES
from shadowgraph.scores.picture import picture_name
from shadowgraph.scores.question import Question
from shadowgraph.scores.suite import Suite, write_suite
from shadowgraph.worlds.drawn.scene import Dress
from shadowgraph.worlds.visual import VisualItem

ORIGINAL = "original"
BLIND = "blind"


@dataclass(frozen=True, slots=True)
class VisualPanel:
    """Rows by split, the pictures they show, and what the rules declined.

    Attributes:
        splits: `KIND` (as made), `near_RULE_KIND`, `far_RULE_KIND` and `blind_KIND` (as made, the picture withheld),
            where KIND is perception or reasoning; rows whose reply is read stand apart in `…_reply`.
        pictures: PNG bytes by path.
        declined: for each split, made or not, how often its rule declined for which reason.
    """

    splits: Mapping[str, Sequence[Mapping[str, Any]]]
    pictures: Mapping[str, bytes]
    declined: Mapping[str, Mapping[str, int]]

    def __repr__(self) -> str:
        """One line."""
        rows = sum(len(rows) for rows in self.splits.values())
        return f"VisualPanel({len(self.splits)} splits, {rows} rows, {len(self.pictures)} pictures)"


def from_visual(item: VisualItem) -> Question:
    """The words of an item as a question; the questions of one picture share a group."""
    return Question(
        id=item.id,
        source="worlds/visual",
        group=item.group,
        family=item.family,
        prompt=item.question,
        answer=item.answer,
        choices=item.choices,
        gold=item.gold,
    )


def visual_panel(
    items: Sequence[VisualItem],
    *,
    seed: int,
    text_rules: Sequence[str] | None = None,
    picture_rules: Sequence[str] | None = None,
    blind: bool = True,
) -> VisualPanel:
    """Tell every item as made, through each rule about words and through each rule about pictures.

    A rule changes the words or the picture, never both, so that a gap has one cause. Without its picture a question
    must be answered at chance; what is above chance there was read from the words.

    Args:
        items: from `worlds.visual.visual_items`.
        seed: of the rules.
        text_rules: names of `counterparts.text_rules.TEXT_RULES`; all by default.
        picture_rules: names of `PICTURE_RULES`; all by default.
        blind: add the questions without their pictures.

    Raises:
        SpecError: for an unknown rule or no items.
        EnvironmentFault: when fonts or scans are missing.
    """
    if not items:
        raise SpecError("no items", where="visual_panel")
    told = {rule.name: rule for rule in TEXT_RULES}
    words = [told[name] for name in _known(text_rules, told) if name != ORIGINAL]
    looks = [PICTURE_RULES[name] for name in _known(picture_rules, PICTURE_RULES)]
    splits: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    declined: defaultdict[str, Counter[str]] = defaultdict(Counter)
    gallery = _Gallery()
    for item in items:
        for head, made in _tellings(item, seed, words, looks):
            if isinstance(made, Declined):
                declined[f"{head}{item.kind}"][made.reason] += 1
                continue
            probe, dress, form = made
            row = {**probe.row(), "id": f"{item.id}#{form}", "form": form, "image": gallery.hang(item, dress)}
            splits[f"{head}{item.kind}{'' if probe.kind == 'choice' else '_reply'}"].append(row)
            if blind and form == ORIGINAL:
                bare = {key: value for key, value in row.items() if key != "image"}
                splits[f"{BLIND}_{item.kind}"].append({**bare, "id": f"{item.id}#{BLIND}", "form": BLIND})
    return VisualPanel(dict(splits), gallery.pictures, {name: dict(reasons) for name, reasons in declined.items()})


def write_visual_panel(panel: VisualPanel, folder: Path) -> Suite:
    """Write a panel as a suite with its pictures; equal panels give equal bytes.

    Raises:
        DataError: as `write_suite`.
    """
    return write_suite(panel.splits, folder, pictures=panel.pictures)


class _Gallery:
    """Pictures drawn once each."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}
        self._hung: dict[tuple[str, Dress], str] = {}

    def hang(self, item: VisualItem, dress: Dress) -> str:
        """The path of an item's picture in a dress."""
        from shadowgraph.worlds.drawn.draw import draw_png

        key = item.group, dress
        if key not in self._hung:
            data = draw_png(item.scene, dress)
            self._hung[key] = picture_name(data)
            self.pictures[self._hung[key]] = data
        return self._hung[key]


_Told = tuple[Probe, Dress, str]


def _tellings(
    item: VisualItem, seed: int, words: Sequence[Rule], looks: Sequence[PictureRule]
) -> Iterator[tuple[str, _Told | Declined]]:
    """One item told every way: the beginning of its split's name, then probe, dress and form, or why not."""
    question, plain = from_visual(item), Dress()
    as_made = dressed(RULES[ORIGINAL], question, seed)
    yield "", as_made if isinstance(as_made, Declined) else (as_made, plain, ORIGINAL)
    for rule in words:
        probe = dressed(rule, question, seed)
        yield f"{rule.distance}_{rule.name}_", probe if isinstance(probe, Declined) else (probe, plain, rule.name)
    for look in looks:
        dress, form = redressed(look, item, seed), f"picture_{look.name}"
        head = f"{look.distance}_{form}_"
        if isinstance(dress, Declined) or isinstance(as_made, Declined):
            yield head, dress if isinstance(dress, Declined) else Declined("it cannot be told as made")
        else:
            yield head, (as_made, dress, form)


def _known(wanted: Sequence[str] | None, known: Mapping[str, Any]) -> Sequence[str]:
    """Names of rules, all of them by default."""
    if wanted is None:
        return tuple(known)
    if unknown := [name for name in wanted if name not in known]:
        raise SpecError(f"there is no rule {unknown[0]!r}", where="rules", hint=f"choose from {', '.join(known)}")
    return tuple(dict.fromkeys(wanted))
