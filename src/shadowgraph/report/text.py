"""The terminal's page: the same numbers as the HTML, in plain text.

Here live: `study_table` and `audit_table`.
Not here: printing (the caller's), and any number the HTML would show otherwise.
Plain ASCII furniture and minus signs, no box glyphs, so that a piped table can be searched and pasted.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from shadowgraph.errors import printable
from shadowgraph.report import novelty, tables
from shadowgraph.report.audit_parts import endpoint_rows
from shadowgraph.report.endpoints import Level, by_setting, levels
from shadowgraph.report.intervention import edit_block
from shadowgraph.report.numerals import fixed, over_draws, probability, trimmed, with_interval
from shadowgraph.report.record import Record, open_result
from shadowgraph.report.tests_text import doubt_blocks, setting_block, test_lines

LEVELS = ("K", "K_emb", "log norm")
WIDTH = 100
NAME = 14


def study_table(result: Mapping[str, Any], *, width: int = WIDTH) -> str:
    """Render a study for the terminal.

    Args:
        result: the parsed `result.json` of kind "study".
        width: columns of the terminal; 100 hold every column.

    Returns:
        Plain text: the answer with its claim level, the arms, the primary contrast, equivalence, limits.

    Raises:
        DataError: when the result is of another kind or a value has the wrong type; names the place.
        SpecError: when the schema is newer than this version.
    """
    study = open_result(result, "study")
    answer = study.record("answer")
    lines = [*(safe_line(sentence) for sentence in answer.texts("sentences"))]
    lines.append(f"Claim level {safe_line(answer.text('claim_level')) or 'not stated'}.")
    blocks = ["\n".join(lines), _arms(study, width), _levels(study, width)]
    blocks.append("\n".join([*map(plain_ascii, test_lines(study)), *_equivalence(study)]))
    blocks += [
        "\n".join(map(plain_ascii, block)) for block in (setting_block(study), edit_block(study), *doubt_blocks(study))
    ]
    limits = answer.texts("limits") + study.texts("limits")
    if limits:
        blocks.append("\n".join(["Limits:", *(f"  - {safe_line(item)}" for item in limits)]))
    text = "\n\n".join(block for block in blocks if block)
    return "\n".join(wrapped(line, width) for line in text.splitlines()) + "\n"


def audit_table(result: Mapping[str, Any], *, width: int = WIDTH) -> str:
    """Render an audit for the terminal: verdict, endpoint, checks.

    Args:
        result: the parsed `result.json` of kind "audit".
        width: columns of the terminal.

    Returns:
        Plain text.

    Raises:
        DataError: when the result is of another kind or a value has the wrong type; names the place.
        SpecError: when the schema is newer than this version.
    """
    audit = open_result(result, "audit")
    verdict = audit.record("verdict")
    lines = [
        f"{safe_line(verdict.text('label', 'no verdict'))} "
        f"(claim level {safe_line(verdict.text('claim_level', 'none'))})"
    ]
    lines += [safe_line(verdict.text("sentence")), ""]
    lines += [f"{name}: {plain_ascii(number)}" for name, number, _ in endpoint_rows(audit)]
    rows = [[check.text(key) for key in ("code", "fate", "title", "detail")] for check in audit.records("checks")]
    lines += ["", *grid(["check", "fate", "title", "detail"], rows, numeric=0, width=width)]
    skipped = len(audit.records("skipped"))
    if skipped:
        lines += ["", f"Tensors not analysed: {skipped}; the report lists each with its reason."]
    return "\n".join(wrapped(line, width) for line in lines) + "\n"


def safe_line(text: str) -> str:
    """Foreign words on one line."""
    return printable(" ".join(text.split(" ")), limit=1000)


def plain_ascii(text: str) -> str:
    """Minus signs a shell tool can read, dashes that stay put."""
    return safe_line(text.replace("−", "-").replace("—", "-"))


def _arms(study: Record, width: int) -> str:
    """Arms by endpoint and behaviour: gains in nats, or accuracy / bits per byte, with their asymmetry.

    A study with neither, such as one over pictures, shows what each arm gained on its own documents.
    """
    index = {row.text("arm"): row for row in study.records("asymmetry")}
    nats = tables.in_nats(study)
    alone = not nats and tables.score_of(study, "base", "benchmark", "accuracy").number("mean").value is None
    inside = by_setting(study)
    rows: list[list[str]] = []
    for arm in study.records("arms"):
        name = arm.text("name", "unnamed")
        own = index.get(name, Record({}))
        row = [_cut(name, NAME if not nats else 2 * NAME - 2) + ("*" if novelty.of(arm) else "")]
        row += [] if inside else [cell.text for cell in Level(arm, arm.record("endpoint")).cells()]
        if alone:
            row += [_signed(arm.record("own_loss"), "drop")]
        elif nats:
            row += [_signed(own, "own_gain"), _signed(own, "outside_gain"), _signed(own, "estimate")]
        else:
            row += [_pair(study, name, ["benchmark"]), _pair(study, name, tables.outside_of(study))]
            row += [_signed(own, "estimate")]
        rows.append(row)
    if not nats and not alone:
        scores = [_pair(study, "base", splits) for splits in (["benchmark"], tables.outside_of(study))]
        rows.append(["base", *([] if inside else [""] * len(LEVELS)), *scores, ""])
    behaviour = ["own gain", "outside", "asymmetry"] if nats else ["benchmark", "outside", "asymmetry"]
    names = ["arm", *(() if inside else LEVELS), *(["own gain"] if alone else behaviour)]
    lines = [*grid(names, rows, numeric=len(names) - 1, width=width), *_notes(study, nats=nats, alone=alone)]
    return "\n".join(lines)


def _levels(study: Record, width: int) -> str:
    """The endpoints of every arm in every setting; nothing of a study without settings."""
    if not by_setting(study):
        return ""
    rows = [
        [_cut(level.place, 2 * NAME - 2), _cut(level.name, NAME), *(cell.text for cell in level.cells()),
         str(level.draws)]
        for level in levels(study)
    ]  # fmt: skip
    lines = grid(["setting", "arm", *LEVELS, "draws"], rows, numeric=len(LEVELS) + 1, width=width)
    return "\n".join(
        [*lines, "Mean ± sd over the draws of a setting; levels of different settings mean nothing together."]
    )


def _notes(study: Record, *, nats: bool, alone: bool) -> list[str]:
    """What the columns mean."""
    outside = " + ".join(safe_line(name) for name in tables.outside_of(study)) or "none"
    told = f"Scores: accuracy / bits per byte. Outside: {outside}."
    if alone:
        told = "Own gain: drop of loss on held-out documents of the arm's own kind, nats a token."
    elif nats:
        found = dict.fromkeys(name for row in study.records("asymmetry") for name in row.texts("outside"))
        told = (
            f"Gains: drop of loss, nats a token, on own documents and on {', '.join(map(safe_line, found)) or 'none'}."
        )
    spread = f"{over_draws(study.record('design').number('draws'), 'sd')}."
    notes = [f"{'K, K_emb and log norm: by setting, below.' if by_setting(study) else spread} {told}"]
    if unmatched := novelty.unmatched(study):
        words = "; ".join(f"{safe_line(name)} {safe_line(word)}" for name, word in unmatched)
        notes.append(f"* beyond the calipers of novelty (loss under the base, divergence from its mixture): {words}.")
    return notes


def _signed(row: Record, key: str) -> str:
    number = row.number(key)
    return number.status or "-" if number.value is None else fixed(number.value, 2, sign=True)


def _cut(name: str, limit: int) -> str:
    text = printable(name)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _pair(study: Record, arm: str, splits: Sequence[str]) -> str:
    """Mean accuracy and mean bits per byte over some splits as "a / b"."""
    parts: list[str] = []
    for measure, decimals in (("accuracy", 3), ("bits_per_byte", 2)):
        values = [tables.score_of(study, arm, split, measure).number("mean").value for split in splits]
        known = [value for value in values if value is not None]
        complete = known and len(known) == len(values)
        parts.append(fixed(sum(known) / len(known), decimals) if complete else "-")
    return " / ".join(parts)


def grid(names: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: int, width: int) -> list[str]:
    """A plain table; the last `numeric` columns are flush right, the first ones fold when they are long.

    Args:
        names: the columns.
        rows: as many cells each.
        numeric: how many of the last columns hold numbers.
        width: columns of the terminal.

    Returns:
        Lines without trailing blanks.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    first = len(names) - numeric
    for position, name in enumerate(names):
        justify = "left" if position < first else "right"
        folds = position == len(names) - 1 and not numeric
        limit = 2 * NAME if position < first and not folds else None
        grid.add_column(Text(name), justify=justify, no_wrap=not folds, overflow="fold" if folds else "ellipsis",
                        min_width=len(name), max_width=limit)  # fmt: skip
    grid.add_row(*(Text("-" * len(name)) for name in names))
    for row in rows:
        grid.add_row(*(Text(plain_ascii(item)) for item in row))
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(grid)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def _equivalence(study: Record) -> list[str]:
    """One line an equivalence test."""
    lines: list[str] = []
    for test in study.records("equivalence"):
        margin = test.number("margin").value
        width = f"margin ± {trimmed(margin)}" if margin is not None else "no margin"
        number = with_interval(test.number("estimate"), test.interval())
        p = test.number("p")
        told = probability(p)
        tail = f", p {told if told.startswith('<') else f'= {told}'}" if p.value is not None else ""
        name = test.text("name") or tables.pair_of(test)
        lines.append(plain_ascii(f"equivalence of {name}, {test.text('endpoint')}: {tables.fate_of(test).text} "
                            f"({number}, {width}{tail})"))  # fmt: skip
    return lines


def wrapped(line: str, width: int) -> str:
    """Fold a long line at spaces, indented like its start."""
    import textwrap

    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip(" -")) if line.startswith("  -") else 0)
    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)
