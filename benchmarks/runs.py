"""What matching, ledger and callback cost: our runs and our callback against a bare Trainer, in one run.

    python benchmarks/runs.py [--steps 80] [--rounds 3] [--write]

Same model, data, Trainer arguments and thread for all; the ways in turn, each round in the reverse order of the last.
`--write` writes benchmarks/runs.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from shadowgraph.runs.matched import statement
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.session import offline, session
from shadowgraph.runs.train import train
from shadowgraph.seeds import generator

HERE = Path(__file__).resolve()
WAYS = {
    "bare": "a bare Trainer",
    "run": "`train`: statement, ledger, sealed resume points, snapshot",
    "read": "a bare Trainer with `ShadowgraphCallback`",
}
READINGS = 4
LIMIT = 0.03  # share of the processor time that a reading may take


def bare(recipe: Recipe, rows: Path, out: Path, reader: Any = None) -> None:
    """The same training by the Trainer alone, with a callback or without, its final model saved."""
    import torch
    from transformers import PrinterCallback, Trainer

    from shadowgraph.runs.engine import trainer_arguments
    from shadowgraph.runs.model import initial_model

    ids = torch.from_numpy(np.load(rows).astype(np.int64))
    data: Any = [{"input_ids": row, "labels": row} for row in ids]
    with session(1):
        trainer = Trainer(
            model=initial_model(recipe, None), args=trainer_arguments(recipe, out / "points"), train_dataset=data
        )
        trainer.remove_callback(PrinterCallback)
        if reader is not None:
            reader.attach(trainer)
        trainer.train()
        trainer.save_model(str(out / "model"))


def measure(way: str, recipe: Recipe, rows: Path, work: Path) -> dict[str, float]:
    """Seconds on the wall and of the processor, and what the callback says of itself."""
    from shadowgraph.runs.callback import ShadowgraphCallback

    reader = ShadowgraphCallback(every=recipe.steps // READINGS) if way == "read" else None
    with tempfile.TemporaryDirectory(dir=work) as out:
        wall, used = time.perf_counter(), time.process_time()
        if way == "run":
            train(recipe, rows, Path(out) / "run")
        else:
            bare(recipe, rows, Path(out), reader)
        found = {"wall": time.perf_counter() - wall, "used": time.process_time() - used}
    if way == "run":
        used = time.process_time()
        statement(recipe, rows, None, None)
        found["once"] = time.process_time() - used
    if reader is not None:
        seconds = [float(reading["background_seconds"]) for reading in reader.readings]
        found |= {"background": statistics.fmean(seconds), "skipped": float(len(reader.skipped))}
        found["blocked"] = reader.blocked_seconds
    return found


def page(recipe: Recipe, parameters: int, rounds: int, found: dict[str, list[dict[str, float]]]) -> str:
    """The text of benchmarks/runs.md."""
    middle = {
        way: {key: statistics.median(each[key] for each in rows) for key in rows[0]} for way, rows in found.items()
    }
    packages = ", ".join(f"{name} {version(name)}" for name in ("shadowgraph", "torch", "transformers"))
    load = os.getloadavg()[2]
    lines = [
        "# Runs",
        "",
        f"{recipe.steps} steps of {recipe.batch} × {recipe.sequence_length} tokens on a Llama of {parameters:,} "
        f"parameters, float32, one thread, a log every step and a resume point every {recipe.checkpoint_every}; the "
        f"callback reads {READINGS} times. Rounds: {rounds}, the ways in turn and in turned order, medians.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {packages}. Load average "
        f"{load:.1f} over the last 15 minutes{': other work ran beside it' if load > 1.5 else ''}.",
        "",
        "| way | ms a step, wall | against bare | ms a step, processor | against bare |",
        "|---|---|---|---|---|",
    ]
    for way, words in WAYS.items():
        wall, used = (1000 * middle[way][key] / recipe.steps for key in ("wall", "used"))
        shares = [middle[way][key] / middle["bare"][key] - 1 for key in ("wall", "used")]
        lines.append(f"| {words} | {wall:.1f} | {shares[0]:+.1%} | {used:.1f} | {shares[1]:+.1%} |")
    read = middle["read"]
    bare_used = [each["used"] for each in found["bare"]]
    noise = max(bare_used) / min(bare_used) - 1
    seen = max(0.0, read["used"] - middle["bare"]["used"]) / READINGS
    cost = max(seen, read["background"]) * recipe.steps / middle["bare"]["used"]
    lines += [
        "",
        f"The bare Trainer itself varies by {noise:.1%} of processor time between rounds; differences below that are "
        f"none. What `train` does once, however long the training, is mostly its statement with the digest of the "
        f"initial weights: {1000 * middle['run']['once']:.0f} ms of processor time, which is in the figures.",
        "",
        f"For the callback the steps waited {1000 * read['blocked']:.0f} ms in all, "
        f"{read['blocked'] / read['wall']:.2%} of the training. A reading takes {1000 * read['background']:.0f} ms in "
        f"its own thread beside the steps, at most about {cost:.1f} steps' worth of processor time: read every "
        f"{max(1, round(cost / LIMIT))} steps it stays within {LIMIT:.0%}. Left out for lack of time: "
        f"{read['skipped']:.0f} of {READINGS}.",
        "",
        "Made by `benchmarks/runs.py --write`.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print the page, or write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    offline()
    from shadowgraph.runs.model import initial_model

    recipe = Recipe(steps=options.steps, learning_rate=1e-3, batch=8, snapshots=(options.steps // 2,))
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shape = recipe.steps * recipe.batch, recipe.sequence_length
        np.save(work / "rows.npy", generator(0, "rows").integers(0, recipe.vocabulary, shape).astype(np.uint16))
        warm = Recipe(steps=4, learning_rate=1e-3, batch=recipe.batch)
        np.save(work / "warm.npy", np.load(work / "rows.npy")[: 4 * recipe.batch])
        for way in WAYS:
            measure(way, warm, work / "warm.npy", work)
        for number in range(options.rounds):
            for way in list(WAYS)[:: 1 if number % 2 == 0 else -1]:
                found[way].append(measure(way, recipe, work / "rows.npy", work))
    parameters = sum(parameter.numel() for parameter in initial_model(recipe, None).parameters())
    text = page(recipe, parameters, options.rounds, found)
    if options.write:
        HERE.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
