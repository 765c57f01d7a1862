"""What may be said of edited updates and of flattened training, and in which words.

Here live: the conditions of each sentence, and the sentences. Not here: numbers (`frontiers`, `regimen_paths`).

Editing a finished update shows what its parts carry, not how they came about, and training otherwise changes more than
the spectrum: no sentence says that concentration causes harm, and fewer than three bases describe only. That no
difference was shown is never told as equality: that takes a margin fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

BASES = 3
"""The fewest bases that license a sentence beyond the runs at hand."""
LEADING = "the leading components carry more outside harm per unit of benchmark gain"
WHOLE = "the damage is carried by the update as a whole; concentration is a marker"
HEADLINE = "K falls and the damage stays: K is a marker, not a cause"
LOWERS = (
    "flattening during training lowers outside harm at equal benchmark loss; data were not manipulated at equal "
    "concentration, so mediation is not shown"
)
Row = Mapping[str, Any]
Fate = Literal["missing", "described", "lower", "mixed", "higher", "equal", "open"]


def fate_of(row: Row, alpha: float) -> Fate:
    """What a row of `over_bases`, with its p adjusted, licenses.

    A row counts as shown where its interval over all draws leaves out 0 and its sign-flip p, corrected, is at most
    alpha: of two draws a base the interval alone is too narrow. "lower" is shown below 0, with a mean below 0 in every
    base; "higher" the same above 0; "mixed" is shown, and the mean of a base has the other sign; "equal" lies within
    the margin; "open" is none of these, and no proof of equality. Fewer than three bases with a number are "described".
    """
    if row["estimate"] is None:
        return "missing"
    if len(_own(row)) < BASES:
        return "described"
    if _shown(row, -1, alpha):
        return "lower" if _agreeing(row, -1) == len(_own(row)) else "mixed"
    if _shown(row, 1, alpha):
        return "higher" if _agreeing(row, 1) == len(_own(row)) else "mixed"
    return "equal" if row.get("equivalent") else "open"


def edit_words(blocks: Sequence[Row], alpha: float) -> list[str]:
    """The sentences on removing leading components, one a block of an arm, and one where its blocks say the opposite.

    That a difference is shown in one block and not in the other is no difference between the blocks, so nothing is said
    of it.

    Args:
        blocks: of `frontiers.blocks_table`.
        alpha: level of the tests.

    Returns:
        Sentences.
    """
    found: list[str] = []
    fates: dict[str, list[Fate]] = {}
    for block in blocks:
        row = next(edit for edit in block["edits"] if edit["name"] == "top")
        fate = fate_of(row, alpha)
        fates.setdefault(str(block["arm"]), []).append(fate)
        found.append(f"{block['arm']}, {block['block']}: {_of_edit(row, fate)}.")
    for arm, both in fates.items():
        if {"lower", "higher"} <= set(both):
            found.append(f"{arm}: the two blocks say the opposite, so it matters what becomes of the embedding.")
    return found


def _of_edit(row: Row, fate: Fate) -> str:
    """The removal of leading components against interpolation, in the words that its fate licenses."""
    if fate == "missing":
        return f"removing the leading components is not compared with interpolation: {row['reason']}"
    way = "above" if row["estimate"] > 0 else "below"
    value = f"{abs(row['estimate']):.3f} nats {way} that of interpolation{_ends(row)}"
    told = f"at equal benchmark loss, removing the leading components leaves outside loss {value}"
    counts = f"in {_agreeing(row, 1 if row['estimate'] > 0 else -1)} of {_bases(row)} with that sign"
    match fate:
        case "described":
            return f"{told}; {_number(len(_own(row)))}, so this describes these runs and no others"
        case "lower" if row.get("equivalent"):
            within = f"in every one of {_bases(row)}{_within(row)}, which counts as no difference"
            return f"{told}, below {within}: no more than a description is licensed"
        case "lower":
            return f"{told}, below in every one of {_bases(row)}: {LEADING}"
        case "higher":
            return f"{told}, {counts}{_within(row)}: {WHOLE}"
        case "equal":
            return f"{told}, within the margin of {row['margin']:g} fixed beforehand: {WHOLE}"
        case "mixed":
            return f"{told}, {counts}: bases disagree, and no more than a description is licensed"
        case _:
            return f"{told}, {counts}: not shown to differ, which is no proof that the two are equal"


def _within(row: Row) -> str:
    return f", and within the margin of {row['margin']:g}" if row.get("equivalent") else ""


def training_words(rows: Sequence[Row], alpha: float, margin: float | None) -> list[str]:
    """The sentences on flattening during training, one an arm and flattening regimen.

    Args:
        rows: of `regimen_paths.training_table`: regimen, role, arm, against, "outside" and "K" as of `over_bases`.
        alpha: level of the tests.
        margin: what a lower outside loss must stay within to count as none; None where the plan fixed nothing.

    Returns:
        Sentences.
    """
    found: list[str] = []
    keys = dict.fromkeys((str(row["arm"]), str(row["regimen"])) for row in rows if row["role"] == "flattening")
    for arm, regimen in keys:
        own = [row for row in rows if (row["arm"], row["regimen"]) == (arm, regimen)]
        found.append(f"{arm}, {regimen}: {_of_training(own, alpha, margin)}.")
    return found


def _of_training(rows: Sequence[Row], alpha: float, margin: float | None) -> str:
    """One flattening regimen against the plain run, whose snapshots are an early stop, and every control."""
    plain = next((row for row in rows if row["against_role"] == "plain"), None)
    if plain is None:
        return "K is not compared with plain training: no run of it has a path"
    K = plain["K"]
    if K["estimate"] is None:
        return f"K is not compared with plain training at equal benchmark loss: {K['reason']}"
    told = f"at equal benchmark loss K is {K['estimate']:+.3f} nats{_ends(K)} from plain training"
    missing = [str(row["against"]) for row in rows if row["outside"]["estimate"] is None]
    if missing:
        return f"{told}; outside loss is not compared with {', '.join(missing)}"
    harms = "; ".join(f"{row['outside']['estimate']:+.3f}{_ends(row['outside'])} from {row['against']}" for row in rows)
    told = f"{told}, outside loss {harms}"
    bases = min(len(_own(row[key])) for row in rows for key in ("outside", "K"))
    if bases < BASES:
        return f"{told}; {_number(bases)}, so this describes these runs and no others"
    if not any(row["against_role"] == "control" for row in rows):
        return f"{told}; without a control regimen nothing more is licensed"
    if not _everywhere(K, -1, alpha):
        return f"{told}: K is not shown to fall in every base, so nothing follows of it"
    return _of_damage(rows, told, alpha, margin)


def _of_damage(rows: Sequence[Row], told: str, alpha: float, margin: float | None) -> str:
    """Where K is shown to fall: whether outside loss falls with it, stays, or neither is shown."""
    under = [row for row in rows if _everywhere(row["outside"], -1, alpha)]
    small = _small(under)
    if len(under) == len(rows):
        return f"{told}: {LOWERS if not small else 'outside loss is lower than under all of them in every base'}{small}"
    if under:
        lower = ", ".join(str(row["against"]) for row in under)
        told = f"{told}: outside loss is lower than under {lower} in every base, and not shown to be under the others"
        return f"{told}{small}"
    lows = [row["outside"]["interval"][0] for row in rows if row["outside"]["interval"] is not None]
    if len(lows) < len(rows):
        return f"{told}: not shown to be lower, and without all intervals not shown to stay either"
    if min(lows) >= -(margin or 0.0):
        return f"{HEADLINE}; {told}"
    if margin is not None:
        return f"{told}: not shown to be lower, and not shown to be within the margin of {margin:g} either"
    room = f"the intervals leave room for {min(lows):+.3f} nats"
    return f"{told}: not shown to be lower, and with no margin fixed beforehand not shown to stay either; {room}"


def _small(rows: Sequence[Row]) -> str:
    """Against what an outside loss that is shown to be lower lies within the margin all the same."""
    near = [row for row in rows if row["outside"].get("equivalent")]
    if not near:
        return ""
    names, margin = ", ".join(str(row["against"]) for row in near), near[0]["outside"]["margin"]
    return f"; from {names} it differs by less than the margin of {margin:g} fixed beforehand, which counts as none"


def _everywhere(row: Row, sign: int, alpha: float) -> bool:
    """Whether a difference of a sign is shown over all draws, and every base's mean has that sign."""
    return _shown(row, sign, alpha) and _agreeing(row, sign) == len(_own(row))


def _shown(row: Row, sign: int, alpha: float) -> bool:
    """Whether a difference of a sign is shown: by the interval, and by the sign-flip test, corrected."""
    ends = row["interval"]
    return ends is not None and min(sign * end for end in ends) > 0 and row["p_adjusted"] <= alpha


def _own(row: Row) -> list[Row]:
    """The bases with a number that take part in the test."""
    return [base for base in row["bases"] if not base["held_out"] and base["estimate"] is not None]


def _bases(row: Row) -> str:
    """How many bases have a number, and how many take part without one."""
    known, without = len(_own(row)), sum(not base["held_out"] for base in row["bases"]) - len(_own(row))
    return f"{known} bases" + (f" ({without} more without a number)" if without else "")


def _agreeing(row: Row, sign: int) -> int:
    """In how many bases with a number the mean has a sign."""
    return sum(float(base["estimate"]) * sign > 0 for base in _own(row))


def _ends(row: Row) -> str:
    """The interval, where there is one."""
    ends = row["interval"]
    return "" if ends is None else f" [{ends[0]:+.3f}, {ends[1]:+.3f}]"


def _number(bases: int) -> str:
    return f"{bases} base{'' if bases == 1 else 's'} with a number, and {BASES} are needed"
