"""Items per second: our scoring against lm-eval's own command, same model and tasks, in one run.

    python benchmarks/scores.py [--items 400] [--rounds 1] [--write]

Every measurement is a process of its own, one thread, the scorers in turn. Each scores all items and then one item of
each kind; the difference is the time without start-up. `--write` writes benchmarks/scores.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
KINDS = {
    "letters": "four lettered choices, one token each",
    "endings": "four endings of several tokens after a passage",
    "replies": "a reply of at most 16 tokens",
}
SCORERS = {"ours": "shadowgraph", "shared": "shadowgraph, context shared", "theirs": "lm-eval's command"}
WORDS = ("river", "stone", "apple", "town", "seven", "count", "gives", "takes", "older", "green", "north", "letter")
BATCH, VOCABULARY = 16, 4096


def make_model(folder: Path) -> None:
    """A random Llama of two million parameters with 4096 tokens."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from shadowgraph.corpus.tokens import train_tokenizer

    train_tokenizer([f"{left} {right}" for left in WORDS for right in WORDS], 300, folder)
    config = LlamaConfig(
        hidden_size=128,
        intermediate_size=344,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        vocab_size=VOCABULARY,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=0,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)


def make_suite(folder: Path, count: int) -> None:
    """So many items of each kind."""
    from shadowgraph.scores.suite import write_suite
    from shadowgraph.seeds import generator

    def words(rng: Any, low: int, high: int) -> str:
        return " ".join(rng.choice(WORDS, int(rng.integers(low, high))))

    rows: dict[str, list[dict[str, Any]]] = {}
    for kind in KINDS:
        rng = generator(1, "scores", kind)
        for number in range(count):
            row: dict[str, Any] = {"id": f"{kind}-{number}", "family": kind, "group": str(number)}
            row["context"] = f"question: {words(rng, 40, 90)}\nanswer:"
            if kind == "replies":
                row |= {"answers": [words(rng, 1, 3)], "tokens": 16}
            elif kind == "letters":
                row |= {"continuations": [" a", " s", " t", " n"], "gold": int(rng.integers(4))}
            else:
                row |= {"continuations": [f" {words(rng, 4, 12)} {n}" for n in range(4)], "gold": int(rng.integers(4))}
            rows.setdefault(kind, []).append(row)
    write_suite(rows, folder)


def command(scorer: str, work: Path, kind: str, items: int) -> tuple[list[str], Path]:
    """The command line of a scorer and the folder to run it in."""
    suite = work / f"suite-{kind}-{items}"
    if scorer == "theirs":
        line = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--device", "cpu", "--batch_size", str(BATCH)]
        line += ["--model_args", f"pretrained={work / 'model'},dtype=float32", "--include_path", "."]
        line += ["--tasks", f"shadowgraph_{kind}", "--log_samples", "--output_path", str(work / "out")]
        return line, suite
    share = scorer == "shared"
    code = "import sys; from shadowgraph.scores.score import score; from shadowgraph.scores.item import write_scores; "
    code += f"from pathlib import Path; found = score(sys.argv[1], sys.argv[2], batch={BATCH}, share={share}); "
    code += "write_scores(found, Path(sys.argv[3]))"
    return [sys.executable, "-c", code, str(work / "model"), str(suite), str(work / "out.parquet")], suite


def seconds(scorer: str, work: Path, kind: str, items: int) -> float:
    """Processor time of one process and what it started, which other work on the machine moves less than wall time."""
    line, place = command(scorer, work, kind, items)
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": str(work / "cache")}
    source = str(HERE.parent.parent / "src")
    environment = {**os.environ, **offline, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment["PYTHONPATH"] = source
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(line, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{scorer} failed on {kind}: {done.stderr[-1500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(work: Path, items: int, rounds: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Median processor seconds of each scorer on each kind: all items with start-up, and without it."""
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for kind in KINDS:
            for scorer in SCORERS:
                if scorer == "shared" and kind == "replies":
                    continue  # a reply has no continuations to share a context
                whole, one = seconds(scorer, work, kind, items), seconds(scorer, work, kind, 1)
                taken.setdefault((kind, scorer), []).append((whole, max(whole - one, 1e-9)))
                print(f"{kind:8} {scorer:7} {whole:6.1f} s, without start-up {whole - one:6.1f} s", flush=True)
    return {key: tuple(statistics.median(column) for column in zip(*some, strict=True)) for key, some in taken.items()}  # type: ignore[misc]


def page(taken: dict[tuple[str, str], tuple[float, float]], items: int, rounds: int) -> str:
    """The page."""
    names = ("shadowgraph", "lm-eval", "torch", "transformers")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    load = os.getloadavg()[2]
    lines = [
        "# Scores",
        "",
        f"{items} items of each kind on a random Llama of two million parameters with {VOCABULARY} tokens, float32, "
        f"batches of {BATCH}. One thread, every measurement a process of its own, the scorers in turn; "
        f"rounds: {rounds}, medians. Time is processor time; without start-up: "
        "less that of the same process on one item.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {packages}. "
        f"Load average {load:.1f} over the last 15 minutes{': other work ran beside the scorers' if load > 1 else ''}.",
        "",
        "| items | scorer | items/s | ours / theirs | items/s without start-up | ours / theirs |",
        "|---|---|---|---|---|---|",
    ]
    for (kind, scorer), (whole, alone) in taken.items():
        theirs = taken[kind, "theirs"]
        lines.append(
            f"| {KINDS[kind]} | {SCORERS[scorer]} | {items / whole:.1f} | {theirs[0] / whole:.2f} "
            f"| {items / alone:.1f} | {theirs[1] / alone:.2f} |"
        )
    lines += [
        "",
        "The same batches through the same layers; what is saved is the start-up (task files, data sets, tables) and "
        "the logits of positions that nobody reads. Sharing a context runs it once for all continuations of an item; "
        "its last digits differ, so it is off unless asked for (`share=True`). lm-eval itself runs choices of one "
        "token once per context, so there sharing saves little. Of a reply we also measure the bits of its first "
        "accepted answer, one pass more.",
        "",
        "Made by `benchmarks/scores.py --write`.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write the page when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make_model(work / "model")
        for count in (options.items, 1):
            make_suite(work / "suite", count)
            for kind in KINDS:
                split_suite(work / "suite", work / f"suite-{kind}-{count}", kind)
        text = page(measure(work, options.items, options.rounds), options.items, options.rounds)
    print(text)
    if options.write:
        HERE.with_suffix(".md").write_text(text, encoding="utf-8")


def split_suite(whole: Path, folder: Path, kind: str) -> None:
    """A suite of one split of another suite."""
    from shadowgraph.scores.suite import read_suite, write_suite

    write_suite({kind: read_suite(whole).items(kind)}, folder)


if __name__ == "__main__":
    main()
