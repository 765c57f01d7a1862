"""The part of a result that is made of edited updates and of the paths of training.

Here live: that part, and the answer with its sentences. Not here: its numbers (`frontiers`, `regimen_paths`) and the
conditions of its words (`licence`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shadowgraph.identity import Json
from shadowgraph.spec.intervention import Intervention
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.frontiers import blocks_table
from shadowgraph.study.licence import edit_words, training_words
from shadowgraph.study.regimen_paths import Role, training_table


def table(
    spec: StudySpec,
    asked: Intervention,
    records: Sequence[Mapping[str, Any]],
    regimens: Sequence[tuple[str, Role]] = (),
) -> dict[str, Json]:
    """What editing finished updates, and training otherwise, say at equal benchmark loss.

    Args:
        spec: the study.
        asked: its intervention.
        records: of all its runs, held-out settings and regimens included.
        regimens: name and role of each regimen; none where the study has none.

    Returns:
        "benchmark", "arms", "support", "margin", "sequences"; "blocks" as of `frontiers.blocks_table`; "training" as of
        `regimen_paths.training_table`; "words", the licensed sentences.
    """
    blocks = blocks_table(spec, asked, records)
    training = training_table(spec, asked, regimens, records)
    alpha = spec.analysis.alpha
    words = edit_words(blocks, alpha) + training_words(training, alpha, asked.margin)
    return {
        "benchmark": asked.benchmark,
        "arms": list(asked.arms),
        "support": asked.support,
        "margin": asked.margin,
        "sequences": asked.sequences,
        "blocks": [*blocks],
        "training": [*training],
        "words": [*words],
    }


def part(spec: StudySpec, records: Sequence[Mapping[str, Any]]) -> dict[str, Json]:
    """What a result holds of it: the table under "intervention", or nothing where none is asked for."""
    regimens: list[tuple[str, Role]] = [(regimen.name, regimen.role) for regimen in spec.regimens]
    return {} if spec.intervention is None else {"intervention": table(spec, spec.intervention, records, regimens)}


def added(told: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Json]:
    """The sentences of an answer with those of `part` after them."""
    words = found["intervention"]["words"] if found else []
    return {"sentences": [*told["sentences"], *words]}
