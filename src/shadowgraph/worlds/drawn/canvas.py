"""The sheet that scenes are drawn on.

Here live: palettes, fonts, the sheet with its few strokes, and the PNG bytes of a finished picture.
Not here: what is drawn where (`charts`, `marks`).

Strokes are whole pixels; fonts are the DejaVu files that matplotlib brings, laid out by Pillow's basic engine. Equal
scenes give equal bytes for equal versions of Pillow and matplotlib.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from shadowgraph.errors import EnvironmentFault
from shadowgraph.worlds.drawn.scene import COLOURS, Dress

Colour = tuple[int, int, int]
Point = tuple[float, float]

_FILES = {"sans": "DejaVuSans.ttf", "serif": "DejaVuSerif.ttf", "mono": "DejaVuSansMono.ttf"}


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one look: ground, ink, grid lines, marks of charts, and a colour for each name of COLOURS."""

    ground: Colour
    ink: Colour
    grid: Colour
    mark: Colour
    named: dict[str, Colour]


def _named(*colours: Colour) -> dict[str, Colour]:
    return dict(zip(COLOURS, colours, strict=True))


_STRONG = _named((214, 39, 40), (31, 90, 200), (34, 139, 60), (245, 208, 20), (128, 50, 160), (245, 130, 20))
_SOFT = _named((190, 50, 60), (50, 100, 170), (70, 140, 80), (225, 195, 50), (130, 80, 150), (225, 135, 55))
_LIGHT = _named((255, 80, 80), (90, 150, 255), (80, 210, 110), (255, 230, 70), (200, 120, 240), (255, 160, 60))

LOOKS: dict[str, Palette] = {
    "day": Palette((255, 255, 255), (20, 20, 20), (205, 205, 205), (60, 110, 180), _STRONG),
    "paper": Palette((244, 236, 216), (60, 45, 30), (214, 202, 176), (140, 80, 60), _SOFT),
    "dusk": Palette((216, 224, 232), (25, 35, 55), (184, 194, 206), (20, 110, 110), _STRONG),
    "night": Palette((22, 24, 30), (235, 235, 235), (70, 74, 84), (240, 180, 90), _LIGHT),
}


@lru_cache(maxsize=64)
def font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    """One of FONTS at a height in pixels.

    Raises:
        EnvironmentFault: when matplotlib's fonts are missing.
    """
    spec = find_spec("matplotlib")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / _FILES[name]
        if path.is_file():
            return ImageFont.truetype(str(path), pixels, layout_engine=ImageFont.Layout.BASIC)
    raise EnvironmentFault(f"the font {_FILES[name]} was not found", hint="reinstall matplotlib, which brings it")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A square sheet in one dress; lengths are pixels, (0, 0) is the top left."""

    dress: Dress
    image: Image.Image = field(init=False)
    pen: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the ground."""
        size = (self.dress.size, self.dress.size)
        object.__setattr__(self, "image", Image.new("RGB", size, self.palette.ground))
        object.__setattr__(self, "pen", ImageDraw.Draw(self.image))

    @property
    def palette(self) -> Palette:
        """Colours of the dress."""
        return LOOKS[self.dress.palette]

    @property
    def line(self) -> int:
        """Width of a stroke."""
        return max(1, self.dress.size // 160)

    def letters(self, share: float) -> int:
        """Height of letters that take a share of the sheet's side."""
        return max(8, round(self.dress.size * share))

    def write(
        self, at: Point, text: str, height: int, anchor: Literal["lm", "mm", "rm", "ma"], colour: Colour | None = None
    ) -> None:
        """Write one line.

        Args:
            at: where its anchor lies.
            text: what.
            height: of the letters.
            anchor: the point of the text that lies there: left, middle or right of its middle line, or its top middle.
            colour: ink by default.
        """
        face = font(self.dress.font, height)
        self.pen.text(at, text, fill=colour or self.palette.ink, font=face, anchor=anchor)

    def width(self, text: str, height: int) -> float:
        """Width that a line of text takes."""
        return font(self.dress.font, height).getlength(text)

    def fitting(self, texts: tuple[str, ...], height: int, width: float) -> int:
        """The largest height of letters, up to `height` and down to 6, in which each text fits the width."""
        while height > 6 and any(self.width(text, height) > width for text in texts):
            height -= 1
        return height


def png(image: Image.Image) -> bytes:
    """The picture as PNG: colours only, nothing about its origin."""
    held = io.BytesIO()
    image.save(held, format="PNG", compress_level=6)
    return held.getvalue()
