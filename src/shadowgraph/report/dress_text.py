"""The counterparts of a study in plain text: every dress by model, and what the score in the trained format hides.

Here lives: `dress_table`. Not here: the numbers (`study.counterparts`), printing (the caller's).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shadowgraph.errors import SpecError, printable
from shadowgraph.report.numerals import fixed
from shadowgraph.report.record import Record, open_result
from shadowgraph.report.text import WIDTH, grid, plain_ascii, safe_line, wrapped

TITLES = {"accuracy": "Accuracy", "bits_per_byte": "Bits per byte of the right answer (lower is better)"}
SHOWN = {"accuracy": "accuracy", "bits_per_byte": "bits per byte"}


def dress_table(result: Mapping[str, Any], *, only: Sequence[str] = (), width: int = WIDTH) -> str:
    """Render the counterparts of a study for the terminal.

    Args:
        result: the parsed result of kind "counterparts".
        only: names of dresses to show; all by default. The gaps are taken over all of them in any case.
        width: columns of the terminal; 100 hold five models.

    Returns:
        Plain text: a table a measure, the gaps of every arm, and notes on how to read them.

    Raises:
        DataError: when the result is of another kind or a value has the wrong type; names the place.
        SpecError: when the schema is newer than this version, or a dress has no such name.
    """
    study = open_result(result, "counterparts")
    known = [dress.text("name") for dress in study.records("dresses")]
    for name in only:
        if name not in known:
            raise SpecError(f"no dress {printable(name)!r}", hint=f"choose from {', '.join(map(safe_line, known))}")
    if only:
        kept = [dress for dress in result["dresses"] if dress["name"] in only]
        study = open_result({**result, "dresses": kept}, "counterparts")
    blocks = [_scores(study, measure, width) for measure in TITLES]
    blocks += [_contrasts(study, width), _gaps(study, width)]
    blocks.append("\n".join(wrapped(line, width) for line in _notes(study)))
    return "\n\n".join(blocks) + "\n"


def _scores(study: Record, measure: str, width: int) -> str:
    """One measure: a row a dress, a column a model."""
    models = study.texts("models")
    cells = {(row.text("model"), row.text("dress")): row for row in study.records("scores")
             if row.text("measure") == measure}  # fmt: skip
    rows: list[list[str]] = []
    for dress in study.records("dresses"):
        name = dress.text("name")
        row = [safe_line(name).replace("_", " "), fixed(dress.number("items").value or 0, 0)]
        if measure == "accuracy":
            chance = dress.number("chance").value
            row.append("-" if chance is None else fixed(chance, 2))
        row += [_with_reach(cells.get((model, name), Record({}))) for model in models]
        rows.append(row)
    names = ["dress", "items", *(["chance"] if measure == "accuracy" else []), *map(safe_line, models)]
    return "\n".join([TITLES[measure], "", *grid(names, rows, numeric=len(names) - 1, width=width)])


def _contrasts(study: Record, width: int) -> str:
    """The primary pair of arms, dress by dress."""
    found = {(row.text("dress"), row.text("measure")): row for row in study.records("contrasts")}
    rows = [
        [safe_line(name).replace("_", " ")]
        + [_with_reach(found.get((name, measure), Record({})), key="estimate") for measure in TITLES]
        for name in (dress.text("name") for dress in study.records("dresses"))
    ]
    title = " minus ".join(map(safe_line, study.texts("primary"))) + ", item by item and draw by draw"
    return "\n".join([title, "", *grid(["dress", *SHOWN.values()], rows, numeric=2, width=width)])


def _with_reach(cell: Record, *, key: str = "mean") -> str:
    """A number with half its interval, which is symmetric."""
    found, interval, signed = cell.number(key), cell.interval(), key == "estimate"
    if found.value is None:
        return found.status or "-"
    if interval is None:
        return fixed(found.value, 2, sign=signed)
    return f"{fixed(found.value, 2, sign=signed)} ±{fixed((interval[1] - interval[0]) / 2, 2)}"


def _gaps(study: Record, width: int) -> str:
    """The gap of every arm over every set of dresses in both measures, and that beyond the reference arm's."""
    reference = study.texts("primary")[1]
    arms = [model for model in study.texts("models") if model != "base"]
    found = {(row.text("arm"), row.text("set"), row.text("measure")): row for row in study.records("gaps")}
    rows: list[list[str]] = []
    for name in study.record("sets").data:
        for measure, words in SHOWN.items():
            of = {arm: found.get((arm, name, measure), Record({})) for arm in arms}
            rows.append([safe_line(name), words, *(_with_reach(of[arm], key="estimate") for arm in arms)])
            beyond = (of[arm].record("beyond_reference") for arm in arms)
            rows.append(["", "- " + safe_line(reference), *(_with_reach(row, key="estimate") for row in beyond)])
    names = ["against", "measure", *map(safe_line, arms)]
    title = "Gap: gain in the original dress minus gain in the others, question by question"
    return "\n".join([title, "", *grid(names, rows, numeric=len(arms), width=width)])


def _notes(study: Record) -> list[str]:
    """How to read the tables."""
    level = study.number("level").value or 0.0
    sets = study.record("sets")
    lines = [
        f"± is half the {100 * level:.0f} % interval: over draws and items for an arm, over items for the base.",
        "trained: the format the benchmark's documents have. pool: formats the pool tells other documents in. unseen: "
        "formats of no training. near and far: rules, answered with a letter or with the text.",
        *(f"{name}: {', '.join(dress.split('_', 1)[1].replace('_', ' ') for dress in sets.texts(name))}."
          for name in sets.data),
        "A positive gap says that what was gained is tied to the dress; it does not say why.",
    ]  # fmt: skip
    declined = [
        f"{dress.text('name').replace('_', ' ')}: {sum(int(str(n)) for n in dress.record('declined').data.values())} "
        "items declined (" + "; ".join(sorted(dress.record("declined").data)) + ")"
        for dress in study.records("dresses")
        if dress.record("declined").data
    ]
    return [plain_ascii(line) for line in [*lines, *declined]]
