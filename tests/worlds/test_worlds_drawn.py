"""Pictures: what was drawn can be read back from the pixels, in every dress, and nothing runs off the sheet."""

from __future__ import annotations

import colorsys
import io
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from shadowgraph.errors import SpecError
from shadowgraph.worlds.drawn.canvas import LOOKS, font
from shadowgraph.worlds.drawn.draw import draw, draw_png
from shadowgraph.worlds.drawn.marks import scans
from shadowgraph.worlds.drawn.scene import (
    AXIS,
    COLOURS,
    FONTS,
    PALETTES,
    SHAPES,
    Chart,
    Digits,
    Dress,
    Figure,
    Listing,
    Shapes,
)
from shadowgraph.worlds.visual import visual_items

CHART = Chart(("pear", "plum", "glove", "corn", "chair"), (15, 35, 5, 45, 25), 5, "bars")
SHAPES_SCENE = Shapes(3, tuple(Figure(SHAPES[n % 5], COLOURS[n % 6], 1 + n // 3, 1 + n % 3) for n in range(8)))
LISTING = Listing((("kettle", 17), ("rope", 3), ("candle", 88), ("drum", 41)))
DIGITS = Digits(((11, 22, 33), (44, 55, 66), (77, 88, 99)))
SCENES = (CHART, replace(CHART, form="line"), SHAPES_SCENE, LISTING, DIGITS)
DRESSES = [
    Dress(palette, size, font, turned, form)
    for (palette, size, font), turned, form in product(
        [("day", 224, "sans"), ("paper", 160, "serif"), ("dusk", 336, "mono"), ("night", 250, "sans")],
        (False, True),
        (False, True),
    )
]
Pixels = NDArray[np.uint8]


def pixels(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"))


def matches(image: Pixels, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return (image == np.array(colour, np.uint8)).all(axis=-1)


def runs(mask: NDArray[np.bool_] | np.bool_) -> list[tuple[int, int]]:
    """Begin and end of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def axis_length(ink: NDArray[np.bool_]) -> int:
    """Length of the longest stroke of ink, along columns."""
    return max(stop - start for column in ink.T for start, stop in runs(column))


@pytest.mark.parametrize("dress", DRESSES, ids=str)
def test_nothing_touches_the_edge_and_the_picture_is_whole(dress: Dress) -> None:
    for scene in SCENES:
        data = draw_png(scene, dress)
        assert data == draw_png(scene, dress)
        with Image.open(io.BytesIO(data)) as held:
            held.verify()
        with Image.open(io.BytesIO(data)) as held:
            assert (held.size, held.mode) == ((dress.size, dress.size), "RGB")
            image = pixels(held)
        ground = matches(image, LOOKS[dress.palette].ground)
        assert ground[0].all() and ground[-1].all() and ground[:, 0].all() and ground[:, -1].all(), scene  # noqa: PT018
        assert 0.002 < 1 - ground.mean() < 0.9


def test_labels_of_made_charts_stay_apart_and_inside() -> None:
    charts = [item.scene for item in visual_items(2, 30, scenes=("chart",))]
    for scene in charts:
        for turned, size in product((False, True), (160, 224)):
            image = pixels(draw(scene, Dress(size=size, font="mono", turned=turned)))
            ground = matches(image, LOOKS["day"].ground)
            assert ground[0].all() and ground[-1].all() and ground[:, 0].all() and ground[:, -1].all()  # noqa: PT018


@settings(max_examples=15)
@given(
    values=st.lists(st.integers(1, 9), min_size=4, max_size=6, unique=True),
    step=st.sampled_from((1, 2, 5, 10)),
    palette=st.sampled_from(PALETTES),
    size=st.integers(160, 500),
    turned=st.booleans(),
)
def test_bars_measure_their_values(values: list[int], step: int, palette: str, size: int, turned: bool) -> None:
    labels = ("pear", "plum", "glove", "corn", "chair", "key")[: len(values)]
    chart = Chart(labels, tuple(step * value for value in values), step, "bars")
    image = pixels(draw(chart, Dress(palette=palette, size=size, turned=turned)))
    if turned:  # a mirror along the diagonal makes columns of rows
        image = image.transpose(1, 0, 2)
    look = LOOKS[palette]
    unit = axis_length(matches(image, look.ink)) / AXIS
    mark = matches(image, look.mark)
    heights = [int(mark[:, start:stop].any(axis=1).sum()) for start, stop in runs(mark.any(axis=0))]
    assert [round(height / unit) for height in heights] == values


@pytest.mark.parametrize("other_form", [False, True])
def test_lines_pass_through_their_values(other_form: bool) -> None:
    months = ("Jan", "Feb", "Mar", "Apr", "May")
    chart = Chart(months, (3, 9, 1, 8, 4), 1, "bars" if other_form else "line")
    image = pixels(draw(chart, Dress(other_form=other_form)))
    mark, ink = matches(image, LOOKS["day"].mark), matches(image, LOOKS["day"].ink)
    unit = axis_length(ink) / AXIS
    bottom = max(stop for column in ink.T for start, stop in runs(column) if stop - start > 9 * unit)
    columns = np.flatnonzero(mark.any(axis=0))
    radius = 3
    first, last = columns[0] + radius, columns[-1] - radius
    for place, value in enumerate(chart.values):
        column = round(first + (last - first) * place / 4)
        middle = np.flatnonzero(mark[:, column]).mean()
        assert (bottom - middle) / unit == pytest.approx(value, abs=0.25)


@pytest.mark.parametrize("palette", PALETTES)
def test_figures_have_their_colour_and_their_cell(palette: str) -> None:
    for other_form in (False, True):
        image = pixels(draw(SHAPES_SCENE, Dress(palette=palette, size=300, other_form=other_form)))
        margin, cell = 15, 90
        for figure in SHAPES_SCENE.figures:
            top, left = margin + (figure.row - 1) * cell, margin + (figure.column - 1) * cell
            inside = image[top + 3 : top + cell - 3, left + 3 : left + cell - 3]
            shares = {name: matches(inside, LOOKS[palette].named[name]).mean() for name in COLOURS}
            assert max(shares, key=lambda name: shares[name]) == figure.colour
            assert sum(share > 0 for share in shares.values()) == 1
            assert (shares[figure.colour] > 0.1) if not other_form else (0.02 < shares[figure.colour] < 0.3)
        empty = image[margin + 2 * cell + 3 : margin + 3 * cell - 3, margin + 2 * cell + 3 : margin + 3 * cell - 3]
        assert matches(empty, LOOKS[palette].ground).all()


def test_shapes_differ_in_their_outline() -> None:
    drawn = {shape: pixels(draw(Shapes(1, (Figure(shape, "red", 1, 1),)))) for shape in SHAPES}
    for one, other in product(SHAPES, SHAPES):
        assert (one == other) == bool((drawn[one] == drawn[other]).all())
    filled = {shape: matches(image, LOOKS["day"].named["red"]).sum() for shape, image in drawn.items()}
    assert filled["circle"] > filled["diamond"] > filled["star"]


def test_colours_keep_their_names_in_every_palette() -> None:
    # Hue in degrees of each name; every shade lies nearest to its own name and stands off the ground.
    hues = {"red": 0, "orange": 28, "yellow": 50, "green": 130, "blue": 217, "purple": 283}
    for palette in PALETTES:
        look = LOOKS[palette]
        for name, colour in look.named.items():
            hue = 360 * colorsys.rgb_to_hsv(*(part / 255 for part in colour))[0]
            away = {other: min(abs(hue - middle), 360 - abs(hue - middle)) for other, middle in hues.items()}
            assert min(away, key=lambda other: away[other]) == name, (palette, name, hue)
            assert sum(abs(a - b) for a, b in zip(colour, look.ground, strict=True)) > 90
        assert sum(abs(a - b) for a, b in zip(look.ink, look.ground, strict=True)) > 300


@pytest.mark.parametrize("dress", [Dress(), Dress(palette="night"), Dress(other_form=True, size=300)], ids=str)
def test_scans_can_be_read_back(dress: Dress) -> None:
    # Shrunk to 8 × 8 each tile correlates with its own scan, and more than with any other scan of the data.
    images, labels = scans()
    image = pixels(draw(DIGITS, dress)).astype(np.float64).mean(axis=-1)
    look = LOOKS[dress.palette]
    darker_ink = (sum(look.ink) < sum(look.ground)) != dress.other_form
    margin, cell = dress.size // 12, (dress.size - 2 * (dress.size // 12)) // 3
    top = left = (dress.size - 3 * cell) // 2
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    assert margin <= top
    for row, indices in enumerate(DIGITS.rows):
        for column, index in enumerate(indices):
            y, x = top + row * cell, left + column * cell
            tile = Image.fromarray(image[y : y + cell - 2, x : x + cell - 2].astype(np.float32))
            small = np.asarray(tile.resize((8, 8), Image.Resampling.BOX), np.float64)
            small = (-small if darker_ink else small).ravel()
            close = flat @ (small - small.mean()) / small.std() / 64
            assert close[index] > 0.97
            assert labels[int(close.argmax())] == labels[index]


@pytest.mark.parametrize("other_form", [False, True])
def test_a_number_of_a_list_lives_on_its_line(other_form: bool) -> None:
    changed = Listing((*LISTING.lines[:2], ("candle", 89), *LISTING.lines[3:]))
    before, after = (pixels(draw(scene, Dress(other_form=other_form))) for scene in (LISTING, changed))
    rows = np.flatnonzero((before != after).any(axis=(1, 2)))
    pitch = 224 / 5
    assert 2.5 * pitch < rows.min() <= rows.max() < 3.5 * pitch


def test_turned_is_a_quarter_turn_but_for_bars() -> None:
    for scene in SCENES:
        plain, turned = draw(scene), draw(scene, Dress(turned=True))
        back = turned.transpose(Image.Transpose.ROTATE_270)
        assert (scene == CHART) == (pixels(plain) != pixels(back)).any()


def test_a_dress_changes_pixels_and_wrong_ones_are_refused() -> None:
    plain = draw_png(CHART)
    others = (
        [Dress(palette=name) for name in PALETTES[1:]] + [Dress(font=name) for name in FONTS[1:]] + [Dress(size=300)]
    )
    assert len({plain, *(draw_png(CHART, dress) for dress in others)}) == len(others) + 1
    for wrong in ({"palette": "neon"}, {"font": "comic"}, {"size": 20}, {"size": 5000}):
        with pytest.raises(SpecError, match="dress"):
            Dress(**wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert font("sans", 12) is font("sans", 12)
