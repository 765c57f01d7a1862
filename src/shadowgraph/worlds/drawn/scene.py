"""What a picture shows, and how it looks.

Here live: the four kinds of scene, their data only, and the dress, which changes the look and no answer.
Not here: drawing (see `draw`), questions (see `worlds.visual`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from shadowgraph.errors import SpecError

SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "star", "diamond")
COLOURS: tuple[str, ...] = ("red", "blue", "green", "yellow", "purple", "orange")
PALETTES: tuple[str, ...] = ("day", "paper", "dusk", "night")
FONTS: tuple[str, ...] = ("sans", "serif", "mono")
AXIS = 10
"""Grid lines of a chart above zero; the axis ends at AXIS × step."""

SMALLEST = 160
LARGEST = 1024


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar or line chart: one value a label, each a whole multiple 1 … 9 of the step between grid lines."""

    labels: tuple[str, ...]
    values: tuple[int, ...]
    step: int
    form: Literal["bars", "line"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One coloured figure; row and column count from 1 at the top left."""

    shape: str
    colour: str
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Shapes:
    """Figures on a square grid of `side` × `side` cells, at most one a cell."""

    side: int
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A printed list: a word and a number on each line."""

    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Digits:
    """Scanned handwritten digits in rows; each number is an index into the scans of `digits.scans`."""

    rows: tuple[tuple[int, ...], ...]


Scene: TypeAlias = Chart | Shapes | Listing | Digits


@dataclass(frozen=True, slots=True)
class Dress:
    """How a scene is drawn.

    Attributes:
        palette: one of PALETTES; colours keep their names.
        size: width and height in pixels, 160 … 1024.
        font: one of FONTS.
        turned: bars lie instead of standing; anything else is given a quarter turn to the left.
        other_form: bars become a line and a line bars, figures hollow, a list a ruled table with the numbers first,
            digits light on dark tiles.
    """

    palette: str = "day"
    size: int = 224
    font: str = "sans"
    turned: bool = False
    other_form: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            SpecError: names the value and what may stand there.
        """
        for name, value, known in (("palette", self.palette, PALETTES), ("font", self.font, FONTS)):
            if value not in known:
                raise SpecError(f"there is no {name} {value!r}", where="dress", hint=f"choose from {', '.join(known)}")
        if not SMALLEST <= self.size <= LARGEST:
            raise SpecError(f"{self.size} pixels", where="dress", hint=f"give {SMALLEST} … {LARGEST}")
