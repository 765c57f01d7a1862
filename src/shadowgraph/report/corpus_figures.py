# pyright: reportUnknownMemberType=false
"""Figures of a corpus: nearness, shared items, format side by side, the map of cells, repetition.

Here live: what these figures show and their captions.
Not here: tables (`corpus_parts`), marks (`draw`), markup (`svg`).
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.corpus_parts import (
    ALIGNMENT,
    alignment_table,
    bin_labels,
    block_name,
    format_table,
    overlap_table,
    reason,
    spectrum_table,
)
from shadowgraph.report.numerals import percent, sensible, trimmed
from shadowgraph.report.palette import SEQUENTIAL
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, words

MARGIN = 118  # pixels for the names of benchmarks
ROW = 24
EVEN = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # lower bounds of the map's steps, times the even share
ACROSS = 16


def plates_of(corpus: Record) -> list[Plate]:
    """The figures of the page, in order; those without anything to show are left out but for nearness."""
    found = [_near_plate(corpus), _overlap_plate(corpus), _format_plate(corpus)]
    if corpus.record("clusters").data:
        found.append(_map_plate(corpus))
    if any(row.number("value").value is not None for row in corpus.records("repetition")):
        found.append(_repetition_plate(corpus))
    return found


def _bars(rows: Sequence[tuple[str, float | None, tuple[float, float] | None, str]], key: str, title: str,
          start: float, limits: tuple[float, float] | None) -> Markup:  # fmt: skip
    """Bars with intervals, one a row: name, value, interval, text; a row without a value shows its text."""
    with draw.drawing():
        figure = draw.canvas(460, 66 + ROW * len(rows))
        axes = draw.plot_area(figure, MARGIN, 30, 14, 28)
        draw.rule(axes, "x")
        known = [x for _, value, bounds, _ in rows if value is not None for x in (value, *(bounds or ()))]
        low, high = limits or draw.span([*known, start])
        for place, (name, value, bounds, text) in enumerate(rows):
            axes.annotate(label(name, 17), (0, place), (-8, 0), xycoords=("axes fraction", "data"),
                          textcoords="offset points", fontsize=draw.SMALL, color=draw.light("ink"), ha="right",
                          va="center", annotation_clip=False)  # fmt: skip
            if value is None:
                draw.row_note(axes, f" {text}", place, role="muted")
                continue
            axes.barh([place], [value - start], left=start, height=0.5, color=draw.light("a1"), linewidth=0)
            if bounds is not None:
                axes.plot(list(bounds), [place, place], color=draw.light("ink"), linewidth=1.4, solid_capstyle="butt")
        axes.axvline(start, color=draw.light("axis"), linewidth=1.0)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_xlim(low, high)
        draw.few_ticks(axes, "x")
        axes.xaxis.set_major_formatter(lambda x, _: trimmed(round(x, 6)))
        axes.annotate(title, (0, 1), (-MARGIN + 4, 12), xycoords="axes fraction", textcoords="offset points",
                      fontsize=draw.SIZE, color=draw.light("ink"), ha="left", va="bottom",
                      annotation_clip=False)  # fmt: skip
        told = "; ".join(
            f"{label(name)} {sensible(value) if value is not None else text}" for name, value, _, text in rows
        )
        return inline(figure, key, title, f"{told}.")


def _near_plate(corpus: Record) -> Plate:
    """Nearness to each benchmark, four readings."""
    panels: list[Markup] = []
    for key, _, title, start, limits in ALIGNMENT:
        rows: list[tuple[str, float | None, tuple[float, float] | None, str]] = []
        for row in corpus.records("alignment"):
            one = row.record(key)
            rows.append((row.text("benchmark"), one.number("value").value, one.interval(), reason(one)))
        if any(value is not None for _, value, _, _ in rows):
            panels.append(_bars(rows, f"near-{key}", title, start, limits))
    caption = (
        "Nearness to the held-out part of each benchmark, in readings that never become one number: each is fooled by "
        "another corpus. Longer bars mean nearer in the first two panels, farther in the last two: a format distance "
        "of 0 is the same format, an AUC of 0.5 means that nothing tells the passages apart. Lines are 95 % intervals "
        "over resampled shards of the corpus."
    )
    if not corpus.record("base").data:
        caption += (
            " No base was given: the log ratio is against the corpus itself, so it is at most near 0 and says how far "
            "its words lie from the benchmark's."
        )
    return Plate("near", "Nearness to benchmarks", caption, panels, alignment_table(corpus), legend=False,
                 absent="No benchmark was given, so there is nothing to be near to.")  # fmt: skip


def _overlap_plate(corpus: Record) -> Plate:
    """Share of items found."""
    rows: list[tuple[str, float | None, tuple[float, float] | None, str]] = []
    for row in corpus.records("overlap"):
        one = row.record("item_share")
        value, bounds = one.number("value").value, one.interval()
        scaled = None if bounds is None else (100 * bounds[0], 100 * bounds[1])
        rows.append((row.text("benchmark"), None if value is None else 100 * value, scaled, reason(one)))
    panels: list[Markup] = []
    if any(value for _, value, _, _ in rows):
        top = max(max(value or 0, bounds[1] if bounds else 0) for _, value, bounds, _ in rows)
        limits = (0.0, min(100.0, 1.05 * top))
        panels = [_bars(rows, "overlap-items", "items found in the corpus, per cent", 0.0, limits)]
    caption = (
        "An item is found when at least half of its words, or of the words of its question, stand in a document along "
        "equal stretches, or, for short items, the whole prompt with its answer behind it. Shorter shared passages "
        "(13 words in a row, or three different 8-grams) are counted apart. Word sequences that many documents of one "
        "source share count only where nearly the whole item stands there. Finding an item says that its words are "
        "there, not why."
    )
    absent = "No item was found." if corpus.records("overlap") else "No benchmark was given, so no item was looked for."
    return Plate("overlap", "Benchmark items in the corpus", caption, panels, overlap_table(corpus), legend=False,
                 absent=absent)  # fmt: skip


def _format_plate(corpus: Record) -> Plate:
    """The fingerprint of the format, blocks with the largest differences first."""
    blocks = corpus.record("format").records("blocks")
    names = [row.text("name") for row in corpus.records("benchmarks")]

    def apart(block: Record) -> float:
        return max((number for number in map(_number, block.record("distance").data.values())), default=0.0)

    panels = [
        _block_panel(block, names) for block in sorted(blocks, key=lambda block: (-apart(block), block.text("block")))
    ]
    caption = (
        "Shares of documents by bin of each feature, darker for more; the corpus above, the held-out items of each "
        "benchmark, told as the benchmark tells them, below. Features in which the corpus differs most come first."
    )
    return Plate("format", "Format, side by side", caption, panels, format_table(corpus), "two", legend=False,
                 absent="The result holds no fingerprint.")  # fmt: skip


def _number(item: object) -> float:
    return float(item) if isinstance(item, int | float) else 0.0


def _block_panel(block: Record, names: Sequence[str]) -> Markup:
    """One feature: a stacked bar a corpus."""
    others = block.record("benchmarks")
    rows = {"corpus": block.numbers("corpus"), **{name: others.numbers(name) for name in names if name in others.data}}
    labels = bin_labels([item or 0.0 for item in block.numbers("bounds")])
    steps = [round(place * (SEQUENTIAL - 1) / max(1, len(labels) - 1)) for place in range(len(labels))]
    key = f"format-{block.text('block')}"
    with draw.drawing():
        figure = draw.canvas(460, 72 + 19 * len(rows))
        axes = draw.plot_area(figure, MARGIN, 30, 14, 40)
        for place, (name, shares) in enumerate(rows.items()):
            axes.annotate(label(name, 17), (0, place), (-8, 0), xycoords=("axes fraction", "data"),
                          textcoords="offset points", fontsize=draw.SMALL, ha="right", va="center",
                          color=draw.light("ink" if place else "a0"), fontweight="normal" if place else "bold",
                          annotation_clip=False)  # fmt: skip
            left = 0.0
            for step, share in zip(steps, shares, strict=False):
                if share:
                    axes.barh([place], [share], left=left, height=0.72, color=draw.light(f"q{step}"), linewidth=0.4,
                              edgecolor=draw.light("grid"))  # fmt: skip
                left += share or 0.0
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_yticks([])
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        for place, (step, text) in enumerate(zip(steps, labels, strict=True)):
            x = place / len(labels)
            axes.annotate("■", (x, 0), (0, -14), xycoords="axes fraction", textcoords="offset points",
                          fontsize=draw.SIZE, color=draw.light(f"q{step}"), ha="left", va="center",
                          annotation_clip=False)  # fmt: skip
            axes.annotate(_brief(text), (x, 0), (0, -30), xycoords="axes fraction", textcoords="offset points",
                          fontsize=10, color=draw.light("muted"), ha="left", va="center",
                          annotation_clip=False)  # fmt: skip
        axes.annotate(block_name(block), (0, 1), (-MARGIN + 4, 12), xycoords="axes fraction",
                      textcoords="offset points", fontsize=draw.SIZE, color=draw.light("ink"), ha="left", va="bottom",
                      annotation_clip=False)  # fmt: skip
        told = "; ".join(
            f"{label(name)} {', '.join(percent(s or 0.0) for s in shares)}" for name, shares in rows.items()
        )
        return inline(figure, key, f"{block_name(block)}: shares of documents",
                      f"Bins {', '.join(labels)}. {told}.")  # fmt: skip


def _brief(text: str) -> str:
    """A bin's lower bound: what fits under a square."""
    low = text.partition("–")[0].removesuffix(" and more")
    more = "+" if text.endswith("more") else ""
    return f"{int(low) // 1024}k{more}" if low.isdigit() and int(low) >= 1024 else f"{low}{more}"


def _map_plate(corpus: Record) -> Plate:
    """Cells of the published codebook, the corpus and each benchmark in the same order."""
    clusters = corpus.record("clusters")
    others = clusters.record("benchmarks")
    maps = {"corpus": clusters.numbers("corpus"), **{name: others.numbers(name) for name in others.data}}
    own = [item or 0.0 for item in maps["corpus"]]
    order = sorted(range(len(own)), key=lambda cell: (-own[cell], cell))
    panels = [_map(name, [_get(shares, cell) for cell in order], f"map-{place}")
              for place, (name, shares) in enumerate(maps.items())]  # fmt: skip
    rows = [[Cell(str(cell)), *(words(percent(_get(shares, cell))) for shares in maps.values())] for cell in order]
    caption = (
        f"The {len(own)} cells of the published codebook, in order of the corpus's own share, the largest first, row "
        "by row; every map keeps that order. Darker cells hold a larger share: each step of the colour doubles it, and "
        "the middle is the even share. Cells are fixed directions, not topics; they are the same for every corpus."
    )
    return Plate("map", "Where the documents lie", caption, panels,
                 Table([">cell", *(f">{name}" for name in maps)], rows), "three", legend=False)  # fmt: skip


def _get(values: Sequence[float | None], place: int) -> float:
    return (values[place] if place < len(values) else None) or 0.0


def _map(name: str, shares: Sequence[float], key: str) -> Markup:
    """One map of cells."""
    down = -(-len(shares) // ACROSS)
    even = 1.0 / max(1, len(shares))
    with draw.drawing():
        figure = draw.canvas(320, 40 + 18 * down)
        axes = draw.plot_area(figure, 4, 30, 4, 6)
        axes.spines["bottom"].set_visible(False)
        for place, share in enumerate(shares):
            step = max(level for level, bound in enumerate(EVEN) if share >= bound * even)
            axes.bar([place % ACROSS], [0.9], bottom=place // ACROSS - 0.45, width=0.9, color=draw.light(f"q{step}"),
                     linewidth=0)  # fmt: skip
        axes.set_xlim(-0.5, ACROSS - 0.5)
        axes.set_ylim(down - 0.5, -0.5)
        axes.set_xticks([])
        axes.set_yticks([])
        held = sum(share > 0 for share in shares)
        draw.head(axes, f"{label(name, 24)}: {held} of {len(shares)} cells")
        return inline(figure, key, f"Cells of {label(name, 40)}", f"{held} of {len(shares)} cells hold documents; the "
                      f"largest share is {percent(max(shares, default=0.0))}.")  # fmt: skip


def _repetition_plate(corpus: Record) -> Plate:
    """Which share of sentences and lines follows a template that occurs how often."""
    rows = corpus.records("repetition")
    names = [row.text("times") for row in rows]
    heights = [100 * (row.number("value").value or 0.0) for row in rows]
    with draw.drawing():
        figure = draw.canvas(560, 260)
        axes = draw.plot_area(figure, 40, 34, 14, 48)
        draw.rule(axes)
        axes.bar(range(len(names)), heights, width=0.6, color=draw.light("a1"), linewidth=0)
        for place, row in enumerate(rows):
            bounds = row.interval()
            if bounds is not None:
                axes.plot([place, place], [100 * bounds[0], 100 * bounds[1]], color=draw.light("ink"), linewidth=1.4)
        axes.set_ylim(0, max([*heights, 1.0]) * 1.12)
        axes.set_xticks(range(len(names)), [name.partition("–")[0] for name in names])
        draw.few_ticks(axes, "y")
        draw.head(axes, "sentences and lines, per cent")
        draw.foot(axes, "times that their template occurs, from this number to the next")
        told = "; ".join(f"{name} times: {percent(height / 100)}" for name, height in zip(names, heights, strict=True))
        panel = inline(figure, "repetition", "Sentences and lines by how often their template occurs", f"{told}.")
    caption = (
        "A template is a sentence or line with its numbers and names masked. Mass on the right says that few "
        "patterns carry the corpus. Lines are 95 % intervals."
    )
    return Plate("repetition", "Repetition of patterns", caption, [panel], spectrum_table(corpus), legend=False)
