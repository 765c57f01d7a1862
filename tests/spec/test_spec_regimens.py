"""Regimens of a study file: their runs, what they change, and every mistake by its key."""

from pathlib import Path
from typing import Any

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.spec.source import read_toml, validate
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.layout import Layout, runs_of

RECIPE = Path(__file__).parents[2] / "recipes" / "families.toml"
MUON = {"name": "muon", "role": "flattening", "training": {"optimiser": "muon", "learning_rate": 3e-4}}
FLAT = {"name": "flat", "role": "flattening", "arms": ["benchmark"], "draws": 2, "training": {"flatten": 0.1}}
LORA = {"rank": 2, "alpha": 2.0}


def spec_of(*regimens: dict[str, Any], **changes: Any) -> StudySpec:
    return validate(read_toml(RECIPE) | {"regimens": list(regimens)} | changes, StudySpec, "families.toml")


def test_a_file_without_regimens_is_what_it_was() -> None:
    written = spec_of().model_dump(mode="json")
    assert "regimens" not in written
    assert not {"anchor", "flatten"} & written["training"].keys()
    assert all(not {"anchor", "flatten"} & setting["training"].keys() for setting in written["settings"])


def test_runs_stand_behind_all_others_draws_outermost() -> None:
    spec = spec_of(MUON, FLAT)
    names = [key.name for key in runs_of(spec)]
    assert names[:70] == [key.name for key in runs_of(spec_of())]
    assert names[70:75] == [
        "others-0-muon",
        "benchmark-0-muon",
        "benchmark-0-flat",
        "others-1-muon",
        "benchmark-1-muon",
    ]
    assert len(names) == len(set(names)) == 70 + 70 + 14
    assert spec.draws_under(spec.regimen["flat"]) == list(range(14))  # the first two draws of each of seven settings
    assert not any(key.main for key in runs_of(spec)[70:])


def test_of_a_study_without_settings_the_first_draws_are_taken() -> None:
    spec = spec_of(FLAT, settings=[], study=read_toml(RECIPE)["study"] | {"draws": 6})
    assert spec.draws_under(spec.regimen["flat"]) == [0, 1]


def test_a_regimen_changes_training_and_no_base(tmp_path: Path) -> None:
    spec = spec_of(MUON, FLAT)
    changed = spec.regimen["muon"].of_training(spec.training)
    assert (changed.optimiser, changed.learning_rate) == ("muon", 3e-4)
    keys = {"optimiser", "learning_rate"}
    assert changed.model_dump(exclude=keys) == spec.training.model_dump(exclude=keys)
    assert spec.regimen["muon"].changed == {"optimiser": "muon", "learning_rate": 3e-4}
    assert Layout(tmp_path).bases(spec) == Layout(tmp_path).bases(spec_of())


def test_a_regimen_may_take_a_term_out_that_the_study_has() -> None:
    training = read_toml(RECIPE)["training"] | {"flatten": 0.5}
    spec = spec_of({"name": "bare", "role": "control", "training": {"flatten": 0.0}}, training=training)
    assert spec.regimen["bare"].of_training(spec.training).flatten == 0.0


def named(name: str) -> dict[str, Any]:
    return MUON | {"name": name}


@pytest.mark.parametrize(
    ("regimens", "changes", "message"),
    [
        ([MUON, MUON], {}, "two regimens share the name 'muon'"),
        ([named("s1")], {}, "a regimen cannot be called 's1'"),
        ([named("flat-r5")], {}, "a regimen cannot be called 'flat-r5'"),
        ([named("r1e-05")], {}, "a regimen cannot be called 'r1e-05'"),
        ([named("flat-2")], {}, "a regimen cannot be called 'flat-2'"),
        ([named("flat-0-x")], {}, "a regimen cannot be called 'flat-0-x'"),
        ([named("7")], {}, "regimens[0].name"),
        ([MUON | {"role": "other"}], {}, "regimens[0].role"),
        ([MUON | {"arms": ["nobody"]}], {}, "regimens.muon.arms names the arm 'nobody'"),
        ([MUON | {"arms": ["others", "others"]}], {}, "regimens.muon.arms names an arm twice"),
        ([MUON | {"draws": 6}], {}, "regimens.muon.draws is 6, and there are 5"),
        ([MUON | {"training": {}}], {}, "regimens.muon.training changes nothing"),
        ([MUON | {"training": {"learning_rate": 1e-3}}], {}, "changes nothing in the setting 'llama'"),
        ([MUON | {"training": {"anchor": -1.0}}], {}, "regimens[0].training.anchor"),
        ([MUON | {"training": {"steps": 5}}], {}, "'regimens[0].training.steps' is unknown"),
        ([MUON | {"training": {"optimiser": "lion"}}], {}, "regimens[0].training.optimiser"),
        (
            [FLAT],
            {"settings": [{"name": "full"}, {"name": "low", "training": {"adapter": LORA}}],
             "study": read_toml(RECIPE)["study"] | {"draws": 4}},
            "regimens.flat.training: flatten is of whole updates, and training.adapter trains factors of them in the "
            "setting 'low'",
        ),
        (
            [],
            {"training": read_toml(RECIPE)["training"] | {"anchor": 0.1, "adapter": LORA}},
            "anchor is of whole updates",
        ),
        (
            [],
            {"settings": [{"name": "a", "training": {"flatten": 0.1, "adapter": LORA}}]},
            "settings.a.training: Value error, flatten is of whole updates",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_named(regimens: list[dict[str, Any]], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        spec_of(*regimens, **changes)
    assert message in str(error.value)


def test_regimens_need_sources() -> None:
    values = read_toml(RECIPE.with_name("first-light.toml")) | {"regimens": [MUON]}
    with pytest.raises(SpecError, match=r"regimens go with \[\[sources\]\]"):
        validate(values, StudySpec, "first-light.toml")
