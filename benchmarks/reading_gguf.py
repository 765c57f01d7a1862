"""Reading a GGUF model whole: seconds and peak memory against the official library, ratios in one run.

    python benchmarks/reading_gguf.py [--gigabytes 0.25] [--rounds 3] [--write]

Every measurement is a process of its own, one thread, the file in the page cache, the readers in turn. `--write` puts
the section "GGUF" into benchmarks/reading.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reading import HIDDEN, WIDE, high_water, with_section

HERE = Path(__file__).resolve()
VOCABULARY = 128_000
READERS = {"shadowgraph": "shadowgraph", "official": "gguf's GGUFReader and dequantize"}
# Types of a file of the kind Q4_K_M: number, elements and bytes of a block.
Q4_K, Q6_K, Q8_0 = (12, 256, 144), (14, 256, 210), (8, 32, 34)
LAYER = {
    "attn_q": (HIDDEN, HIDDEN, Q4_K),
    "attn_k": (HIDDEN, HIDDEN, Q4_K),
    "attn_v": (HIDDEN, HIDDEN, Q6_K),
    "attn_output": (HIDDEN, HIDDEN, Q4_K),
    "ffn_gate": (WIDE, HIDDEN, Q4_K),
    "ffn_up": (WIDE, HIDDEN, Q4_K),
    "ffn_down": (HIDDEN, WIDE, Q6_K),
}


def make(path: Path, gigabytes: float, seed: int) -> int:
    """Write a model of about so many gigabytes by the official writer; bytes of the largest matrix in float32.

    Codes and scales are random bytes; where a block holds a 16-bit scale the top bits are cleared, so that values are
    finite.
    """
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter

    from shadowgraph.seeds import generator

    def stored(rows: int, columns: int, kind: tuple[int, int, int]) -> Any:
        number, elements, size = kind
        blocks = stream.integers(0, 256, (rows * columns // elements, size), dtype=np.uint8)
        for place in {12: (1, 3), 14: (209,), 8: (1,)}[number]:
            blocks[:, place] &= 0x1F
        return blocks.reshape(rows, -1)

    stream = generator(seed, "reading", "gguf")
    writer = GGUFWriter(path, "llama")
    writer.add_token_list([f"token{number}" for number in range(VOCABULARY if gigabytes else 10)])
    per_layer = sum(rows * columns // kind[1] * kind[2] for rows, columns, kind in LAYER.values())
    embedding = (32_000 if gigabytes else 64, HIDDEN, Q8_0)
    held = {"token_embd.weight": embedding}
    for layer in range(max(1, round(gigabytes * 1e9 / per_layer))):
        held |= {f"blk.{layer}.{part}.weight": each for part, each in LAYER.items()}
    content = {each: stored(*each) for each in {*held.values()}}
    for name, each in held.items():
        writer.add_tensor(name, content[each], raw_dtype=GGMLQuantizationType(each[2][0]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return 4 * max(rows * columns for rows, columns, _ in held.values())


def by_shadowgraph(path: Path) -> Iterator[Any]:
    """Matrices one at a time."""
    from shadowgraph.weights.checkpoint import open_checkpoint

    for matrix in open_checkpoint(path).matrices():
        yield matrix.load()


def by_official(path: Path) -> Iterator[Any]:
    """The official reader's tensors, dequantised by the library and widened by numpy."""
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize

    for tensor in sorted(GGUFReader(path).tensors, key=lambda each: each.name):
        yield dequantize(tensor.data, tensor.tensor_type).astype(np.float64)


READ: dict[str, Callable[[Path], Iterator[Any]]] = {"shadowgraph": by_shadowgraph, "official": by_official}


def measure(reader: str, path: Path) -> None:
    """One measurement, in its own process: seconds of wall and processor, to the first matrix and in all; peak."""
    read = READ[reader]
    next(iter(read(path.with_name("small.gguf"))))  # imports are paid before the clock starts
    idle = high_water()
    started, spent = time.perf_counter(), time.process_time()
    first, elements, total = 0.0, 0, 0.0
    for array in read(path):
        first = first or time.process_time() - spent
        elements += array.size
        total += float(array[0, 0]) + float(array[-1, -1])
        del array
    found = {"seconds": time.perf_counter() - started, "processor": time.process_time() - spent, "first": first}
    print(json.dumps(found | {"peak": high_water(), "idle": idle, "elements": elements, "total": total}))


def measured(reader: str, path: Path) -> dict[str, float]:
    """Run one measurement.

    Raises:
        SystemExit: the reader failed.
    """
    single = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE), "--measure", reader, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | single)
    if done.returncode:
        raise SystemExit(f"{reader} failed: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def table(found: dict[str, list[dict[str, float]]], stored: int) -> list[str]:
    """Lines of the section: medians, and ratios within each round.

    Raises:
        SystemExit: the two readers read other numbers.
    """
    ours, others = found["shadowgraph"], found["official"]
    if any(each[key] != ours[0][key] for each in [*ours, *others] for key in ("elements", "total")):
        raise SystemExit("the readers read other numbers: one of them measured nothing")
    lines = [
        "| reader | GB/s stored | processor seconds, median (range) | of these to the first matrix | time / ours"
        " | seconds of wall | peak MB | of that reading |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for reader, name in READERS.items():
        runs = found[reader]
        spent = [run["processor"] for run in runs]
        middle, first = statistics.median(spent), statistics.median(run["first"] for run in runs)
        ratio = statistics.median(run["processor"] / own["processor"] for run, own in zip(runs, ours, strict=True))
        wall = statistics.median(run["seconds"] for run in runs)
        peak = max(run["peak"] for run in runs) / 1e6
        grown = max(run["peak"] - run["idle"] for run in runs) / 1e6
        lines.append(
            f"| {name} | {stored / middle / 1e9:.2f} | {middle:.2f} ({min(spent):.2f}–{max(spent):.2f}) | {first:.2f}"
            f" | {ratio:.2f} | {wall:.2f} | {peak:.0f} | {grown:.0f} |"
        )
    return lines


def section(lines: list[str], stored: int, largest: int, rounds: int) -> str:
    """The whole section."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("shadowgraph", "numpy", "gguf"))
    head = [
        "## GGUF",
        "",
        f"A model of {stored / 1e9:.2f} GB in Q4_K, Q6_K and Q8_0 with a vocabulary of {VOCABULARY:,} words, read one"
        f" matrix at a time to float64; the largest is {largest / 4e6:.0f} million elements. Both decode blocks by the"
        " same functions of the gguf library and read equal numbers. One thread, the file in the page cache, every"
        f" measurement a process of its own, the readers in turn; rounds: {rounds}; ratios are medians of ratios of"
        " processor time within a round.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {versions}. Load average"
        f" {os.getloadavg()[2]:.1f} over the last 15 minutes: above 1, other work ran beside the readers.",
        "",
    ]
    foot = [
        "",
        "What bounds each figure: until the first matrix, the header. GGUFReader builds every word of the vocabulary as"
        " arrays; here they are passed over by their lengths. After that, the arithmetic of the blocks in numpy; here"
        " pieces of 131,072 elements stay in the cache of the core and are widened where they belong, there a whole"
        " tensor exists in float32 beside its float64. The peak of GGUFReader counts pages of the mapped file, which"
        " the system can take back.",
        "",
        "Made by `benchmarks/reading_gguf.py --write`.",
    ]
    return "\n".join([*head, *lines, *foot])


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Speed and memory of reading GGUF.")
    parser.add_argument("--gigabytes", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure[0], Path(given.measure[1]))
        return
    found: dict[str, list[dict[str, float]]] = {reader: [] for reader in READERS}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.gguf"
        make(path.with_name("small.gguf"), 0.0, 1)
        largest = make(path, given.gigabytes, 0)
        stored = path.stat().st_size
        for _ in range(given.rounds):
            for reader, runs in found.items():
                runs.append(measured(reader, path))
    text = section(table(found, stored), stored, largest, given.rounds)
    print(text)
    if given.write:
        page = HERE.parent / "reading.md"
        page.write_text(with_section(page.read_text(), text))


if __name__ == "__main__":
    main()
