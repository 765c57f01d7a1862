"""The page of families says what the table says."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from shadowgraph.weights.roles import families

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def builder(page_script: Callable[[str], ModuleType]) -> ModuleType:
    return page_script("build_families")


def test_the_page_is_the_one_the_table_gives(builder: ModuleType) -> None:
    assert (DOCS / "families.md").read_text("utf-8") == builder.page()


def test_every_family_and_its_evidence_stands_on_the_page() -> None:
    lines = (DOCS / "families.md").read_text("utf-8").splitlines()
    for family in families():
        line = next(line for line in lines if line.startswith(f"| `{family.name}` |"))
        assert line.endswith(f"| {family.evidence} |")
