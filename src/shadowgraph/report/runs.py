"""Runs one by one, and what regimens made of them.

Here live: which runs are trained as the study says, the table of all runs, and that of regimens beside the plain runs
of the same draws.
Not here: arms and their tests (tables.py, contrasts.py), runs along training (training.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from shadowgraph.report.numerals import DASH, shown, with_sd
from shadowgraph.report.record import Quantity, Record
from shadowgraph.report.tables import Cell, Table, arm_cell, value, words

# key of a run -> name of its column
_READ = {"K": "K", "log_norm": "log relative norm", "final_loss": "final loss", "outside_loss": "outside loss"}


def regimen_of(run: Record) -> str:
    """The regimen of a run, "" for the study's own training."""
    return run.text("regimen")


def plain_runs(study: Record) -> list[Record]:
    """The runs that are trained as the study says, the rate grid included."""
    return [run for run in study.records("runs") if not regimen_of(run)]


def run_table(study: Record) -> Table:
    """One row a run; its regimen where the study has some."""
    several = bool(study.record("design").records("regimens"))
    rows: list[list[Cell]] = []
    for run in study.records("runs"):
        numbers = (value(run.number(key)) for key in ("K", "K_emb", "log_norm", "final_loss", "tokens"))
        regimen = [words(regimen_of(run))] if several else []
        named = [arm_cell(run.text("arm")), *regimen, Cell(run.text("draw", DASH)), Cell(run.text("seed", DASH))]
        rows.append([*named, *numbers])
    columns = [">draw", ">seed", ">K", ">K of embeddings", ">log relative norm", ">final loss", ">tokens"]
    return Table(["arm", *(["regimen"] if several else []), *columns], rows).cut()


def regimen_table(study: Record) -> Table:
    """One row an arm and a regimen: means over its draws, each minus the plain run of the same draw and order."""
    plain = {
        (run.text("arm"), run.text("draw")): run
        for run in plain_runs(study)
        if run.data.get("rate") is None and run.text("seed_index", "0") == "0"
    }
    rows: list[list[Cell]] = []
    for regimen in study.record("design").records("regimens"):
        for arm in regimen.texts("arms"):
            asked = (regimen.text("name"), arm)
            own = [run for run in study.records("runs") if (regimen_of(run), run.text("arm")) == asked]
            pairs = [(run, plain[arm, draw]) for run in own if (arm, draw := run.text("draw")) in plain]
            changes = ", ".join(f"{key} {text}" for key, text in regimen.record("changes").leaves())
            row = [arm_cell(arm), words(regimen.text("name")), words(regimen.text("role")), words(changes)]
            rows.append([*row, Cell(str(len(pairs))), *(_beside(pairs, key) for key in _READ)])
    columns = ["arm", "regimen", "role", "changes", ">draws", *(f">{name}, minus plain" for name in _READ.values())]
    return Table(columns, rows)


def _beside(pairs: Sequence[tuple[Record, Record]], key: str) -> Cell:
    """Mean difference of one number to the plain run of the same draw, with its spread; a gap where one has none."""
    both = [(run.number(key), other.number(key)) for run, other in pairs]
    gaps = [one for pair in both for one in pair if one.value is None]
    found = [mine.value - theirs.value for mine, theirs in both if mine.value is not None and theirs.value is not None]
    if gaps or not found:
        return value(Quantity(None, gaps[0].status if gaps else "no run"))
    mean = Quantity(fmean(found))
    text = with_sd(mean, Quantity(stdev(found))) if len(found) > 1 else shown(mean, sign=True)
    return value(mean, text if text.startswith(("+", "−", "-")) else f"+{text}")
