"""What a figure of a page is, and who looks how: one style an arm, or one a group where arms are many.

Here live: `Plate`, the styles of arms, their legend, and names made short.
Not here: any picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shadowgraph.errors import printable
from shadowgraph.report.palette import ARM_COLOURS, ArmStyle, arm_style
from shadowgraph.report.record import Record
from shadowgraph.report.tables import Table, arm_names, tests_of

REST = "all other arms"


@dataclass(frozen=True, slots=True)
class Plate:
    """One numbered figure of the page: its panels, its words and its twin.

    `lead` panels stand large before small ones; `shown` are tables with their titles that stand open under it, `folded`
    ones that stand closed beside the twin.
    """

    key: str
    title: str
    caption: str
    panels: Sequence[Markup]
    table: Table
    layout: str = "two"
    legend: bool = True
    absent: str = ""
    lead: int = 0
    shown: Sequence[tuple[str, Table]] = ()
    folded: Sequence[tuple[str, Table]] = ()


def many_arms(study: Record) -> bool:
    """Whether there are more arms than styles, so that groups and not arms have colours."""
    return len(_names(study)) > ARM_COLOURS


def _names(study: Record) -> list[str]:
    """Every arm named anywhere in the result, in order of appearance."""
    names = [*arm_names(study), *(run.text("arm") for run in study.records("runs"))]
    for group in ("heatmap", "spectra"):
        names += list(study.record(group).record("arms").data)
    return list(dict.fromkeys(names))


def groups_of(study: Record) -> dict[str, str]:
    """Arm → what the legend calls it: itself, or, among many arms, its group.

    The two groups of the label come first; an arm of another group goes by that group's name, one of no group by its
    own, those that the plan's tests name before others. What then exceeds the number of styles is one group more.
    """
    names = _names(study)
    if not many_arms(study):
        return {name: name for name in names}
    label_of = {arm.text("name", "unnamed"): arm.texts("label") for arm in study.records("arms")}
    sides = [study.record("label").text(side) for side in ("positive", "negative")]
    found: dict[str, str] = {}
    for name in names:
        own = label_of.get(name, [])
        found[name] = next((side for side in sides if side in own), own[0] if own else name)
    spoken = [arm for test in tests_of(study) for pair in (test.items("pairs") or [test.texts("arms")])
              for arm in Record({"pair": pair}).texts("pair")]  # fmt: skip
    first = [*sides, *(name for name in spoken if name in found), *found.values()]
    order = dict.fromkeys(group for group in first if group in found.values())
    kept = list(order) if len(order) <= ARM_COLOURS else list(order)[: ARM_COLOURS - 1]
    return {name: group if group in kept else REST for name, group in found.items()}


def legend_of(study: Record) -> dict[str, ArmStyle]:
    """The styles by the names that the legend shows."""
    found = groups_of(study)
    sides = [study.record("label").text(side) for side in ("positive", "negative")]
    order = dict.fromkeys([*(side for side in sides if side in found.values()), *found.values()])
    ranked = sorted(order, key=lambda group: group == REST)  # what is left over stands last
    return {group: arm_style(position) for position, group in enumerate(ranked)}


def styles_of(study: Record) -> dict[str, ArmStyle]:
    """The style of every arm named anywhere in the result, in order of appearance."""
    legend = legend_of(study)
    return {name: legend[group] for name, group in groups_of(study).items()}


def label(name: str, limit: int = 18) -> str:
    """A foreign name made safe and short for a figure."""
    text = printable(name)
    return text if len(text) <= limit else text[: limit - 1] + "…"
