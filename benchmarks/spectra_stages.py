"""Single stages, timed in one process and one thread: full spectra, the Gram product, nulls, relations, the device.

    python benchmarks/spectra_stages.py STAGE[,STAGE...] ANSWER SIZES ROUNDS

Here live: the inputs of each stage and its clock. Not here: whole tools (`spectra_tools`) and tables. The competitors
take turns within a round; times are processor seconds, on a device wall
seconds between two synchronisations.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.seeds import generator

Times = list[float]
Row = dict[str, Any]
SHAPES = {
    "quick": {48: ((48, 48), (96, 48))},
    "full": {768: ((768, 768), (3072, 768), (768, 2304)), 2048: ((2048, 2048), (5632, 2048), (512, 2048))},
    "large": {
        768: ((768, 768), (3072, 768), (768, 2304)),
        2048: ((2048, 2048), (5632, 2048), (512, 2048)),
        4096: ((4096, 4096),),
    },
}
DEVICE_LAYER = (*[(4096, 4096)] * 4, (11008, 4096), (11008, 4096), (4096, 11008))


def noise(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Four spikes over Gaussian noise, float32."""
    draw = generator(31, "stage", str(shape))
    values = draw.standard_normal(shape, dtype=np.float32)
    for strength in (6.0, 5.0, 4.0, 3.0):
        left, right = (draw.standard_normal(size, dtype=np.float32) for size in shape)
        values += np.float32(strength / min(shape) ** 0.5) * np.outer(left, right)
    return values


def in_turn(calls: dict[str, Callable[[], object]], rounds: int, warm: bool = True) -> dict[str, Times]:
    """Processor seconds of every call in every round."""
    found: dict[str, Times] = {name: [] for name in calls}
    for turn in range(rounds + warm):
        for name, call in calls.items():
            started = time.process_time()
            call()
            if turn >= warm:
                found[name].append(time.process_time() - started)
    return found


def spectra(sizes: str, rounds: int) -> list[Row]:
    """All singular values of one float32 array: ours, numpy's and torch's float32 `svdvals`."""
    from shadowgraph.spectra.plan import spectrum_of

    torch: Any = None
    if sizes != "quick":
        torch = import_module("torch")
        torch.set_num_threads(1)
    rows: list[Row] = []
    for side, shapes in SHAPES[sizes].items():
        for shape in shapes:
            matrix = noise(shape)
            ours, truth = spectrum_of(matrix), np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
            calls: dict[str, Callable[[], object]] = {
                "ours": partial(spectrum_of, matrix),
                "numpy": partial(np.linalg.svd, matrix, compute_uv=False),
            }
            if torch is not None:
                calls["torch"] = partial(torch.linalg.svdvals, torch.from_numpy(matrix))
            row: Row = {"side": side, "shape": shape, "times": in_turn(calls, rounds, warm=side < 1024)}
            row["method"] = ours.method
            row["error"] = float(np.abs(ours.values - truth).max() / truth[0])
            row["bound"] = float(ours.error_bound / truth[0])
            rows.append(row)
    return rows


def stages(sizes: str, rounds: int) -> list[Row]:
    """The Gram product against the product of two squares in the same precision, then the rest of one matrix."""
    from shadowgraph.measures.catalogue import evaluate_all
    from shadowgraph.spectra.gram import gram_of
    from shadowgraph.spectra.plan import plan_spectrum, spectrum_of
    from shadowgraph.spectra.reduce import roots
    from shadowgraph.spectra.source import as_source, upright

    def chain(matrix: NDArray[Any], single: bool) -> dict[str, Callable[[], object]]:
        source, plan = upright(as_source(matrix)), plan_spectrum(matrix.shape)

        def gram(probes: bool) -> Any:
            rows, strip = plan.block_rows, plan.strip_rows
            return gram_of(source, single=single, block_rows=rows, strip_rows=strip, probes=probes)

        return {
            "gram": lambda: gram(False),
            "checked": lambda: gram(single),
            "roots": lambda: roots(gram(single)),
        }

    rows: list[Row] = []
    for side, shapes in SHAPES[sizes].items():
        for shape, single in [*((shape, True) for shape in shapes), (shapes[0], False)]:
            kind = np.float32 if single else np.float64
            square, matrix = noise((side, side)).astype(kind), noise(shape).astype(np.float64)
            spectrum = spectrum_of(matrix)
            calls: dict[str, Callable[[], object]] = {
                "gemm": partial(np.matmul, square, square),
                **chain(matrix, single),
                "measures": partial(evaluate_all, spectrum, "O3"),
            }
            times = in_turn(calls, rounds)
            rows.append({"side": side, "shape": shape, "single": single, "times": times})
    return rows


def nulls(sizes: str, rounds: int) -> list[Row]:
    """Every null a draw, and the relations to the base, of one square update."""
    from shadowgraph.footprint.nulls import gaussian_spectra
    from shadowgraph.footprint.randomised import KINDS, null_rows
    from shadowgraph.footprint.relation import intruder_readings, relation_readings

    rows: list[Row] = []
    draws = 2
    for side in list(SHAPES[sizes])[:2]:
        update = 1e-4 * noise((side, side)).astype(np.float64)
        before = 0.02 * generator(31, "base", str(side)).standard_normal((side, side))
        calls: dict[str, Callable[[], object]] = {
            "gaussian": partial(gaussian_spectra, (side, side), draws, generator(31, "gaussian")),
        }
        for kind in KINDS:
            calls[kind] = partial(null_rows, kind, update, tensor="bench", before=before, draws=draws)
        after = before + update
        once: dict[str, Callable[[], object]] = {
            "overlap and rotation": partial(relation_readings, before, after, update, intruders=False),
            "intruders": partial(intruder_readings, before, after),
        }
        times = {name: [value / draws for value in each] for name, each in in_turn(calls, 1, warm=False).items()}
        rows.append({"side": side, "times": times | in_turn(once, 1, warm=False)})
    return rows


def device(sizes: str, rounds: int) -> list[Row]:
    """The layer of a 7B Llama on a CUDA device; no row without one."""
    import torch

    return on_device("cuda", DEVICE_LAYER, rounds) if torch.cuda.is_available() else []


def on_device(where: str, shapes: Sequence[tuple[int, int]], rounds: int) -> list[Row]:
    """Spectra of a layer in every precision of the device, beside its product of two squares of the first shape."""
    import torch

    from shadowgraph.spectra.accelerated import spectra_batch
    from shadowgraph.spectra.plan import Precision, plan_spectrum, spectrum_of

    def timed(call: Callable[[], object]) -> float:
        started = time.perf_counter()
        call()
        if where == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    layer, side = [noise(shape) for shape in shapes], min(shapes[0])
    known = spectrum_of(layer[0])
    rows: list[Row] = []
    ways: tuple[tuple[str, Precision, bool], ...] = (
        ("float64", "float64", False),
        ("float32", "float32", False),
        ("float32 from bfloat16 parts", "float32", True),
    )
    for words, precision, split in ways:
        plan = plan_spectrum(shapes[0], precision=precision, device=where)
        square: Any = torch.ones((side, side), device=where, dtype=getattr(torch, precision))
        found = spectra_batch(layer[:1], plan, split=split)[0]
        calls: dict[str, Callable[[], object]] = {
            "gemm": partial(torch.matmul, square, square),
            "layer": partial(spectra_batch, layer, plan, split=split),
        }
        times: dict[str, Times] = {name: [] for name in calls}
        for turn in range(rounds + 1):
            for name, call in calls.items():
                times[name] += [timed(call)][: 1 if turn else 0]
        row: Row = {"precision": words, "times": times, "method": found.method}
        row["device"] = torch.cuda.get_device_name(0) if where == "cuda" else where
        row["error"] = float(np.abs(found.values - known.values).max() / known.values[0])
        row["gemm_operations"] = 2 * side**3
        row["gram_operations"] = sum(min(shape) ** 2 * max(shape) for shape in shapes)
        rows.append(row)
    return rows


STAGES: dict[str, Callable[[str, int], list[Row]]] = {
    "spectra": spectra,
    "stages": stages,
    "nulls": nulls,
    "device": device,
}


if __name__ == "__main__":
    _, wanted, answer, given, repeated = sys.argv
    result = {stage: STAGES[stage](given, int(repeated)) for stage in wanted.split(",")}
    Path(answer).write_text(json.dumps({"marks": {}, "answers": result}))
