"""Edited updates held against interpolation, from records: outside loss at equal benchmark loss, over draws and bases.

Here live: the curves of each run, their differences, and what draws say of them.
Not here: edits (`intervene`, `edited`), curves of training (`regimen_paths`), wording (`licence`), crossings (`stats`).

The unit is the draw; draws are nested in bases, and settings that start from one base count as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.intervention import Intervention
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.frontier import FrontierDifference, Path, frontier_difference, frontier_value, path_from
from shadowgraph.stats.multiple import holm
from shadowgraph.study.edited import BLOCKS, TOGETHER
from shadowgraph.study.intervene import EDITS, PLAIN
from shadowgraph.study.layout import base_setting
from shadowgraph.study.over_bases import Base, over_bases

KEPT_SHARES = (0.75, 0.5, 0.25)
"""Shares of the benchmark gain that are kept where single differences are read."""
CURVE = 21
"""Levels of a mean curve, from none of the benchmark gain to all of it."""
CONTROLS = (("top_shrunk", "random"), ("top", "random_energy"), ("top", "bottom_energy"), ("top", "scaled"))
"""Edits of equal rank, or of equal energy, held against each other beside interpolation."""

Record = Mapping[str, Any]
Row = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Cut:
    """The curves of one run in one block, and the two ends that they are read between.

    Attributes:
        paths: edit → its path, benchmark loss against outside loss.
        span: benchmark loss of the base, and of the tuned model.
        outside: outside loss of the base.
        points: the points as recorded.
    """

    paths: Mapping[str, Path]
    span: tuple[float, float]
    outside: float
    points: Sequence[Record]


def blocks_table(spec: StudySpec, asked: Intervention, records: Sequence[Record]) -> list[Row]:
    """Every edit against interpolation in each block of each arm.

    Args:
        spec: the study.
        asked: its intervention.
        records: of all its runs.

    Returns:
        One row an arm and block: arm, block, draws, bases; "edits", one row each of `over_bases` with name, against,
        p_adjusted (Holm over the edits of the block) and "strengths", what was done at each; "plain", the strengths of
        interpolation; "controls", edits against edits, the same but for strengths, corrected among themselves; "curves"
        on a common axis, over all bases and by base.
    """
    rows: list[Row] = []
    for arm in asked.arms:
        edited = {
            int(record["draw"]): record["edits"]
            for record in records
            if record["arm"] == arm and record.get("edits") is not None
        }
        for block in BLOCKS:
            cuts = {draw: cut_of(points, block) for draw, points in sorted(edited.items())}
            rows.append(_block(spec, asked, arm, block, cuts))
    return rows


def cut_of(points: Sequence[Record], block: str) -> Cut | None:
    """The curves of a run's points in one block; None where the base or the tuned model has no finite losses."""
    ends = [_point(points, TOGETHER, strength) for strength in (0.0, 1.0)]
    if any(end is None for end in ends):
        return None
    base, tuned = (end for end in ends if end is not None)
    own = [point for point in points if point["block"] == block and _finite(point)]
    paths: dict[str, Path] = {}
    for edit in EDITS:
        found = sorted((point for point in own if point["edit"] == edit), key=lambda point: float(point["strength"]))
        if found:
            columns = (np.array([float(point[key]) for point in found]) for key in ("benchmark", "outside"))
            paths[edit] = path_from(*columns)
    return Cut(paths, (float(base["benchmark"]), float(tuned["benchmark"])), float(base["outside"]), own)


def _point(points: Sequence[Record], block: str, strength: float) -> Record | None:
    """A point of plain interpolation, where its losses are finite."""
    wanted = (block, PLAIN, strength)
    found = (point for point in points if (point["block"], point["edit"], float(point["strength"])) == wanted)
    return next((point for point in found if _finite(point)), None)


def _finite(point: Record) -> bool:
    return point["benchmark"] is not None and point["outside"] is not None


def bases_of(spec: StudySpec, draws: Sequence[int]) -> dict[int, Base]:
    """The base of each draw: by the setting that trains it, or by the draw where each has its own."""
    found: dict[int, Base] = {}
    for draw in draws:
        setting = spec.setting_of(draw)
        first = spec.settings[0].name if spec.settings else "base"
        own = f"draw {draw}" if spec.study.base == "each_draw" else base_setting(spec, draw) or first
        found[draw] = Base(own, setting is not None and setting.held_out)
    return found


def _block(spec: StudySpec, asked: Intervention, arm: str, block: str, cuts: Mapping[int, Cut | None]) -> Row:
    """All edits of one arm in one block."""
    bases = bases_of(spec, list(cuts))
    seen = {draw: cut for draw, cut in cuts.items() if not bases[draw].held_out}
    label = f"{arm}, {block}"
    edits: list[Row] = []
    for edit in EDITS:
        if edit != PLAIN:
            row = _against(spec, asked, cuts, bases, pair=(edit, PLAIN), label=label)
            edits.append({**row, "strengths": _strengths(seen, edit)})
    plain: Row = {"name": PLAIN, "strengths": _strengths(seen, PLAIN)}
    controls = [_against(spec, asked, cuts, bases, pair=pair, label=label) for pair in CONTROLS]
    named = list(dict.fromkeys(bases[draw].name for draw in seen))
    inside = {name: [cut for draw, cut in seen.items() if bases[draw].name == name] for name in named}
    parts = [("all", list(seen.values())), *(inside.items() if 1 < len(named) < len(seen) else ())]
    curves: list[Json] = [{"base": name, "edits": curves_of(part)} for name, part in parts]
    return {
        "arm": arm,
        "block": block,
        "draws": len(seen),
        "bases": len(named),
        "edits": [*corrected(edits)],
        "plain": plain,
        "controls": [*corrected(controls)],
        "curves": curves,
    }


def _against(
    spec: StudySpec,
    asked: Intervention,
    cuts: Mapping[int, Cut | None],
    bases: Mapping[int, Base],
    *,
    pair: tuple[str, str],
    label: str,
) -> Row:
    """One edit against another over draws."""
    found = {draw: _difference(cut, pair, asked.support) for draw, cut in cuts.items()}
    stream = generator(spec.study.seed, "intervention", label, *pair)
    row = over_bases(found, bases, asked, stream, alpha=spec.analysis.alpha)
    return {"name": pair[0], "against": pair[1], **row}


def _difference(cut: Cut | None, pair: tuple[str, str], support: float) -> FrontierDifference:
    """The difference of two edits in one run."""
    if cut is None:
        return FrontierDifference(None, None, "non_finite")
    paths = [cut.paths.get(edit) for edit in pair]
    if paths[0] is None or paths[1] is None:
        return FrontierDifference(None, None, "too_few_points")
    return frontier_difference(paths[0], paths[1], cut.span, support=support, kept=KEPT_SHARES)


def corrected(rows: Sequence[Row]) -> list[Row]:
    """Rows with Holm's "p_adjusted" beside their "p"; rows without a p are no tests, and do not count as ones."""
    known = {str(place): float(str(row["p"])) for place, row in enumerate(rows) if row["p"] is not None}
    adjusted = holm(known)
    return [row | {"p_adjusted": adjusted.get(str(place))} for place, row in enumerate(rows)]


def _strengths(cuts: Mapping[int, Cut | None], edit: str) -> list[Json]:
    """What was done at each strength of an edit, and what it left: means over draws."""
    cells: dict[float, list[tuple[float, ...]]] = {}
    for cut in cuts.values():
        if cut is None or cut.span[0] <= cut.span[1]:
            continue
        for point in (point for point in cut.points if point["edit"] == edit):
            kept = (cut.span[0] - float(point["benchmark"])) / (cut.span[0] - cut.span[1])
            facts = (float(point[key]) for key in ("energy_removed", "rank_changed", "norm_ratio"))
            cells.setdefault(float(point["strength"]), []).append((*facts, kept, float(point["outside"]) - cut.outside))
    names = ("energy_removed", "rank_changed", "norm_ratio", "kept", "harm")
    return [
        {
            "strength": strength,
            **{name: fmean(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)},
            "draws": len(rows),
        }
        for strength, rows in sorted(cells.items())
    ]


def curves_of(cuts: Sequence[Cut | None]) -> list[Json]:
    """Mean frontier of every edit over runs, on shares of the benchmark gain that are kept.

    Args:
        cuts: of the runs.

    Returns:
        One object an edit: "edit", "kept" and "harm", outside loss above that of the base, nats a token; a level that
        some run does not reach is None, so that a mean is always of the same runs.
    """
    known = [cut for cut in cuts if cut is not None and cut.span[0] > cut.span[1]]
    shares = np.linspace(0.0, 1.0, CURVE)
    found: list[Json] = []
    for edit in EDITS:
        harms: list[Json] = []
        for share in shares:
            values = [_harm(cut, edit, float(share)) for cut in known]
            there = [value for value in values if value is not None]
            harms.append(fmean(there) if there and len(there) == len(values) else None)
        found.append({"edit": edit, "kept": shares.tolist(), "harm": harms})
    return found


def _harm(cut: Cut, edit: str, share: float) -> float | None:
    """Outside loss above that of the base on the frontier of an edit, where a share of the gain is kept."""
    level = cut.span[1] if share == 1.0 else cut.span[0] - share * (cut.span[0] - cut.span[1])
    crossing = frontier_value(cut.paths[edit], level) if edit in cut.paths else None
    return None if crossing is None else crossing.y - cut.outside
