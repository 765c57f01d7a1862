"""Rows DI of the fault list: folders that lie, pairs that do not belong together, series with holes.

Here live: their makers. Not here: assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from badcase import INDEX, Case, Maker, index, llama, save, sharded

Change = Callable[[Path], None]
OUTSIDE = {
    "climbing": "../x",
    "absolute": "/etc/passwd",
    "climbing later": "a/../../x",
    "round about": "../model/a.safetensors",
    "drive": "C:\\x",
    "share": "\\\\host\\x",
    "NUL": "a\0b",
    "address": "https://example.org/x",
    "bare drive": "C:x",
    "nothing": "",
    "line": "a\nb",
}


def folder(change: Change) -> Maker:
    """The sharded folder, changed."""

    def make(path: Path) -> None:
        sharded(path)
        change(path)

    return make


def file(name: str, data: bytes) -> Change:
    def change(path: Path) -> None:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)

    return change


def hollow(name: str, size: int) -> Change:
    def change(path: Path) -> None:
        with (path / name).open("wb") as stream:
            stream.truncate(size)

    return change


def remapped(place: str) -> Change:
    return lambda path: index(path, dict.fromkeys(llama(), place))


def wrong_total(path: Path) -> None:
    index(path, json.loads((path / INDEX).read_text())["weight_map"], total_size=255)


def promised(path: Path) -> None:
    content = json.loads((path / INDEX).read_text())["weight_map"]
    index(path, content | {"model.layers.9.mlp.up_proj.weight": "b.safetensors"})


def twice(path: Path) -> None:
    save(path / "b.safetensors", llama())


def extra(path: Path) -> None:
    save(path / "c.safetensors", {"model.norm.weight": np.ones(6, dtype=np.float32)})


def linked(name: str) -> Change:
    """A file of the folder moved out of it, a link left behind."""

    def change(path: Path) -> None:
        (path / name).rename(path.parent / "outside")
        (path / name).symlink_to(path.parent / "outside")

    return change


def cache(blobs: str, given: str = "snapshots/abc123") -> Maker:
    """The hub's layout: a snapshot of links into blobs, which may lie in another model's folder."""

    def make(path: Path) -> None:
        root = Path(str(path).removesuffix(given).rstrip("/")) if given else path
        snapshot, store = root / "snapshots" / "abc123", root.parent / blobs / "blobs"
        source = root.parent / "source"
        sharded(source)
        snapshot.mkdir(parents=True)
        store.mkdir(parents=True, exist_ok=True)
        (root / "refs").mkdir()
        (root / "refs" / "main").write_text("abc123")
        for each in source.iterdir():
            target = store / f"digest-{each.name}"
            target.write_bytes(each.read_bytes())
            (snapshot / each.name).symlink_to(os.path.relpath(target, snapshot))

    return make


def self_link(path: Path) -> None:
    path.symlink_to(path)


def shard_loop(path: Path) -> None:
    (path / "b.safetensors").unlink()
    (path / "b.safetensors").symlink_to("b.safetensors")


def crowd(path: Path) -> None:
    for number in range(100_000):
        os.close(os.open(path / f"f{number}", os.O_CREAT | os.O_WRONLY))


def downloaded(path: Path) -> None:
    record = path / ".cache" / "huggingface" / "download"
    record.mkdir(parents=True)
    for name, revision in (("a", "1" * 40), ("b", "2" * 40)):
        (record / f"{name}.safetensors.metadata").write_text(f"{revision}\netag\n0.0\n")


def config(**content: Any) -> Maker:
    return lambda path: sharded(path, **content)


def no_config(path: Path) -> None:
    (path / "config.json").unlink()


def single(content: Callable[[], dict[str, Any]], *others: str) -> Maker:
    def make(path: Path) -> None:
        path.mkdir()
        save(path / "model.safetensors", content())
        for name in others:
            (path / name).write_bytes(pickle.dumps(os.getcwd))

    return make


def loose(*names: str) -> Maker:
    """Files that are never opened: a pickle that would call something stands for each."""

    def make(path: Path) -> None:
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(pickle.dumps(os.getcwd))

    return make


def unfinished(path: Path) -> None:
    sharded(path)
    (path / INDEX).unlink()


def beside(base: dict[str, Any], tuned: dict[str, Any], **settings: Any) -> Maker:
    """Two models in two folders."""

    def make(path: Path) -> None:
        for place, content, changes in ((path.with_name("base"), base, {}), (path, tuned, settings)):
            place.mkdir()
            save(place / "model.safetensors", content)
            (place / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 6} | changes))

    return make


def words(rows: int) -> dict[str, Any]:
    return llama() | {"model.embed_tokens.weight": np.eye(rows, 6, dtype=np.float32)}


def renamed(old: str, new: str) -> dict[str, Any]:
    return {name.replace(old, new): values for name, values in llama().items()}


def near(step: float) -> dict[str, Any]:
    return {name: values + np.float32(step) * np.eye(6, dtype=np.float32) for name, values in llama().items()}


def run(*names: str, spoil: str = "", other: str = "") -> Maker:
    """A training run: folders of checkpoints, one of them broken, one of another shape."""

    def make(path: Path) -> None:
        for name in names:
            (path / name).mkdir(parents=True)
            save(path / name / "model.safetensors", llama(size=8 if name == other else 6))
        if spoil:
            (path / spoil / "model.safetensors").write_bytes(b"\0" * 100)

    return make


def towers() -> dict[str, Any]:
    return llama() | {"sonar.stage.3.mixing.weight": np.ones((4, 6), dtype=np.float32)}


EMPTY = {name: np.empty((0,), dtype=np.float32) for name in llama()}
SOME_EMPTY = llama() | {"model.layers.0.mlp.up_proj.weight": np.empty((0,), dtype=np.float32)}
HDF5 = file("weights.h5", b"\x89HDF")
GPT2 = {
    "transformer.h.0.attn.c_attn.weight": np.eye(6, 18, dtype=np.float32),
    "transformer.h.0.mlp.c_fc.weight": np.eye(6, 24, dtype=np.float32),
}
M = "model"

FOLDER_CASES: tuple[Case, ...] = (
    Case("DI01", folder(lambda p: (p / "b.safetensors").unlink()), 3, ("1 of 2 shards", "3 tensors", "b.saf"), M),
    Case("DI02 absent", folder(promised), 3, ("promises tensor", "layers.9"), M),
    Case("DI02 twice", folder(twice), 3, ("two shards", "self_attn"), M),
    Case("DI02 extra", folder(extra), 0, ("not in the index: c.safetensors",), M),
    *(Case(f"DI03 {key}", folder(remapped(name)), 3, ("leads out",), M) for key, name in OUTSIDE.items()),
    Case("DI04 shard", folder(linked("b.safetensors")), 3, ("link 'b.safetensors' leads out",), M),
    Case("DI04 config", folder(linked("config.json")), 3, ("link 'config.json' leads out",), M),
    Case("DI04 index", folder(linked(INDEX)), 3, ("leads out",), M),
    Case("DI04 blobs of another", cache("models--o--other"), 3, ("leads out",), "models--o--n/snapshots/abc123"),
    Case("DI05 snapshot", cache("models--o--n"), 0, ("self_attn",), "models--o--n/snapshots/abc123"),
    Case("DI05 root", cache("models--o--n", ""), 0, ("snapshot abc123",), "models--o--n"),
    Case("DI06 link loop", self_link, 3, ("cannot be followed",), M),
    Case("DI06 shard loop", folder(shard_loop), 3, ("b.safetensors",), M),
    Case("DI06 folder loop", folder(lambda p: (p / "again").symlink_to(p)), 0, (), M),
    Case("DI06 crowd", folder(crowd), 0, (), M, slow=True),
    Case("DI06 deep", sharded, 0, (), "/".join(["d"] * 40)),
    Case("DI07 large", folder(hollow(INDEX, 200_000_000)), 3, ("more than the limit", INDEX), M),
    Case("DI07 JSON", folder(file(INDEX, b"{")), 3, ("not JSON", INDEX), M),
    Case("DI07 repeated", folder(file(INDEX, b'{"weight_map":{"a":"x","a":"y"}}')), 3, ("duplicate key 'a'",), M),
    Case("DI07 list", folder(file(INDEX, b'{"weight_map":{"a":["x"]}}')), 3, ("not a file name",), M),
    Case("DI07 no map", folder(file(INDEX, b'{"weight_map":["a"]}')), 3, ("no weight_map",), M),
    Case("DI07 array", folder(file(INDEX, b"[]")), 3, ("no weight_map",), M),
    Case("DI07 total", folder(wrong_total), 0, ("promises 255 bytes, 1008 are stored",), M),
    Case("DI08", single(llama, "pytorch_model.bin"), 0, ("safetensors is read",), M),
    Case("DI08 sharded", folder(file("pytorch_model.bin.index.json", b"{}")), 0, ("safetensors is read",), M),
    Case("DI09", folder(downloaded), 0, ("downloaded from 2 revisions",), M),
    Case("DI10 missing", folder(no_config), 0, ("no config.json",), M),
    Case("DI10 malformed", folder(file("config.json", b"{")), 0, ("names alone",), M),
    Case("DI10 array", folder(file("config.json", b"[]")), 0, ("names alone",), M),
    Case("DI10 repeated", folder(file("config.json", b'{"a":1,"a":2}')), 0, ("names alone",), M),
    Case("DI10 bytes", folder(file("config.json", b"\xff")), 0, ("names alone",), M),
    Case("DI10 large", folder(hollow("config.json", 50_000_000)), 0, ("names alone",), M),
    Case("DI10 auto_map", config(auto_map={"AutoModel": "repo--x.Y"}), 0, ("remote code; none is run",), M),
    Case("DI10 trusting", config(trust_remote_code=True), 0, ("remote code; none is run",), M),
    Case("DI10 attention", config(_attn_implementation="repo/x"), 0, ("remote code; none is run",), M),
    Case(
        "DI11 width", beside(llama(), llama(size=8), hidden_size=8), 3, ("hidden_size 6 against 8",), M, "audit", "base"
    ),
    Case("DI11 shape", beside(llama(), llama(size=8)), 3, ("[8, 8] is [6, 6]",), M, "audit", "base"),
    Case(
        "DI11 names", beside(llama(), llama(layers=3)), 3, ("14 block matrices", "+ model.layers.1"), M, "audit", "base"
    ),
    Case(
        "DI11 architecture",
        beside(GPT2, llama()),
        3,
        ("family gpt2", "llama"),
        M,
        "audit",
        "base",
    ),
    Case("DI11 prefix", beside(renamed("model.", ""), near(0.1)), 0, ("another prefix",), M, "scan", "base"),
    Case("DI12", beside(words(8), words(16)), 0, ("8 rows became 16",), M, "scan", "base"),
    Case("DI13", beside(llama(), llama()), 0, ("the same to the last byte",), M, "scan", "base"),
    Case("DI14", beside(llama(), llama(seed=1)), 4, ("SG001", "implausible"), M, "audit", "base"),
    Case("DI15 adapter", loose("adapter_config.json", "adapter_model.safetensors"), 3, ("not UTF-8",), "model/x/.."),
    Case("DI18 all empty", single(lambda: EMPTY), 3, ("are empty", "consolidate"), M),
    Case("DI18 some empty", single(lambda: SOME_EMPTY), 0, ("1 of 7 tensors are empty",), M),
    Case("DI19 DeepSpeed", loose("latest", "global_step5/mp_rank_00.pt"), 3, ("partitioned", "consolidate"), M),
    Case("DI19 FSDP", loose("pytorch_model_fsdp_0/__0_0.distcp"), 3, ("partitioned", "consolidate"), M),
    Case("DI19 optimiser only", loose("optimizer.pt", "rng_state.pth"), 3, ("only files of the training",), M),
    Case("DI19 training files", single(llama, "training_args.bin", "optimizer.pt"), 0, ("none is opened",), M),
    Case(
        "DI20 order and gap", run("checkpoint-100", "checkpoint-20", "checkpoint-10", "checkpoint-30"), 0, ("a gap",), M
    ),
    Case("DI20 twice", run("checkpoint-5", "step_5", "checkpoint-6"), 0, ("step 5 twice",), M),
    Case("DI20 corrupt", run("checkpoint-1", "checkpoint-2", spoil="checkpoint-2"), 0, ("partial download",), M),
    Case("DI20 tmp", run("checkpoint-1", "checkpoint-tmp", "tmp-checkpoint-2"), 0, ("not named after a step",), M),
    Case("DI20 shapes", run("step1", "step2", other="step2"), 0, ("differ from step 1",), M),
    Case("DI20 none", run("checkpoint-1", spoil="checkpoint-1"), 3, ("no checkpoint of a training series",), M),
    Case("DI21 no index yet", unfinished, 3, ("no model.safetensors.index.json", "wait"), M),
    Case(
        "DI21 all there",
        loose("m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"),
        3,
        ("no model.safetensors.index.json", "give model.safetensors.index.json or the one file"),
        "model/x/..",
    ),
    Case("DI21 growing", run("checkpoint-1"), 3, ("may be unfinished",), M, stable_for=3600),
    Case("DI22", single(towers), 0, ("sonar.stage.3", "unknown"), M),
    Case("other formats", lambda p: (p.mkdir(), HDF5(p))[0], 3, ("weights.h5", "convert"), M),
    Case("nothing", lambda p: p.mkdir(), 3, ("no file of weights",), M),
)
