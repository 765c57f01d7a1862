"""Rows DI11 to DI14 and VA14 again: a model beside a base that is not quite its base.

Here live: their makers. Not here: assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from bad_adapters import unmerged
from bad_folders import beside, near, words
from bad_values import GPTQ
from badcase import Case, Maker, llama, save, sharded
from numpy.typing import NDArray

Content = dict[str, NDArray[Any]]
M, BASE = "model", "base"
PACKED = {name.removesuffix(".weight"): values for name, values in llama().items()}


def configured(base: dict[str, Any], tuned: dict[str, Any]) -> Maker:
    """Two models of the same shapes whose configurations differ."""

    def make(path: Path) -> None:
        beside(llama(), near(0.1))(path)
        for place, settings in ((path.with_name(BASE), base), (path, tuned)):
            (place / "config.json").write_text(json.dumps({"model_type": "llama"} | settings))

    return make


def itself(path: Path) -> None:
    """Model and base are one folder under two names."""
    beside(llama(), llama())(path)
    (path.with_name(BASE) / "model.safetensors").unlink()
    (path.with_name(BASE) / "model.safetensors").hardlink_to(path / "model.safetensors")


def other_shards(path: Path) -> None:
    sharded(path.with_name(BASE))
    path.mkdir()
    save(path / "model.safetensors", near(0.1))
    (path / "config.json").write_text('{"model_type": "llama"}')


def headed() -> Content:
    return near(0.1) | {"lm_head.weight": np.eye(8, 6, dtype=np.float32)}


def narrow(content: Content) -> Content:
    """Eight-bit storage, one factor a tensor."""
    found: Content = {}
    for name, values in content.items():
        found[name] = (values * 16).astype(ml_dtypes.float8_e4m3fn)
        found[f"{name}_scale_inv"] = np.full((1,), 1 / 16, dtype=np.float32)
    return found


def quantised() -> Content:
    return {name + ending.removeprefix("model.layers.0.mlp.up_proj"): values
            for name in PACKED for ending, values in GPTQ.items()}  # fmt: skip


def strangers() -> Content:
    return {f"sonar.{number}.mix": np.eye(6, dtype=np.float32) for number in range(3)}


def other_strangers() -> Content:
    return {f"radar.{number}.mix": np.eye(6, dtype=np.float32) for number in range(3)}


PAIR_CASES: tuple[Case, ...] = (
    Case(
        "DI11 heads",
        configured({"num_attention_heads": 3}, {"num_attention_heads": 2}),
        3,
        ("differ in structure", "num_attention_heads 3 against 2"),
        M,
        "audit",
        BASE,
    ),
    Case(
        "DI11 inner heads",
        configured({"text_config": {"num_key_value_heads": 1}}, {"text_config": {"num_key_value_heads": 2}}),
        3,
        ("text_config.num_key_value_heads 1 against 2",),
        M,
        "scan",
        BASE,
    ),
    Case(
        "DI11 rotation",
        configured({"rope_theta": 1e4}, {"rope_theta": 5e5}),
        0,
        ("config.json of base and model differ: rope_theta 10000.0 against 500000.0",),
        M,
        "scan",
        BASE,
    ),
    Case("DI11 nothing shared", beside(strangers(), other_strangers()), 3, ("no matrix in common",), M, "scan", BASE),
    Case("DI11 shards", other_shards, 0, (), M, "scan", BASE),
    Case("DI11 untied", beside(llama(), headed()), 0, ("not in the base",), M, "scan", BASE),
    Case("DI11 head gone", beside(headed(), llama()), 0, ("1 matrices of the base are not in the",), M, "scan", BASE),
    Case("DI11 packed", beside(llama(), quantised()), 3, ("packed and not read",), M, "scan", BASE),
    Case("DI12 shrunk", beside(words(16), words(8)), 0, ("16 rows became 8", "is the base the base?"), M, "scan", BASE),
    Case("DI13 hard link", itself, 0, ("the same files: there is no update",), M, "scan", BASE),
    Case("DI13 audited", itself, 4, ("there is no update",), M, "audit", BASE),
    Case("DI15 unmerged pair", beside(llama(), unmerged()), 3, ("not merged into them",), M, "audit", BASE),
    Case("VA14 eight-bit base", beside(narrow(llama()), near(0.1)), 0, ("F8_E4M3 in the base",), M, "scan", BASE),
)
