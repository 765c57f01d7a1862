"""The suite of a study over pictures: questions of both kinds as they are trained, in other dress, and blind.

Here live: its splits and their rows.
Not here: training rows (`questions`), rules of dress (`scores.counterparts`), models (`scores.vision`).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from shadowgraph.scores.counterparts.picture_rules import PICTURE_RULES, redressed
from shadowgraph.scores.counterparts.rule import Declined, dressed
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.picture import picture_name
from shadowgraph.scores.suite import write_suite
from shadowgraph.scores.visual_panel import from_visual
from shadowgraph.seeds import derive
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.pictured import tables_of
from shadowgraph.study.questions import context_of
from shadowgraph.worlds.drawn.draw import draw_png
from shadowgraph.worlds.drawn.scene import Dress
from shadowgraph.worlds.visual import KINDS, VisualItem, visual_items

WORDS, LOOK = "open", "palette"
"""The rule that tells a question in unfamiliar words, and the one that draws its picture in an unfamiliar look."""
BLIND = "blind"
OUTSIDE = "outside"


def split_names() -> list[str]:
    """Every split, as made first: KIND, blind_KIND, words_KIND, look_KIND and outside_KIND for both kinds."""
    return [f"{head}{kind}" for head in ("", f"{BLIND}_", "words_", "look_", f"{OUTSIDE}_") for kind in KINDS]


def write_seen_suite(spec: StudySpec, folder: Path) -> None:
    """Write the suite: as many items of each kind as the study scores, on pictures that no base and no arm saw."""
    table, _ = tables_of(spec)
    seed, wanted = derive(spec.study.seed, "pictures", "suite"), spec.scores.items * len(KINDS)
    splits: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    pictures: dict[str, bytes] = {}

    def hang(item: VisualItem, dress: Dress) -> str:
        data = draw_png(item.scene, dress)
        name = picture_name(data)
        pictures[name] = data
        return name

    for item in visual_items(seed, wanted, scenes=table.scenes):
        row = _row(item)
        shown = hang(item, Dress())
        splits[item.kind].append(row | {"image": shown})
        splits[f"{BLIND}_{item.kind}"].append(row | {"id": f"{item.id}#{BLIND}", "form": BLIND})
        probe = dressed(RULES[WORDS], from_visual(item), spec.study.seed)
        if not isinstance(probe, Declined):
            splits[f"words_{item.kind}"].append(probe.row() | {"image": shown})
        look = redressed(PICTURE_RULES[LOOK], item, spec.study.seed)
        if not isinstance(look, Declined):
            form = {"id": f"{item.id}#{LOOK}", "form": f"picture_{LOOK}", "image": hang(item, look)}
            splits[f"look_{item.kind}"].append(row | form)
    for item in visual_items(seed, wanted, scenes=table.outside):
        splits[f"{OUTSIDE}_{item.kind}"].append(_row(item) | {"image": hang(item, Dress())})
    write_suite({name: splits[name] for name in split_names() if splits[name]}, folder, pictures=pictures)


def _row(item: VisualItem) -> dict[str, Any]:
    """An item told as in training; the texts of its choices are scored."""
    return {
        "id": item.id,
        "family": item.family,
        "group": item.group,
        "context": context_of(item.question),
        "continuations": [f" {choice}" for choice in item.choices],
        "gold": item.gold,
        "form": "original",
        "source": item.id,
    }
