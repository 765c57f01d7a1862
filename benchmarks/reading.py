"""Reading and pairing 2 GB of bf16 in shards: speed and peak memory against two other readers, ratios in one run.

    python benchmarks/reading.py [--gigabytes 2] [--rounds 3] [--write]

Every measurement is a process of its own, one thread, files in the page cache, the readers in turn. `--write` writes
benchmarks/reading.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
HIDDEN, WIDE, VOCABULARY, SHARDS = 2048, 8192, 32_000, 4
READERS = {
    "shadowgraph": "shadowgraph",
    "official": "safetensors + numpy",
    "weightwatcher": "WeightWatcher's reader",
    "bytes": "the bytes alone",
}
TASKS = {"read": "read to float64", "pair": "read a pair and subtract"}


def shapes(layers: int) -> dict[str, tuple[int, int]]:
    """A decoder of so many layers; the embedding is its largest matrix."""
    found = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(layers):
        for part in "qkvo":
            found[f"model.layers.{layer}.self_attn.{part}_proj.weight"] = (HIDDEN, HIDDEN)
        found[f"model.layers.{layer}.mlp.gate_proj.weight"] = (WIDE, HIDDEN)
        found[f"model.layers.{layer}.mlp.up_proj.weight"] = (WIDE, HIDDEN)
        found[f"model.layers.{layer}.mlp.down_proj.weight"] = (HIDDEN, WIDE)
    return found


def make(folder: Path, gigabytes: float, seed: int) -> None:
    """Write a checkpoint of about so many gigabytes; values are one random block, turned for every matrix."""
    import ml_dtypes
    import numpy as np

    from shadowgraph.seeds import generator

    per_layer = 2 * (4 * HIDDEN * HIDDEN + 3 * HIDDEN * WIDE)
    layers = max(1, round((gigabytes * 1e9 - 2 * VOCABULARY * HIDDEN) / per_layer))
    vocabulary = VOCABULARY if gigabytes else 64
    named = list((shapes(layers) | {"model.embed_tokens.weight": (vocabulary, HIDDEN)}).items())
    block = (0.02 * generator(seed, "reading").standard_normal(VOCABULARY * HIDDEN, dtype=np.float32)).astype(
        ml_dtypes.bfloat16
    )
    folder.mkdir()
    weights: dict[str, str] = {}
    for shard in range(SHARDS):
        name = f"model-{shard + 1:05d}-of-{SHARDS:05d}.safetensors"
        mine = named[shard * len(named) // SHARDS : (shard + 1) * len(named) // SHARDS]
        header: dict[str, Any] = {}
        position = 0
        for key, (rows, columns) in mine:
            size = 2 * rows * columns
            header[key] = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [position, position + size]}
            position += size
            weights[key] = name
        text = json.dumps(header).encode()
        with (folder / name).open("wb") as stream:
            stream.write(struct.pack("<Q", len(text)) + text)
            for number, (_, (rows, columns)) in enumerate(mine):
                stream.write(np.roll(block, number)[: rows * columns].tobytes())
    index = {"metadata": {}, "weight_map": weights}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text('{"model_type": "llama"}')


def by_shadowgraph(folders: list[Path]) -> Iterator[Any]:
    """Matrices, or differences, one at a time."""
    from shadowgraph.weights.checkpoint import open_checkpoint
    from shadowgraph.weights.pairing import pair

    if len(folders) == 1:
        for matrix in open_checkpoint(folders[0]).matrices():
            yield matrix.load()
        return
    for update in pair(open_checkpoint(folders[0]), open_checkpoint(folders[1])).updates:
        yield update.difference()


def by_official(folders: list[Path]) -> Iterator[Any]:
    """The official reader's numpy arrays, one tensor at a time, widened and subtracted by numpy."""
    import ml_dtypes  # noqa: F401  without it the official reader does not know bfloat16
    import numpy as np
    from safetensors import safe_open

    for name in sorted(path.name for path in folders[0].glob("*.safetensors")):
        opened = [safe_open(folder / name, framework="numpy") for folder in folders]
        for key in opened[0].keys():  # noqa: SIM118  it is no mapping
            arrays = [stream.get_tensor(key).astype(np.float64) for stream in opened]
            yield arrays[0] if len(arrays) == 1 else arrays[1] - arrays[0]


def by_weightwatcher(folders: list[Path]) -> Iterator[Any]:
    """WeightWatcher's iterator over the layers of a folder, its arrays widened and subtracted by numpy."""
    import numpy as np
    from weightwatcher.weightwatcher import PyStateDictDir

    for layers in zip(*(PyStateDictDir.get_layer_iterator(str(folder)) for folder in folders), strict=True):
        arrays = [np.asarray(layer.get_weights_and_biases()[1], dtype=np.float64) for layer in layers]
        yield arrays[0] if len(arrays) == 1 else arrays[1] - arrays[0]


def by_bytes(folders: list[Path]) -> Iterator[Any]:
    """The floor: every byte of the files into one small buffer, nothing widened, nothing kept."""
    import numpy as np

    buffer = np.empty((1, 1 << 20), dtype=np.uint8)
    for path in sorted(path for folder in folders for path in folder.glob("*.safetensors")):
        with path.open("rb", buffering=0) as stream:
            while count := stream.readinto(buffer.data):
                yield buffer[:, :count]


def high_water() -> int:
    """Largest resident memory of this process so far, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def measure(reader: str, folders: list[Path]) -> None:
    """One measurement, in its own process: seconds and peak bytes on stdout."""
    if reader == "weightwatcher":
        import logging

        import weightwatcher  # noqa: F401  its import is no part of the reading

        logging.disable(logging.CRITICAL)
    read = {
        "shadowgraph": by_shadowgraph,
        "official": by_official,
        "weightwatcher": by_weightwatcher,
        "bytes": by_bytes,
    }[reader]
    next(iter(read([folders[0].parent / "small"])))  # imports are paid before the clock starts
    idle = high_water()
    started = time.perf_counter()
    elements, total = 0, 0.0
    for array in read(folders):
        elements += array.size
        total += float(array[0, 0])
        del array
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak": high_water(), "idle": idle, "elements": elements, "total": total}))


def measured(reader: str, folders: list[Path]) -> dict[str, float] | None:
    """Run one measurement; None when the reader cannot be run here."""
    command = [sys.executable, str(HERE), "--measure", reader, *map(str, folders)]
    single = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | single)
    if done.returncode:
        print(f"{reader} not run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def collect(folder: Path, gigabytes: float, rounds: int) -> dict[tuple[str, str], list[dict[str, float]]]:
    """All measurements, the readers in turn within each round."""
    folders = [folder / "base", folder / "tuned"]
    make(folder / "small", 0.0, 2)
    for seed, each in enumerate(folders):
        make(each, gigabytes, seed)
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(rounds):  # freshly written, the files are in the page cache
        for task, wanted in (("read", folders[:1]), ("pair", folders)):
            for reader in READERS:
                result = measured(reader, wanted)
                if result is not None:
                    found.setdefault((task, reader), []).append(result)
    return found


def compare(found: dict[tuple[str, str], list[dict[str, float]]]) -> dict[tuple[str, str], float]:
    """Share of our elements that each reader read; equal shares must have read equal numbers.

    Raises:
        SystemExit: two readers disagree about the first element of some matrix: one of them measured nothing.
    """
    shares: dict[tuple[str, str], float] = {}
    for (task, reader), runs in found.items():
        ours = found[task, "shadowgraph"][0]
        share = 1.0 if reader == "bytes" else runs[0]["elements"] / ours["elements"]
        if reader != "bytes" and share == 1.0 and abs(runs[0]["total"] - ours["total"]) > 1e-6:
            raise SystemExit(f"{reader} read other numbers: {runs[0]['total']} against {ours['total']}")
        shares[task, reader] = share
    return shares


def table(found: dict[tuple[str, str], list[dict[str, float]]], stored: float, largest: int) -> list[str]:
    """Lines of the page: medians, and ratios within each round."""
    lines = [
        "| task | reader | GB/s stored | seconds, median (range) | time / ours | peak MB | of that reading |",
        "|---|---|---|---|---|---|---|",
    ]
    shares = compare(found)
    for task, words in TASKS.items():
        ours = found[task, "shadowgraph"]
        size = stored * (2 if task == "pair" else 1)
        for reader, name in READERS.items():
            runs = found.get((task, reader))
            if runs is None:
                lines.append(f"| {words} | {name} | not run | | | | |")
                continue
            seconds = [run["seconds"] for run in runs]
            middle = statistics.median(seconds)
            ratio = statistics.median(run["seconds"] / own["seconds"] for run, own in zip(runs, ours, strict=True))
            peak = max(run["peak"] for run in runs) / 1e6
            grown = max(run["peak"] - run["idle"] for run in runs) / 1e6
            spread = f"{middle:.2f} ({min(seconds):.2f}–{max(seconds):.2f})"
            speed = size * shares[task, reader] / middle / 1e9
            if shares[task, reader] != 1.0:
                spread += f", {shares[task, reader]:.0%} of the elements"
            lines.append(f"| {words} | {name} | {speed:.2f} | {spread} | {ratio:.2f} | {peak:.0f} | {grown:.0f} |")
    limit = (2.5 * largest + 200e6) / 1e6
    peaks = [max(run["peak"] for run in found[task, "shadowgraph"]) / 1e6 for task in TASKS]
    verdict = "kept" if max(peaks) <= limit else "broken"
    lines += [
        "",
        f"The promise of at most 2.5 times the largest matrix in float32 plus 200 MB, {limit:.0f} MB, is {verdict}.",
    ]
    return lines


def page(lines: list[str], gigabytes: float, rounds: int) -> str:
    """The whole page."""
    names = ("shadowgraph", "numpy", "safetensors", "ml_dtypes", "torch", "weightwatcher")
    versions: list[str] = []
    for name in names:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} absent")
    head = [
        "# Reading",
        "",
        f"Two checkpoints of {gigabytes:g} GB in bf16, four shards each, read one matrix at a time to float64; the "
        f"largest matrix is {VOCABULARY} × {HIDDEN}. One thread, files in the page cache, every measurement a process "
        f"of its own, the readers in turn; rounds: {rounds}; ratios are medians of ratios within a round. Peak memory "
        "is the high-water mark of resident pages; it counts pages of a mapped file, which the system can take back.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {', '.join(versions)}. "
        f"Load average {os.getloadavg()[2]:.1f} over the last 15 minutes: above 1, other work ran beside the readers.",
        "",
    ]
    bounds = [
        "",
        "What bounds each figure: the bytes alone cost one copy out of the page cache, the floor of any reader. To "
        "float64, 2 stored bytes become 8 written ones, so memory bandwidth of one core bounds the reading; here the "
        "widening is done in pieces of 1 MiB that stay in the cache of the core, elsewhere on whole tensors. A pair "
        "is bounded alike; here the base is subtracted piece by piece and has no array of its own. WeightWatcher "
        "loads a shard through torch and widens it in float32 first. Other work on the machine slows all of "
        "them: compare ratios, not seconds.",
    ]
    foot = ["", "Made by `benchmarks/reading.py --write`.", ""]
    return "\n".join([*head, *lines, *bounds, *foot])


def sections(page: str) -> list[str]:
    """The sections of the page that other benchmarks wrote, each from its heading on."""
    return [f"\n## {each.strip()}\n" for each in page.split("\n## ")[1:]]


def with_section(page: str, section: str) -> str:
    """The page with a section in the place of the one of its title, or at the end."""
    title = section.strip().splitlines()[0]
    kept = [each for each in sections(page) if each.strip().splitlines()[0] != title]
    return page.split("\n## ", maxsplit=1)[0].rstrip() + "\n" + "".join([*kept, f"\n{section.strip()}\n"])


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Speed and memory of reading.")
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure[0], [Path(each) for each in given.measure[1:]])
        return
    with tempfile.TemporaryDirectory() as place:
        found = collect(Path(place), given.gigabytes, given.rounds)
        stored = sum(file.stat().st_size for file in (Path(place) / "base").glob("*.safetensors"))
    text = page(table(found, stored, 4 * VOCABULARY * HIDDEN), given.gigabytes, given.rounds)
    print(text)
    if given.write:
        target = HERE.parent / "reading.md"
        target.write_text(text + "".join(sections(target.read_text() if target.exists() else "")))


if __name__ == "__main__":
    main()
