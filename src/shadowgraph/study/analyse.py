"""The analysis: records of a finished study in, `result.json` out.

Here live: the order of the analysis, and the result.
Not here: any statistic (`effects`, `contrasts`, `doses`, `labelled`, `mixtures`, `link`), tables (`panels`), or wording
(`answer`, `doubts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, cast

from shadowgraph.artifact import read_object, write_json
from shadowgraph.identity import Json, versions
from shadowgraph.scores.item import ItemScore
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import doses, intervention, kinship, labelled, mixtures, powers, regimens, settings, tower_table
from shadowgraph.study.answer import against_in_words, answer, claim_level, limits
from shadowgraph.study.contrasts import (
    Asked,
    Row,
    adjusted,
    asked,
    beside,
    exceptions,
    exploratory_pairs,
    modules,
    readings,
    sensitivity,
    turns_claim,
)
from shadowgraph.study.doubts import misses, would_change
from shadowgraph.study.effects import equivalence
from shadowgraph.study.joined import Scored, join_footprints, join_scores
from shadowgraph.study.layout import Layout
from shadowgraph.study.link import links, loss_asymmetry, loss_reader
from shadowgraph.study.listing import run_rows
from shadowgraph.study.lopsided import ALIGNED_SPLITS, asymmetry_rows, index_values, panel_of
from shadowgraph.study.panels import arm_tables, heat_map, measure_table, score_tables, spectra_table
from shadowgraph.study.plan import Plan
from shadowgraph.study.readings import READINGS, Read, Record, Runs, gather, is_blocked, reader, unmatched
from shadowgraph.study.record import base_records, items_of, records_of, to_digits
from shadowgraph.study.roster import has_roster, write_roster
from shadowgraph.study.start import uniform_loss
from shadowgraph.study.trained import null_curve

UNSCORED = "Scores of benchmarks are left out: the items are not here, and the records hold no roster of them."
LIMITS_SHOWN = 4  # beside the answer; the others stand further down
LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "reasoning-gym", "lm-eval", "numpy", "scipy")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a result is made of beside the specification.

    Attributes:
        records: of all runs, rate grid and regimens included.
        bases: draw → record of the base it starts from.
        scores: "base" and arms → draw → order → items; no arm where the study scores nothing.
        corpora: what only the corpora together tell: "shared_documents" and "trained_on", by arm.
    """

    records: Sequence[Record]
    bases: Mapping[int, Record]
    scores: Scored
    corpora: Mapping[str, Mapping[str, Any]]


def analyse(plan: Plan, layout: Layout) -> dict[str, Json]:
    """Analyse a finished study and write its result and its joined tables.

    Args:
        plan: the frozen plan.
        layout: its folder, all jobs done.

    Returns:
        The result, as written: a pure function of the records, free of times and places.
    """
    spec = plan.spec
    records, bases = records_of(layout, spec), base_records(layout, spec)
    matched = read_object(layout.matched)
    write_roster(layout.suite)
    scores = _scores(gather(spec, records), bases, layout)
    join_footprints(layout, spec)
    if scores:
        join_scores(scores, layout.scores)
    evidence = Evidence(records, bases, scores, matched["corpora"])
    heading: dict[str, Json] = {
        "schema_version": "1.1",
        "kind": "study",
        "name": spec.study.name,
        "question": spec.study.question,
        "plan_hash": plan.hash,
    }
    result = heading | result_of(spec, evidence) | {"provenance": _provenance(plan, matched)}
    if not scores and _scored(bases):
        result["limits"] = [UNSCORED, *cast("list[Json]", result["limits"])]
    written = {key: to_digits(value) for key, value in result.items()}
    write_json(layout.result, written)
    return written


def _scored(bases: Mapping[int, Record]) -> bool:
    return all(record.get("items") is not None for record in bases.values())


def _scores(runs: Runs, bases: Mapping[int, Record], layout: Layout) -> Scored:
    """The item scores in the records; nothing where the study has no suite."""
    if not _scored(bases) or not has_roster(layout.suite):
        return {}
    kept = [bases[draw] for draw in sorted(layout.bases(runs.spec).values())]
    found: dict[str, list[list[list[ItemScore]]]] = {"base": [[items_of(base, layout.suite)] for base in kept]}
    for arm in runs.arms:
        draws = [runs.main[arm, draw] for draw in runs.draws(arm)]
        found[arm] = [[items_of(record, layout.suite) for record in orders] for orders in draws]
    return found


@dataclass(frozen=True, slots=True)
class _Tests:
    """The tests of a plan, primary ones apart, and the strata of its label."""

    tests: tuple[Asked, ...]
    strata: labelled.Strata | None

    def of(self, role: str) -> list[Asked]:
        return [test for test in self.tests if test.role == role]


def _tests(runs: Runs) -> _Tests:
    """Contrasts, trends and the label, in the order of the plan."""
    analysis = runs.spec.analysis
    strata = labelled.strata_of(runs, analysis.label) if analysis.label is not None else None
    tests = [asked(contrast, runs) for contrast in analysis.all_contrasts]
    tests += [doses.asked(trend, runs) for trend in analysis.trends]
    tests += [labelled.asked(runs, strata)] if strata is not None else []
    return _Tests(tuple(tests), strata)


def result_of(spec: StudySpec, evidence: Evidence) -> dict[str, Json]:
    """Everything in a result that follows from specification and evidence alone.

    Raises:
        Defect: a run of the plan has no record.
        DataError: a procedural arm was trained on a family of the transfer panel.
    """
    every = gather(spec, evidence.records)
    runs, shown = settings.seen(every), settings.first(every)
    tests = _tests(runs)
    uneven, panel, asymmetry = _asymmetry(runs, evidence)
    primaries = adjusted([_with_misses(test.main(), runs) for test in tests.of("primary")])
    secondaries = adjusted([_with_misses(test.main(), runs) for test in tests.of("secondary")])
    rows = _rows(runs, tests, secondaries, asymmetry)
    claims = _claims(runs)
    against = exceptions(primaries, rows)
    label = _label_table(runs, tests, [*primaries, *secondaries])
    strength = _powers(runs, tests, primaries)
    records = {arm: shown.of(arm) for arm in runs.arms}
    arms, unmatched = arm_tables(spec, {arm: runs.of(arm) for arm in runs.arms})
    inside = settings.table(every, [*primaries, *secondaries], asymmetry) if spec.settings else None
    told, further = _answer(runs, evidence, (primaries, rows, claims), unmatched)
    if inside is not None:
        told |= settings.added(told, inside, primaries)
    edited = intervention.part(spec, evidence.records)
    matched = [row for row in rows if row["role"] == "reading"]
    words: dict[str, Json] = {
        "exceptions": [*against_in_words(against, primaries, spec.analysis.alpha), *settings.against(inside)],
        "would_change": [*would_change(primaries, matched, against, strength, label, alpha=spec.analysis.alpha)],
    }
    return {
        "answer": told | intervention.added(told, edited) | words,
        "design": _design(spec),
        "arms": [*settings.with_endpoints(every, arms)],
        "against": spec.analysis.against,
        "runs": run_rows(every),
        "primary": primaries[0],
        "primaries": list(primaries),
        "contrasts": list(rows),
        "exceptions": list(against),
        "modules": [modules(c, shown) for c in spec.analysis.all_contrasts if c.role == "primary"],
        "trends": _trend_tables(runs, [*primaries, *secondaries]),
        "equivalence": list(claims),
        "label": label,
        "affinity": kinship.table(runs, tests.strata),
        "mixture": list(mixtures.rows(spec.analysis.all_contrasts, runs, _plain([*primaries, *secondaries]))),
        "scores": list(score_tables(evidence.scores, 1.0 - spec.analysis.alpha, spec.study.seed)),
        "panel": panel,
        "asymmetry": list(uneven),
        "link": list(links(runs, asymmetry)) if asymmetry is not None else [],
        "power": list(strength),
        "heatmap": heat_map(records),
        "spectra": spectra_table(records, null_curve(_shapes(evidence.records[0]), spec.study.seed)),
        "measures": list(measure_table(records)),
        "limits": list(further),
        **({"settings": inside} if inside is not None else {}),
        **edited,
        **({"towers": tower_table.table(runs, evidence.scores, evidence.bases)} if spec.pictures is not None else {}),
    }


def _rows(runs: Runs, tests: _Tests, secondaries: Sequence[Row], asymmetry: Read | None) -> list[Row]:
    """Every row that is no primary test: readings, variants, rivals, secondary tests, exploratory pairs."""
    analysis = runs.spec.analysis
    matched = {contrast.name: readings(contrast, runs) for contrast in analysis.all_contrasts}
    matched |= {trend.name: doses.readings(trend, runs) for trend in analysis.trends}
    if tests.strata is not None:
        matched[tests.strata.label.name] = labelled.readings(runs, tests.strata)
    found: list[Row] = []
    for test in tests.of("primary"):
        found += matched.get(test.name, [])
        found += _uneven(test, asymmetry)
        found += sensitivity(test, runs)
        found += beside(test, runs)
    for test, main in zip(tests.of("secondary"), secondaries, strict=True):
        found += [main, *matched.get(test.name, []), *_uneven(test, asymmetry), *beside(test, runs)]
    return found + exploratory_pairs(runs)


def _uneven(test: Asked, asymmetry: Read | None) -> list[Row]:
    """A test on the asymmetry of what arms learned; nothing where an arm has no index."""
    if asymmetry is None:
        return []
    row = test.on("asymmetry", "beside", asymmetry)
    return [row] if row["status"] == "ok" else []


def _with_misses(row: Row, runs: Runs) -> Row:
    """A contrast's row with the calipers its arms miss against each other."""
    contrast = next((c for c in runs.spec.analysis.all_contrasts if c.name == row["name"]), None)
    missed: Row = {} if contrast is None else {"misses": misses(contrast, runs)}
    return row | missed


def _plain(mains: Sequence[Row]) -> dict[str, Json]:
    return {str(row["name"]): row["estimate"] for row in mains}


def _asymmetry(runs: Runs, evidence: Evidence) -> tuple[list[dict[str, Json]], Json, Read | None]:
    """The table of asymmetry, its panel, and how a record gives its index: of scores, or over sources of losses."""
    spec = runs.spec
    if spec.sources:
        rows = loss_asymmetry(runs, evidence.bases)
        return rows, None, loss_reader(runs, evidence.bases)
    if not evidence.scores or spec.pictures is not None:
        return [], None, None
    base = evidence.scores["base"][0][0]
    arms = {arm: evidence.scores[arm] for arm in runs.arms}
    panel = panel_of(base, evidence.corpora["trained_on"])
    rows = asymmetry_rows(base, arms, panel, 1.0 - spec.analysis.alpha, spec.study.seed)
    values = index_values(rows)
    told: Json = {"aligned": list(ALIGNED_SPLITS), "transfer": list(panel.splits)}
    return rows, told, lambda record: values.get((str(record["arm"]), int(record["draw"])))


def _claims(runs: Runs) -> list[dict[str, Json]]:
    """The claims of no shift, two rows each."""
    found: list[dict[str, Json]] = []
    analysis = runs.spec.analysis
    for number, claim in enumerate(analysis.claims):
        pair = [claim.arms]
        units = {key: unmatched(runs, pair, reader(key)).pairs for key in ("K", "outside_loss")}
        tables = {key: both[0] if both else ({}, {}) for key, both in units.items()}
        rows = equivalence(claim, tables, alpha=analysis.alpha, blocked=is_blocked(runs, pair))
        found += [row | {"claim": number} for row in rows]
    return found


def _label_table(runs: Runs, tests: _Tests, mains: Sequence[Row]) -> Row | None:
    if tests.strata is None:
        return None
    return labelled.table(runs, tests.strata, next(row for row in mains if row["kind"] == "label"))


def _trend_tables(runs: Runs, mains: Sequence[Row]) -> list[Json]:
    named = {str(row["name"]): row for row in mains if row["kind"] == "trend"}
    return [doses.table(trend, runs, named[trend.name]) for trend in runs.spec.analysis.trends]


def _powers(runs: Runs, tests: _Tests, primaries: Sequence[Row]) -> list[Row]:
    """What every primary test could have found."""
    analysis = runs.spec.analysis
    found = {c.name: powers.of_contrast(c, runs) for c in analysis.all_contrasts if c.role == "primary"}
    found |= {trend.name: powers.of_trend(trend, runs) for trend in analysis.trends if trend.role == "primary"}
    if tests.strata is not None and tests.strata.label.role == "primary":
        found[tests.strata.label.name] = powers.of_label(tests.strata, runs)
    return [found[str(row["name"])] | {"kind": row["kind"]} for row in primaries]


def _answer(
    runs: Runs,
    evidence: Evidence,
    found: tuple[Sequence[Row], Sequence[Row], Sequence[Row]],
    unmatched: Sequence[str],
) -> tuple[dict[str, Json], list[str]]:
    """The answer to primary tests, all other rows and claims of no shift; and the limits that stand further down."""
    primaries, rows, claims = found
    spec, analysis = runs.spec, runs.spec.analysis
    levels = [
        claim_level(main, [row for row in rows if row.get("of") == main["name"] and turns_claim(row)], analysis.alpha)
        for main in primaries
    ]
    names = {str(main["name"]) for main in primaries}
    matched = [row for row in rows if row["reading"] == READINGS["norm"] and row["name"] in names]
    known = unmatched if analysis.against is not None else None
    told = answer(
        primaries, levels, matched, claims, known, alpha=analysis.alpha, smallest_effect=analysis.smallest_effect
    )
    facts = _facts(runs, evidence) | {"test_draws": any(main["kind"] != "label" for main in primaries)}
    label = spec.analysis.label
    if label is not None and not facts["test_draws"]:
        facts["corpora"] = len({*runs.members(label.positive), *runs.members(label.negative)})
    parameters = int(evidence.records[0]["parameters"])
    bounds = limits(spec.study.draws, unmatched, analysis.against, parameters, facts)
    shown: Row = {"limits": list(bounds[:LIMITS_SHOWN])}
    return told | shown, bounds[LIMITS_SHOWN:]


def _facts(runs: Runs, evidence: Evidence) -> dict[str, Any]:
    """What the limits of an answer depend on; see `answer.limits`."""
    spec = runs.spec
    losses = [fmean(float(record["base_loss"]) for record in runs.of(arm)) for arm in runs.arms]
    trained = {name for names in evidence.corpora["trained_on"].values() for name in names}
    shared = [float(share) for share in evidence.corpora["shared_documents"].values() if share is not None]
    return {
        "base_loss": (min(losses), max(losses), uniform_loss(spec, evidence.bases)),
        "start": evidence.bases[0].get("start"),
        "shared_documents": max(shared, default=0.0),
        "seeds": spec.study.seeds,
        "own_bases": spec.study.base == "each_draw",
        "procedural": not spec.sources,
        "in_base": any(source.base != "never" and source.name in trained for source in spec.sources),
        "settings": [setting.name for setting in spec.settings],
        "setting_draws": spec.study.draws // max(1, len(spec.settings)),
    }


def _design(spec: StudySpec) -> Json:
    """What is tested on what, in short."""
    own = "its base, its sources and its documents" if spec.study.base == "each_draw" else "its documents"
    unit = f"a corpus draw with {own}; orders of a draw are averaged first"
    of_settings: dict[str, Json] = {
        "settings": [
            {"name": one.name, "held_out": one.held_out, "draws": len(spec.draws_of(one))} for one in spec.settings
        ]
    }
    return {
        **(of_settings if spec.settings else {}),
        **({"regimens": [*regimens.facts(spec)]} if spec.regimens else {}),
        "design": spec.analysis.design,
        "base": spec.study.base,
        "draws": spec.study.draws,
        "seeds": spec.study.seeds,
        "alpha": spec.analysis.alpha,
        "smallest_effect": spec.analysis.smallest_effect,
        "unit": unit if spec.analysis.label is None else f"{unit}; of the label a corpus, its draws averaged",
    }


def _shapes(record: Record) -> list[tuple[int, int]]:
    """Shapes of the block linear matrices."""
    return [(int(rows), int(columns)) for rows, columns in record["shapes"]]


def _provenance(plan: Plan, matched: Mapping[str, Any]) -> Json:
    """Versions, seeds and parents of the result."""
    spec = plan.spec
    statements = list(matched["statements"].values())
    parents: dict[str, Json] = {
        "plan": plan.hash,
        "base": str(statements[0]["init"])[:16],
        "tokenizer": str(statements[0]["tokenizer"])[:16],
        "matched": str(matched["fingerprint"]),
    }
    differ: list[Json] = ["data", "order", *(["supervised tokens"] if spec.pictures is not None else [])]
    if spec.study.base == "each_draw":
        parents["bases"] = [*dict.fromkeys(str(statement["init"])[:16] for statement in statements)]
        differ.append("init")
    if spec.rate_grid is not None:
        differ.append("rate of the rate grid")
    if spec.regimens:
        differ.append("training under regimens")
    return {
        "versions": {"shadowgraph": str(plan.frozen()["program"]), **versions(*LIBRARIES)},
        "seeds": {"study": spec.study.seed},
        "parents": parents,
        "matched": {"runs": matched["runs"], "fields": list(matched["fields"]), "differ_in": differ},
    }
