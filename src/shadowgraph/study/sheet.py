"""The balance of all arms, known before any of them is trained.

Here live: the job that reads a base's loss on the data of a draw, and the sheet with calipers and matched corpora that
stands beside the proof of matching.
Not here: the other numbers of the sheet, which the corpora alone can tell (`corpora`, `blends`), and anything read from
a run (`trained`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shadowgraph.artifact import read_object, write_json
from shadowgraph.corpus.balance import RELATIVE, compare, novelty
from shadowgraph.errors import DataError
from shadowgraph.identity import Json
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import read_spec
from shadowgraph.study.labelled import match_corpora, without_match
from shadowgraph.study.layout import Layout, runs_of
from shadowgraph.study.panels import balance_means
from shadowgraph.study.record import recorded
from shadowgraph.study.shown import loss_on
from shadowgraph.work.job import Progress

LOSS_SEQUENCES = 64  # sequences on which the base's loss on an arm's data is read


def balance_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Read the loss of a draw's base on what every arm of the draw will be trained on, nats a token."""
    layout, draw = Layout(Path(str(arguments["root"]))), int(str(arguments["draw"]))
    spec = read_spec(layout.root)
    base = layout.base_of(spec, draw) / "run" / "model"
    arms = [arm for arm, its in spec.runs if its == draw]
    losses: dict[str, Json] = {}
    for place, arm in enumerate(arms):
        losses[arm] = loss_on(base, layout.regime(arm, draw) / "sequences.npy", LOSS_SEQUENCES)
        progress((place + 1) / len(arms))
    write_json(layout.base_losses(draw), losses)


def balance_of(layout: Layout, arm: str, draw: int) -> dict[str, Any]:
    """The balance of one regime as the records of its runs hold it: "balance" and "base_loss"."""
    return {
        "balance": read_object(layout.regime(arm, draw) / "balance.json"),
        "base_loss": read_object(layout.base_losses(draw))[arm],
    }


def balance_sheet(layout: Layout, spec: StudySpec) -> dict[str, Json]:
    """The sheet of all arms, worked out from corpora and bases as the analysis will work it out from records.

    Returns:
        "reference": the arm that calipers are held against, or None. "limits": key → caliper; those in "relative" are
        shares of the reference's value. "arms": name, draws, "means" over draws (every column of the sheet that all
        draws have, and base_loss), "calipers" met or missed, "novelty" (see
            `corpus.balance.novelty`; None of the reference). "label": matched sets of corpora and those
        without a match, None where no label is tested. K has no part in any of it.
    """
    rows: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in spec.arms}
    for key in runs_of(spec):
        if key.main:
            rows[key.arm].append(recorded(balance_of(layout, key.arm, key.draw)))
    means = {arm: balance_means(found) for arm, found in rows.items()}
    reference = spec.analysis.against
    arms: list[Json] = []
    for arm, own in means.items():
        against = means[reference] if reference is not None and reference != arm else None
        held = compare(own, against, spec.analysis.calipers) if against is not None else ()
        facts: dict[str, Json] = {
            "name": arm,
            "draws": sum(name == arm for name, _ in spec.runs),
            "means": dict(own),
            "calipers": [asdict(item) for item in held],
            "novelty": novelty(held) if against is not None else None,
        }
        arms.append(facts)
    return {
        "reference": reference,
        "limits": dict(spec.analysis.calipers.model_dump()),
        "relative": [key for key in spec.analysis.calipers.model_dump() if key in RELATIVE],
        "arms": arms,
        "label": _label(spec, means),
    }


def _label(spec: StudySpec, means: Mapping[str, Mapping[str, float]]) -> Json:
    """The strata in which a label will be tested."""
    label = spec.analysis.label
    if label is None:
        return None
    strata = match_corpora(spec, label, means)
    alone = without_match(strata)
    return {
        "name": label.name,
        "positive": label.positive,
        "negative": label.negative,
        "limits": dict(strata.limits),
        "sets": [{"positive": arm, "negatives": [*others]} for arm, others in strata.sets],
        "unmatched": {side: [{"arm": arm} | near for arm, near in found.items()] for side, found in alone.items()},
    }


def sheet_of(layout: Layout) -> dict[str, Any]:
    """The sheet of a folder whose runs were proven matched.

    Raises:
        DataError: the proof has no sheet; it was written by an earlier version.
    """
    proof = read_object(layout.matched)
    if "balance" not in proof:
        found = "the proof of matching holds no balance sheet"
        raise DataError(found, where=str(layout.matched), hint="delete that file; the same command writes it anew")
    return proof["balance"]
