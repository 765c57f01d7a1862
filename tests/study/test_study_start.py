"""Studies that start from a model that stands there already: a folder, a GGUF file, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_material import write_material
from study_sources import study_folder
from study_start import END, TOKENS, write_folder, write_gguf

from shadowgraph.cli.main import main
from shadowgraph.errors import SpecError
from shadowgraph.runs.start import read_imported
from shadowgraph.spec.source import load, read_toml, validate
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import corpora, training
from shadowgraph.study.arrays import load_array, load_arrays
from shadowgraph.study.layout import Layout
from shadowgraph.study.plan import describe, freeze
from shadowgraph.study.sheet import balance_job
from shadowgraph.weights.checkpoint import open_checkpoint

pytestmark = pytest.mark.timeout(900)
SPEC = Path(__file__).with_name("tiny-start.toml")


MORE_ARMS = """
[[arms]]
name = "again"
regime = "repeated"
share = 0.5
documents = 2
sources = "others"

[[arms]]
name = "any"
regime = "random"
sources = "all"

[[arms]]
name = "renamed"
regime = "even"
sources = "all"
presented = "permuted"
"""


def changed(**tables: Any) -> dict[str, Any]:
    """The study file with keys of its tables changed, None taking a table or key away."""
    tree = read_toml(SPEC)
    for name, value in tables.items():
        tree[name] = {**tree[name], **value} if isinstance(value, dict) else value
    return tree


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A study of a folder run to its end, and once more from its records where the model is gone."""
    folder = tmp_path_factory.mktemp("start")
    spec, out = write_material(folder, SPEC), folder / "out"
    write_folder(folder / "start")
    assert main(["study", "run", str(spec), "--output", str(out), "--workers", "1"]) == 0
    kept, again = folder / "records", folder / "again"
    assert main(["study", "records", str(out), "--into", str(kept)]) == 0
    shutil.move(folder / "start", folder / "gone")
    assert main(["study", "run", str(spec), "--output", str(again), "--records", str(kept)]) == 0
    shutil.move(folder / "gone", folder / "start")
    return {"out": out, "again": again, "spec": spec, "result": json.loads((out / "result.json").read_text())}


def test_the_base_is_the_start_model_in_float32_and_says_that_it_was_not_trained(done: dict[str, Any]) -> None:
    found = read_imported(done["out"] / "base" / "run")
    before, after = (open_checkpoint(path) for path in (done["spec"].parent / "start", found.model))
    assert {entry.dtype for entry in before.entries} == {"BF16"}
    assert {entry.dtype for entry in after.entries} == {"F32"}
    for one, two in zip(before.entries, after.entries, strict=True):
        np.testing.assert_array_equal(before.read(one), after.read(two))
    statements = json.loads((done["out"] / "matched.json").read_text())["statements"]
    assert {item["init"] for name, item in statements.items() if name.endswith(("0", "2"))} == {found.statement["init"]}
    assert not (found.path / "ledger.jsonl").exists()


def test_documents_are_in_the_tokens_of_the_model_and_end_as_its_texts_do(done: dict[str, Any]) -> None:
    base = done["out"] / "base"
    known = json.loads((base / "start.json").read_text())
    assert (known["end"], known["end_token"], known["vocabulary"]) == (1, END, TOKENS)
    lengths = load_arrays(base / "holdings" / "columns.npz")["lengths"]
    tokens = load_array(base / "holdings" / "tokens.npy")
    assert (tokens[np.cumsum(lengths) - 1] == 1).all()
    assert (tokens == 1).sum() == len(lengths)
    assert lengths.max() > 8, "the tokenizer of the model cuts at 8 tokens, and documents may not be cut"


def test_no_distance_from_an_unknown_text_is_given(done: dict[str, Any]) -> None:
    result = done["result"]
    arms = {arm["name"]: arm for arm in result["arms"]}
    assert set(arms) == {"one", "others", "spread"}
    assert all("kl_to_base" not in arm["balance"] and "base_loss" in arm["balance"] for arm in arms.values())
    assert {item["key"] for item in arms["one"]["calipers"]} == {
        *("base_loss", "unigram_entropy", "document_length", "unique_token_share"),
    }


def test_full_training_and_adapters_start_from_one_base_and_both_have_numbers(done: dict[str, Any]) -> None:
    result = done["result"]
    assert not (done["out"] / "base-low-rank").exists()
    facts = {fact["name"]: fact for fact in result["settings"]["settings"]}
    assert (facts["full"]["adapter_rank"], facts["low-rank"]["adapter_rank"]) == (None, 2)
    assert all(run["K"] is not None for run in result["runs"])
    assert len(result["runs"]) == 14  # two of them of the regimen, whose base is the start model too
    records = [json.loads((done["out"] / "runs" / f"one-{draw}" / "record.json").read_text()) for draw in (0, 1)]
    base = json.loads((done["out"] / "base" / "record.json").read_text())
    for record in records:  # an adapter is scored merged: its numbers are not those of its base
        assert record["items"]["bits_per_byte"] != base["items"]["bits_per_byte"]


def test_the_answer_says_what_the_base_is_and_what_is_not_known_of_it(done: dict[str, Any]) -> None:
    said = done["result"]["answer"]["limits"] + done["result"]["limits"]
    text = next(limit for limit in said if limit.startswith("The base is start, which was not trained here"))
    assert "rounded" not in text
    record = json.loads((done["out"] / "base" / "record.json").read_text())
    assert record["start"]["stored"] == {"BF16": len(open_checkpoint(done["spec"].parent / "start").entries)}


def test_from_records_alone_the_result_is_the_same_though_the_model_is_gone(done: dict[str, Any]) -> None:
    for name in ("result.json", "report.html"):
        assert (done["again"] / name).read_bytes() == (done["out"] / name).read_bytes(), name


def test_the_plan_holds_the_model_and_another_one_is_another_plan(done: dict[str, Any], tmp_path: Path) -> None:
    plan = freeze(done["spec"])
    assert {f"start/{name}" for name in ("config.json", "tokenizer.json", "model.safetensors")} <= set(plan.files)
    spec = write_material(tmp_path, SPEC)
    write_folder(tmp_path / "start", rms_norm_eps=1e-4)
    assert freeze(spec).hash != plan.hash
    assert freeze(spec).parameters == plan.parameters > 40_000
    assert any("brought in" in line for line in describe(plan))
    assert any(f"1 base of {plan.parameters:,} parameters" in line for line in describe(plan))


def test_a_path_may_begin_with_the_variable_of_models_and_the_plan_holds_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHADOWGRAPH_MODELS", raising=False)
    spec = write_material(tmp_path, SPEC)
    write_folder(tmp_path / "elsewhere" / "tiny")
    spec.write_text(spec.read_text().replace('start = "start"', 'start = "$SHADOWGRAPH_MODELS/tiny"'))
    with pytest.raises(SpecError, match=r"SHADOWGRAPH_MODELS is not set"):
        freeze(spec)
    monkeypatch.setenv("SHADOWGRAPH_MODELS", str(tmp_path / "elsewhere"))
    plan = freeze(spec)
    assert "$SHADOWGRAPH_MODELS/tiny/model.safetensors" in plan.files
    assert str(tmp_path) not in json.dumps(plan.frozen())


def test_a_gguf_file_is_widened_to_the_values_that_our_reader_gives(tmp_path: Path) -> None:
    spec = write_material(tmp_path, SPEC)
    path = write_gguf(tmp_path / "model.gguf")
    spec.write_text(spec.read_text().replace('start = "start"', 'start = "model.gguf"') + MORE_ARMS)
    plan = freeze(spec)
    assert "model.gguf" in plan.files
    at, layout = study_folder(tmp_path / "out", plan.spec), Layout(tmp_path / "out")
    for job in (corpora.base_corpus_job, training.base_job, corpora.pool_job, balance_job):
        job({**at, "draw": 0}, lambda _: None)
    training.base_record_job({**at, "draw": 0}, lambda _: None)
    for arm in plan.spec.arms:
        assert load_array(layout.regime(arm.name, 0) / "sequences.npy").shape == (16, 32), arm.name
        assert "kl_to_base" not in json.loads((layout.regime(arm.name, 0) / "balance.json").read_text())
    made = read_imported(layout.base / "run")
    stored, base = open_checkpoint(path), open_checkpoint(made.model)
    theirs = {(m.role.slot, m.layer): m.load() for m in stored.matrices()}
    ours = {(m.role.slot, m.layer): m.load() for m in base.matrices()}
    assert theirs.keys() == ours.keys()
    for key, matrix in ours.items():
        # rows of query and key stand in another order in a GGUF file
        same = np.sort(matrix, axis=0), np.sort(theirs[key], axis=0)
        np.testing.assert_array_equal(*(same if key[0] in {"q", "k"} else (matrix, theirs[key])), err_msg=str(key))
    record = json.loads((layout.base / "record.json").read_text())
    assert record["start"] | {"parameters": 0} == {
        "name": "model.gguf", "kind": "gguf", "family": "llama", "vocabulary": TOKENS, "parameters": 0,
        "stored": {"F32": 5, "Q4_1": 14, "Q8_0": 1}, "quantised": True, "end": 1, "end_token": END,
    }  # fmt: skip
    assert all(5.0 < loss < 7.0 for loss in record["source_losses"].values())  # ln 384 = 5.95: it knows nothing
    first = (made.model / "model.safetensors").read_bytes()
    shutil.rmtree(made.path)
    training.base_job({**at, "draw": 0}, lambda _: None)
    assert (made.model / "model.safetensors").read_bytes() == first


def test_an_import_that_was_killed_is_made_again(tmp_path: Path) -> None:
    spec = load(write_material(tmp_path, SPEC), StudySpec)
    write_folder(tmp_path / "start")
    at, layout = study_folder(tmp_path / "out", spec), Layout(tmp_path / "out")
    corpora.base_corpus_job(at, lambda _: None)
    training.base_job(at, lambda _: None)
    run = layout.base / "run"
    (run / "_COMPLETE").unlink()
    (run / "model" / "model.safetensors").write_bytes(b"half")
    training.base_job(at, lambda _: None)
    assert open_checkpoint(run / "model").parameters == open_checkpoint(tmp_path / "start").parameters


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"model": {"hidden": 16}}, 'leave out the key "hidden"'),
        ({"model": {"family": "llama"}}, 'leave out the key "family"'),
        ({"training": {"base_steps": 3}}, "leave out training.base_steps"),
        ({"training": {"base_learning_rate": 1e-3}}, "leave out training.base_steps"),
        ({"study": {"base": "each_draw"}}, 'study.base = "shared"'),
        ({"settings": [{"name": "a", "model": {"hidden": 32}}, {"name": "b"}]}, 'leave out the key "hidden"'),
        ({"settings": [{"name": "a", "training": {"base_learning_rate": 1e-3}}, {"name": "b"}]}, "settings a"),
    ],
)
def test_what_contradicts_a_start_model_is_told_by_its_key(tables: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        validate(changed(**tables), StudySpec, "my.toml")
    assert words in str(caught.value)


def test_no_source_is_known_to_a_start_model_and_no_arm_is_chosen_by_what_it_knows() -> None:
    tree = changed()
    tree["sources"][0]["base"] = "always"
    with pytest.raises(SpecError, match=r'base = "never" in sources fields'):
        validate(tree, StudySpec, "my.toml")
    tree = changed()
    tree["arms"][2]["regime"] = "covering_new"
    with pytest.raises(SpecError, match="arms spread cannot go by it"):
        validate(tree, StudySpec, "my.toml")


def test_without_a_start_model_sizes_and_base_steps_are_needed() -> None:
    sizes = {"vocabulary": 400, "hidden": 16, "intermediate": 32, "layers": 2, "heads": 2}
    tree = changed()
    tree["model"] = sizes
    with pytest.raises(SpecError, match='"key_value_heads" is missing'):
        validate(tree, StudySpec, "my.toml")
    tree["model"] = {**sizes, "key_value_heads": 1}
    with pytest.raises(SpecError, match=r"training\.base_steps"):
        validate(tree, StudySpec, "my.toml")
