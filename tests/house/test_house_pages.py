"""Pages that come from the code say what the code says, and links inside docs/ lead somewhere."""

import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from house_tree import ROOT, none_of, package_sources
from shadowgraph.measures.catalogue import CATALOGUE

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def builder(page_script: Callable[[str], ModuleType]) -> ModuleType:
    """The script that writes the pages, loaded from its file."""
    return page_script("build_pages")


def drift(wanted: dict[str, str], present: dict[str, str]) -> list[str]:
    """Pages that are missing, left over or different."""
    places = sorted(wanted.keys() | present.keys())
    return [f"docs/{place}: run `make pages`" for place in places if wanted.get(place) != present.get(place)]


def test_the_pages_are_those_the_code_gives(builder: ModuleType) -> None:
    wanted: dict[str, str] = builder.pages()
    folders = {place.split("/", maxsplit=1)[0] for place in wanted}
    files = [path for folder in folders for path in (DOCS / folder).glob("*.md")]
    none_of(drift(wanted, {str(path.relative_to(DOCS)): path.read_text("utf-8") for path in files}))


def test_drift_is_seen() -> None:
    assert drift({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": ""}) == [
        "docs/b: run `make pages`",
        "docs/c: run `make pages`",
    ]


def test_a_changed_fact_changes_its_page(builder: ModuleType) -> None:
    measure = CATALOGUE["participation_ratio"]
    assert builder.measure_page(measure) != builder.measure_page(replace(measure, upper="∞"))


@pytest.mark.parametrize("key", CATALOGUE)
def test_every_measure_says_where_it_comes_from_and_where_it_fails(key: str) -> None:
    measure = CATALOGUE[key]
    assert measure.key == key
    assert all([measure.formula, measure.lower, measure.upper, measure.null, measure.misleads, measure.source])


def test_every_check_code_has_a_page(builder: ModuleType) -> None:
    used = {code for source in package_sources() for code in re.findall(r"\bSG\d{3}\b", source.text)}
    assert used == set(builder.check_docstrings())


def broken_links(place: str, text: str) -> list[str]:
    """Relative links of one page that lead nowhere."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text)
    return [f"{place}: {target}" for target in targets if not ((ROOT / place).parent / target).exists()]


def test_links_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    none_of([breach for page in pages for breach in broken_links(str(page.relative_to(ROOT)), page.read_text("utf-8"))])


def test_broken_links_are_found() -> None:
    assert broken_links("docs/guide.md", "[a](nowhere.md) [b](../LICENSE) [c](#top)") == ["docs/guide.md: nowhere.md"]
