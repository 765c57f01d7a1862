"""Start models that are refused, or of which only what counts is taken: hostile, broken and unsuitable ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_material import write_material
from study_sources import study_folder
from study_start import END, TOKENS, write_folder, write_gguf, write_tokenizer

from shadowgraph.errors import CheckpointError, DataError, ShadowgraphError, SpecError
from shadowgraph.runs.start import Imported, bring_in, place_tokenizer
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import corpora, training
from shadowgraph.study.layout import Layout
from shadowgraph.study.plan import freeze
from shadowgraph.study.start import facts_of, place_start
from shadowgraph.weights.checkpoint import open_checkpoint

pytestmark = pytest.mark.timeout(900)
SPEC = Path(__file__).with_name("tiny-start.toml")


def changes(folder: Path, **keys: Any) -> None:
    """Other keys in the configuration of a model, None taking one away."""
    config = json.loads((folder / "config.json").read_text()) | keys
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def packed(folder: Path) -> None:
    changes(folder, quantization_config={"quant_method": "gptq"})


def wordless(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def large(folder: Path) -> None:
    changes(folder, vocab_size=100_000)


def elsewhere(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "weights.safetensors")


def wordy(folder: Path) -> None:
    changes(folder, vocab_size="many")


def short(folder: Path) -> None:
    changes(folder, max_position_embeddings=16)


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (gone, CheckpointError, "no such folder or file of a model"),
        (pickled, CheckpointError, "no weights in safetensors"),
        (packed, CheckpointError, "packed weights are not trained"),
        (wordless, CheckpointError, r"no tokenizer\.json"),
        (adapter, CheckpointError, "holds an adapter"),
        (elsewhere, CheckpointError, "no weights in safetensors"),
        (large, SpecError, "100,000 token ids"),
        (wordy, CheckpointError, "vocab_size, is 'many'"),
        (short, SpecError, "reads 16 tokens, and sequences have 32"),
    ],
)
def test_a_model_that_cannot_be_the_start_is_refused_by_the_plan(
    spoil: Any, kind: type[ShadowgraphError], words: str, tmp_path: Path
) -> None:
    spec = write_material(tmp_path, SPEC)
    spoil(write_folder(tmp_path / "start"))
    with pytest.raises(kind, match=words):
        freeze(spec)


def test_a_tokenizer_without_an_end_of_texts_is_refused(tmp_path: Path) -> None:
    spec = load(write_material(tmp_path, SPEC), StudySpec)
    changes(write_folder(tmp_path / "start"), eos_token_id=None)
    (tmp_path / "start" / "tokenizer_config.json").unlink()
    with pytest.raises(CheckpointError, match="no token for the end of a text"):
        corpora.base_corpus_job(study_folder(tmp_path / "out", spec), lambda _: None)


def test_a_folder_of_which_tensors_are_missing_is_refused_and_not_drawn_at_random(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    spec = load(write_material(tmp_path, SPEC), StudySpec)
    path = write_folder(tmp_path / "start", "float32") / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    at = study_folder(tmp_path / "out", spec)
    corpora.base_corpus_job(at, lambda _: None)
    with pytest.raises(CheckpointError, match=r"missing: 1, first 'model\.layers\.1\.mlp\.up_proj"):
        training.base_job(at, lambda _: None)


def taken(folder: Path, source: str = "start") -> Imported:
    return bring_in(folder / source, folder / "run", folder / source)


def stored_anew(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """The weights of a folder with a change made to its tensors."""
    from safetensors.numpy import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def not_finite(folder: Path) -> None:
    stored_anew(folder, lambda tensors: tensors["model.norm.weight"].__setitem__(3, np.nan))


def one_more(folder: Path) -> None:
    stored_anew(folder, lambda tensors: tensors.update({"score.weight": np.ones((2, 64), np.float32)}))


def fewer_layers(folder: Path) -> None:
    changes(folder, num_hidden_layers=1)


def narrower(folder: Path) -> None:
    changes(folder, intermediate_size=32)


def tied_and_apart(folder: Path) -> None:
    stored_anew(folder, lambda tensors: tensors.update({"lm_head.weight": np.ones((TOKENS, 64), np.float32)}))


def encoder(folder: Path) -> None:
    changes(folder, model_type="t5")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (not_finite, r"'model\.norm\.weight' holds values that are not finite"),
        (one_more, r"without a place in the model: 1, first 'score\.weight'"),
        (fewer_layers, r"without a place in the model: 9, first 'model\.layers\.1\."),
        (narrower, r"of another shape than the configuration says: 6, first 'model\.layers\.0\.mlp\.down_proj"),
        (tied_and_apart, "both are stored and differ"),
        (encoder, "'t5' is no family of language models"),
    ],
)
def test_a_model_that_would_not_be_taken_as_it_is_stored_is_refused(spoil: Any, words: str, tmp_path: Path) -> None:
    spoil(write_folder(tmp_path / "start", "float32"))
    with pytest.raises(CheckpointError, match=words) as caught:
        taken(tmp_path)
    assert caught.value.where == str(tmp_path / "start")
    assert not (tmp_path / "run" / "_COMPLETE").exists()


def test_a_configuration_leads_to_no_other_weights_and_no_repository(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "start", "float32")
    (folder / "sub").mkdir()
    shutil.copy(folder / "model.safetensors", folder / "sub")
    stored_anew(folder / "sub", lambda tensors: tensors["model.norm.weight"].fill(7.0))
    (folder / "generation_config.json").write_text('{"repetition_penalty": 5.0}')
    stray = {"transformers_weights": "sub/model.safetensors", "_attn_implementation": "someone/attention"}
    changes(folder, **stray, quantization_config=None)
    made = taken(tmp_path)
    stored, base = (open_checkpoint(path) for path in (folder, made.model))
    for one, two in zip(stored.entries, base.entries, strict=True):
        np.testing.assert_array_equal(stored.read(one), base.read(two), err_msg=one.name)
    assert not stray.keys() & json.loads((made.model / "config.json").read_text()).keys()
    assert "repetition_penalty" not in (made.model / "generation_config.json").read_text()
    shutil.rmtree(folder)
    assert taken(tmp_path) == made  # what is finished already stays
    manifest = json.loads((made.path / "run.json").read_text())
    (made.path / "run.json").write_text(json.dumps({**manifest, "trained": True}))
    with pytest.raises(DataError, match="holds no model that was brought in"):
        taken(tmp_path)


def test_the_plan_holds_shards_below_the_folder_and_no_file_that_is_none(tmp_path: Path) -> None:
    spec = write_material(tmp_path, SPEC)
    folder = write_folder(tmp_path / "start", "float32")
    (folder / "sub").mkdir()
    (folder / "model.safetensors").rename(folder / "sub" / "part.safetensors")
    names = [entry.name for entry in open_checkpoint(folder / "sub" / "part.safetensors").entries]
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "sub/part.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "a.safetensors").mkdir()
    (folder / "b.safetensors").symlink_to("nowhere")
    changes(folder, quantization_config=None)
    text = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**text, "quantization_config": None}))
    files = set(freeze(spec).files)
    assert {"start/sub/part.safetensors", "start/model.safetensors.index.json"} <= files
    assert not {"start/a.safetensors", "start/b.safetensors"} & files


def test_a_model_reads_sequences_as_long_as_it_has_positions(tmp_path: Path) -> None:
    spec = load(write_material(tmp_path, SPEC), StudySpec)
    folder = write_folder(tmp_path / "start")
    changes(folder, max_position_embeddings=32)
    assert facts_of(spec, tmp_path).vocabulary == TOKENS
    changes(folder, max_position_embeddings=None, n_positions=31)
    with pytest.raises(SpecError, match="reads 31 tokens") as caught:
        facts_of(spec, tmp_path)
    assert caught.value.where == "training.sequence_length"


def test_as_many_token_ids_as_sixteen_bits_hold_are_read_and_not_one_more(tmp_path: Path) -> None:
    spec = load(write_material(tmp_path, SPEC), StudySpec)
    folder = write_folder(tmp_path / "start")
    changes(folder, vocab_size=65_536)
    assert facts_of(spec, tmp_path).vocabulary == 65_536
    changes(folder, vocab_size=65_537)
    with pytest.raises(SpecError, match="65,537 token ids"):
        facts_of(spec, tmp_path)
    changes(folder, vocab_size=384, text_config={"vocab_size": 65_538})  # of a model that sees, the text's own
    with pytest.raises(SpecError, match="65,538 token ids"):
        facts_of(spec, tmp_path)
    changes(folder, vocab_size=-1, text_config=None)
    with pytest.raises(CheckpointError, match="vocab_size, is -1"):
        facts_of(spec, tmp_path)


def rewritten(folder: Path, **keys: Any) -> None:
    """The tokenizer of a folder with other keys in its model."""
    made = json.loads((folder / "tokenizer.json").read_text())
    made["model"] |= keys
    (folder / "tokenizer.json").write_text(json.dumps(made))


def test_a_tokenizer_that_does_not_serve_the_model_is_refused(tmp_path: Path) -> None:
    spec = load(write_material(tmp_path, SPEC), StudySpec)
    folder, layout = write_folder(tmp_path / "start"), Layout(tmp_path / "out")
    whole = (folder / "tokenizer.json").read_bytes()
    vocabulary_of_it = json.loads(whole)["model"]["vocab"]
    last = max(vocabulary_of_it, key=vocabulary_of_it.get)
    rewritten(folder, vocab={**vocabulary_of_it, last: TOKENS})
    with pytest.raises(CheckpointError, match="ids up to 384, and the model 384 of them"):
        place_start(spec, layout, tmp_path)
    (folder / "tokenizer.json").write_bytes(whole[:-9])
    with pytest.raises(CheckpointError, match="the tokenizer cannot be loaded") as caught:
        place_start(spec, layout, tmp_path)
    assert caught.value.where == str(folder)
    (folder / "tokenizer.json").write_bytes(whole)
    rewritten(folder, vocab={"<pad>": 0, END: 1}, merges=[])
    with pytest.raises(CheckpointError, match="makes no token of a text"):
        place_start(spec, layout, tmp_path)
    (folder / "tokenizer.json").write_bytes(whole)
    (folder / "tokenizer_config.json").write_text("[")
    with pytest.raises(ShadowgraphError, match="not JSON") as caught:
        place_start(spec, layout, tmp_path)
    assert caught.value.where == str(folder / "tokenizer_config.json")


def test_an_end_of_texts_that_the_model_has_no_id_for_is_refused(tmp_path: Path) -> None:
    spec = load(write_material(tmp_path, SPEC), StudySpec)
    folder = write_folder(tmp_path / "start")
    made = json.loads((folder / "tokenizer.json").read_text())
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    made["added_tokens"].append(plain | {"id": TOKENS, "content": "<end>"})
    (folder / "tokenizer.json").write_text(json.dumps(made))
    (folder / "tokenizer_config.json").write_text('{"eos_token": "<end>"}')
    with pytest.raises(CheckpointError, match="end of a text has the id 384, and the model 384 of them"):
        place_start(spec, Layout(tmp_path / "out"), tmp_path)


@pytest.mark.parametrize(
    ("ids", "token"), [(1, END), ([0, 1], "<pad>"), (-1, None), (10**12, None), (True, None), ([], None), ("1", None)]
)
def test_without_a_word_of_the_tokenizer_the_model_names_the_end_of_texts(
    ids: Any, token: str | None, tmp_path: Path
) -> None:
    write_tokenizer(tmp_path / "start")
    (tmp_path / "start" / "tokenizer_config.json").write_text('{"eos_token": {"content": 5}}')
    (tmp_path / "start" / "config.json").write_text(json.dumps({"eos_token_id": ids}))
    assert place_tokenizer(tmp_path / "start", tmp_path / "out") == token


def test_what_lies_beside_a_gguf_file_is_no_part_of_the_model(tmp_path: Path) -> None:
    spec = write_material(tmp_path, SPEC)
    spec.write_text(spec.read_text().replace('start = "start"', 'start = "held/model.gguf"'))
    (tmp_path / "held").mkdir()
    path = write_gguf(tmp_path / "held" / "model.gguf")
    place_tokenizer(path, tmp_path / "alone")
    alone = facts_of(load(spec, StudySpec), tmp_path)
    write_tokenizer(path.parent)
    (path.parent / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "eos_token": "<pad>"}')
    (path.parent / "config.json").write_text('{"model_type": "other", "vocab_size": 300, "n_positions": 8}')
    assert place_tokenizer(path, tmp_path / "beside") == END
    for file in (tmp_path / "alone").iterdir():
        assert (tmp_path / "beside" / file.name).read_bytes() == file.read_bytes(), file.name
    assert facts_of(load(spec, StudySpec), tmp_path) == alone


def test_a_gguf_file_with_a_tensor_that_the_loader_passes_over_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", further={"rope_freqs.weight": np.full(16, 3.0, np.float32)})
    place_tokenizer(path, tmp_path / "tokenizer")
    with pytest.raises(CheckpointError, match=r"numbers are stored, and 74,048 of them have a place"):
        bring_in(path, tmp_path / "run", tmp_path / "tokenizer")
