"""Reading a LoRA adapter of 48 matrices: processor time and memory beside two other readers, ratios in one run.

    python benchmarks/reading_adapters.py [--rounds 5] [--no-peers] [--write] [--cache FOLDER]

Every measurement is one command as a user would give it, start-up included, one thread, the file in the page cache, the
tools in turn within a round, each in its own environment under .cache. `--write` puts the section into
benchmarks/reading.md. The adapter is made by a process of its own: a child's peak counts from its parent's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from peers import ROOT, SINGLE, Peer, Run, child, environment_of
from reading import with_section

HERE = Path(__file__).resolve()
PAGE = HERE.parent / "reading.md"
OURS = "shadowgraph"
PEERS = (
    Peer("adaptersentry", "2.0.2", pins=("numpy", "scipy", "safetensors")),
    Peer("gradience", "0.11.0", pins=("torch", "numpy", "scipy", "safetensors")),
)
RANK, ALPHA, LAYERS, SEED = 16, 32, 16, 7
SHAPES = {"self_attn.q_proj": (2048, 2048), "self_attn.v_proj": (512, 2048), "mlp.down_proj": (2048, 5632)}
LIMIT = 600.0


def make(folder: Path) -> None:
    """Write the adapter and the true stable ranks of the first layer's products, from the products themselves."""
    import numpy as np
    from safetensors.numpy import save_file

    stream = np.random.Generator(np.random.PCG64(SEED))
    content: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    known: dict[str, float] = {}
    for layer in range(LAYERS):
        for name, (m, n) in SHAPES.items():
            # Directions of unequal size, so that no two measures agree by chance.
            left = 0.02 * stream.standard_normal((m, RANK)) * np.linspace(1.0, 0.1, RANK)
            right = stream.standard_normal((RANK, n)) / np.sqrt(n)
            module = f"base_model.model.model.layers.{layer}.{name}"
            content[f"{module}.lora_A.weight"] = right.astype(np.float32)
            content[f"{module}.lora_B.weight"] = left.astype(np.float32)
            if layer == 0:
                factors = (content[f"{module}.lora_{part}.weight"].astype(np.float64) for part in "BA")
                values = np.linalg.svd(np.matmul(*factors), compute_uv=False)
                known[name.rpartition(".")[2]] = float(np.sum(values**2) / values[0] ** 2)
    folder.mkdir()
    (folder.parent / "truth.json").write_text(json.dumps(known))
    save_file(content, folder / "adapter_model.safetensors")
    settings: dict[str, Any] = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "base_model_name_or_path": "base"}
    settings["target_modules"] = [name.rpartition(".")[2] for name in SHAPES]
    (folder / "adapter_config.json").write_text(json.dumps(settings))


def command(name: str, python: Path, folder: Path, answer: Path) -> list[str]:
    """What a user types for the figures of every module as JSON."""
    own = "import sys; from shadowgraph.cli.main import run; sys.stdout = open(sys.argv.pop(), 'w'); run()"
    return {
        OURS: [str(python), "-c", own, "scan", str(folder), "--objects", "O3", "--json", str(answer)],
        "adaptersentry": [
            *(str(python), "-m", "adaptersentry", "scan", str(folder / "adapter_model.safetensors")),
            *("--format", "full-json", "--output", str(answer)),
        ],
        "gradience": [
            *(str(python), "-c"),
            "import sys; sys.stdout = open(sys.argv.pop(), 'w'); from gradience.cli import main; sys.exit(main())",
            *("audit", "--peft-dir", str(folder), "--json", str(answer)),
        ],
    }[name]


def stable_ranks(name: str, answer: dict[str, Any]) -> dict[str, float]:
    """The stable ranks of the first layer that a tool gave, by slot."""
    if name == OURS:
        rows = [row for row in answer["rows"] if row["measure"] == "stable_rank" and row["layer"] == 0]
        return {row["tensor"].split(".")[-2]: row["value"] for row in rows}
    if name == "adaptersentry":
        modules = [each for each in answer["modules"] if each["layer"] == 0]
        return {each["module"]: each["features"]["srank_r"] * each["rank"] for each in modules}
    layers = [each for each in answer["policies"]["per_layer"] if ".layers.0." in each["layer_name"]]
    return {each["layer_name"].rpartition(".")[2]: each["importance_metrics"]["utilization"] * RANK for each in layers}


def measure(
    folder: Path, pythons: dict[str, Path], known: dict[str, float], rounds: int
) -> tuple[dict[str, list[Run]], dict[str, float]]:
    """All runs by tool, and the largest relative error of a stable rank."""
    runs: dict[str, list[Run]] = {name: [] for name in pythons}
    errors: dict[str, float] = {}
    answer = folder.parent / "answer.json"
    for turn in range(rounds + 1):  # the first round fills caches and is not counted
        for name, python in pythons.items():
            environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | SINGLE
            if name == OURS:
                environment["PYTHONPATH"] = str(ROOT / "src")
            answer.unlink(missing_ok=True)
            run, tail = child(command(name, python, folder, answer), LIMIT, environment)
            if run.failure:
                raise SystemExit(f"{name}: {run.failure}\n{tail}")
            if turn == 0:
                found = stable_ranks(name, json.loads(answer.read_text()))
                errors[name] = max(abs(found[slot] / true - 1.0) for slot, true in known.items())
                continue
            runs[name].append(run)
            print(f"round {turn}: {name} {run.cpu:.2f} s", file=sys.stderr)
    return runs, errors


def section(runs: dict[str, list[Run]], errors: dict[str, float], absent: dict[str, str]) -> str:
    """The section of the page."""
    rounds = len(runs[OURS])
    shown = ", ".join(f"{name.rpartition('.')[2]} {m} × {n}" for name, (m, n) in SHAPES.items())
    lines = [
        *("## Adapters", ""),
        f"One LoRA adapter of {LAYERS * len(SHAPES)} modules in float32, rank {RANK} ({shown}; {LAYERS} layers), every"
        f" module's figures as JSON. One command a measurement, start-up and imports included, one thread, the tools"
        f" in turn; rounds: {rounds} and one before that is not counted; ratios are medians of ratios within a round."
        " Error: the largest relative error of a stable rank in the first layer against the singular values of the"
        " whole products.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; numpy {version('numpy')}."
        f" Load average {os.getloadavg()[2]:.1f} over the last 15 minutes: above 1, other work ran beside the tools.",
        "",
        "| tool | CPU seconds, median (range) | CPU / ours | peak MB | error of the stable rank |",
        "|---|---|---|---|---|",
    ]
    for name, own in runs.items():
        spent = [run.cpu for run in own]
        ratio = median(run.cpu / ours.cpu for run, ours in zip(own, runs[OURS], strict=True))
        peak = max(run.peak for run in own) / 1e6
        spread = f"{median(spent):.2f} ({min(spent):.2f}–{max(spent):.2f})"
        label = next((f"{peer.name} {peer.version}" for peer in PEERS if peer.name == name), name)
        lines.append(f"| {label} | {spread} | {ratio:.2f} | {peak:.0f} | {errors[name]:.0e} |")
    lines.extend(f"| {name} | not run: {reason} | | | |" for name, reason in absent.items())
    lines += [
        "",
        "Ours gives 16 measures of every product beside Gaussian factors of its shape and rank (32 draws), sizes and K;"
        " the others give other figures. No product is formed by any of the three.",
        "",
        "Made by `benchmarks/reading_adapters.py --write`.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Processor time of reading an adapter.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        make(given.make)
        return
    pythons: dict[str, Path] = {OURS: Path(sys.executable)}
    absent: dict[str, str] = {}
    for peer in PEERS:
        python, reason = (None, "left out on request")
        if not given.no_peers:
            python, reason = environment_of(peer, given.cache / "peers")
        if python is None:
            absent[peer.name] = reason
        else:
            pythons[peer.name] = python
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "adapter"
        subprocess.run([sys.executable, str(HERE), "--make", str(folder)], check=True, env=os.environ | SINGLE)
        known = json.loads((folder.parent / "truth.json").read_text())
        runs, errors = measure(folder, pythons, known, given.rounds)
    text = section(runs, errors, absent)
    print(text)
    if given.write:
        PAGE.write_text(with_section(PAGE.read_text("utf-8"), text), "utf-8")


if __name__ == "__main__":
    main()
