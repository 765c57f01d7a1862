"""The answer in sentences, its claim level, what disagrees with it, and what it may not be taken for.

Here live: the rules that turn effects into words. Every sentence is built from numbers of the result.
Not here: the numbers, and what would change our mind (`doubts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shadowgraph.identity import Json
from shadowgraph.study.names import endpoint_in_words

UNKNOWN = 0.9  # share of the loss of a uniform guess above which data count as unknown to the base
FEWEST_DRAWS = 5  # below this, of draws or of matched sets of corpora, a study describes and claims at most L0
Effect = Mapping[str, Any]


def claim_level(primary: Effect, readings: Sequence[Effect], alpha: float) -> str:
    """L1 when the primary test rejects with at least five units and no reading of K turns the sign, else L0.

    Units are draws of each arm, in a blocked design draws that all its arms have; of a label matched sets of corpora.

    Args:
        primary: the primary test; where there are several, its p adjusted for their number counts.
        readings: the same test on the variants of K, at the snapshots and at equal norm.
        alpha: level of the primary test.

    Returns:
        "L1" or "L0"; a reading without an estimate turns nothing.
    """
    if primary["estimate"] is None or primary["p"] is None:
        return "L0"
    turned = any(row["estimate"] is not None and row["estimate"] * primary["estimate"] < 0 for row in readings)
    return "L1" if confirmed(primary, alpha) and not turned else "L0"


def _p(effect: Effect) -> float:
    """The p that counts: adjusted where the test is one of several."""
    adjusted = effect.get("p_adjusted")
    return float(effect["p"] if adjusted is None else adjusted)


def _units(effect: Effect) -> int:
    """Units that a claim rests on: of a label its matched sets, inside draws the draws with every arm, else draws.

    Of several pairs it is those of the smallest member, for five draws in all are not five of each arm.
    """
    if effect.get("kind") == "label":
        return int(effect["n"][0])
    return int(effect.get("fewest", min(effect["n"])))


def confirmed(primary: Effect, alpha: float) -> bool:
    """Whether a primary test rejects on units enough, its p adjusted where it is one of several."""
    return primary["p"] is not None and _units(primary) >= FEWEST_DRAWS and _p(primary) <= alpha


def first_sentence(primary: Effect, alpha: float, smallest_effect: float) -> str:
    """What a primary contrast of two arms says, as far as its interval and test allow."""
    first, second = primary["arms"]
    if primary["estimate"] is None:
        return f"{first} against {second} is not estimable ({primary['reason']})."
    numbers = effect_in_words(primary)
    if _units(primary) < FEWEST_DRAWS:
        return f"With so few draws the study only describes {first} against {second}: {numbers}."
    if _p(primary) > alpha:
        return (
            f"With everything but the documents equal, the study found no difference in concentration between updates "
            f"of the arms {first} and {second} that its test can confirm: {numbers}."
        )
    more = "more" if primary["estimate"] > 0 else "less"
    small = abs(primary["estimate"]) < smallest_effect
    size = ", below the smallest effect of interest" if small else ""
    return (
        f"With everything but the documents equal, updates of the arm {first} are {more} concentrated than those of "
        f"the arm {second}: {numbers}{size}."
    )


def sentence(primary: Effect, alpha: float, smallest_effect: float) -> str:
    """What one of several primary tests says, whatever its kind."""
    name = primary["name"]
    if primary["estimate"] is None:
        return f"{name}: not estimable ({primary['reason']})."
    numbers = effect_in_words(primary)
    if _units(primary) < FEWEST_DRAWS:
        return f"{name}: described only, for its units are too few to test; {numbers}."
    if _p(primary) > alpha:
        none = _no_label(primary, smallest_effect) if primary["kind"] == "label" else ""
        return f"{name}: not confirmed; {numbers}{none}."
    small = primary["kind"] != "trend" and abs(primary["estimate"]) < smallest_effect
    size = ", below the smallest effect of interest" if small else ""
    return f"{name}: {_expectation(primary)}; {numbers}{size}."


def _no_label(primary: Effect, smallest_effect: float) -> str:
    """What a label without a confirmed effect lets one say: nothing, unless its interval leaves out what matters."""
    label, interval = primary["arms"][0], primary["interval"]
    if interval and max(map(abs, interval)) < smallest_effect:
        return f"; as far as this study sees, the footprint is of narrowness or novelty, not of {label}"
    return f"; that {label} differ from other text as narrow and as new is neither shown nor excluded"


def _expectation(primary: Effect) -> str:
    """Whether a confirmed effect has the sign that was predicted."""
    met = primary.get("as_expected")
    if met is None:
        return "confirmed, no sign was predicted"
    return "confirmed, with the predicted sign" if met else "confirmed, against the predicted sign"


def effect_in_words(effect: Effect) -> str:
    """Estimate, interval, p and n of one test of K."""
    if effect.get("kind") == "trend":
        text = f"K changes by {effect['estimate']:+.3f} nats a unit of dose"
        if effect.get("segments"):
            slopes = ", ".join(f"{slope:+.2f}" for slope in effect["segments"])
            text += f", between neighbouring doses by {slopes}"
    else:
        text = f"K differs by {effect['estimate']:+.2f} nats"
    if effect.get("interval"):
        low, high = effect["interval"]
        text += f" ({effect['level']:.0%} interval {low:+.2f} to {high:+.2f}"
    else:
        text += " (no interval"
    text += f", p = {effect['p']:.2g}"
    if effect.get("family", 1) > 1 and effect.get("p_adjusted") is not None:
        text += f", {effect['p_adjusted']:.2g} over {effect['family']} tests"
    return f"{text}, {_units_in_words(effect)})"


def _units_in_words(effect: Effect) -> str:
    n = effect["n"]
    if effect.get("kind") == "label":
        return f"{n[0]} strata with {n[1]} matches"
    if effect.get("kind") == "trend":
        same = len(set(n)) == 1
        return f"{n[0]} draws a dose" if same else f"{min(n)} to {max(n)} draws a dose"
    return f"{n[0]} draws with both" if effect.get("design") == "blocked" else f"{n[0]} and {n[1]} corpus draws"


def second_sentence(matched: Effect, unmatched: Sequence[str] | None, equivalence: Sequence[Effect]) -> str:
    """What becomes of one effect at equal norm, whose novelty is not matched (None: not known), what repetition did."""
    first, second = matched["arms"]
    if matched["estimate"] is None:
        text = f"At equal update norm the comparison of {first} and {second} is not estimable ({matched['reason']})"
    else:
        text = f"At equal update norm the difference is {matched['estimate']:+.2f} (p = {matched['p']:.2g})"
    if unmatched is not None:
        text += f"; {_novelty(unmatched)}"
    return f"{text}; {repetition_in_words(equivalence)}." if equivalence else f"{text}."


def _novelty(unmatched: Sequence[str]) -> str:
    if not unmatched:
        return "the arms lie within the calipers of novelty"
    arms = " and ".join(unmatched)
    lie = "lies" if len(unmatched) == 1 else "lie"
    return f"{arms} {lie} beyond the calipers of novelty, so novelty and narrowness are not separated here"


def matched_sentence(rows: Sequence[Effect]) -> str:
    """What becomes of several contrasts at equal update norm; "" of none."""
    parts = [
        f"{row['name']} {_size(row)} (p = {row['p']:.2g})"
        if row["estimate"] is not None
        else f"{row['name']} not estimable ({row['reason']})"
        for row in rows
    ]
    return f"At equal update norm: {'; '.join(parts)}." if parts else ""


def _size(row: Effect) -> str:
    """An estimate of K, or of its slope."""
    return f"{row['estimate']:+.3f} a unit of dose" if row.get("kind") == "trend" else f"{row['estimate']:+.2f}"


def repetition_in_words(rows: Sequence[Effect]) -> str:
    """The equivalence claims, one clause each; in each both endpoints must hold."""
    claims: dict[Any, list[Effect]] = {}
    for row in rows:
        claims.setdefault(row.get("claim", 0), []).append(row)
    return "; ".join(_claim_in_words(claim) for claim in claims.values())


def _claim_in_words(rows: Sequence[Effect]) -> str:
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


def reading_in_words(row: Effect) -> str:
    """What a row reads: an endpoint and, unless it is that at equal steps, at what it is matched."""
    told = endpoint_in_words(str(row["endpoint"]))
    return told if row["reading"] == "unmatched" else f"{told}, {row['reading']}"


def exception_in_words(row: Effect) -> str:
    """One reading whose sign is against that of its primary test."""
    firm = ", and its interval leaves out 0" if row["firm"] else "" if row["interval"] else ", no interval"
    return f"{row['name']}: {reading_in_words(row)} {row['estimate']:+.3f}, against {row['against']:+.3f}{firm}"


def against_in_words(rows: Sequence[Effect], primaries: Sequence[Effect], alpha: float) -> list[str]:
    """Every reading whose sign is against its primary test; first, of which primary tests a sign means little.

    Args:
        rows: the exceptions of sign.
        primaries: rows of the primary tests.
        alpha: level of the tests.

    Returns:
        One sentence or clause each.
    """
    spoken = {row["name"] for row in rows}
    weak = [row for row in primaries if row["name"] in spoken and row["p"] is not None and _p(row) > alpha]
    said = [
        f"{row['name']}: the primary test itself is not told apart from 0 (p = {_p(row):.2g}), so the sign of a "
        "reading means little"
        for row in weak
    ]
    return said + [exception_in_words(row) for row in rows]


def answer(
    primaries: Sequence[Effect],
    levels: Sequence[str],
    matched: Sequence[Effect],
    equivalence: Sequence[Effect],
    unmatched: Sequence[str] | None,
    *,
    alpha: float,
    smallest_effect: float,
) -> dict[str, Json]:
    """Sentences, claim level and claims of a study.

    A study of one contrast between two arms is answered in two sentences; any other in one a primary test, one on
    equal norm and one on equivalence.

    Args:
        primaries: rows of the primary tests.
        levels: the claim level of each.
        matched: rows of the primary contrasts at equal norm along training.
        equivalence: rows of the claims of no shift.
        unmatched: arms beyond the calipers of novelty, with how far; None where calipers are held against no arm.
        alpha: level of the tests.
        smallest_effect: smallest effect of interest, nats.

    Returns:
        "sentences", "claim_level" (what every primary test reaches) and "claims", one a primary test.
    """
    simple = len(primaries) == 1 and primaries[0]["kind"] == "contrast" and len(primaries[0]["pairs"]) == 1
    told = [(first_sentence if simple else sentence)(row, alpha, smallest_effect) for row in primaries]
    if simple and matched:
        sentences = [*told, second_sentence(matched[0], unmatched, equivalence)]
    else:
        repeated = repetition_in_words(equivalence)
        further = [matched_sentence(matched), f"{repeated[0].upper()}{repeated[1:]}." if repeated else ""]
        sentences = [*told, *filter(None, further)]
    keys = ("name", "kind", "estimate", "interval", "p", "p_adjusted", "n", "expected", "as_expected")
    claims: list[Json] = [
        {"claim_level": level, "sentence": text, **{key: row.get(key) for key in keys}}
        for row, level, text in zip(primaries, levels, told, strict=True)
    ]
    return {"sentences": list(sentences), "claim_level": min(levels), "claims": claims}


def limits(
    draws: int, unmatched: Sequence[str], reference: str | None, parameters: int, facts: Mapping[str, Any]
) -> list[str]:
    """What the result does not show, most important first.

    Args:
        draws: corpus draws an arm.
        unmatched: arms beyond the calipers of novelty, with how far.
        reference: the arm the calipers are held against, if there is one.
        parameters: parameters of the model.
        facts: "base_loss", the lowest and highest mean loss of the base on an arm and that of a uniform guess, nats a
            token; "shared_documents", the largest mean share of documents two draws of an arm have in common; and
            optionally "seeds", orders of a draw, "own_bases", whether every draw has a base of its own, and
            "procedural", whether documents come from a generator, "settings", their names, "corpora", how many corpora
            take part where corpora are the only units, "in_base", whether sources of arms are in the base, "start",
            what is known of a start model, and "setting_draws", draws of a setting.

    Returns:
        One or two plain sentences a limit; those on few draws, unmatched arms, shared documents only where they apply.
    """
    orders = facts.get("seeds", 1)
    corpora = facts.get("corpora")
    seeds = "one seed each" if orders == 1 else f"{orders} orders each, averaged first"
    own = "every draw has a base of its own, all trained alike"
    bases = own if facts.get("own_bases") else "inference is conditional on the shared base"
    bases = "inference is conditional on the base of each setting" if facts.get("settings") else bases
    found = [
        _transfer(parameters, facts),
        f"The unit is the corpus draw ({draws} an arm, {seeds}); {bases}."
        if corpora is None
        else f"The unit is the corpus ({corpora} of them, the draws of each averaged); {bases}.",
        "K measures how new the data are to the base and how long training lasted at least as much as breadth; "
        "its level means nothing, only contrasts at equal base, steps and rate do.",
        "A concentrated update is no proof of training on a benchmark, and no measure of quality.",
    ]
    if unmatched:
        found.insert(
            0,
            f"Beyond the calipers of novelty against {reference}: {', '.join(unmatched)}. Their difference in K mixes "
            "novelty with breadth; the study does not separate the two.",
        )
    low, high, uniform = facts["base_loss"]
    if low > UNKNOWN * uniform:
        found.insert(0, _unknown(low, high, uniform, taught=bool(facts.get("in_base"))))
    if facts.get("start"):
        found.insert(0, _start(facts["start"]))
    if draws < FEWEST_DRAWS and facts.get("test_draws", True):
        found.insert(0, f"With {draws} draws an arm the study describes; it tests nothing.")
    if (inside := facts.get("setting_draws", FEWEST_DRAWS)) < FEWEST_DRAWS <= draws:
        found.insert(0, f"With {inside} draws a setting, what is said inside one setting describes; it tests nothing.")
    shared = facts["shared_documents"]
    if shared > 0.0:
        origin = "one generator with a limited store of facts" if facts.get("procedural", True) else "the same sources"
        found.append(
            f"Draws come from {origin}: up to {shared:.0%} of an arm's documents "
            "occur word for word in another draw of it, so draws are less independent than their number says."
        )
    return found


def _unknown(low: float, high: float, uniform: float, *, taught: bool) -> str:
    """A base that does no better than a guess on every arm, whether or not it was trained on text of their sources."""
    told = f"{low:.1f} to {high:.1f} nats a token, is that of a uniform guess ({uniform:.1f})"
    if taught:
        return (
            f"The loss of the base on the documents of every arm, {told}, though it was trained on other documents of "
            "their sources: it has learned little, and breadth has little room to show."
        )
    return (
        f"The base knows nothing of any arm's documents: its loss on them, {told}. Learning a new language moves "
        "every arm alike and leaves breadth little room to show."
    )


def _start(start: Mapping[str, Any]) -> str:
    """What a study owes to a base that was not trained in it."""
    text = (
        f"The base is {start['name']}, which was not trained here: what it has seen is not known, so documents and "
        "benchmark items may have been among it, and how far an arm lies from it is told by its loss alone."
    )
    if not start["quantised"]:
        return text
    kinds = ", ".join(start["stored"])
    return f"{text} Its weights were stored rounded ({kinds}): updates are exact against those, not against finer ones."


def _transfer(parameters: int, facts: Mapping[str, Any]) -> str:
    """What a study was run on and nothing beyond."""
    base = "One recipe of bases" if facts.get("own_bases") else "One base"
    ran = f"{base}, one optimiser, one learning rate and one model of {parameters:,} parameters"
    if facts.get("settings"):
        names = ", ".join(facts["settings"])
        ran = f"{len(facts['settings'])} settings ({names}), one rate each, models of about {parameters:,} parameters"
    return f"{ran}: nothing here transfers to another without being run there."
