"""The palette: readable words, arms told apart by people with colour deficiencies, no colour outside it."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from shadowgraph.errors import Defect
from shadowgraph.report import draw
from shadowgraph.report.palette import ARM_COLOURS, BY_COLOUR, DIVERGING, ROLES, SEQUENTIAL, arm_style, stylesheet
from shadowgraph.report.svg import inline

# Full protanopia and deuteranopia in linear RGB: Machado, Oliveira & Fernandes 2009, table 1 (severity 1.0).
DEFICIENCY = {
    "none": np.eye(3),
    "protan": np.array([
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ]),
    "deutan": np.array([
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip


def _linear(colour: str) -> np.ndarray:
    raw = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(raw <= 0.04045, raw / 12.92, ((raw + 0.055) / 1.055) ** 2.4)


def _contrast(first: str, second: str) -> float:
    low, high = sorted(float(_linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def _lab(linear: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    ratio = np.clip(xyz / [0.9505, 1.0, 1.089], 0, None)
    curve = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * curve[1] - 16, 500 * (curve[0] - curve[1]), 200 * (curve[1] - curve[2])])


@pytest.mark.parametrize("mode", [0, 1])
def test_words_and_marks_have_contrast(mode: int) -> None:
    paper = ROLES["paper"][mode]
    assert min(_contrast(ROLES[role][mode], paper) for role in ("ink", "muted")) >= 4.5
    assert min(_contrast(ROLES[f"a{step}"][mode], paper) for step in range(ARM_COLOURS)) >= 3
    for step in range(DIVERGING):
        assert (
            _contrast(ROLES[f"d{step}"][mode], ROLES["on" if abs(step - DIVERGING // 2) >= 4 else "ink"][mode]) >= 4.5
        )
    for step in range(SEQUENTIAL):
        assert _contrast(ROLES[f"q{step}"][mode], ROLES["on" if step >= 5 else "ink"][mode]) >= 4.5


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("sight", list(DEFICIENCY))
def test_the_first_four_arms_are_told_apart(mode: int, sight: str) -> None:
    seen = [_lab(DEFICIENCY[sight] @ _linear(ROLES[f"a{step}"][mode])) for step in range(4)]
    assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2)) >= 12


def test_arms_differ_in_marker_and_dash_too() -> None:
    styles = [arm_style(step) for step in range(ARM_COLOURS)]
    assert len({style.marker for style in styles}) == len({style.dash for style in styles}) == ARM_COLOURS
    assert arm_style(ARM_COLOURS) == arm_style(0)


def test_light_colours_are_unique_keys_and_every_role_has_its_classes() -> None:
    assert len(BY_COLOUR) == len(ROLES)
    sheet = stylesheet()
    assert all(f".f-{role}{{" in sheet and f".s-{role}{{" in sheet for role in ROLES)


def test_a_colour_outside_the_palette_is_a_defect() -> None:
    with draw.drawing():
        figure = draw.canvas(100, 100)
        axes = draw.plot_area(figure, 10, 10, 10, 10)
        axes.plot([0, 1], [0, 1], color="#123456")
        with pytest.raises(Defect, match="#123456"):
            inline(figure, "x", "title", "description")


def test_markup_has_classes_in_place_of_styles_and_words_stay_words() -> None:
    with draw.drawing():
        figure = draw.canvas(200, 100)
        axes = draw.plot_area(figure, 10, 30, 10, 30)
        draw.head(axes, "a & b <c> $x$")
        draw.dots(axes, [0.2, 0.4], [0.3, 0.1], arm_style(1))
        text = str(inline(figure, "key", "title <1>", "description"))
    assert "style=" not in text
    assert "<style" not in text
    assert "a &amp; b &lt;c&gt; $x$" in text
    assert "title &lt;1&gt;" in text
    assert re.search(r'class="[^"]*f-a1', text)
    assert set(re.findall(r'href="([^"]{5})', text)) == {"#key-"}
