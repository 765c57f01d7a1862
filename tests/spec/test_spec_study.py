"""Study files: every mistake is named by file and key."""

from pathlib import Path
from typing import Any

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.spec.source import load, read_toml, validate
from shadowgraph.spec.study import StudySpec

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_are_valid(path: Path) -> None:
    spec = load(path, StudySpec)
    assert spec.training.snapshot_steps[-1] == spec.training.steps


def values() -> dict[str, Any]:
    return read_toml(RECIPES / "first-light.toml")


def change(path: str, value: Any) -> dict[str, Any]:
    tree = values()
    *parents, last = path.split(".")
    table: Any = tree
    for part in parents:
        table = table[int(part)] if part.isdigit() else table[part]
    if value is None:
        del table[last]
    else:
        table[last] = value
    return tree


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("training.stpes", 3, "the key 'training.stpes' is unknown; did you mean 'steps'?"),
        ("training.steps", None, "the key 'training.steps' is missing"),
        ("training.steps", 0, "key 'training.steps': Input should be greater than or equal to 1, found 0"),
        ("training.learning_rate", "fast", "key 'training.learning_rate'"),
        ("training.learning_rate", float("nan"), "key 'training.learning_rate'"),
        ("training.snapshots", [0.5, 0.25], "key 'training': snapshots must name distinct, growing steps"),
        ("training.warmup_steps", 80, "key 'training': warmup_steps must be below steps"),
        ("arms.2.share", None, 'key \'arms[2]\': regime "repeated" needs the key "share"'),
        ("arms.0.share", 0.5, 'key \'arms[0]\': regime "aligned" has no use for the key "share"'),
        ("arms.1.regime", "covering-all", "key 'arms[1].regime'"),
        ("arms.1.colour", "red", "the key 'arms[1].colour' is unknown; known keys are"),
        ("arms.1.name", "aligned", "two arms share a name"),
        ("arms.1.name", "../x", "key 'arms[1].name'"),
        ("analysis.primary", ["aligned", "wide"], "names the arm 'wide', which no [[arms]] table defines"),
        ("analysis.primary", ["aligned", "aligned"], "analysis.primary names the same arm twice"),
        ("model.heads", 3, "key 'model': hidden must be an even multiple of heads"),
        ("pool.benchmark_format_share", 0.2, "key 'pool.benchmark_format_share'"),
        ("schema_version", "2.0", "key 'schema_version'"),
        ("studdy", {}, "the key 'studdy' is unknown; did you mean 'study'?"),
    ],
)
def test_mistakes_are_named_by_key(path: str, value: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        validate(change(path, value), StudySpec, "my.toml")
    assert str(caught.value).startswith("my.toml: ")
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def claim(**keys: Any) -> dict[str, Any]:
    given = {"arms": ["aligned", "random"], "margin": 0.05, "outside_margin": 0.05, "origin": "a study of doses"}
    return given | keys


@pytest.mark.parametrize(
    ("equivalence", "message"),
    [
        (claim(origin="a guess"), "key 'analysis.equivalence.origin': String should have at least 10 characters"),
        ([claim(origin="a guess")], "key 'analysis.equivalence[0].origin': String should have at least 10 characters"),
        ([claim(), claim(margin=-1.0)], "key 'analysis.equivalence[1].margin': Input should be greater than 0"),
        (claim(marginn=1.0), "the key 'analysis.equivalence.marginn' is unknown; did you mean 'margin'?"),
        (3, "key 'analysis.equivalence': Input should be a valid dictionary or instance of Equivalence, or Input"),
    ],
)
def test_of_a_key_of_several_kinds_the_kind_that_was_meant_is_told(equivalence: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        validate(change("analysis.equivalence", equivalence), StudySpec, "my.toml")
    assert message in str(caught.value)
    assert caught.value.as_dict()["faults"] == [caught.value.found]


def test_every_fault_is_told_with_its_key_five_in_words_and_all_as_data() -> None:
    tree = values()
    tree["training"] |= {"stpes": 3, "steps": 0, "batch": 0, "base_steps": 0, "learning_rate": -1.0, "warmup_steps": -1}
    tree["analysis"]["equivalence"] = claim(origin="a guess")
    with pytest.raises(SpecError) as caught:
        validate(tree, StudySpec, "my.toml")
    text, data = str(caught.value), caught.value.as_dict()["faults"]
    assert isinstance(data, list)
    assert len(data) == 7
    assert text.startswith("my.toml: the key 'training.stpes' is unknown; did you mean 'steps'?; also key 'training.")
    assert sum(one in text for one in data) == 5
    assert text.endswith("; and 2 more")
    assert "Input should be a valid tuple" not in "".join(data)


def test_files_that_are_no_toml_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = \n")
    (tmp_path / "b.toml").write_bytes(b"\xff")
    (tmp_path / "c.toml").write_text("#" * (1 << 20) + "\n\n")
    for name, message in (("a.toml", "not TOML"), ("b.toml", "not UTF-8"), ("c.toml", "larger"), ("d.toml", "no such")):
        with pytest.raises(SpecError, match=message) as caught:
            load(tmp_path / name, StudySpec)
        assert name in str(caught.value)
    with pytest.raises(SpecError, match="a folder"):
        load(tmp_path, StudySpec)
