"""The smallest study through the command line: whole, killed and resumed, read back, audited."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from study_material import write_material
from study_program import command

from shadowgraph.artifact import exclusive
from shadowgraph.seeds import generator
from shadowgraph.study.seal import seal_records

TINY = Path(__file__).with_name("tiny.toml")
KILLS = 4
pytestmark = pytest.mark.timeout(900)


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=800)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study run without disturbance."""
    folder = tmp_path_factory.mktemp("calm")
    done = call("study", "run", TINY, "--output", folder / "out", "--workers", "2", "--cache", folder / "cache")
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    assert "left" in done.stderr or "jobs" in done.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def sourced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study over sources, every draw with a base of its own, balanced, then run; only records are kept."""
    folder = tmp_path_factory.mktemp("sourced")
    spec = write_material(folder)
    done = call("study", "balance", spec, "--output", folder / "out", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert not (folder / "out" / "runs").exists()
    (folder / "sheet.json").write_text(done.stdout)
    done = call("study", "run", spec, "--output", folder / "out", "--workers", "2")
    assert done.returncode == 0, done.stderr
    done = call("study", "records", folder / "out", "--into", folder / "records")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("9 records of runs")
    return folder


def result_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "result.json").read_text())


def test_the_folder_is_complete_and_the_result_is_whole(calm: Path) -> None:
    for name in ("run.json", "plan.json", "footprint.parquet", "scores.parquet", "ledger.jsonl", "_COMPLETE"):
        assert (calm / name).stat().st_size > 0, name
    result = result_of(calm)
    assert [arm["name"] for arm in result["arms"]] == ["aligned", "covering", "repeated", "random"]
    assert len(result["runs"]) == 8
    assert {row["tokens"] for row in result["runs"]} == {16 * 4 * 64}
    for row in result["runs"]:
        assert [point["step"] for point in row["snapshots"]] == [4, 8, 16]
    assert result["answer"]["claim_level"] == "L0"
    assert len(result["answer"]["sentences"]) == 2
    splits = {row["split"] for row in result["scores"]}
    assert splits == {"benchmark", "reformatted", "composed", "recall", "other", "retained"}
    assert str(calm) not in (calm / "result.json").read_text()


def test_arms_differ_in_data_only_and_are_equal_to_the_token(calm: Path) -> None:
    matched = json.loads((calm / "matched.json").read_text())
    statements = list(matched["statements"].values())
    assert len(statements) == 8
    for key in statements[0]:
        values = {json.dumps(statement[key], sort_keys=True) for statement in statements}
        expected = {"data": 8, "order": 8, "order_seed": 2}.get(key, 1)
        assert len(values) == expected, key


def test_aligned_is_aligned_and_repeated_repeats(calm: Path) -> None:
    sheets = {arm["name"]: arm["balance"] for arm in result_of(calm)["arms"]}
    share = {name: sheet["benchmark_format_share"]["mean"] for name, sheet in sheets.items()}
    assert share["aligned"] > 0.9
    assert share["random"] < 0.12
    assert sheets["repeated"]["unique_token_share"]["mean"] == pytest.approx(0.9, abs=0.05)
    assert sheets["random"]["unique_token_share"]["mean"] == 1.0
    assert sheets["covering"]["strata"]["mean"] > sheets["random"]["strata"]["mean"]


def test_the_joined_tables_hold_every_run(calm: Path) -> None:
    footprint = pq.read_table(calm / "footprint.parquet")
    assert footprint.column_names[:3] == ["arm", "draw", "tensor"]
    assert set(footprint["object"].to_pylist()) == {"O1", "O2", "O3"}
    rows = footprint.to_pylist()
    assert {(row["arm"], row["draw"]) for row in rows} == {
        (arm, draw) for arm in ("aligned", "covering", "repeated", "random") for draw in (0, 1)
    }
    assert all((row["value"] is None) == (row["status"] != "ok") for row in rows)
    nulls = [r for r in rows if r["object"] == "O3" and r["measure"] == "participation_ratio" and r["status"] == "ok"]
    assert nulls
    assert all(row["null_mean"] is not None for row in nulls)
    assert len(pq.read_table(calm / "scores.parquet")) == 9 * sum(
        row["items"] for row in result_of(calm)["scores"] if row["arm"] == "base" and row["measure"] == "accuracy"
    )


def test_a_finished_study_answers_at_once_and_its_page_is_a_function_of_the_result(calm: Path) -> None:
    before = {name: (calm / name).read_bytes() for name in ("result.json", "report.html", "_COMPLETE")}
    again = call("study", "run", TINY, "--output", calm, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout) == result_of(calm)
    (calm / "report.html").unlink()
    assert call("study", "report", calm).returncode == 0
    assert {name: (calm / name).read_bytes() for name in before} == before
    status = call("study", "status", calm, "--json")
    assert json.loads(status.stdout)["state"] == "complete"


def test_another_plan_is_refused_in_the_same_folder(calm: Path, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(TINY.read_text().replace("seed = 11", "seed = 12"))
    refused = call("study", "run", tmp_path / "other.toml", "--output", calm, "--json")
    assert refused.returncode == 2
    assert "belongs to the plan" in json.loads(refused.stdout)["error"]["found"]


def test_a_model_of_the_study_is_scanned_and_audited(calm: Path, tmp_path: Path) -> None:
    model, base = calm / "runs" / "aligned-0" / "model", calm / "base" / "run" / "model"
    seen = call("inspect", model, "--json")
    assert json.loads(seen.stdout)["family"]
    scanned = call("scan", model, "--base", base, "--json")
    assert scanned.returncode == 0, scanned.stderr
    run = next(row for row in result_of(calm)["runs"] if (row["arm"], row["draw"]) == ("aligned", 0))
    assert json.loads(scanned.stdout)["endpoint"]["K"] == pytest.approx(run["K"], rel=1e-9)
    audited = call("audit", model, "--base", base, "--output", tmp_path / "audit")
    assert audited.returncode == 4, audited.stderr
    assert "SG004" in audited.stdout
    assert (tmp_path / "audit" / "report.html").stat().st_size > 1000
    assert call("audit", model, "--base", base, "--exit-zero").returncode == 0
    swapped = call("audit", model, "--base", tmp_path / "nowhere", "--json")
    assert swapped.returncode == 3
    assert json.loads(swapped.stdout)["error"]["type"] == "CheckpointError"


def test_the_lines_of_the_readme_run(calm: Path, tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    (tmp_path / "base").symlink_to(calm / "base" / "run" / "model")
    (tmp_path / "tuned").symlink_to(calm / "runs" / "aligned-0" / "model")
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    run = next(row for row in result_of(calm)["runs"] if (row["arm"], row["draw"]) == ("aligned", 0))
    assert f"{run['K']:.6f}"[:-1] in ran.stdout


def test_killed_at_random_moments_it_resumes_to_the_same_result(calm: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    moments = generator(3, "kills").uniform(4.0, 16.0, KILLS)
    run = command("study", "run", TINY, "--output", out, "--workers", "2")
    for number, moment in enumerate(moments):
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(float(moment))
        sent = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[number % 3]
        process.send_signal(sent)
        code = process.wait(timeout=120)
        assert code in {0, {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}[sent]}
    last = subprocess.run(run, capture_output=True, text=True, check=False, timeout=800)
    assert last.returncode == 0, last.stderr
    for name in ("result.json", "report.html", "matched.json", "footprint.parquet", "scores.parquet"):
        assert (out / name).read_bytes() == (calm / name).read_bytes(), name
    assert not list(out.rglob("*.tmp"))


def test_a_base_from_the_cache_gives_the_same_result(calm: Path, tmp_path: Path) -> None:
    """Only what a base is made from is taken: the rest of the study is copied to save time."""
    out = tmp_path / "out"
    shutil.copytree(calm, out, ignore=shutil.ignore_patterns("base", "_COMPLETE", "result.json", "matched.json"))
    done = call("study", "run", TINY, "--output", out, "--cache", calm.parent / "cache", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert (out / "result.json").read_bytes() == (calm / "result.json").read_bytes()
    (cached,) = (calm.parent / "cache").iterdir()
    weights = cached / "run" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    shutil.rmtree(out / "base")
    (out / "_COMPLETE").unlink()
    damaged = call("study", "run", TINY, "--output", out, "--cache", calm.parent / "cache", "--workers", "1")
    assert damaged.returncode == 5
    assert "damaged" in damaged.stderr


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    plan = call("study", "plan", TINY, "--json")
    (out / "plan.json").write_text(json.dumps({"plan_hash": json.loads(plan.stdout)["plan_hash"]}))
    with exclusive(out / ".lock"):
        refused = call("study", "run", TINY, "--output", out)
    assert refused.returncode == 5
    assert "another process is at work" in refused.stderr


def test_a_wrong_document_is_named_by_file_and_row(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"text": "fine"}\n{"txt": "not fine"}\n')
    spec = tmp_path / "own.toml"
    spec.write_text(TINY.read_text().replace("[pool]\n", '[pool]\nfiles = ["own.jsonl"]\n'))
    refused = call("study", "run", spec, "--output", tmp_path / "out", "--workers", "1")
    assert refused.returncode == 3
    assert f"{tmp_path / 'own.jsonl'}:2: the key 'text' is missing" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "out").exists()


def test_of_a_study_over_sources_only_records_stay(sourced: Path) -> None:
    out = sourced / "out"
    assert sorted(path.name for path in (out / "runs").iterdir()) == sorted(
        ["new-0-r0.0005", *(f"{arm}-{draw}{s}" for arm in ("known", "new") for draw in (0, 1) for s in ("", "-s1"))]
    )
    for run in (out / "runs").iterdir():
        assert not list(run.rglob("*.safetensors")), run
        assert {"record.json", "footprint", "ledger.jsonl", "run.json"} <= {path.name for path in run.iterdir()}
    record = json.loads((out / "runs" / "new-1-s1" / "record.json").read_text())
    assert record["sources"] == {"quiz": 8 * 4 * 32}
    assert set(record["source_losses"]) == {"fields", "harbours", "quiz", "letters", "elsewhere"}
    assert set(record["affinity"]) == {"fields", "harbours", "quiz", "letters"}
    assert all(0.0 < share < 1.0 for share in record["affinity"].values())
    assert record["own_loss"]["end"] < record["own_loss"]["start"]
    assert [point["step"] for point in record["snapshots"]] == [4, 8]
    assert record["snapshots"][-1]["own_loss"] == record["own_loss"]["end"]
    assert len((out / "runs" / "new-1-s1" / "record.json").read_bytes()) < 25_000


def test_bases_orders_and_rates_differ_as_they_should(sourced: Path) -> None:
    matched = json.loads((sourced / "out" / "matched.json").read_text())
    statements = matched["statements"]
    assert len({statement["init"] for statement in statements.values()}) == 2
    assert statements["new-0"]["data"] == statements["new-0-s1"]["data"] != statements["new-1"]["data"]
    assert statements["new-0"]["order"] != statements["new-0-s1"]["order"]
    assert statements["new-0-r0.0005"]["order"] == statements["new-0"]["order"]
    assert statements["new-0-r0.0005"]["schedule"]["rate"] == 5e-4
    known = [json.loads((sourced / "out" / f"base-{draw}" / "sources.json").read_text())["known"] for draw in (0, 1)]
    assert set(known[0]) & set(known[1]) == {"letters"}


def test_the_balance_before_training_is_that_of_the_result(sourced: Path) -> None:
    sheet = json.loads((sourced / "sheet.json").read_text())
    assert sheet["arms"] == json.loads((sourced / "out" / "matched.json").read_text())["balance"]["arms"]
    for before, after in zip(sheet["arms"], result_of(sourced / "out")["arms"], strict=True):
        assert before["means"] == pytest.approx({key: cell["mean"] for key, cell in after["balance"].items()})
        assert before["novelty"] == after["novelty"]
        assert len(before["calipers"]) == len(after["calipers"])
        for held, told in zip(before["calipers"], after["calipers"], strict=True):
            assert {**held, "against": sheet["reference"]} == {**told, "difference": held["difference"]}
            assert held["difference"] == pytest.approx(told["difference"], rel=1e-11, abs=1e-12)
    again = call("study", "balance", sourced / "tiny-sources.toml", "--output", sourced / "out")
    assert again.returncode == 0, again.stderr
    assert "Calipers against known" in again.stdout
    record = json.loads((sourced / "out" / "runs" / "new-1" / "record.json").read_text())
    losses = json.loads((sourced / "out" / "corpus" / "pool-1" / "base_loss.json").read_text())
    assert record["base_loss"] == pytest.approx(losses["new"], rel=1e-8)


def test_the_suite_holds_the_benchmark_in_its_dresses(sourced: Path) -> None:
    splits = {row["split"] for row in result_of(sourced / "out")["scores"]}
    assert splits == {"quiz", "quiz:labels"}


def test_from_records_alone_the_result_is_the_same_and_nothing_is_trained(sourced: Path) -> None:
    again = sourced / "again"
    done = call("study", "run", sourced / "tiny-sources.toml", "--output", again, "--records", sourced / "records")
    assert done.returncode == 0, done.stderr
    for name in ("result.json", "report.html"):
        assert (again / name).read_bytes() == (sourced / "out" / name).read_bytes(), name
    assert not (again / "corpus").exists()
    assert not list(again.rglob("*.safetensors"))


def test_from_records_alone_the_result_is_the_same_where_the_data_are_not(sourced: Path) -> None:
    """The study file in another folder, without a document beside it."""
    bare = sourced / "bare"
    bare.mkdir()
    spec = Path(shutil.copy(sourced / "tiny-sources.toml", bare))
    assert call("study", "run", spec, "--output", bare / "none").returncode == 3
    done = call("study", "run", spec, "--output", bare / "out", "--records", sourced / "records")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the data are not here") == 1
    for name in ("result.json", "report.html"):
        assert (bare / "out" / name).read_bytes() == (sourced / "out" / name).read_bytes(), name
    part = Path(shutil.copytree(sourced / "records", bare / "part"))
    (part / "runs" / "known-1" / "record.json").unlink()
    refused = call("study", "run", spec, "--output", bare / "lacks", "--records", part)
    assert refused.returncode == 3
    assert "fields.jsonl: no such file; named in sources 'fields'.files" in refused.stderr
    held = json.loads((part / "plan.json").read_text())
    held["spec"]["study"]["seed"] += 1
    (part / "plan.json").write_text(json.dumps(held))
    other = call("study", "run", spec, "--output", bare / "other", "--records", part)
    assert "no such file" in other.stderr


def test_records_without_a_roster_give_all_but_the_scores_where_the_data_are_not(sourced: Path) -> None:
    bare = sourced / "unscored"
    bare.mkdir()
    spec = Path(shutil.copy(sourced / "tiny-sources.toml", bare))
    records = Path(shutil.copytree(sourced / "records", bare / "records"))
    shutil.rmtree(records / "suite")
    seal_records(records)
    done = call("study", "run", spec, "--output", bare / "out", "--records", records)
    assert done.returncode == 0, done.stderr
    found, whole = result_of(bare / "out"), result_of(sourced / "out")
    assert found["scores"] == []
    assert whole["scores"]
    assert "Scores of benchmarks are left out" in found["limits"][0]
    assert {key for key in whole if found[key] != whole[key]} == {"scores", "limits"}


def test_changed_records_and_changed_results_are_refused(sourced: Path) -> None:
    spec, lie = sourced / "tiny-sources.toml", Path(shutil.copytree(sourced / "records", sourced / "lie"))
    path = lie / "runs" / "new-0" / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"K": record["K"] - 0.3}))
    refused = call("study", "run", spec, "--output", sourced / "lied", "--records", lie)
    assert refused.returncode == 3
    assert "new-0/record.json: is not what was written" in refused.stderr
    seal_records(lie)
    refused = call("study", "run", spec, "--output", sourced / "lied", "--records", lie)
    assert "its own slots give" in refused.stderr
    out = Path(shutil.copytree(sourced / "out", sourced / "changed"))
    result = result_of(out)
    (out / "result.json").write_text(json.dumps(result | {"question": "Another?"}))
    for verb in (("run", spec, "--output", out), ("report", out)):
        refused = call("study", *verb)
        assert refused.returncode == 3
        assert "result.json was changed since the study ended; delete" in refused.stderr
    status = call("study", "status", out)
    assert "changed" in status.stdout
    assert "result.json was changed since the study ended" in status.stdout


def test_only_the_run_without_a_record_is_trained(sourced: Path) -> None:
    part, run = sourced / "part", sourced / "records" / "runs" / "known-1"
    kept = (run / "record.json").read_bytes()
    (run / "record.json").unlink()
    spec = sourced / "tiny-sources.toml"
    assert call("study", "plan", spec, "--output", part).returncode == 0
    done = call("study", "run", spec, "--output", part, "--workers", "2", "--records", sourced / "records")
    assert done.returncode == 0, done.stderr
    (run / "record.json").write_bytes(kept)
    assert (part / "runs" / "known-1" / "record.json").read_bytes() == kept
    assert (part / "result.json").read_bytes() == (sourced / "out" / "result.json").read_bytes()
    assert not (part / "base-0" / "run").exists()
    assert [path.name for path in (part / "runs").iterdir() if (path / "ledger.jsonl").exists()] == ["known-1"]


@pytest.mark.slow
def test_one_run_of_a_planned_folder_is_trained_alone(sourced: Path) -> None:
    alone, spec = sourced / "alone", sourced / "tiny-sources.toml"
    assert call("study", "plan", spec, "--output", alone).returncode == 0
    for name in ("base", "new-0-s1"):
        done = call("study", "exec", alone, name, "--workers", "2")
        assert done.returncode == 0, done.stderr
    record = Path("runs", "new-0-s1", "record.json")
    assert (alone / record).read_bytes() == (sourced / "out" / record).read_bytes()
    assert call("study", "exec", alone, "new-9").returncode == 2


@pytest.mark.slow
def test_killed_at_twenty_random_moments_a_study_that_keeps_records_ends_the_same(sourced: Path) -> None:
    out, spec = sourced / "killed", sourced / "tiny-sources.toml"
    run = command("study", "run", spec, "--output", out, "--workers", "2")
    for number, moment in enumerate(generator(4, "kills").uniform(2.0, 14.0, 20)):
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(float(moment))
        process.send_signal((signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[number % 3])
        process.wait(timeout=120)
    last = subprocess.run(run, capture_output=True, text=True, check=False, timeout=800)
    assert last.returncode == 0, last.stderr
    for name in ("result.json", "report.html", "matched.json", "scores.parquet"):
        assert (out / name).read_bytes() == (sourced / "out" / name).read_bytes(), name
    assert not list((out / "runs").rglob("*.safetensors"))
    assert not list(out.rglob("*.tmp"))
