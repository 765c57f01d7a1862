"""The page of formats says what the readers' tables say."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from shadowgraph.weights.readers.formats import READERS
from shadowgraph.weights.readers.packings import DECODERS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def builder(page_script: Callable[[str], ModuleType]) -> ModuleType:
    return page_script("build_formats")


def test_the_page_is_the_one_the_tables_give(builder: ModuleType) -> None:
    assert (DOCS / "formats.md").read_text("utf-8") == builder.page()


def test_every_ending_and_every_method_stands_on_the_page(builder: ModuleType) -> None:
    text = (DOCS / "formats.md").read_text("utf-8")
    assert all(f"`{ending}`" in text for ending in READERS)
    assert builder.METHODS.keys() == DECODERS.keys() - builder.NO_GROUPS
    assert all(title in text for title, _ in builder.METHODS.values())


def test_a_method_that_is_not_described_stops_the_script(builder: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "DECODERS", {**DECODERS, "new": "new"})
    with pytest.raises(KeyError, match="new"):
        builder.page()
