# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Adapters of every kind as PEFT saves them: what is read is what PEFT itself merges."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from weights_adapters import trained

from shadowgraph.errors import CheckpointError
from shadowgraph.spectra.factored import factored_spectrum
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.opened import open_model
from shadowgraph.weights.adapters.patterns import Patterns
from shadowgraph.weights.checkpoint import open_checkpoint

pytest.importorskip("peft")

LINEAR = "all-linear"
EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
Settings = dict[str, Any]

# model, settings, matrices changed, how many of them by products, how many are known without a base
CASES: dict[str, tuple[str, Settings, int, int, int]] = {
    "every linear map": ("llama", {"target_modules": LINEAR}, 14, 14, 14),
    "patterns, stabilised": (
        "llama",
        {
            "target_modules": ["q_proj", "v_proj", "down_proj"],
            "rank_pattern": {"layers.1.*q_proj": 2, "q_proj": 3},
            "alpha_pattern": {".*down_proj": 3, r"model\.layers\.[01]\.self_attn\.v_proj": 5},
            "use_rslora": True,
        },
        *(6, 6, 6),
    ),
    "embedding and unembedding": ("llama", {"target_modules": ["embed_tokens", "lm_head", "q_proj"]}, 4, 4, 4),
    "whole modules and biases": ("llama", {"modules_to_save": ["lm_head"], "bias": "all"}, 3, 2, 2),
    "magnitudes": ("llama", {"target_modules": LINEAR, "use_dora": True}, 14, 0, 0),
    "orthogonal start": ("llama", {"init_lora_weights": "orthogonal"}, 2, 2, 2),
    "turned and fused": (
        "gpt2",
        {"target_modules": ["c_attn", "c_proj", "wte"], "fan_in_fan_out": True},
        *(11, 11, 11),
    ),
    "turned, with magnitudes": (
        "gpt2",
        {"target_modules": ["c_attn", "wte"], "fan_in_fan_out": True, "use_dora": True},
        *(7, 0, 0),
    ),
    "biases of factors": (
        "gpt2",
        {"target_modules": ["c_attn"], "fan_in_fan_out": True, "lora_bias": True},
        *(6, 6, 6),
    ),
    "interleaved heads": ("gpt_neox", {"target_modules": LINEAR}, 12, 12, 6),
    "stacked experts": ("mixtral", {"target_parameters": EXPERTS}, 20, 20, 2),
    "one parameter of the experts": (
        "mixtral",
        {"target_modules": [], "target_parameters": ["experts.down_proj", "gate.weight"]},
        *(8, 8, 0),
    ),
    "ranks of expert parameters": (
        "mixtral",
        {
            "target_modules": [],
            "target_parameters": EXPERTS,
            "rank_pattern": {"experts.gate_up_proj": 2, "down_proj": 3},
        },
        *(18, 18, 0),
    ),
    "stacked experts the other way round": ("gpt_oss", {"target_parameters": EXPERTS}, 20, 20, 2),
}


def spectrum(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.svd(matrix, compute_uv=False).astype(np.float64)


@pytest.mark.parametrize(("model", "settings", "changed", "products", "alone"), CASES.values(), ids=CASES)
def test_the_updates_are_those_of_the_merge(
    model: str, settings: Settings, changed: int, products: int, alone: int, tmp_path: Path
) -> None:
    trained(tmp_path, model, **settings)
    base, merged = open_checkpoint(tmp_path / "base"), open_checkpoint(tmp_path / "merged")
    adapter = open_model(tmp_path / "adapter")
    assert isinstance(adapter, Adapter)
    before = {matrix.identity: matrix for matrix in base.matrices()}
    truth = {matrix.identity: matrix.load() - before[matrix.identity].load() for matrix in merged.matrices()}
    found = adapter.updates(base)
    assert len(found.factored) == products
    for update in found.factored:
        left, right = update.factors()
        expected = truth[update.identity]
        assert (left.shape, right.shape) == ((update.shape[0], update.rank), (update.rank, update.shape[1]))
        assert update.shape == expected.shape
        assert update.before is not None
        assert update.before.role == update.role
        size = np.linalg.norm(expected)
        assert np.linalg.norm(update.scale * left @ right - expected) <= 1e-12 * size
        singular = factored_spectrum(left, right, update.scale).values
        assert np.abs(singular - spectrum(expected)).max() <= 1e-10 * singular[0]
    for update in found.dense:
        expected = truth[update.after.identity]
        assert np.abs(update.difference() - expected).max() <= 1e-12 * np.abs(update.after.load()).max()
        assert np.array_equal(update.difference((3, 5)), update.difference()[3:5])
    seen = {each.identity for each in found.factored} | {each.after.identity for each in found.dense}
    assert seen == {identity for identity, update in truth.items() if update.any()}
    assert len(seen) == changed
    against = {each.identity: each for each in found.factored}
    unaided = adapter.updates(None)
    shared = [(each, against[each.identity]) for each in unaided.factored if each.identity in against]
    assert all((each.role, each.shape, each.scale) == (to.role, to.shape, to.scale) for each, to in shared)
    assert len(shared) == alone
    assert not unaided.dense


def test_a_tied_unembedding_is_compared_with_the_embedding(tmp_path: Path) -> None:
    trained(tmp_path, "tied", target_modules=["lm_head"])
    adapter = open_model(tmp_path / "adapter")
    assert isinstance(adapter, Adapter)
    found = adapter.updates(open_checkpoint(tmp_path / "base"))
    (update,) = found.factored
    assert update.identity == ("lm_head.weight", "")
    assert update.before is not None
    assert update.before.role.slot == "embedding"
    assert update.before.load().shape == (64, 32)
    assert any("in its one use only" in note for note in found.notes)


def test_several_adapters_lie_as_peft_saves_them(tmp_path: Path) -> None:
    trained(tmp_path, "llama", others={"code": ["k_proj"], "chat": ["v_proj", "o_proj"]})
    first = open_model(tmp_path / "adapter")
    assert isinstance(first, Adapter)
    assert {update.role.slot for update in first.updates(None).factored} == {"q"}
    assert any("other adapters are there and not read: chat, code" in note for note in first.notes)
    picked = open_model(tmp_path / "adapter", "chat")
    assert isinstance(picked, Adapter)
    assert {update.role.slot for update in picked.updates(None).factored} == {"v", "o"}
    assert len({each.fingerprint for each in (first, picked, open_model(tmp_path / "adapter", "code"))}) == 3


def test_a_converted_start_is_an_update_and_an_unconverted_one_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, "llama", init_lora_weights="gaussian")
    adapter = open_model(tmp_path / "adapter")
    assert isinstance(adapter, Adapter)
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(config.read_text().replace('"gaussian"', '"pissa_niter_4"'))
    with pytest.raises(CheckpointError, match="the base was changed before training began"):
        open_model(tmp_path / "adapter")


def test_an_adapter_of_another_base_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, "llama", target_modules=["q_proj", "down_proj"])
    other = tmp_path / "other"
    trained(other, "tied")
    adapter = open_model(tmp_path / "adapter")
    assert isinstance(adapter, Adapter)
    assert len(adapter.updates(open_checkpoint(other / "base")).factored) == 4  # the same names and shapes
    trained(tmp_path / "turned", "gpt2", target_modules=["c_attn"], fan_in_fan_out=True)
    with pytest.raises(
        CheckpointError, match=r"4 matrices that it changes are not in the base.*layers\.0\.mlp\.down_proj"
    ):
        adapter.updates(open_checkpoint(tmp_path / "turned" / "base"))


@given(st.lists(st.sampled_from(["q_proj", ".*q_proj", "layers.0.*", r"layers\.\d+\.q_proj", "^model.*"]), unique=True))
def test_the_first_key_in_the_order_of_the_file_wins(keys: list[str]) -> None:
    from peft.utils.other import get_pattern_key

    for name in ("model.layers.0.q_proj", "layers.7.q_proj", "model.layers.1.v_proj"):
        expected = get_pattern_key(keys, name)
        assert (Patterns(keys).first(name) or name) == expected
