"""Other families, starts and forms of data: every tiny model trains, reads back and is told apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shadowgraph.errors import CheckpointError, DataError, SpecError
from shadowgraph.runs.loss import evaluate_loss
from shadowgraph.runs.matched import prove_matched, statement
from shadowgraph.runs.model import initial_model, load_model, state_digest
from shadowgraph.runs.recipe import Adapter, Recipe
from shadowgraph.runs.run import read_run
from shadowgraph.runs.sequences import UNSUPERVISED, Along, consumption_order, read_stream
from shadowgraph.runs.train import train
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import open_checkpoint

Tree = Callable[[Path], dict[str, bytes]]
SMALL: dict[str, Any] = {
    **{"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2},
    **{"num_key_value_heads": 1, "vocab_size": 64, "max_position_embeddings": 32},
}
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3": {**SMALL, "head_dim": 8},
    "gemma": {**SMALL, "head_dim": 8, "pad_token_id": None},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_inner": 24, "vocab_size": 64, "n_positions": 32},
    "mixtral": {**SMALL, "num_local_experts": 3},
}


def small(recipe: Recipe, **changes: Any) -> Recipe:
    """Three steps of another recipe, saved after two."""
    return dataclasses.replace(
        recipe, **{"steps": 3, "warmup_steps": 0, "snapshots": (2,), "checkpoint_every": 2, **changes}
    )


@pytest.fixture
def short(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> Path:
    """Sequences for three steps."""
    np.save(tmp_path / "short.npy", np.load(stream(0))[:12])
    return tmp_path / "short.npy"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trains_to_the_same_bytes(
    family: str, recipe: Recipe, short: Path, tmp_path: Path, tree: Tree
) -> None:
    torch.manual_seed(len(family))
    other = small(recipe, family=family, architecture=FAMILIES[family])
    run = train(other, short, tmp_path / "run")
    train(other, short, tmp_path / "again")
    assert tree(tmp_path / "run") == tree(tmp_path / "again")
    assert run.statement["family"] == family
    assert Recipe.from_dict(other.as_dict()) == other
    checkpoint = open_checkpoint(run.model)
    assert checkpoint.config["model_type"] == family
    assert checkpoint.family != "unknown"
    assert np.isfinite(evaluate_loss(run.model, np.load(short)))
    # What was trained is a start, and its architecture is read back whole.
    again = Recipe.of_model(run.model, steps=3, learning_rate=1e-3, batch=4, sequence_length=8)
    assert again.family == family
    assert state_digest(initial_model(again, run.model)) == state_digest(load_model(run.model))


def test_keys_are_those_of_the_family(recipe: Recipe) -> None:
    with pytest.raises(SpecError, match=r"recipe\.family: 'lama' .* llama"):
        small(recipe, family="lama")
    with pytest.raises(SpecError, match=r"recipe\.architecture\.n_embed: unknown .* n_embd"):
        small(recipe, family="gpt2", architecture={"n_embed": 16})
    with pytest.raises(SpecError, match=r"recipe\.architecture\.text_config\.depth"):
        small(recipe, family="llava", architecture={"text_config": {"model_type": "llama", "depth": 3}})
    with pytest.raises(SpecError, match=r"recipe\.architecture: qwen3 refuses it"):
        small(recipe, family="qwen3", architecture={"hidden_size": "wide"})
    with pytest.raises(SpecError, match=r"recipe\.sequence_length"):
        small(recipe, family="gpt2", architecture={**FAMILIES["gpt2"], "n_positions": 4})
    # A key of LlamaConfig beyond the defaults is taken, and part of the identity.
    biased = small(recipe, architecture={**recipe.architecture, "mlp_bias": True})
    assert biased.fingerprint != small(recipe).fingerprint
    assert "model.layers.0.mlp.up_proj.bias" in initial_model(biased, None).state_dict()


def test_a_start_of_half_precision_is_read_into_float32(recipe: Recipe, short: Path, tmp_path: Path) -> None:
    model: Any = initial_model(small(recipe), None)
    model.to(torch.bfloat16).save_pretrained(tmp_path / "half")
    run = train(small(recipe, learning_rate=1e-5), short, tmp_path / "run", start=tmp_path / "half")
    before, after = load_model(tmp_path / "half").state_dict(), load_model(run.model).state_dict()
    assert {value.dtype for value in after.values()} == {torch.float32}
    # Steps far below the spacing of bfloat16 are kept.
    name = "model.layers.0.mlp.up_proj.weight"
    moved = (after[name] - before[name]).abs()
    assert 0 < float(moved.max()) < 1e-4
    with pytest.raises(SpecError, match=r"recipe\.family: the recipe says 'qwen3'"):
        statement(small(recipe, family="qwen3", architecture=FAMILIES["qwen3"]), short, tmp_path / "half", None)
    scaled = small(recipe, architecture={**recipe.architecture, "rms_norm_eps": 1e-3})
    with pytest.raises(SpecError, match=r"recipe\.architecture\.rms_norm_eps"):
        statement(scaled, short, tmp_path / "half", None)


def test_masked_tokens_carry_no_loss(recipe: Recipe, short: Path, tmp_path: Path) -> None:
    mask = np.zeros((12, 8), np.bool_)
    mask[:, 5:] = True
    mask[::2, 3] = True
    np.save(tmp_path / "mask.npy", mask)
    along = Along(supervised=tmp_path / "mask.npy")
    run = train(small(recipe), short, tmp_path / "run", along=along)
    assert run.statement["supervised_tokens"] == mask.sum() != small(recipe).supervised_tokens
    # Independent oracle: the first loss by hand.
    order = consumption_order(small(recipe))[:4]
    ids = torch.from_numpy(np.load(short)[order].astype(np.int64))
    logits = initial_model(small(recipe), None)(input_ids=ids).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    wanted = losses.reshape(4, 7)[torch.from_numpy(mask[order, 1:])].mean()
    assert run.losses()[0] == pytest.approx(float(wanted.detach()), abs=1e-5)
    full = statement(small(recipe), short, None, None)
    masked = statement(small(recipe), short, None, None, along)
    with pytest.raises(SpecError, match=r"matched\.supervised_tokens"):
        prove_matched([full, masked])
    mask[order] = False
    np.save(tmp_path / "mask.npy", mask)
    with pytest.raises(DataError, match="step 1 carries no loss"):
        read_stream(short, small(recipe), along)
    np.save(tmp_path / "mask.npy", mask.astype(np.int8))
    with pytest.raises(DataError, match="bool needed"):
        read_stream(short, small(recipe), along)


@pytest.fixture
def shown(short: Path, tmp_path: Path) -> tuple[Path, Along]:
    """Sequences with places for one picture a row, and the pictures."""
    rows = np.load(short) % 63
    rows[:, 1:5] = 63
    np.save(tmp_path / "rows.npy", rows)
    pixels = generator(1, "pixels").normal(size=(12, 1, 3, 4, 4)).astype(np.float32)
    np.save(tmp_path / "pictures.npy", pixels)
    return tmp_path / "rows.npy", Along(pictures=tmp_path / "pictures.npy")


def test_pictures_go_along(
    recipe: Recipe, seeing: dict[str, Any], shown: tuple[Path, Along], tmp_path: Path, tree: Tree
) -> None:
    rows, along = shown
    llava = small(recipe, family="llava", architecture=seeing)
    run = train(llava, rows, tmp_path / "run", along=along)
    train(llava, rows, tmp_path / "again", along=along)
    assert tree(tmp_path / "run") == tree(tmp_path / "again")
    assert run.statement["supervised_tokens"] == 12 * 3
    assert run.statement["pictures"] == [1, 3, 4, 4]
    stream = read_stream(rows, llava, along)
    assert stream.labels is not None
    assert (stream.labels[:, 1:5] == UNSUPERVISED).all()
    start, end = initial_model(llava, None).state_dict(), load_model(run.model).state_dict()
    moved = {name for name, value in end.items() if not torch.equal(value, start[name])}
    assert any("vision_tower" in name for name in moved)
    assert any("language_model" in name for name in moved)
    assert read_run(run.path).recipe == llava


def test_pictures_are_checked(
    recipe: Recipe, seeing: dict[str, Any], shown: tuple[Path, Along], short: Path, tmp_path: Path
) -> None:
    rows, along = shown
    llava = small(recipe, family="llava", architecture=seeing)
    with pytest.raises(DataError, match="no pictures"):
        read_stream(rows, llava)
    np.save(tmp_path / "text.npy", np.load(short) % 63)
    with pytest.raises(DataError, match="0 places"):
        read_stream(tmp_path / "text.npy", llava, along)
    pixels = np.load(tmp_path / "pictures.npy")
    np.save(tmp_path / "pictures.npy", np.concatenate([pixels] * 4, axis=1))
    with pytest.raises(DataError, match="the model refuses the pictures"):
        train(llava, rows, tmp_path / "run", along=along)
    pixels[3, 0, 0, 0, 0] = np.nan
    np.save(tmp_path / "pictures.npy", pixels)
    with pytest.raises(DataError, match="not finite"):
        read_stream(rows, llava, along)
    np.save(tmp_path / "pictures.npy", pixels[:, 0])
    with pytest.raises(DataError, match="p, c, h, w"):
        read_stream(rows, llava, along)


def test_an_adapter_is_trained_saved_and_started_from(recipe: Recipe, short: Path, tmp_path: Path, tree: Tree) -> None:
    pytest.importorskip("peft", reason="the extra for adapters is not installed")
    base = train(small(recipe), short, tmp_path / "base")
    lora = small(recipe, adapter=Adapter(2, 4.0, ("q_proj", "down_proj")))
    run = train(lora, short, tmp_path / "run", start=base.model)
    train(lora, short, tmp_path / "again", start=base.model)
    assert tree(tmp_path / "run") == tree(tmp_path / "again")
    assert run.statement["adapter"] == {"rank": 2, "alpha": 4.0, "targets": ["q_proj", "down_proj"]}
    assert sorted(path.name for path in run.model.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert Recipe.from_dict(lora.as_dict()) == lora
    # Merged, it differs from its base in the targets alone, by a matrix of rank 2.
    before, after = load_model(base.model).state_dict(), load_model(run.model).state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {f"model.layers.{k}.{m}.weight" for k in (0, 1) for m in ("self_attn.q_proj", "mlp.down_proj")}
    name = "model.layers.0.self_attn.q_proj.weight"
    values = np.linalg.svd((after[name] - before[name]).double().numpy(), compute_uv=False)
    assert values[2] < 1e-3 * values[0]
    assert evaluate_loss(run.model, np.load(short)) != evaluate_loss(base.model, np.load(short))
    # As a start: the adapter goes on, or is merged where all weights are trained.
    further = train(lora, short, tmp_path / "further", start=run.model)
    assert further.statement["init"] != run.statement["init"]
    assert train(small(recipe), short, tmp_path / "whole", start=run.model).statement["init"] == state_digest(
        load_model(run.model)
    )
    with pytest.raises(SpecError, match=r"recipe\.adapter\.rank"):
        statement(small(recipe, adapter=Adapter(3, 4.0, ("q_proj", "down_proj"))), short, run.model, None)
    with pytest.raises(SpecError, match=r"recipe\.adapter\.targets"):
        statement(small(recipe, adapter=Adapter(2, 4.0, ("w_proj",))), short, base.model, None)
    config = run.model / "adapter_config.json"
    config.write_text(config.read_text().replace(str(base.model.resolve()), "/nowhere"))
    with pytest.raises(CheckpointError, match="no local folder"):
        load_model(run.model)


def test_an_adapter_needs_a_start(recipe: Recipe, short: Path) -> None:
    with pytest.raises(SpecError, match="needs a start model"):
        statement(small(recipe, adapter=Adapter(2, 4.0)), short, None, None)
    for key, value in {"rank": 0, "alpha": 0.0, "targets": ()}.items():
        with pytest.raises(SpecError, match=rf"recipe\.adapter\.{key}"):
            dataclasses.replace(Adapter(2, 4.0), **{key: value})
