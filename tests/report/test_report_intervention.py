"""Edited updates on page and terminal: names a reader can follow, draws that are missing, curves with gaps."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shadowgraph.report.frontier import NAMES, frontier_plate
from shadowgraph.report.intervention import difference_plate, edit_block
from shadowgraph.report.record import Record
from shadowgraph.report.tables import Table
from shadowgraph.study.intervene import EDITS


def row(name: str, against: str, n: int, **more: Any) -> dict[str, Any]:
    levels = [{"kept": 0.75, "estimate": 0.25, "n": n}, {"kept": 0.5, "estimate": 0.125, "n": n - 1}]
    bases: list[dict[str, Any]] = [
        {"base": "llama", "held_out": False, "estimate": 0.5, "interval": None, "n": n},
        {"base": "qwen3", "held_out": True, "estimate": None, "status": "no_draw", "interval": None, "n": 0},
    ]
    found = {"name": name, "against": against, "estimate": 0.5, "interval": [0.25, 0.75], "level": 0.95, "n": n}
    return found | {"p": 0.03, "p_adjusted": 0.06, "share": 0.4, "levels": levels, "bases": bases, "reason": ""} | more


def curve(edit: str, *harm: float | None) -> dict[str, Any]:
    return {"edit": edit, "kept": [0.0, 0.5, 1.0], "harm": list(harm)}


def study(*, trained: bool = False) -> Record:
    strengths = [{"strength": 1.0, "energy_removed": 0.2, "rank_changed": 3.0, "norm_ratio": 0.9, "kept": 0.8}]
    gone = {"estimate": None, "interval": None, "p": None, "p_adjusted": None, "levels": [], "reason": "no ground"}
    block = {
        "arm": "one", "block": "embedding kept", "draws": 5, "bases": 2,
        "edits": [row("top", "interpolated", 5, strengths=strengths), row("scaled", "interpolated", 4, strengths=[]),
                  row("random", "interpolated", 0, strengths=[]) | gone],
        "plain": {"name": "interpolated", "strengths": strengths},
        "controls": [row("top", "scaled", 5)],
        "curves": [{"base": base, "edits": [curve("top", None, 0.5, 2.0), curve("random", 0.0, 1.0, 2.0),
                              curve("interpolated", None, None, None)]}
                   for base in ("all", "llama")],
    }  # fmt: skip
    other = {"arm": "one", "regimen": "muon", "role": "flattening", "against": "slow", "against_role": "control"}
    falls = row("", "", 5, estimate=-1.5, interval=[-2.0, -1.0], p=0.02)
    training = [other | {"outside": row("", "", 5), "K": falls}]
    return Record({"intervention": {"blocks": [block], "training": training if trained else []}})


def cells(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_every_edit_has_a_name_that_a_reader_can_follow() -> None:
    assert NAMES.keys() == set(EDITS)
    shown = cells(dict(difference_plate(study()).shown)["differences at equal benchmark loss"])
    assert [line[1] for line in shown] == [
        "leading components removed − interpolated with the base",
        "matrices scaled, energy of leading − interpolated with the base",
        "random components removed − interpolated with the base",
        "leading components removed − matrices scaled, energy of leading",
    ]
    assert [line[2] for line in cells(frontier_plate(study()).table)] == [
        "leading components removed", "interpolated with the base",
    ]  # fmt: skip


def test_what_is_of_fewer_draws_says_of_how_many() -> None:
    first, second, third, _ = cells(dict(difference_plate(study()).shown)["differences at equal benchmark loss"])
    assert (first[5], second[5], third[5]) == ("5", "4 of 5", "0 of 5")
    assert (first[8], first[9], first[10]) == ("+0.250", "+0.125 (4 draws)", "—")
    assert (first[7], third[11]) == ("40 %", "no ground")


def test_what_lies_within_the_margin_is_said_where_there_is_one() -> None:
    found = study()
    edits = found.data["intervention"]["blocks"][0]["edits"]
    edits[0] |= {"margin": 0.05, "equivalent": False}
    edits[1] |= {"margin": 0.05, "equivalent": True}
    shown = cells(dict(difference_plate(found).shown)["differences at equal benchmark loss"])
    assert [line[6] for line in shown[:3]] == ["not shown, ±0.05", "yes, ±0.05", "—"]


def test_every_curve_has_a_colour_of_its_own_and_interpolation_is_ink() -> None:
    panel = frontier_plate(study()).panels[0]
    assert all(f'class="{colour}"' in panel for colour in ("s-a0", "s-a1", "s-ink"))
    assert 'class="s-a2"' not in panel


def test_only_the_removal_of_leading_components_is_marked() -> None:
    """Of two edits with a number one is filled, and it is the one in bold."""
    panel = difference_plate(study()).panels[0]
    assert panel.count('class="f-ink s-ink"') == 1
    assert re.findall(r'font-weight="700"[^>]*text-anchor="start"[^>]*>([^<]*)<', panel) == [
        "leading components removed"
    ]


def test_training_of_each_arm_has_panels_of_its_own() -> None:
    found = study(trained=True).data["intervention"]
    again = {**found, "training": [*found["training"], {**found["training"][0], "arm": "two"}]}
    panels = difference_plate(Record({"intervention": again})).panels
    assert ["two: " in panel for panel in panels] == [False, False, False, True, True]
    assert not any("slow" in panel for panel in panels[:1])
    alone = difference_plate(study(trained=True)).panels[1].count("muon")
    assert [panel.count("muon") for panel in panels] == [0, alone, alone, alone, alone]


def test_bases_held_out_are_marked() -> None:
    assert [line[2] for line in cells(difference_plate(study()).table)[:2]] == ["llama", "qwen3, held out"]


def test_training_has_its_own_panels_table_and_caption() -> None:
    without, plate = difference_plate(study()), difference_plate(study(trained=True))
    assert (len(without.panels), len(plate.panels), len(without.shown)) == (1, 3, 1)
    assert "named regimen" in plate.caption
    assert "regimen" not in without.caption
    (line,) = cells(dict(plate.shown)["training otherwise"])
    assert line[1] == "muon − slow"
    assert (line[3].split()[0], line[6].split()[0]) == ("+0.50", "−1.50")
    assert (line[4], line[5], line[7]) == ("0.030", "0.060", "0.020")


def test_a_panel_tells_where_its_curves_begin_and_end() -> None:
    plate = frontier_plate(study())
    assert (len(plate.panels), plate.lead) == (2, 1)
    assert "leading components removed: 0.500 at 0.5, 2.00 at 1" in plate.panels[0]
    assert "interpolated with the base: nowhere reached by all" in plate.panels[0]
    assert "llama" in plate.panels[1]


@pytest.mark.parametrize("trained", [False, True])
def test_the_terminal_has_a_line_a_difference(trained: bool) -> None:
    head, *lines = edit_block(study(trained=trained))
    assert head.startswith("Edited updates against interpolation")
    assert len(lines) == (5 if trained else 3)
    assert lines[0].startswith("  - one, embedding kept: leading components removed: +0.50")
    assert lines[0].endswith(", 0.40 of the gain shared")
    assert lines[2].endswith("no ground")
    assert [line.split(": ")[1] for line in lines[3:]] == ["muon − slow, outside", "muon − slow, K"][: 2 * trained]
    assert edit_block(Record({})) == []
