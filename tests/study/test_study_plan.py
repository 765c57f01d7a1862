"""Plans: hashed, claimed, and never mixed."""

from pathlib import Path

import pytest

from shadowgraph.errors import DataError, SpecError
from shadowgraph.study.layout import Layout
from shadowgraph.study.plan import claim_folder, describe, freeze

TINY = Path(__file__).with_name("tiny.toml")


def variant(folder: Path, old: str, new: str) -> Path:
    text = TINY.read_text()
    assert old in text
    (folder / "variant.toml").write_text(text.replace(old, new))
    return folder / "variant.toml"


def test_the_hash_names_the_content_not_the_file(tmp_path: Path) -> None:
    plan = freeze(TINY)
    (tmp_path / "copy.toml").write_text("# another comment\n" + TINY.read_text())
    assert freeze(tmp_path / "copy.toml").hash == plan.hash
    assert freeze(variant(tmp_path, "margin = 0.05\n", "margin = 0.06\n")).hash != plan.hash
    assert freeze(variant(tmp_path, "seed = 11", "seed = 12")).hash != plan.hash


def test_the_hash_follows_document_files(tmp_path: Path) -> None:
    spec = variant(tmp_path, "[pool]\n", '[pool]\nfiles = ["own.jsonl"]\n')
    with pytest.raises(DataError, match=r"own\.jsonl"):
        freeze(spec)
    (tmp_path / "own.jsonl").write_text('{"text": "one"}\n')
    first = freeze(spec).hash
    (tmp_path / "own.jsonl").write_text('{"text": "two"}\n')
    assert freeze(spec).hash != first


def test_a_folder_belongs_to_one_plan(tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan, other = freeze(TINY), freeze(variant(tmp_path, "seed = 11", "seed = 12"))
    claim_folder(plan, out)
    claim_folder(plan, out)
    (out / "runs").mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(SpecError, match="belongs to the plan"):
        claim_folder(other, out)
    claim_folder(other, out, overwrite=True)
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "runs").exists()


def test_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(SpecError, match="holds no study"):
        claim_folder(freeze(TINY), tmp_path, overwrite=True)
    with pytest.raises(SpecError, match="is a file"):
        claim_folder(freeze(TINY), tmp_path / "thesis.tex")


def test_a_plan_says_what_it_cannot_show() -> None:
    plan = freeze(TINY)
    assert plan.smallest_p == pytest.approx(1 / 3)
    text = "\n".join(describe(plan))
    assert plan.hash in text
    assert "at most L0" in text
    assert plan.training_tokens == 24 * 256 + 8 * 16 * 256


def test_every_own_file_has_a_path(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    paths = [layout.plan, layout.manifest, layout.ledger, layout.base, layout.matched, layout.suite, layout.footprint]
    paths += [
        layout.scores,
        layout.result,
        layout.report,
        layout.counterparts,
        layout.complete,
        layout.lock,
        layout.pool(0),
        layout.run("a", 0),
    ]
    assert {path.relative_to(tmp_path).parts[0] for path in paths} == set(Layout.OWN)
