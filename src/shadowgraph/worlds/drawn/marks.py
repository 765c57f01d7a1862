"""Figures on a grid, printed lists and scanned digits.

Here live: drawing `Shapes`, `Listing` and `Digits`, and the scans.
Not here: charts (`charts`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shadowgraph.errors import require
from shadowgraph.worlds.drawn.canvas import Colour, Point, Sheet
from shadowgraph.worlds.drawn.scene import Digits, Figure, Listing, Shapes

_DARKEST = 16  # grey levels of a scan


def draw_shapes(sheet: Sheet, shapes: Shapes) -> None:
    """Draw figures, full or hollow, in the cells of a ruled grid."""
    size = sheet.dress.size
    margin = size // 20
    cell = (size - 2 * margin) // shapes.side
    for place in range(shapes.side + 1):
        at, end = margin + place * cell, margin + shapes.side * cell
        sheet.pen.line([(margin, at), (end, at)], fill=sheet.palette.grid, width=sheet.line)
        sheet.pen.line([(at, margin), (at, end)], fill=sheet.palette.grid, width=sheet.line)
    for figure in shapes.figures:
        middle = margin + (figure.column - 0.5) * cell, margin + (figure.row - 0.5) * cell
        _figure(sheet, figure, middle, 0.36 * cell)


def _figure(sheet: Sheet, figure: Figure, middle: Point, radius: float) -> None:
    """One figure around its middle."""
    (x, y), colour = middle, sheet.palette.named[figure.colour]
    hollow = sheet.dress.other_form
    stroke = max(3 * sheet.line, round(radius / 4)) if hollow else sheet.line
    fill, edge = (sheet.palette.ground, colour) if hollow else (colour, sheet.palette.ink)
    if figure.shape == "circle":
        sheet.pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill, outline=edge, width=stroke)
        return
    if figure.shape == "square":
        half = 0.85 * radius
        corners = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    elif figure.shape == "diamond":
        corners = [(x, y - radius), (x + 0.7 * radius, y), (x, y + radius), (x - 0.7 * radius, y)]
    elif figure.shape == "triangle":
        corners = [_around(middle, radius, turn / 3) for turn in range(3)]
    else:
        corners = [_around(middle, radius if turn % 2 == 0 else 0.42 * radius, turn / 10) for turn in range(10)]
    sheet.pen.polygon(corners, fill=fill, outline=edge, width=stroke)


def _around(middle: Point, radius: float, turn: float) -> Point:
    """The point at a share of a full turn, clockwise from the top."""
    angle = 2 * math.pi * turn
    return round(middle[0] + radius * math.sin(angle), 3), round(middle[1] - radius * math.cos(angle), 3)


def draw_listing(sheet: Sheet, listing: Listing) -> None:
    """Print a list; the other form is a ruled table with the number before the word."""
    size = sheet.dress.size
    pitch = size / (len(listing.lines) + 1)
    height = min(sheet.letters(0.09), round(pitch * 0.6))
    left, middle, right = size * 0.12, size * 0.4, size * 0.88
    for place, (word, number) in enumerate(listing.lines):
        y = (place + 1) * pitch
        if sheet.dress.other_form:
            sheet.write((middle - height / 2, y), str(number), height, "rm")
            sheet.write((middle + height / 2, y), word, height, "lm")
        else:
            sheet.write((left, y), word, height, "lm")
            sheet.write((right, y), str(number), height, "rm")
    if sheet.dress.other_form:
        top, bottom = pitch / 2, size - pitch / 2
        for place in range(len(listing.lines) + 1):
            y = (place + 0.5) * pitch
            sheet.pen.line([(left, y), (right, y)], fill=sheet.palette.grid, width=sheet.line)
        for x in (left, middle, right):
            sheet.pen.line([(x, top), (x, bottom)], fill=sheet.palette.grid, width=sheet.line)


def draw_digits(sheet: Sheet, digits: Digits) -> None:
    """Paste scans in rows; the other form puts light strokes on dark tiles."""
    images, _ = scans()
    size = sheet.dress.size
    margin = size // 12
    columns = max(len(row) for row in digits.rows)
    cell = (size - 2 * margin) // max(columns, len(digits.rows))
    paper, ink = sheet.palette.ground, sheet.palette.ink
    if sheet.dress.other_form:
        paper, ink = ink, paper
    top = (size - cell * len(digits.rows)) // 2
    for row, indices in enumerate(digits.rows):
        left = (size - cell * len(indices)) // 2
        for column, index in enumerate(indices):
            tile = _tile(images[index], cell - 2 * sheet.line, paper, ink)
            sheet.image.paste(tile, (left + column * cell, top + row * cell))


def _tile(scan: NDArray[np.uint8], side: int, paper: Colour, ink: Colour) -> Image.Image:
    """One scan, enlarged to a square, its darkness blending from paper to ink."""
    darkness = Image.fromarray((scan.astype(np.uint16) * 255 // _DARKEST).astype(np.uint8))
    mask = darkness.resize((side, side), Image.Resampling.BICUBIC)
    tile = Image.new("RGB", (side, side), paper)
    tile.paste(ink, (0, 0, side, side), mask)
    return tile


@lru_cache(maxsize=1)
def scans() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Scans (1797, 8, 8) of handwritten digits, 0 … 16 with 16 darkest, and what each shows (1797,).

    The data are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, 1998), as
    scikit-learn carries them; the labels are those of the data.

    Raises:
        EnvironmentFault: when scikit-learn is missing.
    """
    require("sklearn", "worlds")
    from sklearn.datasets import load_digits  # pyright: ignore[reportMissingTypeStubs]

    data: Any = load_digits()
    return data.images.astype(np.uint8), data.target.astype(np.int64)
