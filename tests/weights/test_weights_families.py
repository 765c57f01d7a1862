# pyright: reportUnknownParameterType=false, reportArgumentType=false
"""Real modules of each family, saved and read: every matrix element for element, every role as written by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadowgraph.seeds import derive
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.matrix import WeightMatrix

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()

LLAMA_LIKE: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {},
    "qwen2": {},
    "qwen3": {"head_dim": 8},
}
GPT2_TOKENS = {"bos_token_id": 1, "eos_token_id": 2}


def llama(kind: str, folder: Path, **changes: Any) -> Any:
    config = transformers.AutoConfig.for_model(
        kind,
        **{
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": 64,
            "bos_token_id": 1,
            "eos_token_id": 2,
        }
        | LLAMA_LIKE.get(kind, {})
        | changes,
    )
    torch.manual_seed(derive(0, "family", kind))
    module = transformers.AutoModelForCausalLM.from_config(config)
    module.save_pretrained(folder)
    return module


def gpt2(folder: Path, **save: Any) -> Any:
    torch.manual_seed(derive(0, "family", "gpt2"))
    config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=64, n_positions=16, **GPT2_TOKENS)
    module = transformers.GPT2LMHeadModel(config)
    module.save_pretrained(folder, **save)
    return module


def by_place(checkpoint: Checkpoint) -> dict[tuple[int | None, str, int | None], WeightMatrix]:
    found = {(m.layer, m.role.slot, m.expert): m for m in checkpoint.matrices() if m.role.slot != "unknown"}
    assert len(found) == sum(1 for m in checkpoint.matrices() if m.role.slot != "unknown")
    return found


def equal(matrix: WeightMatrix, weight: Any) -> bool:
    live = weight.detach().to(torch.float64).numpy()
    return matrix.shape == live.shape and np.array_equal(matrix.load(), live)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", LLAMA_LIKE)
def test_llama_naming(kind: str, tied: bool, tmp_path: Path) -> None:
    module = llama(kind, tmp_path, tie_word_embeddings=tied)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.family == "llama"
    assert checkpoint.notes == ()
    found = by_place(checkpoint)
    expected: dict[tuple[int | None, str, int | None], Any] = {}
    for number, layer in enumerate(module.model.layers):
        for slot in "qkvo":
            expected[number, slot, None] = getattr(layer.self_attn, f"{slot}_proj").weight
        for slot in ("gate", "up", "down"):
            expected[number, slot, None] = getattr(layer.mlp, f"{slot}_proj").weight
    expected[None, "embedding", None] = module.model.embed_tokens.weight
    if not tied:
        expected[None, "unembedding", None] = module.lm_head.weight
    assert found.keys() == expected.keys()
    assert all(equal(found[place], weight) for place, weight in expected.items())
    assert found[0, "k", None].shape == (16, 32)
    assert {found[0, slot, None].role.block for slot in "qkvo"} == {"attention"}
    assert {found[0, slot, None].role.block for slot in ("gate", "up", "down")} == {"ffn"}
    assert all(item.reason == "vector (norm or bias)" for item in checkpoint.skipped)
    assert checkpoint.block_parameters == sum(m.parameters for m in found.values() if m.layer is not None)


def test_a_stored_unembedding_that_is_tied_counts_once(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    llama("llama", tmp_path, tie_word_embeddings=True)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
    save_file(tensors, tmp_path / "model.safetensors")
    checkpoint = open_checkpoint(tmp_path)
    assert [m.role.slot for m in checkpoint.matrices() if m.layer is None] == ["embedding"]
    assert "tied" in next(item.reason for item in checkpoint.skipped if item.tensor == "lm_head.weight")


@pytest.mark.parametrize("save", [{}, {"max_shard_size": "20KB"}])
def test_gpt2_is_split_and_turned(save: dict[str, str], tmp_path: Path) -> None:
    module = gpt2(tmp_path, **save)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.family == "gpt2"
    assert checkpoint.notes == ()
    found = by_place(checkpoint)
    for number, layer in enumerate(module.transformer.h):
        fused = layer.attn.c_attn.weight.T
        for index, slot in enumerate("qkv"):
            assert equal(found[number, slot, None], fused[32 * index : 32 * (index + 1)])
        assert equal(found[number, "o", None], layer.attn.c_proj.weight.T)
        assert equal(found[number, "up", None], layer.mlp.c_fc.weight.T)
        assert equal(found[number, "down", None], layer.mlp.c_proj.weight.T)
        assert found[number, "q", None].name == f"transformer.h.{number}.attn.c_attn.weight[q]"
    assert equal(found[None, "embedding", None], module.transformer.wte.weight)
    assert len(found) == 14
    position = found[None, "position", None]
    assert (position.tensor, position.role.block) == ("transformer.wpe.weight", "other")


def test_split_parts_join_to_the_live_projection(tmp_path: Path) -> None:
    """The q part times an input is the q output of the live module: the turn and the cut are right together."""
    module = gpt2(tmp_path)
    found = by_place(open_checkpoint(tmp_path))
    inputs = torch.eye(32)
    outputs = (module.transformer.h[1].attn.c_attn(inputs) - module.transformer.h[1].attn.c_attn.bias).detach().numpy()
    for index, slot in enumerate("qkv"):
        assert np.allclose(found[1, slot, None].load().T, outputs[:, 32 * index : 32 * (index + 1)], atol=1e-6)


def test_a_bare_model_is_read_without_its_prefix(tmp_path: Path) -> None:
    gpt2(tmp_path / "whole").transformer.save_pretrained(tmp_path / "bare")
    whole, bare = open_checkpoint(tmp_path / "whole"), open_checkpoint(tmp_path / "bare")
    assert {m.identity for m in whole.matrices()} == {m.identity for m in bare.matrices()}


def test_experts_keep_their_number(tmp_path: Path) -> None:
    module = llama("qwen3_moe", tmp_path, num_experts=3, num_experts_per_tok=1, moe_intermediate_size=16, head_dim=8)
    found = by_place(open_checkpoint(tmp_path))
    experts = {expert for _, slot, expert in found if slot == "gate"}
    assert experts == {0, 1, 2}
    stacked = module.model.layers[1].mlp.experts.down_proj
    assert equal(found[1, "down", 2], stacked[2])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_precisions_read_exactly(dtype: str, tmp_path: Path) -> None:
    module = llama("llama", tmp_path / "a", tie_word_embeddings=True).to(getattr(torch, dtype))
    module.save_pretrained(tmp_path / "b")
    found = by_place(open_checkpoint(tmp_path / "b"))
    assert equal(found[0, "q", None], module.model.layers[0].self_attn.q_proj.weight)
    assert found[0, "q", None].dtype == {"bfloat16": "BF16", "float16": "F16", "float64": "F64"}[dtype]
