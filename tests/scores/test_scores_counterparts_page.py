"""The page on counterparts says what the rules say, and its counts are those of the real benchmarks."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SMALL = ("arc_challenge", "commonsenseqa", "humaneval", "openbookqa", "strategyqa", "svamp", "truthfulqa")


@pytest.fixture(scope="module")
def builder(page_script: Callable[[str], ModuleType]) -> ModuleType:
    """The script that writes the page, loaded from its file."""
    return page_script("build_counterparts")


def test_the_page_is_the_one_the_rules_give(builder: ModuleType) -> None:
    assert builder.page(builder.kept()) == builder.PAGE.read_text("utf-8"), "run docs/build_counterparts.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_the_counts_are_those_of_the_benchmark(builder: ModuleType, name: str) -> None:
    root = os.environ.get("SHADOWGRAPH_DATA")
    if not root:
        pytest.skip("SHADOWGRAPH_DATA is not set")
    rows = [re.split(r" *\| *", line)[1:-1] for line in builder.kept().split("\n") if line.startswith("| ")]
    column = rows[0].index(name)
    size, taken, _ = builder.counts(Path(root, "benchmarks", name))
    written = {row[0]: row[column] for row in rows[1:] if len(row) == len(rows[0])}
    assert written == {"*items*": str(size), **{rule: str(number) for rule, number in taken.items()}}
