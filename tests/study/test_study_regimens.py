"""Regimens: a study with two of them through every room, and the proof that each run is what its name promises."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from study_made import record_of, spec_of
from study_material import write_material
from study_program import call

from shadowgraph.errors import SpecError
from shadowgraph.report.record import Record
from shadowgraph.report.runs import regimen_table, run_table
from shadowgraph.runs.matched import Statement, changeable
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.execute import progress_of, run_one
from shadowgraph.study.layout import Layout, RunKey, runs_of
from shadowgraph.study.listing import run_rows
from shadowgraph.study.plan import claim_folder, describe, freeze
from shadowgraph.study.readings import gather
from shadowgraph.study.record import export_records
from shadowgraph.study.training import prove_study, recipe_of_run

pytestmark = pytest.mark.timeout(900)
SPEC = Path(__file__).with_name("tiny-regimens.toml")
BESIDE = ["one-0-flat", "one-0-held", "others-0-held", "one-1-flat"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The finished study, one run of it trained by `study exec`, and the same made from its records."""
    folder = tmp_path_factory.mktemp("regimens")
    spec = write_material(folder, SPEC)
    out = folder / "out"
    plan, layout = freeze(spec), Layout(out)
    claim_folder(plan, out)
    run_one(plan, layout, "one-0-flat", workers=1, cache=None, display=None)
    alone = {path.name: path.read_bytes() for path in (out / "runs" / "one-0-flat").iterdir() if path.is_file()}
    call("study", "run", spec, "--output", out)
    export_records(layout, plan.spec, folder / "records")
    call("study", "run", spec, "--output", folder / "again", "--records", folder / "records")
    found = {name: json.loads((out / f"{name}.json").read_text()) for name in ("result", "matched")}
    return {"spec": spec, "out": out, "again": folder / "again", "alone": alone, **found}


def record(done: dict[str, Any], name: str) -> dict[str, Any]:
    return json.loads((done["out"] / "runs" / name / "record.json").read_text())


def test_every_run_leaves_a_record_that_names_its_regimen(done: dict[str, Any]) -> None:
    assert sorted(path.name for path in (done["out"] / "runs").iterdir() if path.is_dir()) == sorted(
        [f"{arm}-{draw}" for arm in ("one", "others") for draw in range(2)] + BESIDE
    )
    assert record(done, "one-0")["regimen"] is None
    assert record(done, "one-0-held")["regimen"] == "held"
    assert record(done, "one-0-held")["K"] is not None
    assert not (done["out"] / "runs" / "one-0-held" / "model").exists()
    assert (done["out"] / "runs" / "one-0-flat" / "record.json").read_bytes() == done["alone"]["record.json"]


def test_regimens_move_the_update_and_leave_the_data(done: dict[str, Any]) -> None:
    names = ("one-0", "one-0-flat", "one-0-held")
    plain, flat, held = (record(done, name) for name in names)
    assert flat["K"] < plain["K"] - 0.05
    assert held["log_norm"] < plain["log_norm"] - 0.3
    assert flat["seed"] == held["seed"] == plain["seed"]
    stated = done["matched"]["statements"]
    assert len({json.dumps([stated[name][key] for key in ("data", "order", "init")]) for name in names}) == 1


def test_they_take_no_part_in_the_tests_of_the_plan(done: dict[str, Any]) -> None:
    result = done["result"]
    K = {(run["arm"], run["draw"]): run["K"] for run in result["runs"] if run["regimen"] is None}
    assert result["primary"]["n"] == [2, 2]
    assert result["primary"]["mean"] == pytest.approx(fmean(K["one", draw] - K["others", draw] for draw in range(2)))
    assert [run["regimen"] for run in result["runs"]] == [None] * 4 + [name.rpartition("-")[2] for name in BESIDE]
    assert all(len(arm["endpoint"]["K"]["values"]) == 2 for arm in result["arms"])


def test_the_proof_and_the_design_name_them(done: dict[str, Any]) -> None:
    wanted = [
        {
            "name": "flat",
            "role": "flattening",
            "changes": {"flatten": 0.3},
            "arms": ["one"],
            "draws": 2,
            "runs": 2,
        },
        {
            "name": "held",
            "role": "control",
            "changes": {"learning_rate": 5e-4, "anchor": 0.1},
            "arms": ["one", "others"],
            "draws": 1,
            "runs": 2,
        },
    ]
    assert done["matched"]["regimens"] == wanted
    assert done["result"]["design"]["regimens"] == wanted
    assert [proof["runs"] for proof in done["matched"]["draws"]] == [5, 3]
    assert done["matched"]["runs"] == 8
    assert "training under regimens" in done["result"]["provenance"]["matched"]["differ_in"]


def test_from_records_alone_the_result_is_the_same(done: dict[str, Any]) -> None:
    for name in ("result.json", "report.html"):
        assert (done["again"] / name).read_bytes() == (done["out"] / name).read_bytes(), name


def test_the_page_shows_each_beside_the_plain_run_of_its_draw(done: dict[str, Any]) -> None:
    assert "regimens beside the study&#39;s own training" in (done["out"] / "report.html").read_text()
    table = regimen_table(Record(done["result"]))
    assert [[cell.text for cell in row[:5]] for row in table.rows] == [
        ["one", "flat", "flattening", "flatten 0.3", "2"],
        ["one", "held", "control", "anchor 0.1, learning_rate 0.0005", "1"],
        ["others", "held", "control", "anchor 0.1, learning_rate 0.0005", "1"],
    ]
    lower = [record(done, f"one-{draw}-flat")["K"] - record(done, f"one-{draw}")["K"] for draw in range(2)]
    mean, spread = (float(part.replace("−", "-")) for part in table.rows[0][5].text.split(" ± "))
    assert mean == pytest.approx(fmean(lower), abs=0.01)
    assert spread == pytest.approx(stdev(lower), abs=0.01)
    shown = run_table(Record(done["result"]))
    assert shown.columns[:2] == ["arm", "regimen"]
    assert len(shown.rows) == 8


def test_status_and_plan_count_them(done: dict[str, Any]) -> None:
    assert progress_of(done["out"]).stages["runs"] == (8, 8)
    told = "\n".join(describe(freeze(done["spec"])))
    assert "regimen flat (flattening): flatten 0.3; one, 2 draws" in told
    assert "regimen held (control): learning_rate 0.0005, anchor 0.1; every arm, 1 draw" in told
    assert "8 runs" in told


def stated(spec: StudySpec, key: RunKey) -> Statement:
    recipe = recipe_of_run(spec, key)
    return Statement(
        init="base", tokenizer="t", architecture={}, steps=recipe.steps, tokens=recipe.tokens,
        supervised_tokens=recipe.supervised_tokens, batch=recipe.batch, sequence_length=recipe.sequence_length,
        order_seed=recipe.order_seed, precision="float32", threads=1, snapshots=recipe.snapshots, environment={},
        data=f"{key.arm}-{key.draw}", order=f"{key.arm}-{key.draw}", **changeable(recipe),
    )  # fmt: skip


REGIMENS = [
    {"name": "muon", "role": "flattening", "training": {"optimiser": "muon", "learning_rate": 2e-3}},
    {"name": "held", "role": "control", "draws": 2, "training": {"anchor": 0.1}},
]


def made() -> tuple[StudySpec, dict[str, Statement]]:
    spec = spec_of({"a": {}, "b": {}}, {"primary": ["a", "b"]}, draws=3, regimens=REGIMENS)
    return spec, {key.name: stated(spec, key) for key in runs_of(spec)}


def test_the_proof_puts_back_what_a_regimen_promises() -> None:
    spec, statements = made()
    proof = prove_study(spec, statements)
    rows = proof["draws"]
    assert isinstance(rows, list)
    assert [row["runs"] for row in rows if isinstance(row, dict)] == [6, 6, 4]
    plain = spec_of({"a": {}, "b": {}}, {"primary": ["a", "b"]}, draws=3)
    own = prove_study(plain, {key.name: statements[key.name] for key in runs_of(plain)})
    assert proof["fingerprint"] == own["fingerprint"]
    assert "regimens" not in own


def test_regimens_are_proven_inside_settings() -> None:
    settings = [{"name": "plain"}, {"name": "near", "training": {"anchor": 0.4, "learning_rate": 5e-4}}]
    arms: dict[str, Any] = {"a": {}, "b": {}}
    analysis = {"primary": ["a", "b"], "design": "blocked"}
    spec = spec_of(arms, analysis, draws=4, regimens=REGIMENS[:1], settings=settings)
    statements = {key.name: stated(spec, key) for key in runs_of(spec)}
    proof = prove_study(spec, statements)
    inside, fields = proof["settings"], proof["fields"]
    assert isinstance(inside, dict)
    assert [one["runs"] for one in inside.values() if isinstance(one, dict)] == [8, 8]
    assert isinstance(fields, list)
    assert not {"anchor", "optimiser", "schedule"} & {str(field) for field in fields}
    assert statements["a-1-muon"].anchor == 0.4
    with pytest.raises(SpecError, match="anchor"):
        prove_study(spec, statements | {"a-1-muon": replace(statements["a-1-muon"], anchor=0.0)})


@pytest.mark.parametrize(
    ("name", "changed", "field"),
    [
        ("a-0-muon", {"anchor": 0.2}, "anchor"),
        ("a-0-muon", {"schedule": {"name": "constant_with_warmup", "rate": 1e-3, "warmup_steps": 5}}, "schedule"),
        ("a-0-muon", {"optimiser": {"name": "AdamW"}}, "optimiser"),
        ("b-1-held", {"anchor": 0.0}, "anchor"),
        ("b-1-held", {"flatten": 0.5}, "flatten"),
        ("b-1-held", {"batch": 5}, "batch"),
        ("b-1-held", {"order_seed": 5}, "order_seed"),
        ("b-1", {"anchor": 0.1}, "anchor"),
    ],
)
def test_a_run_that_is_not_what_its_name_promises_is_refused(name: str, changed: dict[str, Any], field: str) -> None:
    spec, statements = made()
    statements[name] = replace(statements[name], **changed)
    with pytest.raises(SpecError) as caught:
        prove_study(spec, statements)
    assert caught.value.where == f"matched.{field}"


def test_gathered_apart_from_main_runs_and_grid() -> None:
    spec, _ = made()
    records = [record_of(key, K=1.0, regimen=key.regimen or None) for key in runs_of(spec)]
    runs = gather(spec, records)
    assert all(len(rows) == 1 and rows[0]["regimen"] is None for rows in runs.main.values())
    assert not runs.grid
    assert [row["regimen"] for row in runs.regimens["b", 1]] == ["muon", "held"]
    assert set(runs.only([0]).regimens) == {("a", 0), ("b", 0)}


def test_the_result_lists_every_run_once_those_of_the_grid_before_those_of_regimens() -> None:
    grid = {"arms": ["b"], "rates": [5e-4], "draws": 1}
    arms: dict[str, Any] = {"a": {}, "b": {}}
    spec = spec_of(arms, {"primary": ["a", "b"]}, draws=2, regimens=REGIMENS[:1], rate_grid=grid)
    records = [record_of(key, K=1.0, rate=key.rate, regimen=key.regimen or None) for key in runs_of(spec)]
    rows = [row for row in run_rows(gather(spec, records)) if isinstance(row, dict)]
    named = [(row["arm"], row["draw"], row["rate"], row["regimen"]) for row in rows]
    assert named == [
        *[(arm, draw, None, None) for arm in ("a", "b") for draw in range(2)],
        ("b", 0, 5e-4, None),
        *[(arm, draw, None, "muon") for draw in range(2) for arm in ("a", "b")],
    ]
    assert "variants" in records[0]["snapshots"][0]
    assert '"variants"' not in json.dumps(rows)
