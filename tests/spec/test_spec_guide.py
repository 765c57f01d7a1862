"""What the guide and the table of recipes say of study files is what the program reads."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from shadowgraph.spec.analysis import Analysis
from shadowgraph.spec.material import Arm, ModelTable, SourceTable, Study, Training
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.prospect import cost_of

ROOT = Path(__file__).parents[2]
TABLES: dict[str, type[BaseModel]] = {
    "study": Study,
    "sources": SourceTable,
    "arms": Arm,
    "model": ModelTable,
    "training": Training,
    "analysis": Analysis,
}


def section() -> str:
    return (
        (ROOT / "docs" / "guide.md")
        .read_text("utf-8")
        .split("\n## A study of your own documents\n")[1]
        .split("\n## ")[0]
    )


def examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", section(), flags=re.S)


def test_the_example_is_a_study(tmp_path: Path) -> None:
    (tmp_path / "manuals.toml").write_text(examples()[0])
    spec = load(tmp_path / "manuals.toml", StudySpec)
    assert spec.analysis.against == "many-known"
    assert {arm.regime for arm in spec.arms} == {"even", "blend", "repeated"}
    assert spec.analysis.trends
    assert spec.analysis.claims
    assert spec.rate_grid is not None


def test_the_example_of_a_label_fits_a_study() -> None:
    values: Any = tomllib.loads(examples()[0])
    label: Any = tomllib.loads(examples()[1])["analysis"]
    names = [name for group in label["groups"].values() for name in group]
    values["arms"] += [{"name": name, "regime": "even", "sources": ["quiz"], "draws": 1} for name in names]
    spec = StudySpec.model_validate(values | {"analysis": values["analysis"] | label})
    assert spec.analysis.label is not None
    assert spec.analysis.label.calipers.unigram_entropy == 0.2


def test_the_example_of_regimens_fits_a_study() -> None:
    values: Any = tomllib.loads(examples()[0])
    (found,) = [tomllib.loads(text) for text in examples() if "[[regimens]]" in text]
    spec = StudySpec.model_validate(values | found)
    assert {one.role for one in spec.regimens} == {"flattening", "control"}
    assert spec.draws_under(spec.regimen["flat"]) == [0, 1, 2]


def test_every_key_of_the_table_exists() -> None:
    keys = re.findall(r"^\| (`[^|]+`) \|", section(), flags=re.M)
    assert len(keys) > 12
    for key in keys:
        first, *others = re.findall(r"`([^`]+)`", key)
        table, _, name = first.partition(".")
        if name:
            assert {name, *others} <= TABLES[table].model_fields.keys(), key
        else:
            assert table in StudySpec.model_fields, key


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_stands_in_the_table_with_its_runs(path: Path) -> None:
    row = re.search(
        rf"^\| `{path.stem}` \|.*\| (\d+), (\d+) bases? \|", (ROOT / "recipes" / "README.md").read_text("utf-8"), re.M
    )
    assert row is not None
    cost = cost_of(load(path, StudySpec))
    assert (int(row[1]), int(row[2])) == (cost.runs, cost.bases)
