"""Embeddings stored under several names, or only under the name of the unembedding."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.roles import EMBEDDINGS

Array = NDArray[np.float32]
T5 = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
BART = ["model.shared.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"]
BODY = {
    "t5": "encoder.block.0.layer.0.SelfAttention.q.weight",
    "bart": "model.encoder.layers.0.self_attn.q_proj.weight",
}


def numbers(*shape: int, label: str = "") -> Array:
    return generator(0, "tied", label, str(shape)).standard_normal(shape).astype(np.float32)


def stored(folder: Path, tensors: dict[str, Array], config: dict[str, Any]) -> Checkpoint:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return open_checkpoint(folder)


def embeddings(checkpoint: Checkpoint) -> list[tuple[str, str, str]]:
    return [(m.tensor, m.key, m.role.slot) for m in checkpoint.matrices() if m.role.block in EMBEDDINGS]


@pytest.mark.parametrize(("kind", "names"), [("t5", T5), ("bart", BART)])
def test_copies_of_a_shared_embedding_are_analysed_once(kind: str, names: list[str], tmp_path: Path) -> None:
    shared = numbers(16, 8)
    tensors = {BODY[kind]: numbers(8, 8), **dict.fromkeys(names, shared), "lm_head.weight": shared}
    checkpoint = stored(tmp_path, tensors, {"model_type": kind})
    assert checkpoint.family == kind
    assert embeddings(checkpoint) == [(names[0], names[0], "embedding")]
    reason = f"holds the same values as '{names[0]}', analysed once"
    assert {item.tensor: item.reason for item in checkpoint.skipped} == {
        names[1]: f"copy: {reason}",
        names[2]: f"copy: {reason}",
        "lm_head.weight": f"tied to the embedding: {reason}",
    }


@pytest.mark.parametrize(("kind", "names"), [("t5", T5), ("bart", BART)])
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_whichever_copy_a_writer_kept_has_one_key(kind: str, names: list[str], kept: int, tmp_path: Path) -> None:
    checkpoint = stored(tmp_path, {BODY[kind]: numbers(8, 8), names[kept]: numbers(16, 8)}, {"model_type": kind})
    assert embeddings(checkpoint) == [(names[kept], names[0], "embedding")]
    assert checkpoint.skipped == ()


def test_an_untied_head_of_t5_stays(tmp_path: Path) -> None:
    tensors = {BODY["t5"]: numbers(8, 8), "shared.weight": numbers(16, 8), "lm_head.weight": numbers(16, 8, label="h")}
    checkpoint = stored(tmp_path, tensors, {"model_type": "t5", "tie_word_embeddings": False})
    assert [slot for *_, slot in embeddings(checkpoint)] == ["unembedding", "embedding"]


@pytest.mark.parametrize("declared", [True, False])
def test_what_only_looks_like_a_copy_is_analysed(declared: bool, tmp_path: Path) -> None:
    """Two vocabularies: another shape, or a configuration that says so."""
    tensors = {
        BODY["bart"]: numbers(8, 8),
        BART[1]: numbers(16, 8),
        BART[2]: numbers(16 if declared else 24, 8, label="two"),
    }
    config = {"model_type": "bart", **({"share_encoder_decoder_embeddings": False} if declared else {})}
    checkpoint = stored(tmp_path, tensors, config)
    assert {tensor for tensor, *_ in embeddings(checkpoint)} == set(BART[1:])
    assert len({m.identity for m in checkpoint.matrices()}) == 3
    assert checkpoint.skipped == ()


def test_a_tied_embedding_stored_only_as_head_is_the_embedding(tmp_path: Path) -> None:
    """Writers that drop shared tensors keep the first name: lm_head comes before model."""
    table = numbers(16, 8)
    body = {"model.layers.0.self_attn.q_proj.weight": numbers(8, 8)}
    config = {"model_type": "llama", "tie_word_embeddings": True}
    usual = stored(tmp_path / "usual", {**body, "model.embed_tokens.weight": table}, config)
    other = stored(tmp_path / "other", {**body, "lm_head.weight": table}, config)
    assert {m.identity for m in usual.matrices()} == {m.identity for m in other.matrices()}
    assert embeddings(other) == [("lm_head.weight", "model.embed_tokens.weight", "embedding")]
    assert other.skipped == ()


EMBEDDED = "model.embed_tokens.weight"
LLAMA = {"model_type": "llama", "tie_word_embeddings": True}


@pytest.mark.parametrize("tall", [16, 1 << 16])
@pytest.mark.parametrize("place", [None, 0, -1])
def test_a_head_declared_tied_that_holds_other_values_is_analysed(place: int | None, tall: int, tmp_path: Path) -> None:
    """One bit is enough where a place is read: the first, and the last of a tensor of any size."""
    table = numbers(tall, 8)
    head = table.copy()
    if place is not None:
        head.reshape(-1)[place] += 1.0
    body = {"model.layers.0.self_attn.q_proj.weight": numbers(8, 8)}
    checkpoint = stored(tmp_path, {**body, EMBEDDED: table, "lm_head.weight": head}, LLAMA)
    found = {tensor: slot for tensor, _, slot in embeddings(checkpoint)}
    if place is None:
        where = "" if tall == 16 else " at 16 sampled places"
        reason = f"tied to the embedding: holds the same values as '{EMBEDDED}'{where}, analysed once"
        assert found == {EMBEDDED: "embedding"}
        assert [item.reason for item in checkpoint.skipped] == [reason]
    else:
        assert found == {EMBEDDED: "embedding", "lm_head.weight": "unembedding"}
        assert checkpoint.skipped == ()


def test_a_copy_that_holds_other_values_is_an_embedding_of_its_own(tmp_path: Path) -> None:
    tensors = {
        BODY["t5"]: numbers(8, 8),
        T5[0]: numbers(16, 8),
        T5[1]: numbers(16, 8),
        T5[2]: numbers(16, 8, label="d"),
    }
    checkpoint = stored(tmp_path, tensors, {"model_type": "t5"})
    assert embeddings(checkpoint) == [(T5[2], T5[2], "embedding"), (T5[0], T5[0], "embedding")]
    assert [item.tensor for item in checkpoint.skipped] == [T5[1]]


def test_a_head_of_another_shape_is_not_the_embedding(tmp_path: Path) -> None:
    table = numbers(16, 8)
    body = {"model.layers.0.self_attn.q_proj.weight": numbers(8, 8)}
    tensors = {**body, EMBEDDED: table, "lm_head.weight": table.astype(np.float64).view(np.float32).reshape(32, 8)}
    checkpoint = stored(tmp_path, tensors, LLAMA)
    assert len(embeddings(checkpoint)) == 2
