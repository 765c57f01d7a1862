"""The same scene in another picture, its answer kept.

Here live: the rules that change how a scene is drawn, and why some of them do not apply to some questions.
Not here: drawing (`worlds.drawn`), rules about the words of a question (`text_rules`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shadowgraph.scores.counterparts.rule import Declined
from shadowgraph.seeds import generator
from shadowgraph.worlds.drawn.scene import FONTS, PALETTES, Chart, Digits, Dress, Listing
from shadowgraph.worlds.item import pick
from shadowgraph.worlds.visual import VisualItem

SIZES = (280, 336, 448)


@dataclass(frozen=True, slots=True)
class PictureRule:
    """A change of a picture's dress; the scene, and so the answer, stays.

    Attributes:
        name: of the rule and of the form its rows have.
        distance: "near" when the picture keeps its layout, "far" when it does not.
        changes: one clause: what it changes.
        keeps: one clause: what it keeps.
        dress: an item and a stream of chance in, a dress or the reason for none out; reach it through `redressed`.
    """

    name: str
    distance: Literal["near", "far"]
    changes: str
    keeps: str
    dress: Callable[[VisualItem, np.random.Generator], Dress | Declined]


def redressed(rule: PictureRule, item: VisualItem, seed: int) -> Dress | Declined:
    """Another dress for one item; the questions of one picture get the same dress where the rule takes them.

    Args:
        rule: how.
        item: what.
        seed: of the panel; the stream belongs to seed, rule and picture.
    """
    return rule.dress(item, generator(seed, "picture", rule.name, item.group))


def _palette(_item: VisualItem, stream: np.random.Generator) -> Dress | Declined:
    return Dress(palette=pick(PALETTES[1:], stream))


def _size(_item: VisualItem, stream: np.random.Generator) -> Dress | Declined:
    return Dress(size=pick(SIZES, stream))


def _font(item: VisualItem, stream: np.random.Generator) -> Dress | Declined:
    if not isinstance(item.scene, Chart | Listing):
        return Declined("the picture holds no printed letters")
    return Dress(font=pick(FONTS[1:], stream))


def _turned(item: VisualItem, _stream: np.random.Generator) -> Dress | Declined:
    if item.positional:
        return Declined("the question speaks of places or directions")
    if isinstance(item.scene, Digits):
        return Declined("a turned digit may be read as another")
    return Dress(turned=True)


def _form(_item: VisualItem, _stream: np.random.Generator) -> Dress | Declined:
    return Dress(other_form=True)


PICTURE_RULES: dict[str, PictureRule] = {
    rule.name: rule
    for rule in (
        PictureRule(
            "palette",
            "near",
            "ground, ink and the shade of every colour",
            "layout, and the name of each colour",
            _palette,
        ),
        PictureRule("size", "near", "width and height, 1.25 to 2 times", "layout and colours", _size),
        PictureRule("font", "near", "the typeface", "layout, colours, every word and number", _font),
        PictureRule(
            "turned",
            "far",
            "bars lie instead of standing; other pictures are turned by a quarter",
            "marks, words and numbers",
            _turned,
        ),
        PictureRule(
            "form",
            "far",
            "bars become a line and a line bars, figures hollow, a list a table with the numbers first, digits light "
            "on dark",
            "labels, values, shapes, colours, places",
            _form,
        ),
    )
}
"""Rules by name, near before far."""
