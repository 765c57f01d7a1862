"""The analysis: records and scores of a finished study in, `result.json` out.

Here live: reading what the runs left, the order of the analysis, and the result.
Not here: any statistic (`effects`, `panels`) or wording (`answer`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from shadowgraph.artifact import read_object, whole, write_json
from shadowgraph.footprint.table import Footprint, read_footprint
from shadowgraph.identity import Json, versions
from shadowgraph.scores.item import ItemScore, read_scores
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.multiple import holm
from shadowgraph.study.answer import claim_level, first_sentence, limits, second_sentence
from shadowgraph.study.arrays import load_array
from shadowgraph.study.effects import Curve, contrast, equivalence, norm_matched
from shadowgraph.study.layout import Layout
from shadowgraph.study.lopsided import ALIGNED_SPLITS, asymmetry_rows, panel_of, trained_on
from shadowgraph.study.panels import arm_tables, heat_map, measure_table, score_tables, spectra_table
from shadowgraph.study.plan import Plan
from shadowgraph.study.training import null_curve

Record = Mapping[str, Any]
LIMITS_SHOWN = 4  # beside the answer; the others stand further down
LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "reasoning-gym", "lm-eval", "numpy", "scipy")


def analyse(plan: Plan, layout: Layout) -> dict[str, Json]:
    """Analyse a finished study and write its result and its joined tables.

    Args:
        plan: the frozen plan.
        layout: its folder, all jobs done.

    Returns:
        The result, as written: a pure function of the records, free of times and places.
    """
    spec = plan.spec
    names = [arm.name for arm in spec.arms]
    draws = range(spec.study.draws)
    records = {arm: [_record(layout.run(arm, draw)) for draw in draws] for arm in names}
    scores = {arm: [read_scores(layout.run(arm, draw) / "scores.parquet") for draw in draws] for arm in names}
    base_scores = read_scores(layout.base / "scores.parquet")
    footprints = {arm: [read_footprint(layout.run(arm, draw) / "footprint") for draw in draws] for arm in names}
    _write_footprints(footprints, layout.footprint)
    _write_scores({"base": [base_scores], **scores}, layout.scores)
    arms, novel = arm_tables(spec.arms, records, spec.analysis)
    effects = _effects(spec, records)
    primary, matched = effects["primary"][0], effects["matched"][0]
    panel = panel_of(base_scores, trained_on(layout, spec))
    lopsided = asymmetry_rows(base_scores, scores, panel, 1.0 - spec.analysis.alpha, spec.study.seed)
    claims: list[dict[str, Json]] = []
    if spec.analysis.equivalence is not None:
        outside = {arm: [float(row["outside_loss"]) for row in rows] for arm, rows in records.items()}
        claims = equivalence(spec.analysis.equivalence, _values(records, "K"), outside, spec.analysis.alpha)
    level = 1.0 - spec.analysis.alpha
    facts = _facts(spec, layout, records)
    bounds = limits(spec.study.draws, novel, spec.analysis.primary[1], _parameters(footprints), facts)
    claim = claim_level(primary, effects["sensitivity"], spec.analysis.alpha)
    first = first_sentence(primary, spec.analysis.alpha, spec.analysis.smallest_effect)
    result: dict[str, Json] = {
        "schema_version": "1.0",
        "kind": "study",
        "name": spec.study.name,
        "question": spec.study.question,
        "plan_hash": plan.hash,
        "answer": {
            "sentences": [first, second_sentence(matched, novel, claims)],
            "claim_level": claim,
            "limits": list(bounds[:LIMITS_SHOWN]),
        },
        "arms": list(arms),
        "runs": [_run_row(row) for rows in records.values() for row in rows],
        "primary": primary,
        "contrasts": [*effects["matched"], *_uneven(lopsided, spec), *effects["sensitivity"], *effects["exploratory"]],
        "equivalence": list(claims),
        "scores": list(score_tables({"base": [base_scores], **scores}, level, spec.study.seed)),
        "panel": {"aligned": list(ALIGNED_SPLITS), "transfer": list(panel.splits)},
        "asymmetry": list(lopsided),
        "heatmap": heat_map(records),
        "spectra": spectra_table(records, null_curve(_block_shapes(footprints), spec.study.seed)),
        "measures": list(measure_table(footprints)),
        "limits": list(bounds[LIMITS_SHOWN:]),
        "provenance": _provenance(plan, layout),
    }
    write_json(layout.result, result)
    return result


def _facts(spec: StudySpec, layout: Layout, records: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """What the limits of an answer depend on; see `answer.limits`."""
    losses = [fmean(float(row["base_loss"]) for row in rows) for rows in records.values()]
    return {
        "base_loss": (min(losses), max(losses), math.log(spec.model.vocabulary)),
        "shared_documents": max(_shared_documents(layout, arm, spec.study.draws) for arm in records),
    }


def _record(folder: Path) -> Record:
    """The record of one run."""
    return read_object(folder / "record.json")


def _values(records: Mapping[str, Sequence[Record]], key: str) -> dict[str, list[float]]:
    """One number a draw for every arm."""
    return {arm: [float(row[key]) for row in rows] for arm, rows in records.items()}


def _effects(spec: StudySpec, records: Mapping[str, Sequence[Record]]) -> dict[str, list[dict[str, Json]]]:
    """The primary contrast, its norm-matched reading, its variants, and all other pairs, marked exploratory."""
    analysis, seed = spec.analysis, spec.study.seed
    pair = analysis.primary
    name = f"{pair[0]} - {pair[1]}"
    concentration = _values(records, "K")
    curves = {
        arm: [
            Curve(
                tuple(float(point["log_norm"]) for point in row["snapshots"]),
                tuple(float(point["K"]) for point in row["snapshots"]),
            )
            for row in rows
        ]
        for arm, rows in records.items()
    }
    variants = {
        key: {arm: [row["variants"][key] for row in rows] for arm, rows in records.items()}
        for key in records[pair[0]][0]["variants"]
    }
    sensitivity = [
        contrast(name, f"K:{key}", pair, values, analysis=analysis, seed=seed) | {"role": "sensitivity"}
        for key, values in variants.items()
        if all(value is not None for arm in pair for value in values[arm])
    ]
    companions = [
        contrast(name, key, pair, _values(records, key), analysis=analysis, seed=seed) | {"role": "beside"}
        for key in ("K_emb", "log_norm")
        if all(row[key] is not None for arm in pair for row in records[arm])
    ]
    others = [
        contrast(f"{a} - {b}", "K", (a, b), concentration, analysis=analysis, seed=seed) | {"role": "exploratory"}
        for a, b in combinations(records, 2)
        if pair not in ((a, b), (b, a))
    ]
    adjusted = holm({str(row["name"]): float(str(row["p"])) for row in others})
    for row in others:
        row["p_adjusted"] = adjusted[str(row["name"])]
        row["family"] = len(others)
    return {
        "primary": [contrast(name, "K", pair, concentration, analysis=analysis, seed=seed) | {"role": "primary"}],
        "matched": [norm_matched(name, pair, curves, analysis, seed) | {"role": "reading"}],
        "sensitivity": sensitivity,
        "exploratory": [*companions, *others],
    }


def _uneven(rows: Sequence[Mapping[str, Any]], spec: StudySpec) -> list[dict[str, Json]]:
    """The primary pair compared on the asymmetry of its scores; nothing where an arm has no index."""
    values = {str(row["arm"]): list(row["values"]) for row in rows}
    pair, seed = spec.analysis.primary, spec.study.seed
    if not all(values[arm] for arm in pair):
        return []
    name = f"{pair[0]} - {pair[1]}"
    return [contrast(name, "asymmetry", pair, values, analysis=spec.analysis, seed=seed) | {"role": "beside"}]


def _run_row(row: Record) -> Json:
    """What the result keeps of one run."""
    keys = ("arm", "draw", "seed", "K", "K_emb", "log_norm", "final_loss", "base_loss", "outside_loss", "tokens")
    return {**{key: row[key] for key in keys}, "snapshots": row["snapshots"], "fingerprint": row["run"]}


def _block_shapes(footprints: Mapping[str, Sequence[Footprint]]) -> list[tuple[int, int]]:
    """Shapes of the block linear matrices."""
    first = next(iter(footprints.values()))[0]
    return [record.shape for record in first.matrices if record.role.is_block_linear]


def _parameters(footprints: Mapping[str, Sequence[Footprint]]) -> int:
    """Stored parameters of the model."""
    return next(iter(footprints.values()))[0].coverage.parameters


def _shared_documents(layout: Layout, arm: str, draws: int) -> float:
    """Mean share of an arm's document texts in one draw that occur word for word in another draw of it."""
    texts = [np.unique(load_array(layout.regime(arm, draw) / "texts.npy")) for draw in range(draws)]
    shares = [np.isin(a, b).mean() for a, b in combinations(texts, 2)]
    return float(np.mean(shares))


def _provenance(plan: Plan, layout: Layout) -> Json:
    """Versions, seeds and parents of the result."""
    matched = read_object(layout.matched)
    statement = next(iter(matched["statements"].values()))
    return {
        "versions": {"shadowgraph": str(plan.frozen()["program"]), **versions(*LIBRARIES)},
        "seeds": {"study": plan.spec.study.seed},
        "parents": {
            "plan": plan.hash,
            "base": str(statement["init"])[:16],
            "tokenizer": str(statement["tokenizer"])[:16],
            "matched": str(matched["fingerprint"]),
        },
        "matched": {"runs": matched["runs"], "fields": list(matched["fields"]), "differ_in": ["data", "order"]},
    }


def _write_footprints(footprints: Mapping[str, Sequence[Footprint]], path: Path) -> None:
    """Join the footprints of all runs into one table with the columns arm and draw in front."""
    _join(
        [
            ({"arm": arm, "draw": draw}, footprint.to_table())
            for arm, found in footprints.items()
            for draw, footprint in enumerate(found)
        ],
        path,
    )


def _write_scores(scores: Mapping[str, Sequence[Sequence[ItemScore]]], path: Path) -> None:
    """Join the item scores of all runs into one table with the columns arm and draw in front."""
    import pyarrow as pa

    keys = ("id", "split", "family", "group", "correct", "bits_per_byte", "margin")
    parts = [
        ({"arm": arm, "draw": draw}, pa.table({key: [getattr(item, key) for item in items] for key in keys}))
        for arm, draws in scores.items()
        for draw, items in enumerate(draws)
    ]
    _join(parts, path)


def _join(parts: Sequence[tuple[dict[str, str | int], Any]], path: Path) -> None:
    """Stack tables, each with constant columns in front."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stacked: list[Any] = []
    for labels, part in parts:
        table = part
        for position, (name, value) in enumerate(labels.items()):
            table = table.add_column(position, name, pa.array([value] * table.num_rows))
        stacked.append(table)
    with whole(path) as temporary:
        pq.write_table(pa.concat_tables(stacked), temporary, compression="zstd")
