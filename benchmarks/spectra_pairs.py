"""Pairs of synthetic checkpoints, base and tuned, whose update is known: four planted spikes in Gaussian noise.

    python benchmarks/spectra_pairs.py FOLDER [--quick]

Here lives: the shapes, the updates, and the truth beside them (singular values by LAPACK in float64 of the difference
as stored). Not here: any measurement. Written once; the same seed gives the same bytes.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from shadowgraph.seeds import generator

RECIPE = "1"  # another number makes the pairs anew
SEED = 20
SPIKES = (6.0, 5.0, 4.0, 3.0)  # in units of the noise's edge, σ (√m + √n)
WEIGHT, NOISE = 0.02, 1e-4
STORED = {"F32": np.float32, "BF16": ml_dtypes.bfloat16}
Case = tuple[str, tuple[int, int], str, float]
"""Tensor, shape as stored, "spikes", "noise" or "rank4", and the relative norm of a rank-4 update in bf16."""


def llama(quick: bool) -> list[Case]:
    """One layer of a Llama: hidden 2,048, 16 heads of which 4 for keys and values, feed-forward 5,632."""
    d, keys, wide = (64, 16, 176) if quick else (2048, 512, 5632)
    attention = {"q": (d, d), "k": (keys, d), "v": (keys, d), "o": (d, d)}
    feed = {"gate": (wide, d), "up": (wide, d), "down": (d, wide)}
    names = {f"self_attn.{part}_proj": shape for part, shape in attention.items()}
    names |= {f"mlp.{part}_proj": shape for part, shape in feed.items()}
    return [(f"model.layers.0.{name}.weight", shape, "spikes", 0.0) for name, shape in names.items()]


def gpt2(quick: bool) -> list[Case]:
    """Twelve layers of GPT-2: hidden 768, weights stored (in, out), queries, keys and values in one tensor."""
    d, layers = (48, 1) if quick else (768, 12)
    parts = {"attn.c_attn": (d, 3 * d), "attn.c_proj": (d, d), "mlp.c_fc": (d, 4 * d), "mlp.c_proj": (4 * d, d)}
    return [
        (f"h.{layer}.{name}.weight", shape, "spikes", 0.0) for layer in range(layers) for name, shape in parts.items()
    ]


def hard(quick: bool) -> list[Case]:
    """One matrix a layer: noise of uneven shapes, and rank-4 updates stored in bf16 at falling relative norms."""
    noise = [(64, 16), (32, 96)] if quick else [(2048, 128), (512, 3072), (2048, 2048)]
    side = 64 if quick else 1024
    norms = (3e-2, 1e-2) if quick else (3e-2, 1e-2, 3e-3, 1e-3)
    cases = [(shape, "noise", 0.0) for shape in noise] + [((side, side), "rank4", norm) for norm in norms]
    return [
        (f"model.layers.{layer}.self_attn.q_proj.weight", shape, kind, norm)
        for layer, (shape, kind, norm) in enumerate(cases)
    ]


PAIRS = {"llama": llama, "gpt2": gpt2, "hard": hard}
CONFIG: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "num_attention_heads": 16, "num_key_value_heads": 4},
    "gpt2": {"model_type": "gpt2", "n_head": 12},
    "hard": {"model_type": "llama"},
}


def low_rank(shape: tuple[int, int], label: str) -> NDArray[np.float64]:
    """Four directions, their values in the ratios of SPIKES: (m, n), unit of the largest value 6."""
    draw = generator(SEED, label, "directions")
    left = np.linalg.qr(draw.standard_normal((shape[0], len(SPIKES))))[0]
    right = np.linalg.qr(draw.standard_normal((shape[1], len(SPIKES))))[0]
    return (left * np.array(SPIKES)) @ right.T


def tensors(case: Case) -> tuple[NDArray[Any], NDArray[Any]]:
    """Base and tuned matrix of one case, as stored."""
    name, (m, n), kind, norm = case
    draw = generator(SEED, name, kind)
    base = WEIGHT * draw.standard_normal((m, n))
    if kind == "rank4":
        update = low_rank((m, n), name)
        update *= norm * np.linalg.norm(base) / np.linalg.norm(update)
        return base.astype(STORED["BF16"]), (base + update).astype(STORED["BF16"])
    update = NOISE * draw.standard_normal((m, n))
    if kind == "spikes":
        update += NOISE * (m**0.5 + n**0.5) * low_rank((m, n), name)
    return base.astype(STORED["F32"]), (base + update).astype(STORED["F32"])


def parts(name: str, matrix: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The matrix as stored and, of a fused one, its true parts."""
    yield name, matrix
    if ".c_attn." in name:
        for part, piece in zip("qkv", np.split(matrix, 3, axis=1), strict=True):
            yield f"{name}[{part}]", piece


def truth(case: Case, matrix: NDArray[np.float64]) -> dict[str, Any]:
    """What a right answer about one stored difference says; for a rank-4 update in bf16, about the update."""
    known = low_rank(case[1], case[0]) if case[2] == "rank4" else matrix
    values = np.linalg.svd(known, compute_uv=False)
    if case[2] == "rank4":
        values = values[: len(SPIKES)]
    share, energy = values / values.sum(), np.square(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(share * np.log(share))
    return {
        "kind": case[2],
        "shape": list(matrix.shape),
        "norm": case[3],
        "spikes": 0 if case[2] == "noise" else len(SPIKES),
        "participation_ratio": float(energy.sum() ** 2 / (energy**2).sum()),
        "erank_amplitude": float(np.exp(entropy)),
        "stable_rank": float(energy.sum() / energy[0]),
    }


def write(folder: Path, pair: str, quick: bool) -> None:
    """Write one pair and, last, its truth.json; a folder whose truth is of this recipe is left as it is."""
    from safetensors.numpy import save_file

    stamp = {"recipe": RECIPE, "seed": SEED, "quick": quick}
    place = folder / pair
    if (place / "truth.json").exists() and json.loads((place / "truth.json").read_text())["stamp"] == stamp:
        return
    shutil.rmtree(place, ignore_errors=True)
    files: dict[str, dict[str, NDArray[Any]]] = {"base": {}, "tuned": {}}
    known: dict[str, Any] = {}
    for case in PAIRS[pair](quick):
        before, after = tensors(case)
        files["base"][case[0]], files["tuned"][case[0]] = before, after
        difference = after.astype(np.float64) - before.astype(np.float64)
        for name, piece in parts(case[0], difference):
            known[name] = truth(case, piece)
    for side, content in files.items():
        (place / side).mkdir(parents=True)
        save_file(content, place / side / "model.safetensors")
        (place / side / "config.json").write_text(json.dumps(CONFIG[pair]))
    (place / "truth.json").write_text(json.dumps({"stamp": stamp, "tensors": known}))


if __name__ == "__main__":
    for each in PAIRS:
        write(Path(sys.argv[1]), each, "--quick" in sys.argv)
