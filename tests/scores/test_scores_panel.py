"""The panel: splits kept apart, refusals counted, one kind a split, equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.panel import panel, write_panel
from shadowgraph.scores.question import Question
from shadowgraph.scores.suite import read_suite


def story(index: int, source: str = "stories") -> Question:
    prompt = f"Karen has {20 + index} pens and buys {41 + 2 * index} more. How many pens has she now?"
    name = f"{source}-{index}"
    return Question(name, source, name, "sum", prompt, str(61 + 3 * index), equation=f"{20 + index} + {41 + 2 * index}")


def choice(index: int, source: str = "facts") -> Question:
    choices = (f"tower {index}", "river", "harvest", "lantern")
    name = f"{source}-{index}"
    return Question(name, source, name, "fact", f"What stands on hill {index}?", choices[0], choices, 0)


STORIES = [story(index) for index in range(8)]
FACTS = [choice(index) for index in range(5)]


def test_everything_is_taken_or_declined() -> None:
    made = panel([*STORIES, *FACTS], seed=4)
    assert list(made.splits)[:2] == ["stories", "facts"]
    order = [name.split("_")[0] for name in made.splits if name.startswith(("near", "far"))]
    assert order == sorted(order, key=lambda name: name == "far")
    for name, rule in RULES.items():
        if name == "original":
            continue
        split = f"{rule.distance}_{name}"
        taken = len(made.splits.get(split, ())) + len(made.splits.get(f"{split}_free", ()))
        assert taken + sum(made.reasons().get(split, {}).values()) == 13, name
    assert len(made.splits["near_renumbered"]) == 8
    assert "far_chained" in made.splits
    for probes in made.splits.values():
        assert len({probe.kind for probe in probes}) == 1
        assert len({probe.id for probe in probes}) == len(probes)
    assert made == panel([*STORIES, *FACTS], seed=4)


def test_a_chain_joins_the_clusters_of_both_everywhere() -> None:
    made = panel(STORIES, seed=4, rules=["renumbered", "chained"])
    group = {probe.source: probe.group for probe in made.splits["stories"]}
    assert len(set(group.values())) == 8 - len(made.splits["far_chained"])
    assert all(probe.group == group[probe.source] for probe in made.splits["near_renumbered"])
    assert all(probe.group == group[probe.source] for probe in made.splits["far_chained"])


def test_few_items_follow_from_their_ids() -> None:
    few = panel(STORIES, seed=4, rules=["renamed"], items=3)
    again = panel(STORIES[::-1], seed=4, rules=["renamed"], items=3)
    assert {one.id for one in few.splits["stories"]} == {one.id for one in again.splits["stories"]}
    assert len(few.splits["stories"]) == 3
    with pytest.raises(SpecError, match="at least 1"):
        panel(STORIES, seed=4, items=0)


def test_transfer_is_refused_when_training_used_it() -> None:
    others = [story(index + 50, "other") for index in range(3)]
    made = panel(STORIES, seed=4, rules=[], transfer={"other": others}, trained_on=["corpus"])
    assert list(made.splits) == ["stories", "transfer_other"]
    for trained in (["other"], ["OTHER"]):
        with pytest.raises(SpecError, match="training arm used"):
            panel(STORIES, seed=4, rules=[], transfer={"renamed on the way": others}, trained_on=trained)
    with pytest.raises(SpecError, match="own benchmarks"):
        panel(STORIES, seed=4, rules=[], transfer={"stories": STORIES})
    copied = [Question("z", "copy", "z", "sum", STORIES[0].prompt.upper(), STORIES[0].answer)]
    with pytest.raises(SpecError, match="stands in the panel's own"):
        panel(STORIES, seed=4, rules=[], transfer={"copy": copied})


def test_unknown_rules_and_repeated_ids_are_refused() -> None:
    with pytest.raises(SpecError, match="no rule 'upside_down'"):
        panel(STORIES, seed=4, rules=["upside_down"])
    with pytest.raises(SpecError, match="two questions"):
        panel([*STORIES, STORIES[0]], seed=4)


def test_generated_splits_have_both_forms_and_two_hops(tmp_path: Path) -> None:
    pytest.importorskip("reasoning_gym", reason="reasoning-gym is not installed")
    families = ["letter_counting", "caesar_cipher", "leg_counting", "two_hop"]
    made = panel([], seed=4, items=6, generated_families=families, level="easy")
    assert list(made.splits) == [
        "generated_letter_counting",
        "generated_letter_counting_free",
        "generated_caesar_cipher",
        "generated_leg_counting",
        "generated_leg_counting_free",
        "generated_two_hop",
    ]
    hops = "\n".join(probe.context for probe in made.splits["generated_two_hop"])
    assert not any(probe.context.partition("\n")[0][10:] in hops for probe in made.splits["generated_leg_counting"])
    written = write_panel(made, tmp_path)
    assert read_suite(tmp_path).splits == written.splits
    record = json.loads((tmp_path / "panel.json").read_text())
    assert record["seed"] == 4
    assert record["level"] == "easy"


def test_written_panels_are_equal_byte_for_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_panel(panel([*STORIES, *FACTS], seed=4, items=4), tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert "panel.json" in files
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)
    record = json.loads((tmp_path / "one" / "panel.json").read_text())
    assert sum(sum(reasons.values()) for reasons in record["reasons"].values()) == len(record["declined"]) > 0
