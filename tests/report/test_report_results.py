"""The committed pages of results: written from result.json and nothing else, complete, and equal to what it gives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Any

import pytest
import report_sample as plain
import report_sources as sample

from shadowgraph.errors import DataError
from shadowgraph.report.record import Record
from shadowgraph.report.report import plates_of
from shadowgraph.scores.suite import write_suite
from shadowgraph.study.seal import require_sealed

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT = sorted(path.parent.name for path in (DOCS / "results").glob("*/result.json"))


@pytest.fixture(scope="module")
def builder(page_script: Callable[[str], ModuleType]) -> ModuleType:
    """The script that writes the pages, loaded from its file."""
    return page_script("build_results")


def _study(folder: Path, result: dict[str, Any]) -> Path:
    """A finished study as far as publishing reads it, with weights that must not travel."""
    for name in ("runs/covering-0", "base", "runs/covering-0/model"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "record.json").write_text(json.dumps({"arm": name}), encoding="utf-8")
    (folder / "plan.json").write_text(json.dumps({"plan_hash": result["plan_hash"]}), encoding="utf-8")
    (folder / "matched.json").write_text("{}", encoding="utf-8")
    row = {"id": "a", "family": "f", "group": "g", "context": "?", "continuations": ["x", "y"], "gold": 0}
    write_suite({"quiz": [row]}, folder / "suite")
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", KEPT)
def test_a_committed_page_is_the_one_its_result_gives(builder: ModuleType, name: str) -> None:
    kept = DOCS / "results" / name
    study = Record(json.loads((kept / "result.json").read_text("utf-8")))
    wanted = builder.page(name, study, plates_of(study), builder.deviations_of(kept))
    assert (DOCS / "results" / f"{name}.md").read_text("utf-8") == wanted, f"run docs/build_results.py {name}"


@pytest.mark.parametrize("name", KEPT)
def test_committed_records_are_those_of_their_manifest(name: str) -> None:
    """And K of every run is that of its own slots."""
    records = DOCS / "results" / name / "records"
    names = [path.relative_to(records).as_posix() for path in records.rglob("*.json")]
    require_sealed(records, [one for one in names if one != "digests.json"])
    for path in records.glob("runs/*/record.json"):
        record = json.loads(path.read_text("utf-8"))
        slots = [fmean(k for _, k in layers) for layers in record["per_slot"].values()]
        assert record["K"] == pytest.approx(fmean(slots), rel=1e-6), path


def test_publishing_writes_page_figures_and_records_but_no_weights(builder: ModuleType, tmp_path: Path) -> None:
    folder = _study(tmp_path / "study", sample.small())
    page = builder.publish(folder, "benchmarks", tmp_path / "results").read_text("utf-8")
    kept = tmp_path / "results" / "benchmarks"
    records = sorted(str(path.relative_to(kept / "records")) for path in kept.rglob("records/**/*.json"))
    assert records == [
        "base/record.json",
        "digests.json",
        "matched.json",
        "plan.json",
        "runs/covering-0/record.json",
        "suite/roster.json",
    ]
    require_sealed(kept / "records", [name for name in records if name != "digests.json"])
    assert (kept / "result.json").read_bytes() == (folder / "result.json").read_bytes()
    linked = re.findall(r"\]\(benchmarks/(figures/[^)]*)\)", page)
    assert sorted(linked) == sorted(str(path.relative_to(kept)) for path in (kept / "figures").glob("*.svg"))
    assert len(linked) > 10
    assert builder.publish(None, "benchmarks", tmp_path / "results").read_text("utf-8") == page


def _page(builder: ModuleType, name: str, result: dict[str, Any], deviations: str | None = None) -> str:
    study = Record(result)
    return builder.page(name, study, plates_of(study), deviations)


def test_the_page_states_level_answer_doubts_and_limits(builder: ModuleType) -> None:
    result = sample.small()
    page = _page(builder, "benchmarks", result)
    answer = result["answer"]
    assert "**Claim level L1**" in page
    for item in (*answer["sentences"], *answer["exceptions"], *answer["would_change"], *answer["limits"],
                 *result["limits"], "without a match", sample.NO_SUPPORT, "None is recorded."):  # fmt: skip
        assert item in page
    assert not re.search(r"\b(nan|None,|True|False)\b", page)
    widths = [line.count("|") - line.count("\\|") for line in page.splitlines() if line.startswith("| ")]
    assert min(widths) > 2


def test_the_sentence_of_a_claim_is_told_once(builder: ModuleType) -> None:
    result = sample.small()
    claim = result["answer"]["claims"][0]
    result["answer"]["sentences"] = [claim["sentence"], "And a further one."]
    answer = _page(builder, "benchmarks", result).split("## Answer")[1].split("##")[0]
    told = claim["sentence"].removeprefix(f"{claim['name']}: ")
    assert answer.count(f"**{claim['name']}** (L1): {told}") == answer.count("And a further one.") == 1
    assert answer.count(claim["name"]) == 1


def test_the_name_of_a_claim_is_told_once(builder: ModuleType) -> None:
    result = sample.small()
    claim = result["answer"]["claims"][0]
    claim["sentence"] = f"{claim['name']}: not confirmed; so it is."
    page = _page(builder, "benchmarks", result)
    assert f"- **{claim['name']}** (L1): not confirmed; so it is." in page


def test_deviations_stand_on_the_page(builder: ModuleType) -> None:
    page = builder.page("benchmarks", Record(sample.small()), [], "- One run was lost.\n")
    first = page.split("## Answer")[1].strip().split("\n\n")
    assert first[0].startswith("**Claim level")
    assert first[1].endswith("stands under [Deviations](#deviations-from-the-plan).")
    assert "(#deviations-from-the-plan)" not in builder.page("benchmarks", Record(sample.small()), [], None)
    assert "- One run was lost." in page
    assert "None is recorded." not in page


def test_a_single_contrast_shows_its_effects(builder: ModuleType) -> None:
    short = plain.study() | {"heatmap": {}, "spectra": {}, "runs": [], "scores": []}
    page = _page(builder, "first-light", short)
    assert "| aligned − covering, unmatched | K | +0.331" in page
    assert "recipes/first-light.toml" in page
    assert "## What the plan tests" not in page


def test_hostile_names_are_no_markup(builder: ModuleType) -> None:
    page: str = builder.page("benchmarks", Record(sample.hostile()), [], None)
    assert not re.search(r"(?<!\\)<(?!!--)", page)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", page)


def test_what_is_no_study_is_not_published(builder: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(plain.audit()), encoding="utf-8")
    with pytest.raises(DataError):
        builder.publish(tmp_path, "benchmarks", tmp_path / "results")
    assert builder.main(["one", "two", "three"]) == 2
    assert builder.main(["out/x", "../up"]) == 2
