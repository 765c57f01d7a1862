"""The answer in two sentences, its claim level, and what it may not be taken for.

Here live: the rules that turn effects into words. Every sentence is built from numbers of the result.
Not here: the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

UNKNOWN = 0.9  # share of the loss of a uniform guess above which data count as unknown to the base
FEWEST_DRAWS = 5  # below this a study describes and claims at most L0
Effect = Mapping[str, Any]


def claim_level(primary: Effect, sensitivity: Sequence[Effect], alpha: float) -> str:
    """L1 when the primary test rejects with at least five draws an arm and no variant of K turns the sign, else L0.

    Args:
        primary: the primary contrast.
        sensitivity: the same contrast on the variants of K.
        alpha: level of the primary test.

    Returns:
        "L1" or "L0"; a variant without an estimate turns nothing.
    """
    turned = any(row["estimate"] is not None and row["estimate"] * primary["estimate"] < 0 for row in sensitivity)
    enough = min(primary["n"]) >= FEWEST_DRAWS
    return "L1" if enough and primary["p"] <= alpha and not turned else "L0"


def first_sentence(primary: Effect, alpha: float, smallest_effect: float) -> str:
    """What the primary contrast says, as far as its interval and test allow."""
    first, second = primary["arms"]
    numbers = effect_in_words(primary)
    if min(primary["n"]) < FEWEST_DRAWS:
        return f"With so few draws the study only describes {first} against {second}: {numbers}."
    if primary["p"] > alpha:
        return (
            f"With everything but the documents equal, the study found no difference in concentration between updates "
            f"from {first} and from {second} documents that its test can confirm: {numbers}."
        )
    more = "more" if primary["estimate"] > 0 else "less"
    small = abs(primary["estimate"]) < smallest_effect
    size = ", below the smallest effect of interest" if small else ""
    return (
        f"With everything but the documents equal, {first} documents gave {more} concentrated updates than {second} "
        f"ones: {numbers}{size}."
    )


def effect_in_words(effect: Effect) -> str:
    """Estimate, interval, p and n of one contrast in K."""
    text = f"K differs by {effect['estimate']:+.2f} nats"
    if effect.get("interval"):
        low, high = effect["interval"]
        text += f" ({effect['level']:.0%} interval {low:+.2f} to {high:+.2f}"
    else:
        text += " (no interval"
    return f"{text}, p = {effect['p']:.2g}, {effect['n'][0]} and {effect['n'][1]} corpus draws)"


def second_sentence(matched: Effect, novel: Sequence[str], equivalence: Sequence[Effect]) -> str:
    """What becomes of the effect at equal norm, whether novelty is in play, and what repetition did."""
    first, second = matched["arms"]
    if matched["estimate"] is None:
        text = f"At equal update norm the comparison of {first} and {second} is not estimable ({matched['reason']})"
    else:
        text = f"At equal update norm the difference is {matched['estimate']:+.2f} (p = {matched['p']:.2g})"
    if novel:
        arms = " and ".join(novel)
        text += (
            f"; {arms} {'is' if len(novel) == 1 else 'are'} novel to the base beyond the calipers, so novelty and "
            f"narrowness are not separated here"
        )
    else:
        text += "; the arms lie within the calipers of novelty"
    return f"{text}; {repetition_in_words(equivalence)}." if equivalence else f"{text}."


def repetition_in_words(rows: Sequence[Effect]) -> str:
    """The equivalence claim in one clause; both endpoints must hold."""
    first, second = rows[0]["arms"]
    if all(row["equivalent"] for row in rows):
        return f"{first} is equivalent to {second} within the margins, in K and in outside loss"
    failed = [row for row in rows if not row["equivalent"]]
    parts = "; ".join(_failure(row) for row in failed)
    return f"equivalence of {first} and {second} is not shown ({parts})"


def _failure(row: Effect) -> str:
    """Why one endpoint of an equivalence claim failed."""
    if row["interval"] is None:
        return f"{row['endpoint']}: {row['status'].replace('_', ' ')}"
    low, high = row["interval"]
    beyond = "a difference beyond the margin, " if low > row["margin"] or high < -row["margin"] else ""
    return f"{row['endpoint']} {beyond}{row['level']:.0%} interval {low:+.3f} to {high:+.3f} against ±{row['margin']:g}"


def limits(draws: int, novel: Sequence[str], reference: str, parameters: int, facts: Mapping[str, Any]) -> list[str]:
    """What the result does not show, most important first.

    Args:
        draws: corpus draws an arm.
        novel: arms beyond the calipers.
        reference: the arm the calipers are held against.
        parameters: parameters of the model.
        facts: "base_loss", the lowest and highest mean loss of the base on an arm and that of a uniform guess, nats a
            token; "shared_documents", the largest mean share of documents two draws of an arm have in common.

    Returns:
        One or two plain sentences a limit; those on few draws, novel arms and shared documents only where they apply.
    """
    found = [
        f"One base, one optimiser, one learning rate and one model of {parameters:,} parameters: nothing here "
        "transfers to another without being run there.",
        f"The unit is the corpus draw ({draws} an arm, one seed each); inference is conditional on the shared base.",
        "K measures how new the data are to the base and how long training lasted at least as much as breadth; "
        "its level means nothing, only contrasts at equal base, steps and rate do.",
        "A concentrated update is no proof of training on a benchmark, and no measure of quality.",
    ]
    if novel:
        found.insert(
            0,
            f"Beyond the calipers against {reference}: {', '.join(novel)}. Their difference in K mixes novelty with "
            "breadth; the study does not separate the two.",
        )
    low, high, uniform = facts["base_loss"]
    if low > UNKNOWN * uniform:
        found.insert(
            0,
            f"The base knows nothing of any arm's documents: its loss on them, {low:.1f} to {high:.1f} nats a token, "
            f"is that of a uniform guess ({uniform:.1f}). Learning a new language moves every arm alike and leaves "
            "breadth little room to show.",
        )
    if draws < FEWEST_DRAWS:
        found.insert(0, f"With {draws} draws an arm the study describes; it tests nothing.")
    shared = facts["shared_documents"]
    if shared > 0.0:
        found.append(
            f"Draws come from one generator with a limited store of facts: up to {shared:.0%} of an arm's documents "
            "occur word for word in another draw of it, so draws are less independent than their number says."
        )
    return found
