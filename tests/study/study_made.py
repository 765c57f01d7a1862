"""Synthetic studies: a specification over sources, and records whose truth is known, without any training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shadowgraph.seeds import generator
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.analyse import Evidence
from shadowgraph.study.layout import RunKey, runs_of

SLOTS = ("q", "down")
STEPS = (10, 20, 40)
SLOPE = -0.4  # of K along log norm, inside a run
SOURCES = ("alpha", "beta", "gamma", "delta")


def spec_of(
    arms: Mapping[str, Mapping[str, Any]],
    analysis: Mapping[str, Any],
    *,
    draws: int = 6,
    seeds: int = 1,
    benchmarks: tuple[str, ...] = (),
    **tables: Any,
) -> StudySpec:
    """A study over sources with the given arms and analysis."""
    sources: list[dict[str, Any]] = [
        {"name": name, "files": ["x.txt"], "base": "always", "benchmark": name in benchmarks} for name in SOURCES
    ]
    sources += [{"name": name, "files": ["x.txt"], "role": "outside"} for name in ("far", "away")]
    return StudySpec.model_validate(
        {
            "schema_version": "1.0",
            "study": {
                "name": "made-up",
                "question": "Is the planted effect found?",
                "seed": 5,
                "draws": draws,
                "seeds": seeds,
            },
            "sources": sources,
            "arms": [{"name": name, "regime": "even", "sources": "all"} | dict(keys) for name, keys in arms.items()],
            "model": {
                "vocabulary": 512,
                "hidden": 16,
                "intermediate": 32,
                "layers": 2,
                "heads": 2,
                "key_value_heads": 1,
            },
            "training": {
                "sequence_length": 32,
                "batch": 4,
                "base_steps": 50,
                "steps": STEPS[-1],
                "base_learning_rate": 1e-3,
                "learning_rate": 1e-3,
                "warmup_steps": 5,
                "snapshots": [step / STEPS[-1] for step in STEPS[:-1]],
            },
            "analysis": {"smallest_effect": 0.05} | dict(analysis),
            **tables,
        }
    )


def record_of(
    key: RunKey, *, K: float, log_norm: float = 0.0, spread: float = 1.0, drop: float = 0.5, **more: Any
) -> dict[str, Any]:
    """The record of one run.

    Args:
        key: which run.
        K: K at the end; earlier it is higher by SLOPE along log norm.
        log_norm: at the end.
        spread: log norm gained from the first snapshot to the last.
        drop: drop of the loss on the arm's own documents at the end.
        more: keys put in the place of the usual ones.
    """
    points: list[dict[str, Any]] = []
    for place, step in enumerate(STEPS):
        left = spread * (1 - place / (len(STEPS) - 1))
        k = K - SLOPE * left
        own = 4.0 - drop * (place + 1) / len(STEPS)
        points.append({"step": step, "K": k, "K_emb": k, "log_norm": log_norm - left, "own_loss": own, "variants": {}})
    balance = {
        "kl_to_base": 0.5,
        "unigram_entropy": 5.0,
        "document_length": 100.0,
        "unique_token_share": 1.0,
        "documents": 50,
        "tokens": 5120,
    }
    usual: dict[str, Any] = {
        "arm": key.arm,
        "draw": key.draw,
        "seed_index": key.seed,
        "seed": 10 * key.draw + key.seed,
        "rate": key.rate,
        "tokens": 5120,
        "run": f"run of {key.name}",
        "final_loss": 3.0,
        "base_loss": 4.0,
        "outside_loss": 4.1,
        "own_loss": {"start": 4.0, "end": 4.0 - drop},
        "source_losses": {name: 4.0 for name in (*SOURCES, "far", "away")},
        "sources": {name: 1280 for name in SOURCES},
        "balance": balance,
        "K": K,
        "K_emb": K + 1.0,
        "log_norm": log_norm,
        "per_slot": {"q": [[0, K + 0.1], [1, K + 0.1]], "down": [[0, K - 0.1], [1, K - 0.1]]},
        "variants": {"erank_energy": 0.5 * K, "median": K, "input_weighted": None},
        "spectrum": [0.0] * 48,
        "snapshots": points,
        "measures": [["O3", "q", "participation_ratio", 4.0, 8.0, 2]],
        "affinity": None,
        "items": None,
        "parameters": 1000,
        "shapes": [[8, 4], [4, 8]],
    }
    return usual | more


def noise(label: str, draw: int, sd: float) -> float:
    """Normal noise of a label and a draw."""
    return float(generator(17, label, str(draw)).normal(0.0, sd))


def evidence_of(spec: StudySpec, run: Callable[[RunKey], dict[str, Any]]) -> Evidence:
    """All records of a study, made run by run, and bases with a loss of 4 on every source."""
    losses = {name: 4.0 for name in (*SOURCES, "far", "away")}
    bases = {draw: {"fingerprint": "base", "source_losses": losses, "items": None} for draw in range(spec.study.draws)}
    names = [arm.name for arm in spec.arms]
    corpora = {"shared_documents": dict.fromkeys(names), "trained_on": {name: ["alpha"] for name in names}}
    return Evidence([run(key) for key in runs_of(spec)], bases, {}, corpora)
