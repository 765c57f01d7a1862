"""Adapters by hand: which files are opened, what a configuration may say, and what is refused or left out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from weights_adapters import Q, factors, named, opened_update, written

from shadowgraph.errors import CheckpointError, SpecError
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.opened import open_model
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint

CONFIG = "adapter_config.json"
FILE = "adapter_model.safetensors"


def adapter(path: Path, name: str | None = None) -> Adapter:
    found = open_model(path, name)
    assert isinstance(found, Adapter)
    return found


def base(folder: Path, **shapes: tuple[int, ...]) -> Path:
    """A Llama base with a query of 6 × 5 and what else is named."""
    folder.mkdir()
    content = {f"{Q}.weight": np.eye(6, 5, dtype=np.float64)}
    content |= {name.replace("__", "."): np.ones(shape) for name, shape in shapes.items()}
    save_file(content, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    return folder


def test_a_file_a_folder_and_a_whole_model(tmp_path: Path) -> None:
    folder = written(tmp_path / "adapter")
    by_folder, by_file = adapter(folder), adapter(folder / FILE)
    assert by_folder.fingerprint == by_file.fingerprint
    assert by_folder.structure == by_file.structure
    assert by_folder.same_files == by_file.same_files
    assert (by_folder.parameters, by_folder.block_parameters) == (22, 22)
    assert by_folder.stored_bytes == 22 * 8
    assert by_folder.family == "llama"
    assert isinstance(open_model(base(tmp_path / "base")), Checkpoint)
    beside = written(base(tmp_path / "both"))
    found = open_model(beside)
    assert isinstance(found, Checkpoint)
    assert any("an adapter lies beside the weights" in note for note in found.notes)


def test_another_name_needs_its_configuration_beside_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "adapter")
    (folder / FILE).rename(folder / "lora.safetensors")
    assert adapter(folder / "lora.safetensors").family == "llama"
    (folder / CONFIG).unlink()
    with pytest.raises(CheckpointError, match="this is an adapter, not a whole model"):
        open_model(folder / "lora.safetensors")


def test_a_model_of_the_hub_cache(tmp_path: Path) -> None:
    root = tmp_path / "models--someone--adapter"
    written(root / "snapshots" / "abc")
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("abc")
    assert len(adapter(root).updates(None).factored) == 1


def test_names_pick_among_several(tmp_path: Path) -> None:
    root = tmp_path / "run"
    for name, alpha in (("code", 2), ("chat", 8)):
        written(root / name, lora_alpha=alpha)
    with pytest.raises(CheckpointError, match="2 adapters in sub-folders and none in the folder itself: chat, code"):
        open_model(root)
    assert adapter(root, "code").updates(None).factored[0].scale == 1.0
    assert adapter(root, "chat").updates(None).factored[0].scale == 4.0
    written(root)
    assert adapter(root).updates(None).factored[0].scale == 2.0
    assert adapter(root, "default").updates(None).factored[0].scale == 2.0
    with pytest.raises(SpecError, match="no adapter 'other'; there is default, chat, code"):
        open_model(root, "other")
    with pytest.raises(SpecError, match="no folder of adapters"):
        open_model(root / FILE, "code")
    with pytest.raises(SpecError, match="no folder of adapters"):
        open_model(base(tmp_path / "base"), "code")


@given(
    rank=st.integers(1, 5),
    alpha=st.one_of(st.integers(-64, 64), st.floats(-64, 64)),
    stabilised=st.booleans(),
    pattern=st.booleans(),
)
def test_the_scale_is_alpha_over_the_rank_or_its_root(
    rank: int, alpha: float, stabilised: bool, pattern: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("scale")
    declared: dict[str, Any] = {"r": 7, "lora_alpha": 99} if pattern else {"r": rank, "lora_alpha": alpha}
    if pattern:
        declared |= {"rank_pattern": {"q_proj": rank}, "alpha_pattern": {".*self_attn.*": alpha}}
    update = opened_update(folder, content=named({Q: factors(rank=rank)}), use_rslora=stabilised, **declared)
    assert update.rank == rank
    assert update.scale == (alpha / rank**0.5 if stabilised else alpha / rank)
    left, right = update.factors()
    assert np.array_equal(left, factors(rank=rank)["lora_B.weight"])
    assert np.array_equal(right, factors(rank=rank)["lora_A.weight"])


def test_what_is_not_declared_is_what_peft_takes_and_said(tmp_path: Path) -> None:
    found = adapter(written(tmp_path / "a", named({Q: factors(rank=8)}), r=..., lora_alpha=...))
    assert found.updates(None).factored[0].scale == 1.0
    assert sum("PEFT's own 8 is taken" in note for note in found.notes) == 2


@pytest.mark.parametrize("alpha", [0, 0.0])
def test_a_scale_of_zero_is_an_update_that_is_zero(alpha: float, tmp_path: Path) -> None:
    assert opened_update(tmp_path, lora_alpha=alpha).scale == 0.0


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "method": ({"peft_type": "LOHA"}, "of the method LOHA"),
    "no method": ({"peft_type": ...}, "names no method"),
    "rank zero": ({"r": 0}, "r is 0, not a rank"),
    "rank of the wrong kind": ({"r": "2"}, "r is 2, not a rank"),
    "rank of a pattern": ({"rank_pattern": {"q_proj": -1}}, "rank_pattern of 'q_proj' is -1"),
    "no rank of a pattern": ({"rank_pattern": {"q_proj": None}}, "rank_pattern of 'q_proj' is None"),
    "another rank": ({"r": 4}, "have the rank 2, adapter_config.json declares 4"),
    "another rank by a pattern": ({"rank_pattern": {"q_proj": 4}}, "have the rank 2, adapter_config.json declares 4"),
    "no table": ({"alpha_pattern": ["q"]}, "alpha_pattern is not an object"),
    "alpha": ({"lora_alpha": "x\u202e"}, "lora_alpha is x"),
    "alpha beyond numbers": ({"lora_alpha": 10**400}, "not a number that scales"),
    "flag": ({"use_rslora": "yes"}, "use_rslora is yes"),
    "hostile pattern": ({"rank_pattern": {"(?=(a+)+)": 2}}, "a key of rank_pattern cannot be matched safely"),
    "pissa": ({"init_lora_weights": "pissa_niter_16"}, "the base was changed before training began"),
    "PiSSA": ({"init_lora_weights": "PiSSA"}, "the base was changed before training began"),
    "olora": ({"init_lora_weights": "OLoRA"}, "the base was changed before training began"),
    "corda": ({"init_lora_weights": "corda"}, "the base was changed before training began"),
    "loftq": ({"init_lora_weights": "loftq"}, "the base was changed before training began"),
    "lora_ga": ({"init_lora_weights": "lora_ga"}, "the base was changed before training began"),
    "unknown start": ({"init_lora_weights": "new"}, "which is not known"),
    "qalora": ({"use_qalora": True}, "use_qalora"),
    "bdlora": ({"use_bdlora": {"nblocks": 2}}, "use_bdlora"),
    "arrow": ({"arrow_config": {"top_k": 2}}, "arrow_config"),
    "activated": ({"alora_invocation_tokens": [1, 2]}, "alora_invocation_tokens"),
    "kasa": ({"kasa_config": {}}, "kasa_config"),
    "replicated": ({"layer_replication": [[0, 1], [0, 1]]}, "layer_replication"),
    "magnitudes missing": ({"use_dora": True}, "the vector of magnitudes is missing"),
    "parameters": ({"target_parameters": "x"}, "target_parameters is not a list"),
}


@pytest.mark.parametrize(("settings", "words"), REFUSED.values(), ids=REFUSED)
def test_a_configuration_that_gives_no_update_is_refused(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"adapter_(config|model)") as refused:
        open_model(written(tmp_path / "a", **settings))
    assert words in str(refused.value)
    assert str(refused.value).isprintable()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "ranks": ({"lora_A.weight": np.ones((2, 5)), "lora_B.weight": np.ones((6, 3))}, "the ranks differ"),
    "half": ({"lora_A.weight": np.ones((2, 5))}, "half a pair: lora_B is missing"),
    "other half": ({"lora_B.weight": np.ones((6, 2))}, "half a pair: lora_A is missing"),
    "empty": ({"lora_A.weight": np.ones(0), "lora_B.weight": np.ones(0)}, "the factors of all 1 modules are empty"),
    "axes": ({"lora_A.weight": np.ones((2, 5)), "lora_B.weight": np.ones(12)}, "have no product"),
    "kernel": ({"lora_A.weight": np.ones((2, 5, 3, 3)), "lora_B.weight": np.ones((6, 2, 3, 3))}, "have no product"),
    "type": ({"lora_A.weight": np.ones((2, 5), int), "lora_B.weight": np.ones((6, 2))}, "integer or boolean type"),
    "two kinds": (factors() | {"lora_embedding_A": np.ones((2, 6))}, "both the factors"),
    "two names": ({"lora_A.a.weight": np.ones((2, 5)), "lora_B.b.weight": np.ones((6, 2))}, "factors of 2 adapters"),
    "stored twice": (factors() | {"lora_A": np.ones((2, 5))}, "stored twice"),
    "loha": (factors() | {"hada_w1_a": np.ones((2, 2))}, "of another method"),
    "lokr": ({"lokr_w1": np.ones((2, 2))}, "of another method"),
    "diagonal": (factors() | {"lora_diag": np.ones(2)}, "of another method"),
    "magnitudes": (factors() | {"lora_magnitude_vector": np.ones(6)}, "use_dora is not true"),
    "none": ({"weight": np.ones((2, 2))}, "no factors of a LoRA adapter"),
}


@pytest.mark.parametrize(("content", "words"), WRONG.values(), ids=WRONG)
def test_tensors_that_give_no_update_are_refused(content: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as refused:
        open_model(written(tmp_path / "a", named({Q: content})))
    assert words in str(refused.value)
    assert FILE in str(refused.value)


def test_empty_factors_beside_whole_ones_are_left_out(tmp_path: Path) -> None:
    empty = {"lora_A.weight": np.ones(0), "lora_B.weight": np.ones(0)}
    found = adapter(written(tmp_path / "a", named({Q: factors(), Q.replace("q_", "k_"): empty})))
    assert any("the factors of 1 of 2 modules are empty" in note for note in found.notes)
    updates = found.updates(None)
    assert [item.reason for item in updates.skipped] == ["empty, as a partitioned save leaves it"]
    assert len(updates.factored) == 1


def test_other_tensors_are_left_out_with_their_reasons(tmp_path: Path) -> None:
    content = named(
        {
            Q: factors() | {"lora_B.bias": np.ones(6), "base_layer.weight": np.ones((6, 5))},
            "model.norm": {"weight": np.ones(5)},
            "model.embed_tokens": {"token_adapter.trainable_tokens_delta": np.ones((2, 5))},
            "score": {"modules_to_save.weight": np.ones((3, 5)), "original_module.weight": np.ones((3, 5))},
        }
    )
    reasons = {item.reason for item in adapter(written(tmp_path / "a", content)).updates(None).skipped}
    assert reasons == {
        "vector (norm or bias)",
        "a copy of the base's own tensor, saved beside its factors",
        "rows of an embedding that were trained alone, not read",
        "a copy of the base's own tensor",
        "saved whole: without a base there is no update",
    }


def test_the_whole_state_of_a_wrapped_model_is_read_by_the_adapters_name(tmp_path: Path) -> None:
    content = {
        f"module.base_model.model.{Q}.{name.replace('.weight', '.default.weight')}": values
        for name, values in factors().items()
    }
    (update,) = adapter(written(tmp_path / "a", content)).updates(None).factored
    assert update.name == f"{Q}.weight"


def test_a_resized_vocabulary_is_compared_in_its_common_rows(tmp_path: Path) -> None:
    embedding = {"lora_embedding_A": np.ones((2, 9)), "lora_embedding_B": np.ones((5, 2))}
    folder = written(tmp_path / "a", named({"model.embed_tokens": embedding}))
    given_base = open_checkpoint(base(tmp_path / "base", model__embed_tokens__weight=(7, 5)))
    found = adapter(folder).updates(given_base)
    (update,) = found.factored
    assert update.shape == (7, 5)
    assert [factor.shape for factor in update.factors()] == [(7, 2), (2, 5)]
    assert any("7 rows in the base, 9 in the adapter; the common 7 are compared" in note for note in found.notes)


def test_a_convolution_is_the_map_of_its_patches(tmp_path: Path) -> None:
    down, up = np.arange(2.0 * 3 * 4).reshape(2, 3, 2, 2), np.arange(10.0).reshape(5, 2, 1, 1)
    update = opened_update(tmp_path, content=named({"conv": {"lora_A.weight": down, "lora_B.weight": up}}))
    left, right = update.factors()
    assert np.array_equal(left @ right, np.einsum("or,rikl->oikl", up[:, :, 0, 0], down).reshape(5, 12))


def test_a_base_of_another_name_is_noted_and_nothing_is_followed(tmp_path: Path) -> None:
    found = adapter(written(tmp_path / "a", base_model_name_or_path="../../etc/\u202epasswd"))
    updates = found.updates(open_checkpoint(base(tmp_path / "base")))
    said = " ".join((*found.notes, *updates.notes))
    assert "it is not looked for" in said
    assert "another was given" in said
    assert said.isprintable()
    same = adapter(written(tmp_path / "b", base_model_name_or_path="someone/base"))
    assert not same.updates(open_checkpoint(tmp_path / "base")).notes


def test_a_base_without_the_matrices_is_refused_with_the_first_of_them(tmp_path: Path) -> None:
    modules = {f"model.layers.{layer}.mlp.up_proj": factors() for layer in range(20)} | {Q: factors(out=7)}
    found = adapter(written(tmp_path / "a", named(modules)))
    with pytest.raises(CheckpointError, match="21 matrices that it changes are not in the base") as refused:
        found.updates(open_checkpoint(base(tmp_path / "base")))
    assert str(refused.value).count("up_proj") == 10 or "(7 × 5, in the base 6 × 5)" in str(refused.value)


def test_a_base_with_an_adapter_of_its_own_is_refused(tmp_path: Path) -> None:
    folder = base(tmp_path / "base", **{f"{Q}.lora_A.default.weight".replace(".", "__"): (2, 5)})
    with pytest.raises(CheckpointError, match="not merged into them"):
        adapter(written(tmp_path / "a")).updates(open_checkpoint(folder))


def test_a_fused_matrix_without_a_configuration_is_left_out(tmp_path: Path) -> None:
    fused = "transformer.h.0.self_attention.query_key_value"
    content = named({fused: factors(out=24)})
    (item,) = adapter(written(tmp_path / "a", content)).updates(None).skipped
    assert item.reason == "fused, and without a config.json nothing says how its 24 outputs divide"
    folder = written(tmp_path / "b", content)
    (folder / "config.json").write_text(json.dumps({"model_type": "bloom", "n_head": 2, "hidden_size": 8}))
    found = adapter(folder).updates(None)
    assert [update.part for update in found.factored] == ["q", "k", "v"]
    rows = factors(out=24)["lora_B.weight"].reshape(2, 3, 4, 2)
    for number, update in enumerate(found.factored):
        assert np.array_equal(update.factors()[0], rows[:, number].reshape(8, 2))


def test_the_same_matrix_twice_is_refused(tmp_path: Path) -> None:
    content = named({Q: factors()}) | {f"base_model.model.{Q}.weight": np.ones((6, 5))}
    found = adapter(written(tmp_path / "a", content))
    with pytest.raises(CheckpointError, match="is changed twice"):
        found.updates(open_checkpoint(base(tmp_path / "base")))


def test_a_file_written_to_after_its_header_was_read_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "a")
    (update,) = adapter(folder).updates(None).factored
    (folder / FILE).write_bytes((folder / FILE).read_bytes() + b" ")
    with pytest.raises(CheckpointError, match="changed while reading"):
        update.factors()


FIELDS = (
    *("peft_type", "r", "lora_alpha", "use_rslora", "use_dora", "fan_in_fan_out", "rank_pattern", "alpha_pattern"),
    *("target_parameters", "init_lora_weights", "base_model_name_or_path", "use_qalora", "kasa_config", "bias"),
)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**30), st.floats(allow_nan=False), st.text("aq.*(\u202e", max_size=6)
)
TABLES = st.dictionaries(st.text("aq_proj.*", max_size=6), PLAIN, max_size=2)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=2), TABLES)


def read_or_refused(folder: Path) -> Adapter | str:
    try:
        return adapter(folder)
    except CheckpointError as error:
        return str(error)


@given(declared=st.dictionaries(st.sampled_from(FIELDS[1:]), VALUES, max_size=4))
def test_any_configuration_is_read_or_refused(
    declared: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = read_or_refused(written(tmp_path_factory.mktemp("any"), **declared))
    if isinstance(found, str):
        assert found.isprintable()
        assert len(found) < 1000
    else:
        updates = found.updates(None)
        assert len(updates.factored) + len(updates.skipped) == 1
        assert all(np.isfinite(update.scale) for update in updates.factored)
