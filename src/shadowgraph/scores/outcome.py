"""From what an engine said to the score of an item.

Here live: the outcome of a choice row and of a generate row.
Not here: how an engine is asked (`score`), how a reply is read (`reply`).
"""

from __future__ import annotations

import math
from typing import Any

from shadowgraph.scores.calibration import softmax
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.reply import matches
from shadowgraph.scores.row import Row, extract_of, form_of, golden, source_of


def bits_per_byte(loglikelihood: float, text: str) -> float:
    """−log₂ p(text) / bytes of text in UTF-8, from its log-likelihood in nats."""
    return -loglikelihood / math.log(2) / len(text.encode())


def chosen(split: str, row: Row, values: tuple[float, ...]) -> ItemScore:
    """Score a choice row.

    The normalised choice divides each log-likelihood by the number of characters (code points) of its continuation,
    white space at its ends included; of equals the first counts. Both as in lm-eval's acc_norm and acc.

    Args:
        split: where the row stands.
        row: the row.
        values: log-likelihoods (nats) of its continuations.
    """
    gold, texts = int(row["gold"]), row["continuations"]
    per_character = [value / len(text) for value, text in zip(values, texts, strict=True)]
    rival = max(value for index, value in enumerate(values) if index != gold)
    return ItemScore(
        **_named(split, row),
        correct=values.index(max(values)) == gold,
        bits_per_byte=bits_per_byte(values[gold], texts[gold]),
        margin=values[gold] - rival,
        loglikelihoods=values,
        correct_normalised=per_character.index(max(per_character)) == gold,
        probability=softmax(values)[gold],
        kind="choice",
    )


def generated(split: str, row: Row, reply: str, values: tuple[float, ...]) -> ItemScore:
    """Score a generate row.

    Args:
        split: where the row stands.
        row: the row.
        reply: what the model wrote.
        values: log-likelihood (nats) of the one continuation of `golden(row)`, or () when it was not asked for.
    """
    return ItemScore(
        **_named(split, row),
        correct=matches(reply, row["answers"], extract_of(row)),
        bits_per_byte=bits_per_byte(values[0], golden(row)["continuations"][0]) if values else None,
        margin=None,
        loglikelihoods=values,
        reply=reply,
        kind="generate",
    )


def _named(split: str, row: Row) -> dict[str, Any]:
    """What a score takes over from its row."""
    taken = {key: row[key] for key in ("id", "family", "group")}
    return {"split": split, "form": form_of(row), "source": source_of(row), **taken}
