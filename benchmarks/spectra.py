"""Spectra and footprints of updates: cost and correctness beside three peers, two libraries and the machine.

    python benchmarks/spectra.py [--write] [--rounds 3] [--large] [--quick] [--no-peers] [--python312 PATH]

Pairs of checkpoints and the peers' environments are made once, under .cache. Every measurement of a tool is a process
of its own with one BLAS thread, files in the page cache, the tools in turn within a round. `--write` writes
benchmarks/spectra.md beside this file. Here lives: what is run, in which order. Not here: how (`spectra_tools`,
`spectra_stages`), on what (`spectra_pairs`), in which environment (`peers`), and the page (`spectra_page`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from peers import ROOT, Run, environment_of, tool
from spectra_page import OURS, PEERS, Figures, page

HERE = Path(__file__).resolve().parent
LIMIT = 600.0
LONG = 40.0  # CPU seconds; a tool that takes longer is run twice at most
ALONE = {"cold": (OURS,), "outliers": ("weightwatcher", "diffract-core")}
STAGES = ("spectra", "stages", "nulls", "device")
VERSIONS = ("numpy", "scipy", "torch", "safetensors", "pyarrow")


def say(text: str) -> None:
    """Progress, on the error stream."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """The machine in words: processor and cores; no name and no place."""
    model = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    versions: list[str] = []
    for name in ("shadowgraph", *VERSIONS):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} absent")
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}; {', '.join(versions)}"


def pairs(place: Path, quick: bool) -> dict[str, dict[str, Any]]:
    """Write the pairs where they are missing; the truth about each."""
    command = [sys.executable, str(HERE / "spectra_pairs.py"), str(place), *(["--quick"] if quick else [])]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment)
    names = ("llama", "gpt2", "hard")
    return {name: json.loads((place / name / "truth.json").read_text())["tensors"] for name in names}


def tools(place: Path, pythons: dict[str, Path], labels: list[tuple[str, int]]) -> dict[str, dict[str, list[Run]]]:
    """Every tool on every pair: pair → tool → runs.

    A label is a pair and, after a space, "cold" (ours alone, before any cache of nulls) or "outliers" (the tools that
    count them on request).
    """
    found: dict[str, dict[str, list[Run]]] = {}
    shutil.rmtree(place / "nulls", ignore_errors=True)
    for label, turns in labels:
        pair, _, option = label.partition(" ")
        runs = found.setdefault(label, {})
        for turn in range(turns):
            for name in ALONE.get(option, tuple(pythons)):
                known = runs.setdefault(name, [])
                if name not in pythons or any(run.failure for run in known) or (turn > 1 and known[0].cpu > LONG):
                    continue
                known.append(one(place / pair, name, pythons[name], "hard" in pair or option == "outliers"))
                say(f"{label}, round {turn + 1}: {name} {known[-1].failure or f'{known[-1].cpu:.1f} s'}")
    return found


def one(pair: Path, name: str, python: Path, spikes: bool) -> Run:
    """One run of one tool on one pair."""
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        script = [str(HERE / "spectra_tools.py"), name, str(pair / "base"), str(pair / "tuned")]
        options = ["spikes"] if spikes else []
        return tool(python, [*script, f"{scratch}/out", str(answer), *options], answer, LIMIT, name == OURS)


def stages(groups: Sequence[str], sizes: str, rounds: int) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Single stages of ours, a process for every group: rows by stage, and for a stage that failed the reason."""
    found: dict[str, list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        for group in groups:
            arguments = [str(HERE / "spectra_stages.py"), group, str(answer), sizes, str(rounds)]
            run = tool(Path(sys.executable), arguments, answer, LIMIT, True)
            say(f"{group}: {run.failure or f'{run.cpu:.1f} s'}")
            found |= run.answers
            if run.failure:
                failed |= dict.fromkeys(group.split(","), run.failure)
    return found, failed


def measure(given: argparse.Namespace) -> Figures:
    """Everything that the page shows."""
    sizes = "quick" if given.quick else "large" if given.large else "full"
    rounds = 1 if given.quick else given.rounds
    place = given.cache / f"spectra-{'quick' if given.quick else 'full'}"
    load = [os.getloadavg()[0]]
    started = time.perf_counter()
    known = pairs(place, given.quick)
    pythons: dict[str, Path] = {OURS: Path(sys.executable)}
    absent: dict[str, str] = {}
    for peer in PEERS:
        if given.no_peers or given.quick:
            absent[peer.name] = "left out on request"
            continue
        say(f"environment of {peer.name} {peer.version}")
        python, reason = environment_of(peer, given.cache / "peers", given.python312)
        if python is None:
            absent[peer.name] = reason
        else:
            pythons[peer.name] = python
    labels = [("llama cold", 1), ("llama", rounds), ("gpt2 cold", 1), ("gpt2", rounds), ("hard", 1)]
    runs = tools(place, pythons, [("llama", 1), ("hard", 1)] if given.quick else [*labels, ("llama outliers", 1)])
    load.append(os.getloadavg()[0])
    rows, failed = stages([",".join(STAGES[:-1])] if given.quick else STAGES, sizes, rounds)
    load.append(os.getloadavg()[0])
    say(f"{time.perf_counter() - started:.0f} s in all")
    return Figures(known, runs, absent, rows, failed, machine(), load, rounds)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, measure, print the page and write it when asked."""
    parser = argparse.ArgumentParser(description="Cost and correctness of spectra.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="add full spectra at d = 4,096")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, no peers: does it run at all?")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--python312", type=Path, help="interpreter for the peer that needs Python 3.12")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    text = page(measure(given))
    print(text)
    if given.write:
        (HERE / "spectra.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
