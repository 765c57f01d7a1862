"""A result in sentences.

Here live: what a person reads first, and what limits it. Not here: any number that the result does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shadowgraph.errors import printable


def sentences_of(result: Mapping[str, Any]) -> list[str]:
    """At most a handful of sentences: size, the nearest benchmark in each reading, and what is shared."""
    corpus = result["corpus"]
    found = [f"{corpus['documents']:,} documents with {corpus['words']:,} words from {len(corpus['files'])} "
             f"{'file' if len(corpus['files']) == 1 else 'files'}."]  # fmt: skip
    found += [text for text in (_nearest(result), _shared(result)) if text]
    return found


def _nearest(result: Mapping[str, Any]) -> str:
    """Which benchmark is nearest, reading by reading; nothing is said where one benchmark has no rival."""
    parts: list[str] = []
    words = "kl_reduction" if result["base"] else "log_ratio"
    for key, name, best in ((words, "words", max), ("format_distance", "format", min), ("auc", "a classifier", min)):
        known = [(row[key]["value"], row["benchmark"]) for row in result["alignment"] if row[key]["value"] is not None]
        if len(known) > 1:
            value, benchmark = best(known)
            parts.append(f"by {name} {printable(benchmark)} ({value:.2f})")
    return f"Nearest benchmark: {', '.join(parts)}." if parts else ""


def _shared(result: Mapping[str, Any]) -> str:
    """How many items stand in the corpus."""
    rows = result["overlap"]
    if not rows:
        return ""
    found = [row for row in rows if row["items_touched"]]
    most = sorted(found, key=lambda row: (-row["items_touched"] / max(1, row["items"]), row["benchmark"]))
    parts = [f"{row['items_touched']:,} of {row['items']:,} items of {printable(row['benchmark'])}" for row in most[:3]]
    more = f", and items of {len(most) - 3} more benchmarks" if len(most) > 3 else ""
    said = f"Whole or in large part, it holds {', '.join(parts)}{more}." if found else (
        "No item of any benchmark was found in it, whole or in large part."
    )  # fmt: skip
    passages = sum(row["items_passage"] for row in rows)
    return f"{said} With {passages:,} other items it shares a shorter passage." if passages else said


def limits_of(result: Mapping[str, Any]) -> list[str]:
    """What the readings cannot say."""
    found = ["Nearness is a property of text; it says nothing about what a model learned from it."]
    if result["alignment"] and not result["base"]:
        found.append("No base was given: log ratios are against the corpus itself, and KL reduction has no reference.")
    if any(row[key]["status"] == "few_shards" for row in result["alignment"] for key in row if key != "benchmark"):
        found.append("Too few documents for intervals: the bootstrap needs them spread over eight shards or more.")
    short = sum(row["too_short"] for row in result["overlap"])
    if short:
        found.append(f"{short:,} items have too few words to be looked for.")
    if result["overlap"]:
        found.append("Words are compared as written: translations and free paraphrases of items are not found.")
    return found
