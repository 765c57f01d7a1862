"""Rows DI15 to DI18: adapters that name no base, whose ranks or scales do not agree, of other methods, or empty.

Here live: their makers. Not here: assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from bad_folders import single
from badcase import Case, Maker, llama, save
from numpy.typing import NDArray

Content = dict[str, NDArray[Any]]
NAME, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model.model."
LORA = f"{PREFIX}layers.0.self_attn.q_proj.lora_"
DELTA = "model.layers.0.self_attn.q_proj.lora_"
SETTINGS: dict[str, Any] = {"peft_type": "LORA", "r": 2, "lora_alpha": 4}


def lora(a: int = 2, b: int = 2, magnitude: int = 0) -> Content:
    """The two factors of one matrix, whose ranks may not agree, and what else an adapter can hold."""
    found = {f"{LORA}A.weight": np.ones((a, 6), np.float32), f"{LORA}B.weight": np.ones((6, b), np.float32)}
    return found | ({f"{LORA}magnitude_vector": np.ones(magnitude, np.float32)} if magnitude else {})


def adapter(content: Content, name: str = NAME, **settings: Any) -> Maker:
    """A folder with an adapter; with settings, and its configuration."""

    def make(path: Path) -> None:
        path.mkdir(parents=True)
        save(path / name, content)
        if settings:
            (path / CONFIG).write_text(json.dumps(SETTINGS | settings))

    return make


def configured(**settings: Any) -> Maker:
    """An adapter of one matrix with this said of it."""
    return adapter(lora(), lora_dropout=0.0, **settings)


def told(text: bytes) -> Maker:
    """An adapter whose configuration is this text."""

    def make(path: Path) -> None:
        configured()(path)
        (path / CONFIG).write_bytes(text)

    return make


def adapter_file(path: Path) -> None:
    save(path, lora())


def beside(path: Path) -> None:
    single(llama)(path)
    adapter_file(path / NAME)


def unmerged() -> Content:
    factors = {f"{DELTA}A.default.weight": (2, 6), f"{DELTA}B.default.weight": (6, 2)}
    return llama() | {name: np.ones(shape, np.float32) for name, shape in factors.items()}


def several(path: Path) -> None:
    """Adapters in sub-folders alone."""
    for name in ("alpha", "beta"):
        configured()(path / name)


def linked(name: str) -> Maker:
    """A file that is a link out of the folder."""

    def make(path: Path) -> None:
        configured()(path)
        (path / name).rename(path.parent / "outside")
        (path / name).symlink_to(path.parent / "outside")

    return make


def pipe(path: Path) -> None:
    configured()(path)
    (path / CONFIG).unlink()
    os.mkfifo(path / CONFIG)


def alone(path: Path) -> None:
    configured()(path)
    (path / NAME).unlink()


def cut(path: Path) -> None:
    configured()(path)
    os.truncate(path / NAME, (path / NAME).stat().st_size - 1)


def with_base(layers: int, **settings: Any) -> Maker:
    """An adapter of two layers, and a base of so many beside it."""

    def make(path: Path) -> None:
        second = {name.replace("layers.0", "layers.1"): values for name, values in lora().items()}
        adapter(lora() | second, lora_dropout=0.0, **settings)(path)
        single(lambda: llama(layers=layers))(path.parent / "other")

    return make


def zero() -> Content:
    return lora() | {f"{LORA}B.weight": np.zeros((6, 2), np.float32)}


def empty(name: str) -> Content:
    nothing = np.ones(0, np.float32)
    return {f"{PREFIX}layers.0.{name}.lora_{half}.weight": nothing for half in "AB"}


def parameter(name: str, *shape: int) -> Content:
    return {f"{PREFIX}layers.0.mlp.up_proj.{name}": np.ones(shape, np.float32)}


EMBEDDED: Content = {
    f"{PREFIX}embed_tokens.lora_embedding_A": np.ones((2, 9), np.float32),
    f"{PREFIX}embed_tokens.lora_embedding_B": np.ones((6, 2), np.float32),
    "base_model.model.lm_head.modules_to_save.weight": np.ones((9, 6), np.float32),
}
M = "model"
REFUSED = ("this is an adapter, not a whole model",)
UNSCALED = ("without adapter_config.json beside it",)
CHANGED = ("the base was changed before training began",)
URL = {"base_model_name_or_path": "https://example.org/../x"}
KEYS = {f"q{number}": 2 for number in range(60_000)}
SLOW_KEYS = {f"((.*{letter}.*)+)+{number}": 2 for letter in "abcdefgh" for number in range(100)}

ADAPTER_CASES: tuple[Case, ...] = (
    Case(
        "DI15 address", configured(base_model_name_or_path="https://example.org/../x"), 0, ("it is not looked for",), M
    ),
    Case("DI15 climbing", configured(base_model_name_or_path="../../../etc"), 0, ("'../../../etc'", "q_proj"), M),
    Case("DI15 marks", configured(base_model_name_or_path="\u202e\x1b[2Jx"), 0, ("\\u202e", "\\x1b[2Jx"), M),
    Case("DI15 no base", configured(base_model_name_or_path=None), 0, ("the adapter names no base", "q_proj"), M),
    Case("DI15 file", adapter_file, 3, UNSCALED, NAME),
    Case("DI15 no configuration", adapter(lora()), 3, UNSCALED, M),
    Case("DI15 no weights", alone, 3, ("but no adapter_model.safetensors",), M),
    Case("DI15 named as a model", adapter(lora(), "model.safetensors", r=2), 3, REFUSED, M),
    Case("DI15 of diffusers", adapter(lora(), "pytorch_lora_weights.safetensors"), 3, REFUSED, M),
    Case("DI15 beside", beside, 0, ("an adapter lies beside the weights and is not read",), M),
    Case("DI15 unmerged", single(unmerged), 0, ("2 tensors of an adapter", "not what the model computes"), M),
    Case("DI15 several", several, 3, ("2 adapters in sub-folders", "alpha, beta"), M),
    Case("DI15 link", linked(NAME), 3, (f"the link '{NAME}' leads out of the folder",), M),
    Case("DI15 linked configuration", linked(CONFIG), 3, (f"the link '{CONFIG}' leads out of the folder",), M),
    Case("DI15 pipe", pipe, 3, ("a named pipe", CONFIG), M),
    Case("DI15 cut", cut, 3, ("truncated", NAME), M),
    Case("DI15 list", told(b"[]"), 3, (f"{CONFIG} is not an object",), M),
    Case("DI15 text", told(b"\xef\xbb\xbf{}"), 3, ("BOM",), M),
    Case("DI15 deep", told(b'{"a":' * 50_000), 3, ("nested too deep",), M),
    Case("DI15 large", told(b" " * 10_000_001), 3, ("more than the limit",), M),
    Case("DI15 twice", told(b'{"r":1,"r":2}'), 3, ("duplicate key 'r'",), M),
    Case("DI15 nothing", told(b"{}"), 3, ("names no method",), M),
    Case("DI15 method", configured(peft_type="LOHA\u202e"), 3, ("of the method LOHA\\u202e",), M),
    Case("DI15 another base", with_base(1), 3, ("1 matrices that it changes are not in the base",), M, "scan", "other"),
    Case("DI15 parameter of LoHa", adapter(lora() | parameter("hada_w1_a", 2, 2), r=2), 3, ("another method",), M),
    Case("DI15 parameter of IA3", adapter(parameter("ia3_l", 6, 1), r=2), 3, ("another method",), M),
    Case("DI15 parameter of KaSA", adapter(lora() | parameter("lora_diag", 2), r=2), 3, ("another method",), M),
    Case("DI15 half a pair", adapter(dict(list(lora().items())[:1]), r=2), 3, ("lora_B is missing",), M),
    Case("DI15 pissa", configured(init_lora_weights="pissa_niter_16"), 3, CHANGED, M),
    Case("DI15 loftq", configured(init_lora_weights="loftq", loftq_config={"loftq_bits": 4}), 3, CHANGED, M),
    Case("DI16 ranks", adapter(lora(2, 3), r=2), 3, ("the ranks differ", "lora_A has 2, lora_B 3"), M),
    Case("DI16 rank zero", configured(r=0), 3, ("r is 0, not a rank",), M),
    Case("DI16 rank of another", configured(r=64), 3, ("have the rank 2", "declares 64"), M),
    Case("DI16 rank beyond all", configured(r=10**400), 3, ("not a rank",), M),
    Case("DI16 scale of zero", configured(lora_alpha=0), 0, ("scale 0", "q_proj"), M),
    Case(
        "DI16 scale beyond all",
        configured(lora_alpha=10**400),
        3,
        ("lora_alpha is 1000", "not a number that scales"),
        M,
    ),
    Case("DI16 patterns", configured(rank_pattern={"q_proj": 4}, use_rslora=True), 3, ("declares 4",), M),
    Case(
        "DI16 patterns that fit",
        configured(r=9, rank_pattern={"q_proj": 2}, alpha_pattern={".*self_attn.*": 6}, use_rslora=True),
        0,
        ("scale 4.24264",),
        M,
    ),
    Case("DI16 pattern without end", configured(rank_pattern={"(.*)*(.*)*(.*)*!": 4}), 0, ("scale 2", "q_proj"), M),
    Case("DI16 pattern with look-ahead", configured(alpha_pattern={"(?=.*)q": 4}), 3, ("cannot be matched safely",), M),
    Case("DI16 pattern that is none", configured(rank_pattern={"q_proj(": 4}), 3, ("'q_proj('", "not closed"), M),
    Case("DI16 patterns beyond all", configured(rank_pattern=KEYS), 3, ("60,000 keys",), M),
    Case("DI16 slow patterns", configured(rank_pattern=SLOW_KEYS), 0, ("scale 2",), M),
    Case(
        "DI16 embeddings and whole modules",
        adapter(lora() | EMBEDDED, r=2),
        0,
        ("embed_tokens", "saved whole: without a base there is no update"),
        M,
    ),
    Case("DI17", configured(use_dora=True), 3, ("the vector of magnitudes is missing", "q_proj"), M),
    Case("DI17 with magnitudes", adapter(lora(magnitude=6), use_dora=True), 0, ("without a base the update",), M),
    Case("DI17 magnitudes of another", adapter(lora(magnitude=5), use_dora=True), 3, ("6 numbers are needed",), M),
    Case("DI17 magnitudes alone", adapter(lora(magnitude=6), r=2), 3, ("use_dora is not true",), M),
    Case("DI18 zero", adapter(zero(), r=2), 0, ("q_proj", "scale 2"), M),
    Case("DI18 all factors empty", adapter(empty("mlp.up_proj"), r=2), 3, ("factors of all 1 modules are empty",), M),
    Case("DI18 some factors empty", adapter(lora() | empty("mlp.up_proj"), r=2), 0, ("1 of 2 modules are empty",), M),
)
