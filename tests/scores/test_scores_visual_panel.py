"""The visual panel: every rule tells every item or says why not, the answer stays, one thing changes at a time."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.scores.counterparts.picture_rules import PICTURE_RULES, redressed
from shadowgraph.scores.counterparts.rule import Declined
from shadowgraph.scores.counterparts.text_rules import TEXT_RULES
from shadowgraph.scores.question import check
from shadowgraph.scores.suite import read_suite
from shadowgraph.scores.visual_panel import VisualPanel, from_visual, visual_panel, write_visual_panel
from shadowgraph.worlds.drawn.draw import draw_png
from shadowgraph.worlds.drawn.scene import Chart, Digits, Dress, Listing
from shadowgraph.worlds.visual import VisualItem, visual_items

RULES = {rule.name: rule for rule in TEXT_RULES}


@lru_cache(maxsize=1)
def items() -> list[VisualItem]:
    return visual_items(5, 32)


@lru_cache(maxsize=1)
def panel() -> VisualPanel:
    return visual_panel(items(), seed=3)


def rows(head: str) -> list[dict[str, Any]]:
    """Rows of the splits that begin so, both kinds."""
    names = [f"{head}{kind}{tail}" for kind in ("perception", "reasoning") for tail in ("", "_reply")]
    return [dict(row) for name in names for row in panel().splits.get(name, ())]


def test_every_rule_takes_or_declines_every_item() -> None:
    heads = [f"{rule.distance}_{name}_" for name, rule in RULES.items() if name != "original"]
    heads += [f"{rule.distance}_picture_{name}_" for name, rule in PICTURE_RULES.items()]
    for head in ["", *heads]:
        kinds = [panel().declined.get(f"{head}{kind}", {}) for kind in ("perception", "reasoning")]
        declined = sum(often for reasons in kinds for often in reasons.values())
        assert len(rows(head)) + declined == len(items()), head
    assert not {"perception", "reasoning"} & set(panel().declined)
    assert {row["source"] for row in rows("")} == {item.id for item in items()}
    ids = [row["id"] for split in panel().splits.values() for row in split]
    assert len(set(ids)) == len(ids)


def test_items_are_sound_questions() -> None:
    for item in items():
        check(from_visual(item))


def test_one_thing_changes_at_a_time() -> None:
    by_item = {item.id: item for item in items()}
    told = {row["source"]: row for row in rows("")}
    for name, rule in PICTURE_RULES.items():
        for row in rows(f"{rule.distance}_picture_{name}_"):
            plain = told[row["source"]]
            kept = ("context", "continuations", "gold", "family", "group", "source")
            assert [row[key] for key in kept] == [plain[key] for key in kept]
            assert row["image"] != plain["image"]
            dress = redressed(rule, by_item[row["source"]], 3)
            assert isinstance(dress, Dress)
            assert panel().pictures[row["image"]] == draw_png(by_item[row["source"]].scene, dress)
    for name, rule in RULES.items():
        if name != "original":
            for row in rows(f"{rule.distance}_{name}_"):
                assert row["image"] == told[row["source"]]["image"]
                assert row["form"] == name


def test_the_answer_as_told_is_the_gold() -> None:
    by_item = {item.id: item for item in items()}
    for row in rows(""):
        item = by_item[row["source"]]
        lines = dict(line.split(". ", 1) for line in row["context"].split("\n")[1:-1])
        assert lines[row["continuations"][row["gold"]].strip()] == item.answer
    for row in rows("far_open_"):
        assert row["continuations"][row["gold"]].strip() == by_item[row["source"]].answer
    for row in rows("far_free_"):
        assert by_item[row["source"]].answer in row["answers"]


def test_blind_rows_are_the_same_without_the_picture() -> None:
    told = {row["source"]: row for row in rows("")}
    blind = rows("blind_")
    assert len(blind) == len(told)
    for row in blind:
        assert "image" not in row
        assert row["context"] == told[row["source"]]["context"]
    assert not any(name.startswith("blind") for name in visual_panel(items()[:4], seed=3, blind=False).splits)


def test_picture_rules_decline_what_they_would_change() -> None:
    taken = Counter[tuple[str, str]]()
    for item in items():
        turned = redressed(PICTURE_RULES["turned"], item, 3)
        assert isinstance(turned, Declined) == (item.positional or isinstance(item.scene, Digits))
        printed = isinstance(item.scene, Chart | Listing)
        assert isinstance(redressed(PICTURE_RULES["font"], item, 3), Declined) == (not printed)
        for name in ("palette", "size", "form"):
            dress = redressed(PICTURE_RULES[name], item, 3)
            assert isinstance(dress, Dress)
            assert dress != Dress()
            taken[name, str(dress)] += 1
    assert len([key for key in taken if key[0] == "palette"]) == 3
    assert len([key for key in taken if key[0] == "size"]) == 3


def test_equal_panels_give_equal_bytes(tmp_path: Path) -> None:
    some = items()[:8]
    words, looks = ("permuted", "cloze"), ("size", "form")
    one = visual_panel(some, seed=3, text_rules=words, picture_rules=looks)
    suite = write_visual_panel(one, tmp_path / "one")
    two = visual_panel(visual_items(5, 8), seed=3, text_rules=words, picture_rules=looks)
    write_visual_panel(two, tmp_path / "two")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert files
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    again = read_suite(tmp_path / "one")
    assert again.fingerprint == suite.fingerprint
    assert set(again.pictures) == set(one.pictures)
    assert {name.split("_")[0] for name in again.splits} == {"perception", "reasoning", "near", "far", "blind"}
    assert "rows" in repr(one)


def test_faults_are_named() -> None:
    with pytest.raises(SpecError, match="no items"):
        visual_panel([], seed=1)
    with pytest.raises(SpecError, match="there is no rule 'glitter'"):
        visual_panel(items()[:1], seed=1, picture_rules=("glitter",))
    with pytest.raises(SpecError, match="there is no rule 'song'"):
        visual_panel(items()[:1], seed=1, text_rules=("song",))
