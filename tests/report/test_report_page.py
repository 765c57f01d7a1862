"""The pages: equal bytes, a strict policy, escaped names, a twin for every figure, reasons for missing numbers."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
import report_sample as sample

from shadowgraph.errors import DataError, SpecError
from shadowgraph.report.report import render_audit, render_study, study_pictures

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr"}
BUDGET = 500_000


class Page(HTMLParser):
    """Collects tags, attributes and visible text, and checks that elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.broken: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@lru_cache(maxsize=4)
def _rendered(name: str) -> str:
    if name == "audit":
        return render_audit(sample.audit())
    return render_study(sample.hostile() if name == "hostile" else sample.study())


PAGES = ("study", "hostile", "audit")


def test_equal_results_give_equal_bytes_whatever_the_user_configured() -> None:
    with matplotlib.rc_context({"font.size": 31.0, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert render_study(sample.study()) == _rendered("study")
        assert matplotlib.rcParams["font.size"] == 31.0


def test_equal_bytes_in_another_process_with_another_hash_seed() -> None:
    code = (
        "import sys, json, hashlib; from shadowgraph.report.report import render_study;"
        "print(hashlib.sha256(render_study(json.load(sys.stdin)).encode()).hexdigest())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(sample.study()),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "1234", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    assert found.stdout.strip() == hashlib.sha256(_rendered("study").encode()).hexdigest()


@pytest.mark.parametrize("name", PAGES)
def test_policy_allows_the_page_itself_and_nothing_else(name: str) -> None:
    text = _rendered(name)
    page = Page(text)
    sheet = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert sheet is not None
    digest = base64.b64encode(hashlib.sha256(sheet.group(1).encode()).digest()).decode()
    policies = [given["content"] for _, given in page.tags if given.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert text.count("<style") == 1
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "link", "object", "embed", "image", "form"}
    for tag, given in page.tags:
        assert "style" not in given, tag
        assert not [key for key in given if key.startswith("on") or key in {"src", "srcset", "action", "xlink:href"}]
        assert given.get("href", "#").startswith("#"), given
        assert "url(" not in json.dumps(given) or given.get("clip-path", "").startswith("url(#"), given
    assert "url(" not in sheet.group(1)
    assert "@import" not in sheet.group(1)


@pytest.mark.parametrize("name", PAGES)
def test_elements_nest_and_ids_are_unique_and_resolve(name: str) -> None:
    page = Page(_rendered(name))
    assert page.broken == []
    assert page.open == []
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    for _, given in page.tags:
        wanted = given.get("aria-labelledby", "").split()
        wanted += [given["href"][1:]] if "href" in given else []
        wanted += re.findall(r"url\(#([^)]*)\)", given.get("clip-path", ""))
        assert set(wanted) <= set(ids)


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_has_a_name_a_description_and_a_twin(name: str) -> None:
    text = _rendered(name)
    pictures = re.findall(r"<svg .*?</svg>", text, re.DOTALL)
    assert len(pictures) >= (2 if name == "audit" else 14)
    for picture in pictures:
        assert 'role="img"' in picture
        assert re.search(r"<title [^>]*>[^<]+</title><desc [^>]*>[^<]+</desc>", picture)
    figures = text.split("<figure>")[1:]
    assert len(figures) == (1 if name == "audit" else 6)
    for figure in figures:
        assert re.search(
            r"</figure>\s*<details><summary>Numbers of figure \d</summary>\s*<div class=\"scroll\"", figure
        )


def test_hostile_names_are_shown_as_words() -> None:
    for name in ("hostile", "audit"):
        text = _rendered(name)
        assert "<img" not in text
        assert "</script" not in text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
        assert "\\x1b[31m\\u202eevil" in Page(text).text


def test_the_answer_stands_first_with_level_and_limits() -> None:
    text, result = Page(_rendered("study")).text, sample.study()
    places = [text.index(item) for item in (*result["answer"]["sentences"], "Claim level L1", "What limits it")]
    assert places == sorted(places)
    assert all(item in text for item in (*result["answer"]["limits"], *result["limits"]))
    assert places[-1] < text.index("The endpoint, draw by draw")


def test_missing_numbers_show_their_reason_and_never_a_machine_word() -> None:
    text = Page(_rendered("study")).text
    assert not re.search(r"\b(nan|NaN|None|inf|null,|undefined|Undefined|True|False)\b", text)
    for reason in ("not estimable", "lost worker", "no change", "not measured"):
        assert reason in text


def test_not_finite_numbers_are_named_not_printed() -> None:
    result = sample.study()
    result["primary"]["estimate"] = float("nan")
    result["runs"][0]["K"] = float("inf")
    text = Page(render_study(result)).text
    assert "not finite" in text
    assert not re.search(r"\b(nan|inf)\b", text)


def test_arms_unmatched_on_novelty_and_missed_calipers_are_called_so() -> None:
    text = _rendered("study")
    assert re.search(r'aligned <em class="novel">newer</em>', text)
    assert text.count(">missed<") == 3
    assert text.count(">met<") == 6
    plain = sample.study()
    for arm in plain["arms"]:
        arm["novelty"] = "within"
    assert "No arm is marked as beyond the calipers of novelty." in render_study(plain)
    plain["arms"][0]["novelty"] = "familiar"
    assert re.search(r'aligned <em class="novel">more familiar</em>', render_study(plain))


def test_the_twin_of_the_heat_map_holds_the_differences_of_the_result() -> None:
    arms = sample.study()["heatmap"]["arms"]
    expected = f"{arms['aligned'][2][3] - arms['covering'][2][3]:+.3f}"
    row = re.search(r"<tr><td class=\"\">v</td><td class=\"num \">3</td>.*?</tr>", _rendered("study"))
    assert row is not None
    assert expected in row.group()


def test_equivalence_at_the_top_needs_every_test_of_the_pair() -> None:
    assert '<dd class="big">not shown</dd>' in _rendered("study")
    both = sample.study()
    both["equivalence"][1]["equivalent"] = True
    assert '<dd class="big">equivalent</dd>' in render_study(both)


def test_an_empty_result_makes_a_page_that_says_what_is_missing() -> None:
    page = Page(render_study({"schema_version": "1.0", "kind": "study"}))
    assert page.broken == []
    assert page.text.count("The result holds no") >= 6
    audit = Page(render_audit({"schema_version": "1.0", "kind": "audit"}))
    assert "The result holds no map" in audit.text


def test_eighty_layers_stay_in_budget() -> None:
    result = copy.deepcopy(sample.study())
    heat = result["heatmap"]
    layers = 80
    heat["layers"] = list(range(layers))
    heat["arms"] = {name: [(row * layers)[:layers] for row in grid] for name, grid in heat["arms"].items()}
    assert len(render_study(result).encode()) <= BUDGET


def _wrong_kind(result: dict[str, Any]) -> None:
    result["kind"] = "audit"


def _wrong_number(result: dict[str, Any]) -> None:
    result["arms"][2]["endpoint"]["K"]["mean"] = "0.7"


def _wrong_list(result: dict[str, Any]) -> None:
    result["runs"] = {"a": 1}


@pytest.mark.parametrize(
    ("spoil", "where"),
    [(_wrong_kind, "kind"), (_wrong_number, "arms[2].endpoint.K.mean"), (_wrong_list, "result.json: runs")],
)
def test_a_wrong_type_names_its_place(spoil: Callable[[dict[str, Any]], None], where: str) -> None:
    result = sample.study()
    spoil(result)
    with pytest.raises(DataError) as caught:
        render_study(result)
    assert where in caught.value.where


def test_a_newer_schema_is_refused_with_advice() -> None:
    with pytest.raises(SpecError, match="install the version"):
        render_study(sample.study() | {"schema_version": "2.0"})


def test_a_figure_stands_alone_as_an_svg_file() -> None:
    pictures = study_pictures(sample.study())
    assert list(pictures) == ["endpoints", "heatmap", "spectra", "training", "scatter", "forest"]
    text = pictures["heatmap"]
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme" in text
    assert "scatter" not in study_pictures(sample.study() | {"scores": []})


def test_the_audit_page_names_codes_fates_and_what_was_skipped() -> None:
    text = Page(_rendered("audit")).text
    for item in ("inconclusive", "SG001", "SG004", "L0", "no reference of runs", "not a matrix"):
        assert item in text
    assert not re.search(r"\b(safe|certified|contaminated)\b", text)


def test_variants_of_k_share_a_panel() -> None:
    text = _rendered("study")
    assert "difference of variants of K, nats" in text
    assert "K:stable_rank" not in text.split("<figure>")[-1].split("<details>", maxsplit=1)[0]
    assert "stable rank: +0.29" in text
