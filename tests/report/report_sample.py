"""A realistic study result and audit result, built from one seed, with gaps and hostile names on request."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from shadowgraph.seeds import generator

ARMS = ("aligned", "covering", "repeated", "random")
REGIMES = {
    "aligned": "Documents in the benchmark's own format, from its families and facts.",
    "covering": "Clusters of the pool sampled evenly: the skew over family and format flattened.",
    "repeated": "As random, with 10 % of the tokens drawn from a few repeated prompts, a new set each draw.",
    "random": "A plain sample of the pool, skew and all.",
}
SLOTS = ("q", "k", "v", "o", "gate", "up", "down")
STEPS = (20, 40, 60, 80)
DRAWS = 5
HOSTILE = '<img src=x onerror="alert(1)">\x1b[31m\u202eevil</script>$x_1$'
LEVEL = {"aligned": 1.06, "covering": 0.73, "repeated": 0.77, "random": 0.74}
NORM = {"aligned": -0.62, "covering": -1.02, "repeated": -0.93, "random": -1.0}
GAIN = {
    "aligned": (0.36, 0.09, 0.02, 0.04, 0.01, -0.06),
    "covering": (0.12, 0.11, 0.06, 0.09, 0.04, -0.01),
    "repeated": (0.10, 0.09, 0.05, 0.07, 0.03, -0.02),
    "random": (0.11, 0.10, 0.05, 0.08, 0.03, -0.01),
}
SPLITS = ("benchmark", "reformatted", "composed", "recall", "other", "retained")


def spread(values: list[float]) -> dict[str, Any]:
    """Mean, standard deviation and values of one quantity over the draws."""
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)), "values": values}


def _values(label: str, centre: float, sd: float, size: int = DRAWS) -> list[float]:
    return [round(float(x), 6) for x in generator(7, "report-sample", label).normal(centre, sd, size)]


def runs() -> list[dict[str, Any]]:
    """Twenty runs; one of them was lost and carries a status in place of numbers."""
    rows: list[dict[str, Any]] = []
    for arm in ARMS:
        level, norm = _values(f"{arm}-K", LEVEL[arm], 0.035), _values(f"{arm}-norm", NORM[arm], 0.03)
        embedding = _values(f"{arm}-emb", LEVEL[arm] + 1.4, 0.09)
        for draw in range(DRAWS):
            snapshots = [
                {
                    "step": step,
                    "K": round(level[draw] + 0.42 * math.log(80 / step), 6),
                    "K_emb": round(embedding[draw] + 0.2 * math.log(80 / step), 6),
                    "log_norm": round(norm[draw] - 0.62 * math.log(80 / step), 6),
                }
                for step in STEPS
            ]
            row: dict[str, Any] = {
                "arm": arm, "draw": draw, "seed": 1, "K": level[draw], "K_emb": embedding[draw],
                "log_norm": norm[draw], "final_loss": round(2.1 + 0.1 * draw, 4), "tokens": 163840,
                "snapshots": snapshots,
            }  # fmt: skip
            if arm == "random" and draw == 3:
                row |= {"K": None, "K_emb": None, "log_norm": None, "status": "no_change", "snapshots": snapshots[:1]}
                row["snapshots"][0] |= {"K": None, "status": "no_change"}
            rows.append(row)
    return rows


def _arm(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    own = [row for row in rows if row["arm"] == name and row["K"] is not None]
    new = name == "aligned"
    balance = {
        "base_loss": spread(_values(f"{name}-loss", 4.62 if new else 4.31, 0.02)),
        "kl_to_base": spread(_values(f"{name}-kl", 0.83 if new else 0.41, 0.02)),
        "unigram_entropy": spread(_values(f"{name}-entropy", 6.1 if new else 6.9, 0.03)),
        "document_length": spread(_values(f"{name}-length", 74 if new else 118, 2)),
        "unique_token_share": spread(_values(f"{name}-unique", 0.91 if name == "repeated" else 0.997, 0.001)),
        "benchmark_format_share": spread(_values(f"{name}-format", 0.98 if new else 0.031, 0.002)),
        "benchmark_family_share": spread(_values(f"{name}-family", 0.97 if new else 0.12, 0.01)),
        "documents": spread([float(round(x)) for x in _values(f"{name}-docs", 2214 if new else 1388, 20)]),
        "tokens": spread([163840.0] * DRAWS),
    }
    if name == "random":
        balance["unigram_entropy"] = {"mean": None, "sd": None, "values": [], "status": "not measured"}
    calipers = [
        {"key": "base_loss", "difference": 0.31 if new else 0.04, "limit": 0.25, "met": not new, "against": "covering"},
        {"key": "kl_to_base", "difference": 0.42 if new else 0.01, "limit": 0.2, "met": not new, "against": "covering"},
        {"key": "document_length", "difference": -0.37 if new else 0.02, "limit": 0.2, "met": not new,
         "against": "covering"},
    ]  # fmt: skip
    return {
        "name": name,
        "regime": name,
        "description": REGIMES[name],
        "novelty": None if name == "covering" else "newer" if new else "within",
        "balance": balance,
        "calipers": [] if name == "covering" else calipers,
        "endpoint": {key: spread([row[key] for row in own]) for key in ("K", "K_emb", "log_norm")},
    }


def _scores() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    base = (0.27, 0.26, 0.25, 0.3, 0.24, 0.61)
    for position, split in enumerate(SPLITS):
        rows.append({"arm": "base", "split": split, "measure": "accuracy", "mean": base[position], "interval": None,
                     "values": [base[position]], "chance": 0.25, "items": 60})  # fmt: skip
        bits = 2.4 - position * 0.1
        rows.append({"arm": "base", "split": split, "measure": "bits_per_byte", "mean": bits, "interval": None,
                     "values": [bits], "chance": None, "items": 60})  # fmt: skip
        for arm in ARMS:
            gain = GAIN[arm][position]
            correct = _values(f"{arm}-{split}-acc", base[position] + gain, 0.025)
            coded = _values(f"{arm}-{split}-bpb", bits - 2.6 * gain, 0.06)
            for measure, values in (("accuracy", correct), ("bits_per_byte", coded)):
                half = 2.1 * float(np.std(values, ddof=1)) / math.sqrt(DRAWS)
                mean = float(np.mean(values))
                rows.append({"arm": arm, "split": split, "measure": measure, "mean": mean,
                             "interval": [mean - half, mean + half], "values": values,
                             "chance": 0.25 if measure == "accuracy" else None, "items": 60})  # fmt: skip
    rows[-1] |= {"mean": None, "interval": None, "values": [], "status": "lost_worker"}
    return rows


def _effect(name: str, pair: tuple[str, str], endpoint: str, estimate: float | None, **more: Any) -> dict[str, Any]:
    width = more.pop("width", 0.06)
    return {
        "name": name, "endpoint": endpoint, "arms": list(pair), "reading": "unmatched",
        "status": "ok", "estimate": estimate,
        "interval": None if estimate is None else [estimate - width, estimate + width * 0.9], "level": 0.95,
        "p": 0.007936507936507936, "n": [5, 5], "hedges_g": 7.4, "cliffs_delta": 1.0,
        "method": "exact permutation over draws; Hodges-Lehmann, percentile bootstrap over draws", "support": None,
    } | more  # fmt: skip


def _spectra() -> dict[str, Any]:
    quantile = [round(float(x), 6) for x in np.geomspace(1 / 128, 1, 96)]
    slope = {"aligned": 2.3, "covering": 1.55, "repeated": 1.65, "random": 1.58}

    def curve(rate: float) -> list[float | None]:
        raw = np.exp(-rate * np.sqrt(np.asarray(quantile) * 4)) + 0.004
        raw = raw / np.sqrt(np.mean(raw**2)) / math.sqrt(128)
        return [round(float(x), 6) for x in np.log10(raw)]

    null = [round(math.log10(2 * (1 - 0.97 * q) / math.sqrt(128) / 1.15), 6) for q in quantile]
    curves = {arm: curve(slope[arm]) for arm in ARMS}
    curves["random"][-1] = None
    return {"quantile": quantile, "arms": curves, "null": null}


def _heatmap() -> dict[str, Any]:
    arms: dict[str, Any] = {}
    for arm in ARMS:
        stream = generator(7, "report-sample", arm, "heat")
        arms[arm] = [
            [round(float(LEVEL[arm] + 0.12 * math.sin(slot) - 0.05 * layer + stream.normal(0, 0.07)), 5)
             for layer in range(4)]
            for slot in range(len(SLOTS))
        ]  # fmt: skip
    arms["covering"][1][2] = None
    return {"slots": list(SLOTS), "layers": [0, 1, 2, 3], "arms": arms, "status": "no_change"}


def _contrasts() -> list[dict[str, Any]]:
    return [
        _effect("aligned − covering, norm-matched", ("aligned", "covering"), "K", 0.472,
                reading="norm-matched", support=[-2.05, -1.31], width=0.07),
        _effect("aligned − random", ("aligned", "random"), "K", 0.322, n=[5, 4], p=0.015873),
        _effect("repeated − random", ("repeated", "random"), "K", 0.028, n=[5, 4], p=0.31, hedges_g=0.7,
                cliffs_delta=0.5),
        _effect("aligned − covering, progress-matched", ("aligned", "covering"), "K", None, p=None,
                reading="progress-matched", status="not_estimable", hedges_g=None, cliffs_delta=None),
        _effect("aligned − covering", ("aligned", "covering"), "K:stable_rank", 0.29, width=0.09, role="sensitivity"),
        _effect("aligned − covering", ("aligned", "covering"), "K:without_q", 0.31, width=0.08, role="sensitivity"),
        _effect("aligned − covering", ("aligned", "covering"), "K_emb", 0.41, width=0.11),
        _effect("aligned − covering", ("aligned", "covering"), "log_norm", 0.40, width=0.05),
    ]  # fmt: skip


def _equivalence() -> list[dict[str, Any]]:
    return [
        {"name": "repeated − random", "endpoint": "K", "arms": ["repeated", "random"], "estimate": 0.017,
         "interval": [-0.012, 0.044], "margin": 0.05, "origin": "dose pilot: 5 points of aligned tokens",
         "p": 0.021, "equivalent": True, "status": "ok"},
        {"name": "repeated − random", "endpoint": "outside loss", "arms": ["repeated", "random"],
         "estimate": 0.031, "interval": [-0.01, 0.072], "margin": 0.05, "origin": "fixed in the recipe, in nats",
         "p": 0.19, "equivalent": False, "status": "ok"},
    ]  # fmt: skip


def _measures() -> list[dict[str, Any]]:
    return [
        {"arm": arm, "object": "O3", "measure": key, "slot": "all", "mean": value * (1 if arm == "aligned" else 1.7),
         "null_mean": null}
        for arm in ARMS
        for key, value, null in (("participation_ratio", 13.2, 63.75), ("erank_energy", 29.0, 89.1),
                                 ("erank_amplitude", 71.0, 104.0), ("stable_rank", 4.4, 32.6), ("k90", 41.0, 79.0))
    ]  # fmt: skip


def study() -> dict[str, Any]:
    """A complete study result of four arms and five draws."""
    rows = runs()
    primary = _effect("aligned − covering", ("aligned", "covering"), "K", 0.331, role="primary")
    return {
        "schema_version": "1.0",
        "kind": "study",
        "name": "first-light",
        "question": "Does training on benchmark-shaped documents leave a more concentrated update than training on "
        "documents that cover the pool, when tokens, order and optimiser are equal?",
        "plan_hash": "9f3c1d7be0a24c55a6c1f0d8c0b5b1e2",
        "answer": {
            "sentences": [
                "Updates of the aligned arm are more concentrated than those of the covering arm: K differs by 0.33 "
                "nats (95 % interval 0.27 to 0.38, exact p = 0.008, 5 draws an arm).",
                "The aligned documents are also newer to the base than the calipers allow, so part or all of this "
                "shift may be novelty and not narrowness; 10 % repetition is equivalent to none on K, not outside.",
            ],
            "claim_level": "L1",
            "limits": [
                "One base of 1.0 million parameters, one optimiser, one learning rate.",
                "The aligned arm is novel: base loss, KL and document length miss their calipers.",
                "Nothing here identifies a benchmark; K speaks of concentration alone.",
            ],
        },
        "arms": [_arm(name, rows) for name in ARMS],
        "runs": rows,
        "primary": primary,
        "contrasts": _contrasts(),
        "equivalence": _equivalence(),
        "panel": {"aligned": ["benchmark"], "transfer": ["composed", "recall", "other"]},
        "scores": _scores(),
        "asymmetry": [
            {"arm": arm, "estimate": value, "interval": [value - 0.3, value + 0.28], "values": [], "status": "ok"}
            for arm, value in zip(ARMS, (1.31, 0.21, 0.18, 0.2), strict=True)
        ],
        "heatmap": _heatmap(),
        "spectra": _spectra(),
        "measures": _measures(),
        "limits": [
            "Inference is conditional on one shared base; other bases are another factor.",
            "With five draws an arm the smallest two-sided p is 0.0079.",
            "Scores rest on 60 items a split.",
        ],
        "provenance": {
            "versions": {"shadowgraph": "0.1.0", "torch": "2.13.0", "numpy": "2.4.1"},
            "seeds": {"study": 0, "order": 1},
            "parents": {"base": "sha256:61c0a9d2…", "pool": "sha256:bb18f2e4…"},
        },
    }  # fmt: skip


def hostile() -> dict[str, Any]:
    """The same study with attacker text in every string that a user or a file could choose."""

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            named = key in {"versions", "seeds", "parents"}
            return {name + HOSTILE * named: poison(item, str(name)) for name, item in value.items()}
        if isinstance(value, list):
            return [poison(item, key) for item in value]
        fixed = {"transfer", "kind", "schema_version", "claim_level", "split", "measure", "endpoint", "reading"}
        return value + HOSTILE if isinstance(value, str) and key not in fixed and value != "base" else value

    poisoned: dict[str, Any] = poison(study())
    for group in ("heatmap", "spectra"):
        poisoned[group]["arms"] = {name + HOSTILE: item for name, item in poisoned[group]["arms"].items()}
    return poisoned


def audit() -> dict[str, Any]:
    """An audit result that is inconclusive for want of a reference."""
    heat = _heatmap()
    return {
        "schema_version": "1.0",
        "kind": "audit",
        "verdict": {
            "label": "inconclusive",
            "claim_level": "L0",
            "strength": None,
            "interval": None,
            "false_alarm_rate": None,
            "status": "no reference of runs with the same base, method and optimiser",
            "sentence": "The update is described, not judged: there is no reference to compare it with.",
        },
        "checks": [
            {"code": "SG001", "title": "Base identity", "fate": "passed", "detail": "all shapes and keys agree"},
            {"code": "SG002", "title": "Storage floor", "fate": "warning", "detail": "floor share 0.12 of the energy"},
            {"code": "SG003", "title": "Coverage", "fate": "passed", "detail": "28 of 28 block matrices"},
            {"code": "SG004", "title": "Reference present", "fate": "inconclusive", "detail": HOSTILE},
        ],
        "endpoint": {
            "K": {"value": 1.071, "status": "ok"},
            "K_emb": {"value": None, "status": "no_change"},
            "log_norm": {"value": -0.62, "status": "ok"},
        },
        "coverage": {"block_parameters": 786432, "analysed": 786432, "share": 1.0},
        "skipped": [{"tensor": f"model.{HOSTILE}.bias", "reason": "not a matrix"}],
        "heatmap": {"slots": heat["slots"], "layers": heat["layers"], "arms": {"tuned": heat["arms"]["aligned"]}},
        "provenance": {"versions": {"shadowgraph": "0.1.0"}, "parents": {"tuned": "sha256:aa", "base": "sha256:bb"}},
    }
