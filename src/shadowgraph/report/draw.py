# pyright: reportUnknownMemberType=false
"""The hand that draws: one style, one grid, no rotated words.

Here live: the drawing context and the few marks every figure is made of.
Not here: what a figure shows (figures.py, effects.py) and how it becomes markup (svg.py).
Units are pixels of the finished SVG; text is laid out for the reader's own sans-serif font.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from shadowgraph.report.palette import ArmStyle, light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = 12.0
SMALL = 11.0
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "shadowgraph",
    "svg.image_inline": True,
    "font.family": ["DejaVu Sans"],
    "font.size": SIZE,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "figure.dpi": 72,
    "savefig.dpi": 72,
    "path.simplify": False,
    "lines.solid_capstyle": "round",
}


@contextmanager
def drawing() -> Generator[None, None, None]:
    """Draw with matplotlib's own defaults and our settings, whatever the user's configuration says."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast("Any", _SETTINGS))
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def canvas(width: float, height: float) -> Figure:
    """An empty transparent figure of a size in pixels."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    FigureCanvasSVG(figure)
    return figure


def plot_area(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Axes inside margins given in pixels, with the house look.

    Args:
        figure: where the axes are added.
        left: margin between the plot and the edge of the figure, pixels.
        top: the same above.
        right: the same on the right.
        bottom: the same below.
    """
    width, height = (72 * float(side) for side in figure.get_size_inches())
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(light("axis"))
    axes.spines["bottom"].set_linewidth(0.8)
    axes.tick_params(
        colors=light("muted"), labelcolor=light("muted"), labelsize=SMALL, length=3.5, width=0.8, pad=4,
    )  # fmt: skip
    axes.tick_params(axis="both", which="minor", length=2, width=0.6, colors=light("axis"))
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_axisbelow(True)
    return axes


def rule(axes: Axes, axis: str = "y") -> None:
    """Light grid lines across one axis."""
    axes.grid(visible=True, axis="y" if axis == "y" else "x", color=light("grid"), linewidth=0.8)


def head(axes: Axes, text: str, *, offset: float = 12.0, left: float = 0.0) -> None:
    """The name of the vertical quantity, set above the plot in place of a rotated label.

    Args:
        axes: where to write.
        text: the words.
        offset: height above the plot, pixels.
        left: how far before the plot the words begin, pixels.
    """
    axes.annotate(text, (0, 1), (-left, offset), xycoords="axes fraction", textcoords="offset points",
                  fontsize=SIZE, color=light("ink"), ha="left", va="bottom", annotation_clip=False)  # fmt: skip


def note_under(axes: Axes, text: str, *, left: float = 0.0) -> None:
    """A second, quieter line between the name of a plot and the plot."""
    axes.annotate(text, (0, 1), (-left, 12), xycoords="axes fraction", textcoords="offset points", fontsize=SMALL,
                  color=light("muted"), ha="left", va="bottom", annotation_clip=False)  # fmt: skip


def side_note(axes: Axes, text: str, y: float, *, role: str = "ink", bold: bool = False) -> None:
    """The name of a row, flush right in the left margin.

    Args:
        axes: where to write.
        text: the words.
        y: height of their middle, data coordinate.
        role: role of the colour, a key of `palette.ROLES`.
        bold: whether the words are bold.
    """
    axes.annotate(text, (0, y), (-8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                  fontsize=SMALL, color=light(role), ha="right", va="center", annotation_clip=False,
                  fontweight="bold" if bold else "normal")  # fmt: skip


def foot(axes: Axes, text: str, *, offset: float = 30.0) -> None:
    """The name of the horizontal quantity, flush right under the axis."""
    axes.annotate(text, (1, 0), (0, -offset), xycoords="axes fraction", textcoords="offset points",
                  fontsize=SMALL, color=light("muted"), ha="right", va="top", annotation_clip=False)  # fmt: skip


def note(axes: Axes, text: str, x: float, y: float, *, role: str = "ink", ha: str = "left", size: float = SMALL,
         bold: bool = False) -> None:  # fmt: skip
    """Words at a data point.

    Args:
        axes: where to write.
        text: the words.
        x: data coordinate.
        y: data coordinate of the middle of the words.
        role: role of the colour, a key of `palette.ROLES`.
        ha: which end of the words stands at x: "left", "center" or "right".
        size: font size, pixels.
        bold: whether the words are bold.
    """
    axes.text(x, y, text, fontsize=size, color=light(role), ha=ha, va="center",
              fontweight="bold" if bold else "normal", clip_on=False)  # fmt: skip


def row_note(axes: Axes, text: str, y: float, *, role: str = "ink", end: bool = False, bold: bool = False) -> None:
    """Words at a height of the data, flush with the left or the right end of the plot.

    Args:
        axes: where to write.
        text: the words.
        y: height of their middle, data coordinate.
        role: role of the colour, a key of `palette.ROLES`.
        end: True for the right end, False for the left.
        bold: whether the words are bold.
    """
    axes.text(1.0 if end else 0.0, y, text, transform=axes.get_yaxis_transform(), fontsize=SMALL, color=light(role),
              ha="right" if end else "left", va="center", fontweight="bold" if bold else "normal",
              clip_on=False)  # fmt: skip


def dots(axes: Axes, x: Sequence[float], y: Sequence[float], style: ArmStyle, *, size: float = 6.0,
         alpha: float = 0.8) -> None:  # fmt: skip
    """Marks of one arm, ringed in the paper's colour so that overlaps stay countable.

    Args:
        axes: where to draw.
        x: data coordinates.
        y: as many; a mark outside the plot is not clipped.
        style: gives colour and marker.
        size: width of a mark, pixels.
        alpha: opacity, 0 … 1.
    """
    axes.plot(list(x), list(y), linestyle="none", marker=style.marker, markersize=size, color=style.colour,
              markeredgecolor=light("paper"), markeredgewidth=0.8, alpha=alpha, clip_on=False)  # fmt: skip


def line(axes: Axes, x: Sequence[float], y: Sequence[float], style: ArmStyle, *, width: float = 2.0,
         alpha: float = 1.0) -> None:  # fmt: skip
    """A line in an arm's colour and dash; gaps (nan) break it.

    Args:
        axes: where to draw.
        x: data coordinates.
        y: as many.
        style: gives colour and dash; an empty dash is a solid line.
        width: of the line, pixels.
        alpha: opacity, 0 … 1.
    """
    axes.plot(list(x), list(y), color=style.colour, linewidth=width, alpha=alpha,
              dashes=style.dash or (None, None), solid_joinstyle="round")  # fmt: skip


def thread(axes: Axes, x: Sequence[float], y: Sequence[float], style: ArmStyle) -> None:
    """A thin plain line for one draw among many.

    Args:
        axes: where to draw.
        x: data coordinates.
        y: as many; gaps (nan) break the line.
        style: gives the colour alone.
    """
    axes.plot(list(x), list(y), color=style.colour, linewidth=0.9, alpha=0.35, solid_joinstyle="round")


def zero_line(axes: Axes, *, vertical: bool = True) -> None:
    """The line of no difference."""
    draw = axes.axvline if vertical else axes.axhline
    draw(0, color=light("axis"), linewidth=1.0, zorder=1)


def gaps(values: Sequence[float | None]) -> list[float]:
    """Numbers to draw, a missing one as nan, which breaks a line."""
    return [float("nan") if item is None else item for item in values]


def span(values: Sequence[float], pad: float = 0.06, *, zero: bool = False) -> tuple[float, float]:
    """Limits around values with a margin; never of zero width."""
    known = [*values, 0.0] if zero else list(values)
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    room = (high - low) * pad or max(abs(high) * pad, 0.05)
    return low - room, high + room


def nice_limit(largest: float) -> float:
    """The next of 0.1, 0.2, 0.5, 1, 2, 5, … so that two reports mostly share one colour scale."""
    step = 1e-3
    while True:
        for factor in (1, 2, 5):
            if largest <= step * factor * (1 + 1e-9):
                return step * factor
        step *= 10


def few_ticks(axes: Axes, axis: str, count: int = 5) -> None:
    """At most `count` round ticks."""
    from matplotlib.ticker import MaxNLocator

    target = axes.xaxis if axis == "x" else axes.yaxis
    target.set_major_locator(MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]))


def one_two_five(axes: Axes) -> None:
    """Ticks at 1, 2 and 5 times the powers of ten on a logarithmic vertical axis."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
