"""The counterparts stage: the models of a finished study on their benchmark's items in other dresses.

Here live: its jobs, its folder inside the study's, and the result: scores by dress, and the gap of every run.
Not here: the dresses (`dresses`), the gap itself (`scores.gap`). Nothing a study wrote before is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import clear, exclusive, read_object, write_json
from shadowgraph.errors import DataError, SpecError, require
from shadowgraph.identity import Json
from shadowgraph.scores.gap import differences, gap
from shadowgraph.scores.headroom import BOTH, Measure, headroom, value_of
from shadowgraph.scores.item import ItemScore, read_scores, write_scores
from shadowgraph.scores.score import score
from shadowgraph.scores.suite import write_suite
from shadowgraph.seeds import generator
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.cluster import crossed_mean
from shadowgraph.stats.resample import Interval
from shadowgraph.study.arrays import read_spec
from shadowgraph.study.corpora import recipe_of
from shadowgraph.study.dresses import TRAINED, dresses_of
from shadowgraph.study.layout import Layout, RunKey
from shadowgraph.work.account import Display
from shadowgraph.work.executor import execute
from shadowgraph.work.job import Job, Progress

LETTERS = "near_original"
SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "near": (LETTERS, ("near",)),
    "unfamiliar": (TRAINED, ("far", "unseen")),
}
"""Sets of dresses that a gap is taken over: the original, and the distances held against it. Near ones are answered
with a letter, as their original is. Dresses of the pool are in no set: some arms trained on them."""
Scores = Mapping[str, Sequence[Sequence[ItemScore]]]


def run_counterparts(
    root: Path, *, items: int | None, workers: int, overwrite: bool, display: Display | None
) -> dict[str, Any]:
    """Score every model of a finished study on every dress, or go on where that stopped, and write the result.

    Args:
        root: the study's folder.
        items: items of the benchmark; None takes as many as the study scored.
        workers: processes, one thread each.
        overwrite: delete what was scored here on another number of items.
        display: told the progress.

    Returns:
        The result, as written to `counterparts/result.json`: free of times and places.

    Raises:
        DataError: the folder holds no finished study.
        SpecError: it holds counterparts on another number of items, or a study that has no models or none of the
            benchmark of the worlds.
    """
    layout = Layout(root)
    if not layout.complete.exists():
        raise DataError("holds no finished study", where=str(root), hint="run the study to its end first")
    require("lm_eval", "eval")
    spec = read_spec(root)
    _primary(spec)
    if spec.study.keep == "records":
        found = "holds records, and counterparts need the models"
        raise SpecError(found, where=str(root), hint='keep = "weights", and train the runs here')
    asked: dict[str, Json] = {"plan_hash": read_object(layout.plan)["plan_hash"], "items": items or spec.scores.items}
    with exclusive(layout.lock):
        _claim(layout, asked, overwrite=overwrite)
        execute(_jobs(layout, spec), workers=workers, display=display)
        result = _result(layout, spec, asked)
        write_json(layout.counterparts / "result.json", result)
    return result


def _primary(spec: StudySpec) -> tuple[str, str]:
    """The two arms that the study compares first, of a study on the benchmark of the worlds.

    Raises:
        SpecError: it has no such benchmark, or no primary pair of arms.
    """
    pair = spec.analysis.primary
    if spec.pool is None or pair is None:
        found = "has no benchmark of the worlds, or no primary pair of arms"
        raise SpecError(found, where=spec.study.name, hint="give dresses to scores.benchmarks instead")
    return pair


def _claim(layout: Layout, asked: Mapping[str, Json], *, overwrite: bool) -> None:
    """Make the folder that of these items, or find that it is already."""
    mark = layout.counterparts / "asked.json"
    if mark.exists() and read_object(mark) != asked:
        if not overwrite:
            raise SpecError(
                f"was scored on {read_object(mark).get('items')} items, and {asked['items']} are asked for",
                where=str(layout.counterparts),
                hint="give that number, or pass --overwrite",
            )
        clear(layout.root, ["counterparts"])
    write_json(mark, asked)


def _jobs(layout: Layout, spec: StudySpec) -> list[Job]:
    """One job for the suite and one a model."""
    root: dict[str, Json] = {"root": str(layout.root)}
    rows = 25 * spec.scores.items
    jobs = [Job("dresses", f"{__name__}:suite_job", root, layout.counterparts / "suite" / "suite.json", cost=3.0)]
    for name, model in _models(layout, spec).items():
        mark = layout.counterparts / f"{name}.parquet"
        target: dict[str, Json] = {**root, "model": str(model), "mark": str(mark)}
        jobs.append(Job(f"scores of {name}", f"{__name__}:score_job", target, mark, ("dresses",), 2.0 + rows / 40))
    return jobs


def _models(layout: Layout, spec: StudySpec) -> dict[str, Path]:
    """The base and every run, by name."""
    found = {f"{arm}-{draw}": layout.run(RunKey(arm, draw)) / "model" for arm, draw in spec.runs}
    return {"base": layout.base_run / "model", **found}


def suite_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Write the items in every dress."""
    layout = Layout(Path(str(arguments["root"])))
    spec, asked = read_spec(layout.root), read_object(layout.counterparts / "asked.json")
    found = dresses_of(recipe_of(spec), spec.study.seed, int(asked["items"]))
    keys = ("name", "distance", "changes", "declined")
    write_json(layout.counterparts / "dresses.json", {"dresses": [{k: getattr(d, k) for k in keys} for d in found]})
    write_suite({dress.name: dress.rows for dress in found}, layout.counterparts / "suite")


def score_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Score one model on the items in every dress."""
    folder, mark = Path(str(arguments["root"])), Path(str(arguments["mark"]))
    write_scores(score(Path(str(arguments["model"])), Layout(folder).counterparts / "suite", progress=progress), mark)


def _result(layout: Layout, spec: StudySpec, asked: Mapping[str, Json]) -> dict[str, Any]:
    """The result of the stage."""
    folder, primary = layout.counterparts, _primary(spec)
    draws = {arm.name: [draw for name, draw in spec.runs if name == arm.name] for arm in spec.arms}
    base = read_scores(folder / "base.parquet")
    arms = {arm: [read_scores(folder / f"{arm}-{draw}.parquet") for draw in drawn] for arm, drawn in draws.items()}
    dresses: list[dict[str, Any]] = read_object(folder / "dresses.json")["dresses"]
    level, everyone = 1.0 - spec.analysis.alpha, [run for runs in arms.values() for run in runs]
    for dress in dresses:
        dress.update(asdict(headroom(dress["name"], base, everyone)))
        dress["kind"] = next(item.kind for item in base if item.split == dress["name"])
    scored: Scores = {"base": [base], **arms}
    cells = [
        _cell(model, dress["name"], measure, runs, level)
        for measure in BOTH
        for dress in dresses
        for model, runs in scored.items()
    ]
    sets = {
        name: [dress["name"] for dress in dresses if dress["distance"] in kinds and dress["name"] != original]
        for name, (original, kinds) in SETS.items()
    }
    gaps = [
        {"arm": arm, "set": name}
        | _gap_row(
            base,
            runs,
            reference=arms[primary[1]],
            dresses=(SETS[name][0], splits),
            measure=measure,
            level=level,
            seed=spec.study.seed,
        )
        for measure in BOTH
        for name, splits in sets.items()
        if splits
        for arm, runs in arms.items()
    ]
    return {
        "schema_version": "1.0",
        "kind": "counterparts",
        "name": spec.study.name,
        "level": level,
        **asked,
        "models": list(scored),
        "primary": list(primary),
        "dresses": dresses,
        "scores": cells,
        "contrasts": [
            _contrast(dress["name"], measure, arms[primary[0]], arms[primary[1]], level)
            for measure in BOTH
            for dress in dresses
        ],
        "sets": sets,
        "gaps": gaps,
    }


def _cell(
    model: str, dress: str, measure: Measure, runs: Sequence[Sequence[ItemScore]], level: float
) -> dict[str, Json]:
    """One measure of one arm (or the base) in one dress, its interval over draws and items; plain sign."""
    values, groups = _values(dress, measure, runs)
    found = crossed_mean(values, groups, level)
    means: list[Json] = [float(value) for value in values.mean(axis=1)]
    row: dict[str, Json] = {"model": model, "dress": dress, "measure": measure, "mean": found.mean, "values": means}
    return {**row, "interval": _ends(found.interval), "status": found.interval.status}


def _contrast(
    dress: str,
    measure: Measure,
    runs: Sequence[Sequence[ItemScore]],
    others: Sequence[Sequence[ItemScore]],
    level: float,
) -> dict[str, Json]:
    """One arm minus another in one dress, item by item and draw by draw: arms of a draw share pool and order."""
    values, groups = _values(dress, measure, runs)
    found = crossed_mean(values - _values(dress, measure, others)[0], groups, level)
    row: dict[str, Json] = {"dress": dress, "measure": measure, "estimate": found.mean}
    return {**row, "interval": _ends(found.interval), "status": found.interval.status}


def _values(dress: str, measure: Measure, runs: Sequence[Sequence[ItemScore]]) -> tuple[NDArray[np.float64], list[str]]:
    """Values of the items of one dress (runs x items) in the measure's own sign, and their clusters."""
    sign = -1.0 if measure == "bits_per_byte" else 1.0
    items = [[item for item in run if item.split == dress] for run in runs]
    values = np.array([[sign * value_of(item, measure) for item in run] for run in items])
    return values, [item.group for item in items[0]]


def _gap_row(
    base: Sequence[ItemScore],
    runs: Sequence[Sequence[ItemScore]],
    *,
    reference: Sequence[Sequence[ItemScore]],
    dresses: tuple[str, Sequence[str]],
    measure: Measure,
    level: float,
    seed: int,
) -> dict[str, Json]:
    """The gap of one arm: over draws and items, beyond the gap of the reference arm, and run by run."""
    original, others = [dresses[0]], dresses[1]
    before = differences(base, original, others, measure)
    after = [differences(run, original, others, measure) for run in runs]
    pooled = crossed_mean(np.stack([one.values - before.values for one in after]), before.groups, level)
    pairs = zip(after, (differences(run, original, others, measure) for run in reference), strict=True)
    beyond = crossed_mean(np.stack([one.values - two.values for one, two in pairs]), before.groups, level)
    streams = [generator(seed, "gap", dresses[0], str(draw), measure) for draw in range(len(runs))]
    alone = [
        gap(base, run, original=original, reformatted=others, measure=measure, level=level, generator=stream)
        for run, stream in zip(runs, streams, strict=True)
    ]
    return {
        "measure": measure,
        "estimate": pooled.mean,
        "interval": _ends(pooled.interval),
        "status": pooled.interval.status,
        "beyond_reference": {"estimate": beyond.mean, "interval": _ends(beyond.interval)},
        "run_gap": fmean(one.run_gap for one in alone),
        "base_gap": alone[0].base_gap,
        "pairs": alone[0].pairs,
        "unpaired": alone[0].unpaired,
        "clusters": pooled.clusters,
        "runs": [
            {"estimate": one.estimate, "interval": list(one.interval) if one.interval else None, "status": one.status}
            for one in alone
        ],
    }


def _ends(interval: Interval) -> Json:
    """An interval as a list, None where there is none."""
    return None if interval.ends is None else list(interval.ends)
