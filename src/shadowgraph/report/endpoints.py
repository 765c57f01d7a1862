"""The endpoints by arm and, where a study has settings, by setting.

Here live: their rows and their table; figure, page and terminal show the same rows.
Not here: contrasts inside settings (settings.py), words of the table (tables.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shadowgraph.report import novelty
from shadowgraph.report.numerals import with_sd
from shadowgraph.report.record import Record
from shadowgraph.report.tables import Cell, Table, arm_cell, spread_note, value, words
from shadowgraph.study.names import ENDPOINTS

NOTE = "Mean ± standard deviation over the draws of a setting; levels of different settings mean nothing together."


@dataclass(frozen=True, slots=True)
class Level:
    """The endpoints of one arm: of all its draws, or, in a study of settings, of those of one setting."""

    arm: Record
    ends: Record
    setting: str = ""
    held_out: bool = False

    @property
    def name(self) -> str:
        """The arm."""
        return self.arm.text("name", "unnamed")

    @property
    def row(self) -> str:
        """What a row of a figure is called."""
        return f"{self.setting}: {self.name}" if self.setting else self.name

    @property
    def place(self) -> str:
        """The setting, and whether it is held out."""
        return f"{self.setting} (held out)" if self.held_out else self.setting

    @property
    def draws(self) -> int:
        """How many draws have a K."""
        return sum(item is not None for item in self.ends.record("K").numbers("values"))

    def cells(self) -> list[Cell]:
        """Mean and standard deviation of every endpoint, or why there is none."""
        found = [self.ends.record(key) for key, _ in ENDPOINTS]
        return [value(one.number("mean"), with_sd(one.number("mean"), one.number("sd"))) for one in found]


def by_setting(study: Record) -> bool:
    """Whether the result tells the endpoints of every setting apart."""
    return any(arm.items("endpoint_by_setting") for arm in study.records("arms"))


def levels(study: Record) -> list[Level]:
    """One an arm, in the order of the result; setting by setting where the result tells them apart."""
    arms = study.records("arms")
    if not by_setting(study):
        return [Level(arm, arm.record("endpoint")) for arm in arms]
    found = [level for arm in arms for level in _inside(arm)]
    order = list(dict.fromkeys(level.setting for level in found))
    return sorted(found, key=lambda level: order.index(level.setting))


def _inside(arm: Record) -> Iterator[Level]:
    """The endpoints of one arm in every setting."""
    for part in arm.records("endpoint_by_setting"):
        yield Level(arm, part.record("endpoint"), part.text("setting", "unnamed"), part.flag("held_out") is True)


def endpoint_table(study: Record) -> Table:
    """K, K_emb and log norm, mean ± standard deviation over draws, by arm; by setting and arm where there are some."""
    inside = by_setting(study)
    rows: list[list[Cell]] = []
    for level in levels(study):
        word = novelty.of(level.arm)
        row = [arm_cell(level.name), Cell(word, "novel" if word else ""), *level.cells(), Cell(str(level.draws))]
        rows.append([words(level.place), *row] if inside else row)
    columns = ["arm", "", *(f">{name}" for _, name in ENDPOINTS), ">draws"]
    if inside:
        return Table(["setting", *columns], rows, NOTE)
    return Table(columns, rows, spread_note(study))
