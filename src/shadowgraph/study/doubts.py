"""What would change our mind: the places where the numbers of a study leave room for another answer.

Here live: sentences derived from intervals, calipers, readings and exceptions of a finished analysis.
Not here: the answer itself (`answer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shadowgraph.corpus.balance import compare
from shadowgraph.identity import Json
from shadowgraph.spec.analysis import Contrast
from shadowgraph.study.answer import confirmed, reading_in_words
from shadowgraph.study.names import quantity_name
from shadowgraph.study.panels import balance_means
from shadowgraph.study.readings import Runs

Effect = Mapping[str, Any]


def misses(contrast: Contrast, runs: Runs) -> list[Json]:
    """Calipers that the two members of a pair miss against each other, on the means of their runs."""
    found: list[Json] = []
    for pair in contrast.pairs:
        first, second = (
            balance_means([record for arm in runs.members(name) for record in runs.of(arm)]) for name in pair
        )
        for item in compare(first, second, runs.spec.analysis.calipers):
            if not item.met:
                apart: Json = {"key": item.key, "difference": item.difference, "limit": item.limit}
                found.append({"pair": list(pair), **apart})
    return found


def would_change(
    primaries: Sequence[Effect],
    readings: Sequence[Effect],
    exceptions: Sequence[Effect],
    powers: Sequence[Effect],
    label: Effect | None,
    *,
    alpha: float,
) -> list[str]:
    """What would change our mind, in sentences, the most telling first.

    Args:
        primaries: rows of the primary tests, contrasts with their missed calipers (`misses`).
        readings: rows of the primary contrasts at equal norm and progress.
        exceptions: readings with the other sign.
        powers: the minimal detectable effect of each primary test.
        label: the test of a label, with its unmatched corpora.
        alpha: level of the tests.

    Returns:
        One sentence a doubt; the last one always.
    """
    found: list[str] = []
    power = {str(row["name"]): row for row in powers}
    for row in primaries:
        found += _undecided(row, power.get(str(row["name"])))
    held = {str(row["name"]) for row in primaries if confirmed(row, alpha)}
    for row in exceptions:
        if row["firm"]:
            told = reading_in_words(row) + ("" if row["reading"] == "unmatched" else ",")
            claim = "; the claim holds for K as defined and not for that reading" if str(row["name"]) in held else ""
            found.append(f"{row['name']}: {told} has the other sign and its interval leaves out 0{claim}.")
    for row in primaries:
        missed = [quantity_name(key) for key in sorted({str(item["key"]) for item in row.get("misses", ())})]
        if missed:
            found.append(
                f"{row['name']}: its arms lie apart in {', '.join(missed)} beyond the calipers; the same contrast "
                "between arms within them could come out otherwise."
            )
    names = {str(row["name"]) for row in primaries}
    for row in readings:
        if row["status"] != "ok" and row["name"] in names:
            found.append(
                f"{row['name']}, {row['reading']}: not estimable ({row['reason']}); runs that share a range would."
            )
    if label is not None and label["unmatched"]["positive"]:
        count = len(label["unmatched"]["positive"])
        found.append(
            f"{label['name']}: {count} of {label['positive']} found no match within the calipers and took no part; "
            "matches could move the estimate."
        )
    found.append("The same contrasts on another base, size, optimiser or rate with the other sign.")
    return found


def _undecided(row: Effect, power: Effect | None) -> list[str]:
    """A primary test whose interval holds effects on both sides of the smallest one of interest."""
    smallest = float(power["smallest_effect"]) if power is not None else None
    if row["interval"] is None or smallest is None or row["kind"] == "trend":
        return []
    low, high = row["interval"]
    nearest = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    if not nearest < smallest < max(abs(low), abs(high)):
        return []
    text = (
        f"{row['name']}: the interval {low:+.3f} to {high:+.3f} holds effects below and above the smallest of "
        f"interest, {smallest:g}; more draws would decide"
    )
    if power is not None and power["detectable"] is not None:
        text += f" (at the spread seen, {power['detectable']:.3f} is found with power {power['power']:g})"
    return [f"{text}."]
