"""Which family a checkpoint is of when no configuration says so, and what wraps its names."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.roles import Family, families, recognise

Array = NDArray[np.float32]
FAMILIES: dict[str, Family] = {family.name: family for family in families()}
GPT2 = {"h.0.attn.c_attn.weight": (32, 96), "h.0.mlp.c_fc.weight": (32, 128), "h.0.attn.c_proj.weight": (32, 32)}


def numbers(*shape: int, label: str = "") -> Array:
    return generator(0, "recognised", label, str(shape)).standard_normal(shape).astype(np.float32)


def alone(folder: Path, tensors: dict[str, Array]) -> Checkpoint:
    """One file without a configuration, under a name of its own."""
    save_file(tensors, folder / "weights.safetensors")
    return open_checkpoint(folder / "weights.safetensors")


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("llama", "model.layers.0.self_attn.q_proj.weight model.layers.0.mlp.up_proj.weight"),
        ("llama", "layers.0.self_attn.q_proj.weight layers.0.mlp.up_proj.weight embed_tokens.weight"),
        ("mixtral", "model.layers.0.self_attn.q_proj.weight model.layers.0.block_sparse_moe.experts.3.w1.weight"),
        ("deepseek", "model.layers.0.self_attn.kv_b_proj.weight model.layers.0.mlp.up_proj.weight"),
        ("gpt_oss", "model.layers.0.mlp.experts.gate_up_proj model.layers.0.self_attn.sinks"),
        ("llama", "model.layers.0.mlp.experts.gate_up_proj model.layers.0.mlp.gate.weight"),
        ("mamba", "backbone.layers.0.mixer.in_proj.weight backbone.layers.0.mixer.x_proj.weight"),
        ("mamba2", "backbone.layers.0.mixer.in_proj.weight backbone.layers.0.mixer.norm.weight"),
        ("bert", "encoder.layer.0.attention.self.query.weight"),
        ("bert", "roberta.encoder.layer.0.attention.self.query.weight"),
        ("distilbert", "transformer.layer.0.attention.q_lin.weight"),
        ("t5", "encoder.block.0.layer.0.SelfAttention.q.weight"),
        ("gpt_neox", "layers.0.attention.query_key_value.weight"),
        ("qwen_vl", "visual.blocks.0.attn.qkv.weight model.layers.0.self_attn.q_proj.weight"),
        ("glm_vision", "model.visual.blocks.0.attn.qkv.weight model.language_model.layers.0.mlp.gate_up_proj.weight"),
        ("idefics", "model.text_model.layers.0.self_attn.q_proj.weight"),
        ("clip", "vision_model.encoder.layers.0.self_attn.q_proj.weight"),
        (
            "llava",
            "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight language_model.model.embed_tokens.weight",
        ),
        (
            "internvl_original",
            "vision_model.encoder.layers.0.attn.qkv.weight language_model.model.layers.0.mlp.up_proj.weight",
        ),
    ],
)
def test_names_alone_tell_the_family(family: str, names: str) -> None:
    assert recognise(names.split()) is FAMILIES[family]


@pytest.mark.parametrize(("family", "turned"), [("gpt2", False), ("gpt_bigcode", True)])
def test_shapes_tell_apart_what_names_cannot(family: str, turned: bool, tmp_path: Path) -> None:
    """GPT-2 stores (in, out), GPT-BigCode (out, in), under the same names."""
    tensors = {name: numbers(*shape[:: -1 if turned else 1]) for name, shape in GPT2.items()}
    checkpoint = alone(tmp_path, tensors)
    assert checkpoint.family == family
    assert next(m.shape for m in checkpoint.matrices() if m.role.slot == "up") == (128, 32)


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod.", "_fsdp_wrapped_module."])
def test_a_wrapped_module_is_the_same_model(wrapper: str, tmp_path: Path) -> None:
    names = ["model.layers.1.self_attn.q_proj.weight", "model.embed_tokens.weight", "model.layers.1.mystery.weight"]
    for folder, before in (("plain", ""), ("wrapped", wrapper)):
        (tmp_path / folder).mkdir()
        save_file({before + name: numbers(8, 8) for name in names}, tmp_path / folder / "model.safetensors")
    plain, wrapped = open_checkpoint(tmp_path / "plain"), open_checkpoint(tmp_path / "wrapped")
    assert wrapped.family == "llama"
    assert [(m.identity, m.role, m.layer) for m in plain.matrices()] == [
        (m.identity, m.role, m.layer) for m in wrapped.matrices()
    ]
    assert all(m.tensor.startswith(wrapper) for m in wrapped.matrices())


def test_a_name_of_nothing_but_wrappers_ends() -> None:
    assert FAMILIES["llama"].place("module." * 50_000).roles[0].block == "unknown"


def test_a_family_that_stores_the_other_way_round_needs_a_matrix_to_say_so() -> None:
    assert recognise(["h.0.attn.c_attn.weight"]) is FAMILIES["gpt2"]
    assert recognise([]) is None


def test_an_image_model_has_no_text_tower(tmp_path: Path) -> None:
    """ViT shares the names of its output projections with BERT."""
    stem = "encoder.layer.0."
    ends = ("attention.attention.query", "attention.output.dense", "intermediate.dense", "output.dense")
    checkpoint = alone(tmp_path, {f"{stem}{end}.weight": numbers(8, 8, label=end) for end in ends})
    assert checkpoint.family == "vit"
    assert {m.role.tower for m in checkpoint.matrices()} == {"vision"}


@pytest.mark.parametrize(
    ("model", "strange", "family"),
    [("novel", 1, "llama"), ("novel", 2, "llama"), ("novel", 3, "unknown"), ("llama", 3, "llama"), (None, 3, "llama")],
)
def test_a_foreign_model_is_not_the_family_it_shares_a_few_names_with(
    model: str | None, strange: int, family: str, tmp_path: Path
) -> None:
    names = ["self_attn.q_proj", "self_attn.k_proj", *(f"mixer.w{number}" for number in range(strange))]
    tensors = {f"model.layers.0.{name}.weight": numbers(8, 8, label=name) for name in names}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model} if model else {}))
    assert open_checkpoint(tmp_path).family == family
