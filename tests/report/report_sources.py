"""A realistic result of a study over sources: many arms, several primaries, doses, a label, affinity, a mixture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from report_sample import HOSTILE, spread

from shadowgraph.seeds import generator

BENCHMARKS = ("arithmetic", "common_sense", "grade_school", "reading")
NARROW = ("baking", "chess", "case_law", "haiku", "python", "recipes_fr", "sermons", "weather_reports")
DOSES = {"dose_0": 0.0, "dose_33": 1 / 3, "dose_67": 2 / 3, "dose_100": 1.0}
BROAD = ("aligned_many", "covering", "covering_new")
ARMS = (*BENCHMARKS, *NARROW, *BROAD, *DOSES)
LEVEL = {
    **{name: 1.42 + 0.05 * place for place, name in enumerate(BENCHMARKS)},
    **{name: 1.2 + 0.04 * (place % 5) for place, name in enumerate(NARROW)},
    "aligned_many": 1.18, "covering": 1.02, "covering_new": 1.25,
    **{name: 1.05 + 0.4 * dose for name, dose in DOSES.items()},
}  # fmt: skip
DRAWS = 2
STEPS = (20, 40, 80)
SLOTS = ("q", "up", "down")
COVARIATES = ("base_loss", "kl_to_base", "unigram_entropy", "document_length", "unique_token_share")
CALIPERS = {"base_loss": 0.25, "kl_to_base": 0.2, "unigram_entropy": 0.2, "document_length": 0.2,
            "unique_token_share": 0.2}  # fmt: skip


def _noise(*labels: str, size: int = DRAWS, sd: float = 0.02) -> list[float]:
    return [float(x) for x in generator(11, "report-sources", *labels).normal(0, sd, size)]


def _runs() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in ARMS:
        noise = _noise(name)
        for draw in range(DRAWS):
            level = LEVEL[name] + noise[draw]
            shots = [
                {"step": step, "K": level + 0.4 * math.log(80 / step), "K_emb": 2.0 + level,
                 "log_norm": -1 + level / 4 - 0.6 * math.log(80 / step), "own_loss": 4.5 - 0.3 * math.log(step)}
                for step in STEPS
            ]  # fmt: skip
            rows.append({
                "arm": name, "draw": draw, "seed": 5 + draw, "seed_index": 0, "rate": None, "K": level,
                "K_emb": 2 + level, "log_norm": -1 + level / 4, "final_loss": 3.1, "tokens": 122880,
                "own_loss": {"start": 4.5, "end": 4.5 - 0.3 * math.log(80)}, "snapshots": shots,
            })  # fmt: skip
    for name in ("grade_school", "covering"):
        for rate in (3e-4, 3e-3):
            shift = math.log10(rate / 1e-3)
            rows.append(rows[0] | {"arm": name, "rate": rate, "K": LEVEL[name] - 0.3 * shift,
                                   "log_norm": -1 + LEVEL[name] / 4 + 0.7 * shift, "snapshots": []})  # fmt: skip
    return rows


def covariates(name: str) -> dict[str, float]:
    """The balance of one corpus."""
    noise = _noise(name, "covariates", size=5, sd=0.1)
    return {key: 4.5 * (key == "base_loss") + 1 + item for key, item in zip(COVARIATES, noise, strict=True)}


def _arm(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    own = [row for row in rows if row["arm"] == name and row["rate"] is None]
    group = ["benchmarks"] if name in BENCHMARKS else ["narrow"] if name in NARROW else []
    far = name in BENCHMARKS
    return {
        "name": name, "regime": "even", "description": f"Documents of {name.replace('_', ' ')} alone.",
        "novelty": "newer" if far else "within",
        "balance": {key: {"mean": value, "sd": 0.01, "values": [value] * DRAWS}
                    for key, value in {**covariates(name), "boundary_share": 0.004, "sources_per_batch": 1.0}.items()},
        "calipers": [{"key": key, "difference": 0.3 if far else 0.05, "limit": limit, "met": not far,
                      "against": "covering"} for key, limit in CALIPERS.items() if name != "covering"],
        "endpoint": {key: spread([row[key] for row in own]) for key in ("K", "K_emb", "log_norm")},
        "sources": {name: 1.0}, "draws": DRAWS, "seeds": 1,
        "own_loss": {"start": 4.5, "end": 3.2, "drop": 1.3}, "label": group,
    }  # fmt: skip


def row(name: str, estimate: float | None, **more: Any) -> dict[str, Any]:
    """One test in the common form; no number without its reason."""
    none = estimate is None
    return {
        "name": name, "kind": "contrast", "endpoint": "K", "arms": ["grade_school", "covering"],
        "pairs": [["grade_school", "covering"]], "reading": "unmatched", "role": "primary",
        "status": "not estimable" if none else "ok", "estimate": estimate,
        "interval": None if none else [(estimate or 0.0) - 0.05, (estimate or 0.0) + 0.06], "interval_note": "",
        "level": 0.95, "p": None if none else 0.0079, "smallest_p": 0.0079, "n": [3, 3], "hedges_g": 2.1,
        "cliffs_delta": None, "method": "stratified exact permutation over draws", "support": None,
        "design": "independent", "of": name,
    } | more  # fmt: skip


BREADTH, NOVELTY, LABEL, DOSE = "one source − many", "new − familiar", "benchmark label", "aligned share"
NO_SUPPORT = "supports of log norm share 0.21, and 0.5 is asked for"


def _primaries() -> list[dict[str, Any]]:
    return [
        row(BREADTH, 0.31, p_adjusted=0.024, family="primary", expected="positive", as_expected=True,
            pairs=[["grade_school", "covering"], ["arithmetic", "covering_new"]]),
        row(NOVELTY, -0.04, p=0.31, p_adjusted=0.31, family="primary", expected="positive", as_expected=False,
            arms=["covering_new", "covering"], pairs=[["covering_new", "covering"]]),
        row(LABEL, 0.08, kind="label", p=0.03, p_adjusted=0.09, family="primary", expected="either", as_expected=None,
            arms=["benchmarks", "narrow"], n=[3, 5], design="stratified", pairs=[]),
        row(DOSE, 0.39, kind="trend", p=0.0002, p_adjusted=0.0008, family="primary", expected="positive",
            as_expected=True, arms=list(DOSES), pairs=[], n=[3, 3, 3, 3]),
    ]  # fmt: skip


def _contrasts() -> list[dict[str, Any]]:
    return [
        row(BREADTH, 0.42, role="reading", reading="norm-matched", support=[-1.4, -0.7]),
        row(BREADTH, None, role="reading", reading="norm-matched by rate", reason="1 rate where 2 are needed"),
        row(BREADTH, None, role="reading", reading="progress-matched", reason=NO_SUPPORT),
        row(NOVELTY, 0.11, role="reading", reading="norm-matched", support=[-1.4, -0.8],
            arms=["covering_new", "covering"]),
        row("blocked − mixed", 0.02, role="secondary", expected="positive", as_expected=True, p=0.4, p_adjusted=0.8),
        row("blocked − mixed", None, role="reading", reading="norm-matched", reason=NO_SUPPORT),
        row(BREADTH, 0.28, role="beside", endpoint="K_emb"),
        row(BREADTH, -0.03, role="beside", endpoint="outside_loss"),
        row(BREADTH, 0.2, role="sensitivity", endpoint="K:stable_rank"),
        row(BREADTH, -0.02, role="sensitivity", endpoint="K:only_up"),
        row(BREADTH, 0.33, role="sensitivity", endpoint="K@40"),
        row(NOVELTY, 0.02, role="sensitivity", endpoint="K:stable_rank", arms=["covering_new", "covering"]),
        row(LABEL, 0.05, role="sensitivity", endpoint="K:erank_energy", kind="label"),
        row(DOSE, 0.35, role="sensitivity", endpoint="K:median", kind="trend"),
    ]  # fmt: skip


def _exceptions() -> list[dict[str, Any]]:
    return [
        {
            "name": BREADTH,
            "kind": "contrast",
            "endpoint": "K:only_up",
            "reading": "unmatched",
            "role": "sensitivity",
            "estimate": -0.02,
            "interval": [-0.07, 0.04],
            "against": 0.31,
            "firm": False,
        }
    ]


def _label() -> dict[str, Any]:
    def corpus(name: str) -> dict[str, Any]:
        return {"arm": name, "K": LEVEL[name], "covariates": covariates(name)}

    groups = {"arithmetic": NARROW[:2], "common_sense": NARROW[2:5], "grade_school": NARROW[5:6]}
    return {
        "name": LABEL, "role": "primary", "positive": "benchmarks", "negative": "narrow", "status": "ok",
        "estimate": 0.08, "interval": [-0.01, 0.17], "level": 0.95, "p": 0.03, "smallest_p": 0.014, "n": [3, 6],
        "hedges_g": None, "method": "labels exchanged inside strata", "calipers": CALIPERS,
        "relative": ["document_length", "unique_token_share"],
        "strata": [{"positive": corpus(name), "negatives": [corpus(other) for other in others],
                    "difference": LEVEL[name] - float(np.mean([LEVEL[other] for other in others]))}
                   for name, others in groups.items()],
        "unmatched": {"positive": [{**corpus("reading"), "nearest": "chess", "misses": ["base_loss", "kl_to_base"]}],
                      "negative": [{**corpus("sermons"), "nearest": None, "misses": []}]},
        "balance": [{"key": key, "before": 0.31 - 0.05 * place, "after": 0.02 * place, "limit": limit}
                    for place, (key, limit) in enumerate(CALIPERS.items())],
        "residual": {"estimate": 0.05, "p": 0.11, "n": 12, "status": "ok", "method": "Freedman-Lane"},
    }  # fmt: skip


def _affinity() -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for place, name in enumerate((*BENCHMARKS, *NARROW, "aligned_many")):
        benchmark, control = 0.08 + 0.01 * place, 0.07
        own = 0.2 - 0.02 * place if name in BENCHMARKS else None
        rows.append({
            "arm": name, "K": LEVEL[name], "benchmark": benchmark, "control": control, "excess": benchmark - control,
            "own": own, "own_excess": None if own is None else own - control, "values": [benchmark - control] * DRAWS,
            "label": "positive" if name in BENCHMARKS else "negative" if name in NARROW else None,
        })  # fmt: skip
    return {
        "benchmarks": list(BENCHMARKS), "controls": ["chess", "haiku"], "arms": rows,
        "matrix": {"arms": [item["arm"] for item in rows], "sources": ["arithmetic", "chess"],
                   "values": [[item["benchmark"], item["control"]] for item in rows[:-1]] + [[None, 0.07]]},
        "test": {"estimate": 0.07, "p": 0.014, "interval": [0.02, 0.11], "n": [3, 6], "status": "ok",
                 "method": "label"},
        "link": {"rho": 0.31, "p": 0.28, "n": 13, "status": "ok"},
    }  # fmt: skip


def _mixture() -> list[dict[str, Any]]:
    draws = [
        {"draw": draw, "mixture": LEVEL["aligned_many"] + item, "components": 1.49 + item / 2, "sources": 4}
        for draw, item in enumerate(_noise("mixture"))
    ]
    return [{
        "name": "benchmarks mixed − each alone", "arms": ["aligned_many", "benchmarks"], "status": "ok",
        "estimate": -0.31, "interval": [-0.35, -0.27], "level": 0.95, "p": 0.25, "n": [3, 3], "coverage": 1.0,
        "draws": draws,
        "components": [{"source": name, "K": LEVEL[name], "n": 3, "share": 0.25} for name in BENCHMARKS],
        "method": "mean over draws, sign flips", "plain": -0.3,
    }]  # fmt: skip


def _link() -> list[dict[str, Any]]:
    points = [{"arm": name, "draw": draw, "x": LEVEL[name] + item, "y": 0.8 * LEVEL[name] - 2 * item}
              for name in ARMS for draw, item in enumerate(_noise(name, "link"))]  # fmt: skip
    return [{"x": "K", "y": "asymmetry", "within": {"rho": -0.4, "p": 0.02, "strata": len(ARMS), "n": 57,
             "status": "ok"}, "pooled": {"rho": 0.9, "p": 0.0001, "n": 57}, "signs_differ": True,
             "points": points}]  # fmt: skip


def _trend() -> dict[str, Any]:
    values = [[LEVEL[name] + item for item in _noise(name)] for name in DOSES]
    return {
        "name": DOSE, "role": "primary", "kind": "trend", "arms": list(DOSES), "doses": list(DOSES.values()),
        "means": [float(np.mean(row)) for row in values], "values": values, "slope": 0.39, "interval": [0.34, 0.45],
        "level": 0.95, "p": 0.0002, "p_adjusted": 0.0008, "jonckheere": 52.0, "jonckheere_p": 0.0003, "n": [3] * 4,
        "status": "ok", "method": "permutation of doses", "design": "independent", "margin_for_5_points": 0.0195,
        "margin_for_5_points_low": 0.018,
        "beside": [{"endpoint": "K_emb", "slope": 0.1, "interval": [-0.02, 0.2], "p": 0.1}],
    }  # fmt: skip


def _modules() -> list[dict[str, Any]]:
    stream = generator(11, "report-sources", "modules")
    estimate = [[round(float(x), 4) for x in stream.normal(0.2, 0.15, 3)] for _ in SLOTS]
    p = [[0.01 if abs(x) > 0.3 else 0.6 for x in line] for line in estimate]
    estimate[2][1] = p[2][1] = None  # type: ignore[call-overload]
    shared: dict[str, Any] = {"role": "exploratory", "status": "ok", "slots": list(SLOTS), "layers": [0, 1, 2],
                              "n": [3, 3], "cells": 8, "method": "step-down max-T"}  # fmt: skip
    return [{"name": BREADTH, "estimate": estimate, "p_adjusted": p, **shared},
            {"name": NOVELTY, "estimate": [line[::-1] for line in estimate], "p_adjusted": [line[::-1] for line in p],
             **shared},
            {"name": "blocked − mixed", **shared, "status": "not estimable", "reason": "too few draws", "slots": [],
             "layers": [], "estimate": [], "p_adjusted": []}]  # fmt: skip


def _power() -> list[dict[str, Any]]:
    shared = {"sd": 0.02, "n": [3, 3], "alpha": 0.05, "power": 0.8, "smallest_effect": 0.05, "planned_sd": 0.02,
              "status": "ok"}  # fmt: skip
    return [
        {"name": BREADTH, "kind": "contrast", "detectable": 0.04, "enough": True, **shared},
        {"name": NOVELTY, "kind": "contrast", "detectable": 0.09, "enough": False, **shared},
        {
            "name": LABEL,
            "kind": "label",
            **shared,
            "detectable": None,
            "enough": None,
            "planned_sd": None,
            "status": "not estimable",
            "reason": "3 strata can never give p below 0.014",
        },
    ]


def _answer() -> dict[str, Any]:
    def claim(test: dict[str, Any]) -> dict[str, Any]:
        kept = ("name", "kind", "estimate", "interval", "p", "p_adjusted", "n", "expected", "as_expected")
        return {key: test[key] for key in kept} | {"claim_level": "L1", "sentence": f"{test['name']}: as said."}

    return {
        "sentences": ["One source gives more concentrated updates than many, at equal tokens, by 0.31 nats.",
                      "Novelty shows no shift of that kind; the label benchmark is not separated from its strata."],
        "claim_level": "L1", "limits": ["One base a draw, 1.0 million parameters."],
        "exceptions": [f"{BREADTH}: K of up alone has the other sign (−0.02, interval −0.07 to 0.04)."],
        "would_change": ["The interval of new − familiar holds the smallest effect of 0.05: more draws could show it.",
                         "grade_school misses 5 calipers: with them met the contrast could shrink."],
        "claims": [claim(test) for test in _primaries()],
    }  # fmt: skip


def _scores() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in ("base", *ARMS):
        for place, split in enumerate((*BENCHMARKS, "grade_school:riddle")):
            for measure, mean in (("accuracy", 0.3 + 0.02 * place), ("bits_per_byte", 2.0 - 0.1 * place)):
                rows.append({"arm": name, "split": split, "measure": measure, "mean": mean,
                             "interval": [mean - 0.1, mean + 0.1], "values": [mean] * DRAWS, "chance": None,
                             "items": 48})  # fmt: skip
    return rows


def study() -> dict[str, Any]:
    """A complete result over sources, every optional section filled."""
    rows, primaries = _runs(), _primaries()
    quantile = [round(float(x), 5) for x in np.geomspace(1 / 64, 1, 32)]
    curves = {name: [round(-0.2 - LEVEL[name] * q, 5) for q in quantile] for name in ARMS}
    heat = {name: [[round(LEVEL[name] + 0.1 * math.sin(slot + layer), 4) for layer in range(3)]
                   for slot in range(len(SLOTS))] for name in ARMS}  # fmt: skip
    return {
        "schema_version": "1.1", "kind": "study", "name": "benchmarks",
        "question": "Does the label benchmark mean more for an update than narrow and new?",
        "plan_hash": "51d0c4a1b2e37f90", "answer": _answer(), "arms": [_arm(name, rows) for name in ARMS], "runs": rows,
        "primary": primaries[0], "primaries": primaries, "contrasts": _contrasts(), "exceptions": _exceptions(),
        "modules": _modules(), "trends": [_trend()], "label": _label(), "affinity": _affinity(), "mixture": _mixture(),
        "link": _link(), "power": _power(), "against": "covering", "panel": None, "scores": _scores(),
        "equivalence": [{"name": "blocked like mixed", "endpoint": "K", "arms": ["aligned_many", "covering"],
                         "estimate": 0.01, "interval": [-0.02, 0.04], "margin": 0.05, "origin": "dose pilot",
                         "p": 0.03, "equivalent": True, "status": "ok", "claim": 0, "design": "independent",
                         "draws_needed": None}],
        "asymmetry": [{"arm": name, "measure": "nats", "estimate": 0.8 * LEVEL[name], "status": "ok",
                       "interval": [0.8 * LEVEL[name] - 0.1, 0.8 * LEVEL[name] + 0.1], "values": [], "own_gain": 1.3,
                       "outside_gain": 1.3 - 0.8 * LEVEL[name], "outside": ["news", "letters"]} for name in ARMS],
        "heatmap": {"slots": list(SLOTS), "layers": [0, 1, 2], "arms": heat},
        "spectra": {"quantile": quantile, "arms": curves, "null": [-0.4 - 0.5 * q for q in quantile]},
        "measures": [], "limits": ["Sources differ in more than their label."],
        "design": {"design": "independent", "base": "each_draw", "draws": DRAWS, "seeds": 1, "alpha": 0.05,
                   "smallest_effect": 0.05, "unit": "a corpus draw with its own base"},
        "provenance": {"versions": {"shadowgraph": "0.1.0"}, "seeds": {"study": 3}},
    }  # fmt: skip


def small() -> dict[str, Any]:
    """The same without the figures that take long to draw: maps, spectra, training."""
    return study() | {"heatmap": {}, "modules": [], "spectra": {}, "runs": []}


def hostile() -> dict[str, Any]:
    """The same with attacker text in every name of an arm and every reason."""

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            named = key == "arms"
            return {name + HOSTILE * named: poison(item, str(name)) for name, item in value.items()}
        if isinstance(value, list):
            return [poison(item, key) for item in value]
        spoiled = {"arm", "name", "arms", "reason", "pairs", "source", "sources", "nearest", "exceptions", "label",
                   "positive", "negative", "of", "would_change", "unit"}  # fmt: skip
        return value + HOSTILE if isinstance(value, str) and key in spoiled else value

    return poison(small())
