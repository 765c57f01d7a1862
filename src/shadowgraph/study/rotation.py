"""Which sources the base of a draw knows, and which an arm takes.

Here live: the halves of rotating sources, what "known", "new" and the other selections mean, picks that rotate.
Not here: documents of sources (`sources`) and what is done with them (`blends`).

Rotating sources stand in couples. In the draws 2j and 2j+1 one member of a couple is known and then new, and the other
new and then known, by the toss of a coin for each couple and j: every draw's base knows a random half, and the bases of
two neighbouring draws are complements. Couples are drawn anew after as many pairs of draws as there are couples. With
an odd number of sources one has no partner: it is known in the first draw of a pair, then in the second of the next.
"""

from __future__ import annotations

from typing import Literal

from shadowgraph.errors import SpecError
from shadowgraph.seeds import generator
from shadowgraph.spec.material import Arm
from shadowgraph.spec.study import StudySpec

State = Literal["known", "new"]


def known_sources(spec: StudySpec, draw: int) -> tuple[str, ...]:
    """The sources that the base of a draw is trained on, in the order of the file."""
    half = {name for couple in _couples(spec, draw // 2) for name in couple[draw % 2 : draw % 2 + 1]}
    single = _single(spec, draw // 2)
    if single is not None and (draw // 2 + draw) % 2 == 0:
        half.add(single)
    return tuple(source.name for source in spec.sources if source.base == "always" or source.name in half)


def new_sources(spec: StudySpec, draw: int) -> tuple[str, ...]:
    """The sources with the role "arm" that the base of a draw has never seen, in the order of the file."""
    known = set(known_sources(spec, draw))
    return tuple(source.name for source in spec.sources if source.role == "arm" and source.name not in known)


def sources_of(spec: StudySpec, arm: Arm, draw: int) -> tuple[str, ...]:
    """The sources that an arm takes in a draw, those of `toward` included, in the order of the file.

    Raises:
        SpecError: when it picks more sources than there are.
    """
    names = set(_selected(spec, arm, draw)) - set(arm.toward)
    if arm.pick is not None:
        names = _picked(spec, arm, draw, [source.name for source in spec.sources if source.name in names])
    names |= set(arm.toward)
    return tuple(source.name for source in spec.sources if source.name in names)


def _selected(spec: StudySpec, arm: Arm, draw: int) -> tuple[str, ...]:
    """The selection of an arm before it picks."""
    if isinstance(arm.sources, tuple):
        return arm.sources
    usable = [source for source in spec.sources if source.role == "arm"]
    if arm.sources == "known":
        known = known_sources(spec, draw)
        return tuple(source.name for source in usable if source.name in known)
    if arm.sources == "new":
        return new_sources(spec, draw)
    if arm.sources in {"benchmarks", "others"}:
        return tuple(source.name for source in usable if source.benchmark is (arm.sources == "benchmarks"))
    return tuple(source.name for source in usable)


def _picked(spec: StudySpec, arm: Arm, draw: int, names: list[str]) -> set[str]:
    """The sources picked of a selection: they take turns, and two arms of one selection pick the same.

    Of known and of new sources whole couples are picked, one member for each side by the couple's coin, and every draw
    picks other couples until all have had their turn: neighbouring draws that shared a couple would be one unit, for
    what is particular to its two sources would stand in both. Sources that never change sides are not among them.

    Args:
        spec: the study.
        arm: an arm with `pick`.
        draw: number of the draw.
        names: its selection.

    Raises:
        SpecError: when there are fewer.
    """
    count = arm.pick or 0
    if arm.sources in {"known", "new"}:
        state: State = "known" if arm.sources == "known" else "new"
        couples = _couples(spec, draw // 2)
        side = (draw + (state == "new")) % 2
        names = [couples[(draw * count + place) % len(couples)][side] for place in range(min(count, len(couples)))]
    else:
        stream = generator(spec.study.seed, "picks", "\x1f".join(names))
        order = [names[place] for place in stream.permutation(len(names)).tolist()]
        names = [order[(draw * count + place) % len(order)] for place in range(min(count, len(order)))]
    if len(names) < count:
        found = f"the arm {arm.name!r} picks {count} of {len(names)} sources that can take turns"
        raise SpecError(found, where="arms.pick", hint="pick fewer, or name more sources")
    return set(names)


def _rotating(spec: StudySpec, pair: int) -> list[str]:
    """The rotating sources in the order whose neighbours are couples in this pair of draws."""
    names = [source.name for source in spec.sources if source.base == "rotate"]
    cycle = pair // max(1, len(names) // 2)
    stream = generator(spec.study.seed, "couples", f"cycle-{cycle}")
    return [names[place] for place in stream.permutation(len(names)).tolist()]


def _couples(spec: StudySpec, pair: int) -> list[tuple[str, str]]:
    """Couples of rotating sources: the first is known in the draw 2j and the second in 2j+1."""
    names = _rotating(spec, pair)
    coins = generator(spec.study.seed, "known", f"pair-{pair}").integers(2, size=len(names) // 2)
    couples = zip(names[0::2], names[1::2], strict=False)
    return [(b, a) if coin else (a, b) for (a, b), coin in zip(couples, coins.tolist(), strict=True)]


def _single(spec: StudySpec, pair: int) -> str | None:
    """The rotating source without a partner, where their number is odd."""
    names = _rotating(spec, pair)
    return names[-1] if len(names) % 2 else None
