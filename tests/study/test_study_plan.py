"""Plans: hashed, claimed, and never mixed."""

from pathlib import Path

import pytest
from study_material import write_material

from shadowgraph.errors import DataError, SpecError
from shadowgraph.spec.analysis import Power
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.layout import Layout, RunKey
from shadowgraph.study.plan import claim_folder, describe, freeze
from shadowgraph.study.prospect import REACHED, cost_of, hours_of, parameters_of, prospects, reached

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
    paths = [
        layout.place,
        layout.plan,
        layout.manifest,
        layout.ledger,
        layout.base,
        layout.matched,
        layout.suite,
        layout.footprint,
    ]
    paths += [
        layout.scores,
        layout.result,
        layout.report,
        layout.counterparts,
        layout.complete,
        layout.lock,
        layout.pool(0),
        layout.run(RunKey("a", 0)),
    ]
    assert {path.relative_to(tmp_path).parts[0] for path in paths} == set(Layout.OWN)


def test_the_hash_follows_the_files_of_sources_and_of_scores(tmp_path: Path) -> None:
    spec = write_material(tmp_path)
    first = freeze(spec)
    assert sorted(first.files) == [
        "elsewhere.jsonl",
        "fields.jsonl",
        "harbours.jsonl",
        "letters.jsonl",
        "quiz-test.jsonl",
        "quiz-train.jsonl",
    ]
    with (tmp_path / "quiz-test.jsonl").open("a") as stream:
        stream.write('{"question": "More?", "choices": ["no", "yes"], "answer": 1}\n')
    assert freeze(spec).hash != first.hash


def test_a_plan_finds_its_files_through_the_variable_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = write_material(tmp_path)
    spec.write_text(spec.read_text().replace('["fields.jsonl"]', '["$SHADOWGRAPH_DATA/fields.jsonl"]'))
    monkeypatch.delenv("SHADOWGRAPH_DATA", raising=False)
    with pytest.raises(SpecError, match="SHADOWGRAPH_DATA"):
        freeze(spec)
    monkeypatch.setenv("SHADOWGRAPH_DATA", str(tmp_path))
    here = freeze(spec)
    (tmp_path / "moved").mkdir()
    (tmp_path / "fields.jsonl").rename(tmp_path / "moved" / "fields.jsonl")
    monkeypatch.setenv("SHADOWGRAPH_DATA", str(tmp_path / "moved"))
    assert freeze(spec).hash == here.hash


def test_a_plan_says_what_each_test_can_show_and_what_all_costs(tmp_path: Path) -> None:
    plan = freeze(write_material(tmp_path))
    (test,) = prospects(plan.spec)
    assert (test.name, test.role, test.smallest_p) == ("new - known", "primary", 0.5)
    assert test.power == 0.0  # two draws never reach alpha
    assert test.detectable is None
    text = "\n".join(describe(plan))
    for words in ("2 orders each", "a base of its own", "rate grid: new at 0.0005", "core-hours", 'keep = "records"'):
        assert words in text, words
    cost = cost_of(plan.spec)
    assert (cost.runs, cost.bases) == (9, 2)
    assert cost.tokens == 2 * 8 * 128 + 9 * 8 * 128
    assert cost.disk < cost.disk_other


def test_hours_are_what_training_takes_and_not_what_a_product_would() -> None:
    spec = freeze(Path(__file__).parents[2] / "recipes" / "first-light.toml").spec
    slow, fast = hours_of(spec, 70e9), hours_of(spec, 140e9)
    assert slow.training == 2 * fast.training == pytest.approx(cost_of(spec).flops / (REACHED * 70e9) / 3600)
    assert slow.beside == fast.beside
    assert slow.training + slow.beside == pytest.approx(2 * 9.5 / 60, rel=0.25)  # two cores took 9.5 minutes
    assert "on a machine that does nothing else" in slow.line
    assert "at least" not in "\n".join(describe(freeze(TINY)))


def test_hours_of_a_large_start_model_are_those_that_it_took() -> None:
    spec = load(Path(__file__).parents[2] / "recipes" / "pretrained.toml", StudySpec)
    found = hours_of(spec, 96e9, 134_515_008)
    assert found.training + found.beside == pytest.approx(1.5, rel=0.2)  # core-hours; the machine made 96 GFLOP/s
    assert "taken to reach 65% of the 96 GFLOP/s" in found.line
    full, low = (spec.model_copy(update={"settings": (one,) * 2}) for one in spec.settings)
    assert cost_of(low, 1000).flops == pytest.approx(cost_of(full, 1000).flops * 4 / 6)


def test_the_share_of_a_products_speed_grows_with_the_model_between_two_sizes() -> None:
    assert reached(0) == reached(1_000_000) == reached(4_000_000) == REACHED
    assert reached(20_000_000) == pytest.approx(0.55)
    assert reached(100_000_000) == reached(10**10) == pytest.approx(0.65)


def test_enough_draws_find_a_large_effect(tmp_path: Path) -> None:
    spec = freeze(variant(tmp_path, "draws = 2", "draws = 8")).spec
    given = spec.model_copy(
        update={"analysis": spec.analysis.model_copy(update={"power": Power(sd=0.01, origin="a made-up spread")})}
    )
    primary, equivalence = prospects(given)
    assert primary.power is not None
    assert primary.power > 0.99
    assert primary.detectable is not None
    assert 0.01 < primary.detectable < 0.02
    assert equivalence.power is not None
    assert equivalence.power > 0.99


def test_parameters_are_those_of_the_model() -> None:
    """34,976 as counted in the stored tensors of this model."""
    assert parameters_of(freeze(TINY).spec) == 34_976


def test_parameters_of_a_model_that_sees_are_those_of_the_model() -> None:
    """414,272 as counted in the stored tensors of the base that this recipe trains."""
    assert parameters_of(freeze(Path(__file__).parents[2] / "recipes" / "vision.toml").spec) == 414_272


def test_first_light_keeps_its_plan() -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "first-light.toml"
    assert freeze(recipe).hash == "7678be900d254713"


def test_a_plan_says_what_holm_leaves_within_reach(tmp_path: Path) -> None:
    """Five against five: 2/252 alone; four tests of it reach .032, seven no alpha of .05."""
    more = "".join(
        f'[[analysis.contrasts]]\nname = "c{n}"\npairs = [["aligned", "random"]]\nrole = "primary"\n' for n in range(6)
    )
    few = more.split('[[analysis.contrasts]]\nname = "c3')[0]
    for text, told in (
        (few, "Holm over 4 primary tests: the smallest p that a single one can have is 0.032"),
        (more, "is 0.056, above alpha 0.05: no test of this family can reach alpha"),
    ):
        spec = variant(tmp_path, "draws = 2", "draws = 5")
        spec.write_text(spec.read_text() + text)
        assert told in "\n".join(describe(freeze(spec)))
    assert "Holm" not in "\n".join(describe(freeze(TINY)))


def test_a_plan_says_which_runs_of_its_rate_grid_enter_no_test(tmp_path: Path) -> None:
    spec = write_material(tmp_path)
    assert "no contrast or label compares new at those rates" in "\n".join(describe(freeze(spec)))
    spec.write_text(spec.read_text().replace('arms = ["new"]', 'arms = ["new", "known"]'))
    assert "at those rates" not in "\n".join(describe(freeze(spec)))
