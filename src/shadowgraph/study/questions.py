"""Which questions about pictures an arm asks, and how they and descriptions of pictures are told.

Here live: families of questions, the rows that each gets in an arm, fresh questions of a family, and their telling.
Not here: asking and drawing (`worlds`), token ids and pixels (`shown`), the suite (`seen`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from shadowgraph.errors import SpecError, printable
from shadowgraph.seeds import derive, keyed_uniform
from shadowgraph.spec.material import Arm
from shadowgraph.spec.pictures import PictureTable
from shadowgraph.spec.study import StudySpec
from shadowgraph.worlds.drawn.scene import Chart, Digits, Listing, Scene
from shadowgraph.worlds.visual import ABILITIES, KINDS, SCENES, Kind, VisualItem, visual_items
from shadowgraph.worlds.visual_digits import shown

NOTHING = "none"
DESCRIBE = "Picture:"


@dataclass(frozen=True, slots=True)
class Telling:
    """One row of training: what stands before the answer, the answer, and the picture both are about.

    Attributes:
        id: unique name of what is asked.
        family: of the question, or "description".
        context: what is shown beside the picture; carries no loss.
        answer: with its leading space; carries loss.
        scene: what the picture shows; rows of equal scenes show one picture.
        group: name of the picture among those made with it. Families of an arm are made apart, so rows of one group may
            show two scenes.
    """

    id: str
    family: str
    context: str
    answer: str
    scene: Scene
    group: str


def families_of(scenes: Sequence[str]) -> dict[str, Kind]:
    """Every family of question that some kinds of picture can carry, with its kind, in a fixed order."""
    return {
        f"{scene}_{ability}": kind
        for scene in scenes
        for kind in KINDS
        for ability in ABILITIES[kind]
        if ability in SCENES[scene][1]
    }


def chosen_families(table: PictureTable, asked: Sequence[str], where: str) -> list[str]:
    """The families that names of kinds, of kinds of picture or of families stand for.

    Raises:
        SpecError: a name stands for no family of the study's pictures.
    """
    known = families_of(table.scenes)
    found: list[str] = []
    for name in asked:
        meant = [family for family, kind in known.items() if name in (kind, family, family.split("_")[0])]
        if not meant:
            raise SpecError(
                f"{printable(name)!r} is asked of no picture of this study",
                where=where,
                hint=f"choose from {', '.join((*KINDS, *table.scenes, *known))}",
            )
        found += [family for family in meant if family not in found]
    return found


def require_asked(spec: StudySpec) -> None:
    """Refuse a study an arm of which asks for a family that its pictures do not have.

    Raises:
        SpecError: names the arm and what there is.
    """
    if spec.pictures is None:
        return
    for arm in spec.arms:
        chosen_families(spec.pictures, arm.asked, _asked_key(arm))


def _asked_key(arm: Arm) -> str:
    return f"arms.{arm.name}.asked"


def shares_of(table: PictureTable, arm: Arm) -> dict[str, float]:
    """Share of an arm's rows that each family gets; they add up to 1."""
    known = list(families_of(table.scenes))
    narrow = chosen_families(table, arm.asked, _asked_key(arm))
    share = arm.share or 0.0
    return {family: (1.0 - share) / len(known) + (share / len(narrow) if family in narrow else 0.0) for family in known}


def rows_of(shares: Mapping[str, float], rows: int) -> dict[str, int]:
    """Whole rows of each family: largest remainders, families in order where remainders are equal.

    Args:
        shares: family to its share, adding up to 1.
        rows: rows in all.

    Returns:
        Family to its rows, adding up to `rows`; each within one of its share.
    """
    exact = {family: share * rows for family, share in shares.items()}
    found = {family: int(value) for family, value in exact.items()}
    order = sorted(exact, key=lambda family: round(found[family] - exact[family], 9))
    for family in order[: rows - sum(found.values())]:
        found[family] += 1
    return found


def fresh(seed: int, family: str, count: int) -> list[VisualItem]:
    """Questions of one family, no two alike; more of them begin with fewer.

    Args:
        seed: of the pictures; other seeds give others.
        family: a key of `families_of`.
        count: how many, 0 or more.
    """
    if not count:
        return []
    scene = family.split("_", maxsplit=1)[0]
    known = families_of([scene])
    kind = known[family]
    alike = list(known.values()).count(kind)  # families that take turns
    found: list[VisualItem] = []
    wanted = count
    while len(found) < count:
        items = visual_items(seed, wanted * alike, kinds=[kind], scenes=[scene])
        found = [item for item in items if item.family == family]
        wanted *= 2
    return found[:count]


def arm_tellings(spec: StudySpec, table: PictureTable, arm: Arm, draw: int, rows: int, *, own: bool) -> list[Telling]:
    """The rows of one arm in one draw, in an order that mixes its families.

    Arms of a draw that ask one family ask the same questions of it, as far as the shorter of them goes.

    Args:
        spec: the study.
        table: its pictures.
        arm: which arm.
        draw: which draw.
        rows: how many.
        own: rows like those of the arm that are kept out of its training, in place of these.
    """
    seed = derive(spec.study.seed, "pictures", f"draw-{draw}", *(["own"] if own else []))
    counts = rows_of(shares_of(table, arm), rows)
    asked = [item for family, count in counts.items() for item in fresh(seed, family, count)]
    order = keyed_uniform(seed, "rows", [item.id for item in asked])
    return [told(item) for _, item in sorted(zip(order.tolist(), asked, strict=True), key=lambda pair: pair[0])]


def base_tellings(spec: StudySpec, table: PictureTable, rows: int) -> list[Telling]:
    """The rows of a base: descriptions of pictures and, evenly over all families, questions about the same pictures.

    Args:
        spec: the study.
        table: its pictures.
        rows: how many.

    Raises:
        SpecError: so few pictures that a family is asked of none.
    """
    seed = derive(spec.study.seed, "pictures", "base")
    asked = visual_items(seed, table.base_pictures * len(KINDS), scenes=table.scenes)
    pictures = list({item.group: item for item in asked}.values())
    described = round(table.described * rows)
    by_family = {
        family: [told(item) for item in asked if item.family == family] for family in families_of(table.scenes)
    }
    even = rows_of({family: 1.0 / len(by_family) for family in by_family}, rows - described)
    found = list(islice(cycle(_described(item) for item in pictures), described))
    for family, items in by_family.items():
        if not items:
            few = f"{len(pictures)} pictures are too few: none of them is asked {family}"
            raise SpecError(few, where="pictures.base_pictures", hint="give more of them")
        found += islice(cycle(items), even[family])
    order = keyed_uniform(seed, "rows", [f"{place} {row.id}" for place, row in enumerate(found)])
    return [row for _, row in sorted(zip(order.tolist(), found, strict=True), key=lambda pair: pair[0])]


def outside_tellings(spec: StudySpec, table: PictureTable, rows: int) -> list[Telling]:
    """Questions about kinds of picture that no base and no arm sees."""
    seed = derive(spec.study.seed, "pictures", "outside")
    return [told(item) for item in visual_items(seed, rows, scenes=table.outside)]


def sight_tellings(spec: StudySpec, table: PictureTable, rows: int) -> list[Telling]:
    """Descriptions of pictures of the study's kinds that no base and no arm saw, one a picture."""
    seed = derive(spec.study.seed, "pictures", "sight")
    return [_described(item) for item in visual_items(seed, rows, kinds=["perception"], scenes=table.scenes)]


def told(item: VisualItem) -> Telling:
    """A question with its answer, as every arm and every base tells it."""
    return Telling(item.id, item.family, context_of(item.question), f" {item.answer}", item.scene, item.group)


def context_of(question: str) -> str:
    """What stands before an answer."""
    return f"Question: {question}\nAnswer:"


def _described(item: VisualItem) -> Telling:
    """What a picture shows, read off from the top left."""
    answer = f" {description(item.scene)}"
    return Telling(f"{item.group}/description", "description", DESCRIBE, answer, item.scene, item.group)


def description(scene: Scene) -> str:
    """All that a picture shows, in one line: cell by cell, label by label or line by line."""
    if isinstance(scene, Digits):
        return " ".join(str(digit) for row in shown(scene) for digit in row)
    if isinstance(scene, Chart):
        return ", ".join(f"{label} {value}" for label, value in zip(scene.labels, scene.values, strict=True))
    if isinstance(scene, Listing):
        return ", ".join(f"{word} {number}" for word, number in scene.lines)
    held = {(figure.row, figure.column): f"{figure.colour} {figure.shape}" for figure in scene.figures}
    cells = range(1, scene.side + 1)
    return "; ".join(", ".join(held.get((row, column), NOTHING) for column in cells) for row in cells)
