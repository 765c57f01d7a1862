"""The corpus page: dark, print, policy, twins of its figures, and hostile names as words."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import report_sample as sample
from test_report_page import Page

from shadowgraph.corpus.packed import Packing
from shadowgraph.corpus.survey.jobs import survey
from shadowgraph.corpus.survey.plan import Order, Wanted
from shadowgraph.report.corpus import render_corpus
from shadowgraph.report.palette import BY_COLOUR, ROLES
from shadowgraph.seeds import generator

KINDS = ("plain", "hostile")
TOPICS = ("river", "engine", "market", "planet")


def measured(folder: Path, name: str) -> dict[str, Any]:
    """A small survey with a base, a declared packing, shared items, and `name` wherever a file may choose a name."""
    stream = generator(0, "corpus page")

    def told(topic: str) -> str:
        return " ".join(f"{topic}{int(stream.integers(60))}" for _ in range(24)) + "."

    items = [{"q": told("planet"), "a": f"answer {n}{name}"} for n in range(30)]
    rows = [{"id": f"d{n}{name}", "source": f"s{n % 3}{name}", "text": told(TOPICS[n % 4])} for n in range(150)]
    rows += [{"id": f"leak{n}", "source": "web", "text": f"{name} {items[n]['q']} {items[n]['a']}"} for n in range(4)]
    folder.mkdir()
    paths = [folder / f"{each}.jsonl" for each in ("pool", "base", "quiz")]
    base = [{"id": f"b{n}", "text": told("river")} for n in range(60)]
    for path, held in zip(paths, (rows, base, items), strict=True):
        path.write_text("".join(json.dumps(row) + "\n" for row in held))
    wanted = Wanted(f"quiz{name}", (paths[2],), "", {"prompt": "q", "answer": "a"})
    return survey(Order([paths[0]], [wanted], [paths[1]], name=f"corpus{name}", packing=Packing(64, 4)))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("corpus")
    return {
        kind: render_corpus(measured(folder / kind, name))
        for kind, name in zip(KINDS, ("", sample.HOSTILE), strict=True)
    }


def sheet_of(text: str) -> str:
    found = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_lets_the_page_through_and_nothing_else(pages: dict[str, str], kind: str) -> None:
    page = Page(pages[kind])
    digest = base64.b64encode(hashlib.sha256(sheet_of(pages[kind]).encode()).digest()).decode()
    policy = next(given["content"] for _, given in page.tags if given.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "link", "object", "embed", "image", "form"}
    for tag, given in page.tags:
        assert "style" not in given, tag
        assert not [key for key in given if key.startswith("on") or key in {"src", "srcset", "action", "xlink:href"}]
        assert given.get("href", "#").startswith("#"), given


@pytest.mark.parametrize("kind", KINDS)
def test_elements_nest_and_every_figure_has_a_twin(pages: dict[str, str], kind: str) -> None:
    page = Page(pages[kind])
    assert page.broken == page.open == []
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    assert {given["href"][1:] for _, given in page.tags if "href" in given} <= set(ids)
    pictures = re.findall(r"<svg .*?</svg>", pages[kind], re.DOTALL)
    assert len(pictures) >= 5
    for picture in pictures:
        assert re.search(r"<title [^>]*>[^<]+</title><desc [^>]*>[^<]+</desc>", picture)
        ElementTree.fromstring(picture)
    figures = pages[kind].split("<figure>")[1:]
    assert len(figures) >= 4
    twin = r"</figure>\s*<details><summary>Numbers of figure \d</summary>\s*<div class=\"scroll\""
    assert all(re.search(twin, figure) for figure in figures)


def test_hostile_names_are_words_wherever_they_stand(pages: dict[str, str]) -> None:
    text = pages["hostile"]
    assert "<img" not in text
    assert "</script" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    shown = Page(text).text
    for place in ("corpus", "quiz", "s0"):  # the title, a benchmark, a source
        assert f'{place}<img src=x onerror="alert(1)">\\x1b[31m\\u202eevil</script>' in shown, place


@pytest.mark.parametrize("kind", KINDS)
def test_every_colour_in_a_figure_has_a_class_that_follows_the_mode(pages: dict[str, str], kind: str) -> None:
    sheet = sheet_of(pages[kind])
    for picture in re.findall(r"<svg .*?</svg>", pages[kind], re.DOTALL):
        root = ElementTree.fromstring(picture)
        for element in root.iter():
            classes = element.get("class", "").split()
            for key, letter in (("fill", "f"), ("stroke", "s")):
                colour = element.get(key, "none")
                if colour != "none":
                    assert f"{letter}-{BY_COLOUR[colour]}" in classes, element.attrib
            for name in classes:
                if re.fullmatch(r"[fs]-\w+", name):
                    assert f".{name}{{" in sheet, name


def test_every_colour_of_the_sheet_is_set_in_light_and_in_dark_and_print_is_light(pages: dict[str, str]) -> None:
    sheet = sheet_of(pages["plain"])
    root = re.search(r":root\{([^}]*)\}", sheet)
    dark = re.search(r"@media screen and \(prefers-color-scheme:dark\)\{:root\{([^}]*)\}\}", sheet)
    assert root is not None
    assert dark is not None
    used = set(re.findall(r"var\(--(\w+)\)", sheet))
    for block in (root.group(1), dark.group(1)):
        assert used <= set(re.findall(r"--(\w+):", block))
    assert sheet.count("prefers-color-scheme") == 1  # and that one is for screens: paper is white
    own = sheet[dark.end() :]
    assert not re.findall(r"(?<![\w-])(?:color|background|fill|stroke):#", own)
    assert set(ROLES) == set(re.findall(r"--(\w+):#", dark.group(1)))


def test_print_shows_whole_tables_and_keeps_figures_and_excerpts_together(pages: dict[str, str]) -> None:
    sheet = sheet_of(pages["plain"])
    printed = sheet[sheet.index("@media print{") :]
    kept = re.search(r"([^{}]*)\{break-inside:avoid\}", printed)
    assert kept is not None
    assert {"figure", "tr", ".excerpt"} <= set(kept.group(1).strip().split(","))
    assert re.search(r"\.scroll\{overflow:visible;max-height:none\}", printed)
    assert "nav,.skip,details{display:none}" in printed
    assert "th{position:static}" in printed
    classes = {name for _, given in Page(pages["plain"]).tags for name in given.get("class", "").split()}
    assert "excerpt" in classes


def test_a_declared_packing_is_told(pages: dict[str, str]) -> None:
    text = Page(pages["plain"]).text
    assert "Mixing in batches" in text
    assert "one source a batch" in text
