"""The cache of trained bases, shared between studies.

Here live: the identity of a base, and copying one in and out of the cache.
Not here: training it (`training`).
"""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Any

from shadowgraph.artifact import read_object
from shadowgraph.errors import EnvironmentFault
from shadowgraph.identity import file_digest, fingerprint, versions
from shadowgraph.study.layout import Layout, base_setting
from shadowgraph.study.plan import Plan

ENVIRONMENT = ("torch", "transformers", "accelerate", "tokenizers", "reasoning-gym", "lm-eval", "numpy", "scipy")
OWN = ("scores.parquet", "record.json", "directions")
"""What a study makes of a base for itself."""


def base_key(plan: Plan, draw: int) -> str:
    """Identity of the base that a draw starts from.

    All that shapes it, the libraries that decide its last bit, and the instructions that their kernels use.
    """
    spec = plan.spec.under(draw).model_dump(mode="json")
    setting = base_setting(plan.spec, draw)
    about: dict[str, Any] = {
        "program": plan.frozen()["program"],
        "seed": spec["study"]["seed"],
        "model": spec["model"],
        "base": {key: spec["training"].get(key) for key in ("sequence_length", "batch", "base_steps")},
        "rate": spec["training"].get("base_learning_rate"),
        "decay": spec["training"]["weight_decay"],
        "versions": versions(*ENVIRONMENT),
        "machine": platform.machine(),
        "instructions": _instructions(),
    }
    if plan.spec.sources:
        material = {key: spec.get(key) for key in ("sources", "scores", "arms")}
        affinity = spec["analysis"].get("affinity")
        about |= {"material": material, "affinity": affinity, "files": dict(plan.files), "draw": draw}
        about["study"] = {key: spec["study"].get(key) for key in ("draws", "base", "disjoint_draws")}
    if plan.spec.pictures is not None:
        about |= {"pictures": spec["pictures"]}
    if plan.spec.settings:
        about |= {"setting": setting, "draw": 0}
    return fingerprint(about)


def restore_base(plan: Plan, layout: Layout, draw: int, cache: Path | None) -> None:
    """Copy a finished base from the cache; whole or not at all.

    Args:
        plan: the plan.
        layout: the study's folder.
        draw: a draw that starts from the base.
        cache: the cache; None has nothing.

    Raises:
        EnvironmentFault: what is cached is damaged.
    """
    target = layout.base_of(plan.spec, draw)
    source = None if cache is None else cache / f"base-{base_key(plan, draw)}"
    if source is None or not source.is_dir() or (target / "run").exists() or (target / "corpus.json").exists():
        return
    weights = "model/model.safetensors"
    if read_object(source / "run" / "_COMPLETE").get(weights) != file_digest(source / "run" / weights):
        raise EnvironmentFault("the cached base is damaged", where=str(source), hint="delete that folder")
    temporary = layout.root / f".{target.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    if target.exists():  # a record that was taken from elsewhere
        for item in target.iterdir():
            item.rename(temporary / item.name)
        target.rmdir()
    temporary.rename(target)


def keep_base(plan: Plan, layout: Layout, draw: int, cache: Path | None) -> None:
    """Copy a finished base into the cache, unless it is there already.

    Args:
        plan: the plan.
        layout: the study's folder.
        draw: a draw that starts from the base.
        cache: the cache; None keeps nothing.
    """
    if cache is None:
        return
    target = cache / f"base-{base_key(plan, draw)}"
    if target.exists():
        return
    temporary = cache / f".{target.name}.{plan.hash}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(layout.base_of(plan.spec, draw), temporary, ignore=shutil.ignore_patterns(*OWN))
    temporary.rename(target)


def _instructions() -> str:
    """The instruction set that the kernels of this machine's torch use."""
    import torch

    return str(torch.backends.cpu.get_cpu_capability())
