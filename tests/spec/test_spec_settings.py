"""Settings of a study file: whose draws are whose, what they change, and every mistake by its key."""

from pathlib import Path
from typing import Any

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.spec.source import read_toml, validate
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.layout import Layout, base_setting

RECIPE = Path(__file__).parents[2] / "recipes" / "families.toml"


def spec_of(**changes: Any) -> StudySpec:
    return validate(read_toml(RECIPE) | changes, StudySpec, "families.toml")


def test_draws_go_round_and_a_setting_changes_model_and_training_alone() -> None:
    spec = spec_of()
    names = [setting.name for setting in spec.settings]
    assert [getattr(spec.setting_of(draw), "name", "") for draw in range(8)] == [*names, names[0]]
    assert spec.draws_of(spec.settings[1]) == [1, 8, 15, 22, 29]
    under = spec.under(1)
    assert (under.model.family, under.model.hidden) == ("gpt2", spec.model.hidden)
    assert under.training == spec.training
    assert under.arms == spec.arms


def test_settings_whose_models_are_trained_alike_share_a_base(tmp_path: Path) -> None:
    spec, layout = spec_of(), Layout(tmp_path)
    assert list(layout.bases(spec)) == [
        "base",
        *(f"base-{name}" for name in ("gpt2", "neox", "qwen3", "gemma3", "qwen3-moe", "mamba2")),
    ]
    tuned = [{"name": "one"}, {"name": "two", "training": {"learning_rate": 1e-4, "optimiser": "sgd"}}]
    alike = spec_of(settings=tuned, study=read_toml(RECIPE)["study"] | {"draws": 4})
    assert layout.bases(alike) == {"base": 0}
    assert [base_setting(alike, draw) for draw in range(4)] == [""] * 4
    other = spec_of(
        settings=[*tuned, {"name": "three", "training": {"base_learning_rate": 1e-4}}],
        study=read_toml(RECIPE)["study"] | {"draws": 6},
    )
    assert layout.bases(other) == {"base": 0, "base-three": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": [{"name": "a"}, {"name": "a"}]}, "two settings share a name"),
        ({"settings": [{"name": "a", "held_out": True}]}, "every setting is held out"),
        ({"settings": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}, "study.draws must be two or more times"),
        ({"settings": [{"name": "a", "model": {"heads": 3}}]}, "settings.a.model: Value error, hidden must be"),
        ({"settings": [{"name": "a", "training": {"optimiser": "lion"}}]}, "settings.a.training.optimiser"),
        ({"settings": [{"name": "a", "training": {"steps": 3}}]}, "'settings[0].training.steps' is unknown"),
        ({"settings": [{"name": "base"}]}, "a setting cannot be called 'base'"),
        (
            {
                "settings": [{"name": "a", "training": {"adapter": {"rank": 2, "alpha": 2.0}}}],
                "analysis": read_toml(RECIPE)["analysis"] | {"affinity": {}},
            },
            "analysis.affinity is read from whole updates",
        ),
        ({"rate_grid": {"arms": ["others"], "rates": [1e-4]}}, "settings go without rate grid and label"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        spec_of(**changes)
    assert message in str(error.value)


def test_a_study_with_settings_takes_differences_inside_draws() -> None:
    analysis = read_toml(RECIPE)["analysis"] | {"design": "independent"}
    with pytest.raises(SpecError, match="blocked"):
        spec_of(analysis=analysis)
