"""Jobs: which there are, which are needed, what proves runs matched, and the cache of bases."""

from dataclasses import replace
from pathlib import Path

import pytest
from study_material import write_material

from shadowgraph.artifact import exclusive, write_json
from shadowgraph.errors import EnvironmentFault, SpecError
from shadowgraph.identity import file_digest
from shadowgraph.runs.matched import Statement
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.bases import base_key, keep_base, restore_base
from shadowgraph.study.execute import jobs_of, pruned, run_one, wanted_of
from shadowgraph.study.layout import Layout, RunKey, runs_of
from shadowgraph.study.plan import Plan, claim_folder, freeze
from shadowgraph.study.training import arm_recipe, base_recipe, order_seed, prove_study, recipe_of_run
from shadowgraph.work.job import check

TINY = Path(__file__).with_name("tiny.toml")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return freeze(write_material(tmp_path_factory.mktemp("sources")))


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_runs_have_names_of_their_own_and_draws_come_before_the_rate_grid(sources: Plan) -> None:
    names = [key.name for key in runs_of(sources.spec)]
    main = ["known-0", "known-0-s1", "new-0", "new-0-s1", "known-1", "known-1-s1", "new-1", "new-1-s1"]
    assert names == [*main, "new-0-r0.0005"]
    assert [key.name for key in runs_of(freeze(TINY).spec)][:5] == [
        "aligned-0",
        "covering-0",
        "repeated-0",
        "random-0",
        "aligned-1",
    ]


def test_all_jobs_of_both_kinds_of_study_can_be_ordered(sources: Plan, tmp_path: Path) -> None:
    for plan in (freeze(TINY), sources):
        jobs = jobs_of(plan, Layout(tmp_path))
        check(jobs)
        assert len({job.mark for job in jobs}) == len(jobs)
        check(pruned(jobs, wanted_of(plan, Layout(tmp_path))))
    keys = {job.key for job in jobs_of(sources, Layout(tmp_path))}
    assert {"base-0", "base-1", "directions of base-1", "scores of base-0", "suite", "new-0-r0.0005"} <= keys


def test_what_nothing_missing_needs_is_not_run(sources: Plan, tmp_path: Path) -> None:
    layout, spec = Layout(tmp_path), sources.spec
    wanted = wanted_of(sources, layout)
    everything = {job.key for job in jobs_of(sources, layout)}
    assert {job.key for job in pruned(jobs_of(sources, layout), wanted)} == everything
    for key in runs_of(spec):
        touch(layout.run(key) / "record.json")
    for name in layout.bases(spec):
        touch(layout.root / name / "record.json")
    touch(layout.matched)
    touch(layout.suite / "suite.json")
    assert all(job.done for job in pruned(jobs_of(sources, layout), wanted))
    (layout.run(RunKey("new", 1, 1)) / "record.json").unlink()
    missing = [job.key for job in pruned(jobs_of(sources, layout), wanted) if not job.done]
    assert missing == ["base corpus", "base-1", "directions of base-1", "pool 1", "balance 1", "new-1-s1"]


def test_the_proof_needs_the_balance_of_every_draw_and_no_run(sources: Plan, tmp_path: Path) -> None:
    for plan in (freeze(TINY), sources):
        jobs = pruned(jobs_of(plan, Layout(tmp_path)), ["matched"])
        runs = {key.name for key in runs_of(plan.spec)}
        assert not runs & {job.key for job in jobs}
        assert {f"balance {draw}" for draw in range(2)} <= {job.key for job in jobs}


def test_orders_and_rates_change_what_they_name_and_nothing_else(sources: Plan) -> None:
    spec = sources.spec
    first, second = arm_recipe(spec, 0), arm_recipe(spec, 0, seed=1)
    assert first.order_seed == order_seed(spec, 0) != second.order_seed
    assert replace(second, order_seed=first.order_seed) == first
    grid = recipe_of_run(spec, RunKey("new", 0, 0, 5e-4))
    assert replace(grid, learning_rate=first.learning_rate) == first
    assert base_recipe(spec, 0).seed != base_recipe(spec, 1).seed
    one = freeze(TINY).spec
    assert base_recipe(one, 0) == base_recipe(one, 1)


def stated(spec: StudySpec, key: RunKey, **changed: object) -> Statement:
    recipe = recipe_of_run(spec, key)
    made = Statement(
        init=f"base-{key.draw}",
        tokenizer="t",
        architecture={},
        steps=recipe.steps,
        tokens=recipe.tokens,
        supervised_tokens=recipe.supervised_tokens,
        batch=recipe.batch,
        sequence_length=recipe.sequence_length,
        order_seed=recipe.order_seed,
        schedule={"name": recipe.schedule, "rate": recipe.learning_rate, "warmup_steps": recipe.warmup_steps},
        optimiser={},
        precision="float32",
        threads=1,
        snapshots=recipe.snapshots,
        environment={},
        data=key.name,
        order=key.name,
    )
    return replace(made, **changed)  # pyright: ignore[reportArgumentType]


def test_runs_are_proven_matched_up_to_what_a_study_varies(sources: Plan) -> None:
    spec = sources.spec
    statements = {key.name: stated(spec, key) for key in runs_of(spec)}
    proof = prove_study(spec, statements)
    assert proof["runs"] == 9
    rows = proof["draws"]
    assert isinstance(rows, list)
    assert [(row["draw"], row["seed"], row["runs"]) for row in rows if isinstance(row, dict)] == [
        (0, 0, 3),
        (0, 1, 2),
        (1, 0, 2),
        (1, 1, 2),
    ]


@pytest.mark.parametrize(
    ("key", "changed", "field"),
    [
        (RunKey("new", 0, 0, 5e-4), {"schedule": {"name": "x", "rate": 7e-4, "warmup_steps": 1}}, "schedule"),
        (RunKey("new", 0, 0, 5e-4), {"batch": 5}, "batch"),
        (RunKey("new", 0), {"init": "other"}, "init"),
        (RunKey("new", 0, 1), {"order_seed": 1}, "order_seed"),
        (RunKey("known", 1), {"tokenizer": "other"}, "tokenizer"),
    ],
)
def test_what_differs_beside_is_named(sources: Plan, key: RunKey, changed: dict[str, object], field: str) -> None:
    spec = sources.spec
    statements = {one.name: stated(spec, one) for one in runs_of(spec)}
    statements[key.name] = stated(spec, key, **changed)
    with pytest.raises(SpecError) as caught:
        prove_study(spec, statements)
    assert caught.value.where == f"matched.{field}"


def test_a_base_is_cached_whole_and_known_by_what_shapes_it(sources: Plan, tmp_path: Path) -> None:
    plan = freeze(TINY)
    layout, cache = Layout(tmp_path / "out"), tmp_path / "cache"
    weights = layout.base / "run" / "model" / "model.safetensors"
    touch(weights)
    weights.write_bytes(b"weights")
    write_json(layout.base / "run" / "_COMPLETE", {"model/model.safetensors": file_digest(weights)})
    touch(layout.base / "scores.parquet")
    cache.mkdir()
    keep_base(plan, layout, 0, cache)
    other = Layout(tmp_path / "other")
    touch(other.base / "record.json")
    restore_base(plan, other, 0, cache)
    assert (other.base / "run" / "model" / "model.safetensors").read_bytes() == b"weights"
    assert (other.base / "record.json").exists()
    assert not (other.base / "scores.parquet").exists()
    (cache / f"base-{base_key(plan, 0)}" / "run" / "model" / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(EnvironmentFault, match="damaged"):
        restore_base(plan, Layout(tmp_path / "third"), 0, cache)
    assert base_key(sources, 0) != base_key(sources, 1)
    assert base_key(Plan(sources.spec, {**sources.files, "fields.jsonl": "0"}, sources.folder), 0) != base_key(
        sources, 0
    )


def test_one_run_at_a_time_and_only_one_that_there_is(sources: Plan, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "out")
    claim_folder(sources, layout.root)
    with pytest.raises(SpecError, match="no run is called 'knwon-0'"):
        run_one(sources, layout, "knwon-0", workers=1, cache=None, display=None)
    with exclusive(layout.lock), pytest.raises(EnvironmentFault, match="another process"):
        run_one(sources, layout, "base", workers=1, cache=None, display=None)
