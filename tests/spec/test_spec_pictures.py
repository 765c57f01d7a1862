"""The tables of a study over pictures: what they refuse, and that files without them keep their identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.plan import freeze

STUDY = Path(__file__).parents[1] / "study"
SPEC = STUDY / "tiny-pictures.toml"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The tiny study with one passage changed."""
    text = SPEC.read_text()
    assert old in text
    (tmp_path / "study.toml").write_text(text.replace(old, new))
    return tmp_path / "study.toml"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('outside = ["chart"]', 'outside = ["digits"]', "pictures.outside"),
        ('scenes = ["shapes", "digits"]', 'scenes = ["shapes", "shapes"]', "pictures.scenes"),
        ('scenes = ["shapes", "digits"]', 'scenes = ["clouds"]', "pictures.scenes"),
        ("base_pictures = 40", "base_pictures = 2", "pictures.base_pictures"),
        ("side = 24", "side = 25", "model.vision"),
        ("patch = 8, hidden = 16", "patch = 8, hidden = 15", "model.vision.hidden"),
        ('family = "llava"', 'family = "llama"', "model.family"),
        ("vision = {", "# vision = {", "model.vision"),
        ("sequence_length = 120", "sequence_length = 9", "training.sequence_length"),
        ('regime = "even"', 'regime = "random"', "coverage"),
        ('asked = ["digits_read", "shapes_read"]', "", "asked"),
        ('regime = "even"', 'regime = "even"\nasked = ["reasoning"]', "asked"),
        ('asked = ["digits_read", "shapes_read"]', "asked = [3]", "asked"),
        ('family = "llava"', 'family = "llama"', 'give both family = "llava" and vision, or neither'),
        ("vision = {", "# vision = {", 'model.family is "llava" and model.vision is not given'),
        ("[training]", "[training]\nadapter = { rank = 2, alpha = 2.0 }", "training.adapter"),
    ],
)
def test_a_wrong_table_is_refused_by_its_key(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(SpecError) as refused:
        load(changed(tmp_path, old, new), StudySpec)
    assert named in str(refused.value)


@pytest.mark.parametrize("name", ["digits_write", "chart_read", "chart", "shape_count", "shapes_counts", "Digits"])
def test_a_family_that_no_picture_carries_is_refused_before_anything_runs(tmp_path: Path, name: str) -> None:
    path = changed(tmp_path, 'asked = ["digits_read", "shapes_read"]', f'asked = ["{name}"]')
    with pytest.raises(SpecError, match=name) as refused:
        freeze(path)
    assert "arms.perception.asked" in str(refused.value)
    assert "digits_read" in str(refused.value)
    assert "pattern" not in str(refused.value)


def test_pictures_belong_to_a_model_that_looks(tmp_path: Path) -> None:
    text = SPEC.read_text()
    start, stop = text.index("[pictures]"), text.index("[[arms]]")
    (tmp_path / "study.toml").write_text(text[:start] + "[pool]\ndocuments = 100\n\n" + text[stop:])
    with pytest.raises(SpecError, match=r"\[model.vision\] stands without \[pictures\]: give both"):
        load(tmp_path / "study.toml", StudySpec)


def test_a_study_without_pictures_says_nothing_of_them() -> None:
    written = load(STUDY / "tiny.toml", StudySpec).model_dump(mode="json")
    assert "pictures" not in written
    assert "vision" not in written["model"]
    assert all("asked" not in arm for arm in written["arms"])
