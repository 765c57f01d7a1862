"""The page that the figures of `spectra.py` become: one table a comparison, its target, and whether it was reached.

Here lives: words and arithmetic. Not here: any measurement. Only the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from peers import Peer, Run

OURS = "shadowgraph"
PEERS = (
    Peer("modeldelta", "0.4.4", pins=("torch",)),
    Peer("weightwatcher", "0.7.7", pins=("torch",)),
    # It forbids the power-law package of constraints.txt, so it is pinned apart; its array path needs no torch.
    Peer(
        "diffract-core",
        "0.3.1",
        python="3.12",
        pins=("numpy", "scipy", "safetensors", "ml_dtypes", "powerlaw==1.5", "h5py==3.16.0", "tqdm"),
    ),
)
NAMES = {"llama": "one Llama layer (d 2,048, ffn 5,632, 7 matrices)", "gpt2": "GPT-2 shape (d 768, 48 matrices)"}
TARGETS = {"llama": (3.0, 5.0), "gpt2": (2.0, 4.0)}
MEMORY = {"llama": 0.5}
RANKS = {"erank_amplitude": "entropy rank (s)", "stable_rank": "stable rank", "participation_ratio": "participation"}
Row = dict[str, Any]
Table = list[str]


@dataclass(frozen=True)
class Figures:
    """All that was measured: truth by pair, runs by pair and tool, absent peers, stages, and the circumstances."""

    known: dict[str, dict[str, Row]]
    runs: dict[str, dict[str, list[Run]]]
    absent: dict[str, str]
    rows: dict[str, list[Row]]
    failed: dict[str, str]
    machine: str
    load: list[float]
    rounds: int


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table in Markdown, an empty line after it."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, and the range where there are several."""
    middle = f"{median(values):.{digits}f}"
    return f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})" if len(values) > 1 else middle


def number(value: Any) -> str:
    """A number in three digits, a status as it is, a dash for nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"
    return "—" if value is None else str(value)


def reached(found: float, least: float, aim: float, text: str) -> str:
    """A verdict on a ratio that should be large."""
    words = "aim reached" if found >= aim else "reached" if found >= least else "not reached"
    return f"**{words}**: {text} {found:.2f}× (wanted {least:g}×, aim {aim:g}×)"


def held(found: float, most: float, aim: float, text: str) -> str:
    """A verdict on a ratio that should be small."""
    words = "aim reached" if found <= aim else "reached" if found <= most else "not reached"
    return f"**{words}**: {text} {found:.2f}× (wanted at most {most:g}×, aim {aim:g}×)"


def finished(figures: Figures, pair: str) -> dict[str, list[Run]]:
    """The tools that ran to their end on a pair."""
    runs = figures.runs.get(pair, {})
    return {name: each for name, each in runs.items() if each and not any(run.failure for run in each)}


def cost_table(figures: Figures, pair: str) -> Table:
    """Processor seconds and peak memory of every tool on one pair, and the verdict."""
    done, rows = finished(figures, pair), list[list[str]]()
    ours = done.get(OURS)
    for name in (OURS, *(peer.name for peer in PEERS)):
        runs = done.get(name)
        if runs is None:
            failures = [run.failure for run in figures.runs.get(pair, {}).get(name, []) if run.failure]
            reason = figures.absent.get(name) or (failures[0] if failures else "no run")
            rows.append([name, f"not run: {reason}", *[""] * 6])
            continue
        cost, peak = [run.cpu for run in runs], [run.peak / 1e6 for run in runs]
        start, work = [run.startup for run in runs], [run.cpu - run.startup for run in runs]
        ratio = median(cost) / median(run.cpu for run in ours) if ours else 0.0
        size = median(peak) / median(run.peak / 1e6 for run in ours) if ours else 0.0
        cells = [spread(cost), spread(start), spread(work), f"{ratio:.2f}", spread(peak, 0), f"{size:.2f}"]
        rows.append([name, *cells, str(len(runs))])
    head = ["tool", "CPU s", "of that start-up", "work", "CPU / ours", "peak MB", "peak / ours", "runs"]
    lines = cost_verdict(done, pair)
    cold = finished(figures, f"{pair} cold").get(OURS)
    if ours and cold:
        more = median(run.cpu for run in cold) - median(run.cpu for run in ours)
        lines.append(f"When no cache has the Gaussian nulls, simulating them takes {more:.1f} CPU s more, once.")
    return [*table(head, rows), "  \n".join(lines), ""]


def cost_verdict(done: dict[str, list[Run]], pair: str) -> Table:
    """Ours against the fastest peer that ran."""
    peers = {name: median(run.cpu for run in runs) for name, runs in done.items() if name != OURS}
    if OURS not in done or not peers:
        return ["No verdict: there is nothing to compare with."]
    fastest = min(peers, key=lambda name: peers[name])
    ours, least = done[OURS], TARGETS[pair]
    gain = peers[fastest] / median(run.cpu for run in ours)
    lines = [reached(gain, *least, f"the fastest of the peers, {fastest}, takes") + " our CPU seconds."]
    if pair in MEMORY:
        size = median(run.peak for run in ours) / median(run.peak for run in done[fastest])
        words = "reached" if size <= MEMORY[pair] else "not reached"
        lines.append(f"**{words}**: our peak memory is {size:.2f} of its (wanted at most {MEMORY[pair]:g}).")
    return lines


def spikes_table(figures: Figures) -> Table:
    """How many matrices with four planted spikes are said to have four."""
    sources = [
        ("llama", "llama", OURS, "spikes", "spike count above edge and floor"),
        ("llama", "llama", "weightwatcher", "power_law_spikes", "power-law spikes, default"),
        ("llama", "llama outliers", "weightwatcher", "spikes", "Marchenko-Pastur fit, on request"),
        ("llama", "llama outliers", "diffract-core", "spikes", "above the Tracy-Widom edge, on request"),
        ("gpt2", "gpt2", OURS, "spikes", "spike count above edge and floor"),
        ("gpt2", "gpt2", "weightwatcher", "power_law_spikes", "power-law spikes, default"),
    ]
    rows: list[list[str]] = []
    for pair, key, name, measure, words in sources:
        runs = finished(figures, key).get(name)
        if runs is None:
            rows.append([NAMES[pair], name, words, "not run", ""])
            continue
        told = [each[measure] for tensor, each in runs[0].answers.items() if tensor and measure in each]
        counts = [value for value in told if isinstance(value, int | float)]
        right = sum(value == 4 for value in counts)
        extent = f"{min(counts):.0f}–{max(counts):.0f}" if counts else number(told[0] if told else None)
        rows.append([NAMES[pair], name, words, f"{right} of {len(told)}", extent])
    return table(["pair", "tool", "its count", "exactly four", "range"], rows)


def ranks_table(figures: Figures) -> Table:
    """Worst relative error of each rank against the float64 SVD of the stored difference."""
    rows: list[list[str]] = []
    for pair in TARGETS:
        for name, runs in finished(figures, pair).items():
            cells: list[str] = []
            for measure in RANKS:
                errors = [
                    abs(each[measure] / figures.known[pair][tensor][measure] - 1.0)
                    for tensor, each in runs[0].answers.items()
                    if tensor in figures.known[pair] and isinstance(each.get(measure), float)
                ]
                cells.append(f"{max(errors):.0e}" if errors else "—")
            rows.append([NAMES[pair], name, *cells])
    return table(["pair", "tool", *RANKS.values()], rows)


def hard_table(figures: Figures) -> Table:
    """What each tool says about noise and about rank-4 updates in bf16, beside the truth."""
    told = {name: runs[0].answers for name, runs in finished(figures, "hard").items()}
    columns: list[tuple[str, str, str]] = [
        ("ours: spikes", OURS, "spikes"),
        ("WeightWatcher: spikes, power-law spikes", "weightwatcher", "spikes"),
        ("diffract: spikes", "diffract-core", "spikes"),
        ("true entropy rank (s)", "", "erank_amplitude"),
        ("ours", OURS, "erank_amplitude"),
        ("ours: share of energy the floor explains", OURS, "floor_share"),
        ("modeldelta", "modeldelta", "erank_amplitude"),
        ("modeldelta calls it low-rank", "modeldelta", "flagged"),
        ("diffract", "diffract-core", "erank_amplitude"),
    ]
    rows: list[list[str]] = []
    for tensor, known in figures.known["hard"].items():
        size = "×".join(map(str, known["shape"]))
        case = f"noise {size}" if known["kind"] == "noise" else f"rank 4, bf16, {size}, norm {known['norm']:g}"
        cells = [case, number(known["spikes"])]
        for _, name, measure in columns:
            source = known if not name else told.get(name, {}).get(tensor)
            text = "not run" if source is None else number(source.get(measure))
            if name == "weightwatcher" and measure == "spikes" and source is not None:
                text += f", {number(source.get('power_law_spikes'))}"
            cells.append(text)
        rows.append(cells)
    return table(["case", "true spikes", *(head for head, _, _ in columns)], rows)


def spectra_tables(figures: Figures) -> Table:
    """Full spectra against two libraries, and the verdict at every size."""
    rows, verdicts = list[list[str]](), list[str]()
    for side in sorted({row["side"] for row in figures.rows["spectra"]}):
        mine = [row for row in figures.rows["spectra"] if row["side"] == side]
        libraries = [name for name in mine[0]["times"] if name != "ours"]
        for row in mine:
            times = {name: median(each) for name, each in row["times"].items()}
            rows.append(
                ["×".join(map(str, row["shape"])), row["method"], *(spread(row["times"][name], 2) for name in times)]
                + [f"{times[name] / times['ours']:.2f}" for name in libraries]
                + [f"{row['error']:.0e}", f"{row['bound']:.0e}"]
            )
        for name in libraries:
            ratios = [median(row["times"][name]) / median(row["times"]["ours"]) for row in mine]
            sums = [sum(median(row["times"][each]) for row in mine) for each in (name, "ours")]
            if side >= 2048:
                verdicts.append(reached(sums[0] / sums[1], 2.5, 3.0, f"d = {side}, all shapes: {name} takes"))
            else:
                verdicts.append(reached(min(ratios), 1.0, 1.0, f"d = {side}, worst shape: {name} takes"))
    libraries = [name for name in figures.rows["spectra"][0]["times"] if name != "ours"]
    head = ["shape", "our method", "ours, s", *(f"{name}, s" for name in libraries)]
    head += [f"{name} / ours" for name in libraries]
    return [*table([*head, "our error / s1", "our bound / s1"], rows), "  \n".join(verdicts), ""]


def stage_tables(figures: Figures) -> Table:
    """The Gram product against the machine's matrix product, and the rest of the way to the measures."""
    rows, ratios = list[list[str]](), dict[bool, list[float]]()
    for row in figures.rows["stages"]:
        times = {name: median(each) for name, each in row["times"].items()}
        short, long = min(row["shape"]), max(row["shape"])
        peak = 2.0 * row["side"] ** 3 / times["gemm"]
        ideal = short * short * long / peak
        ratios.setdefault(row["side"] >= 2048, []).append(times["gram"] / ideal)
        precision = "float32" if row["single"] else "float64"
        parts = (times["gram"], times["checked"] - times["gram"], times["roots"] - times["checked"])
        product = [f"{peak / 1e9:.0f}", f"{ideal:.3f}", f"{parts[0]:.3f}", f"{parts[0] / ideal:.2f}"]
        rest = [f"{max(parts[1], 0.0):.3f}", f"{max(parts[2], 0.0):.3f}", f"{1e3 * times['measures']:.1f}"]
        rows.append(["×".join(map(str, row["shape"])), precision, *product, *rest])
    head = ["shape", "precision", "BLAS peak, GF/s", "one triangle at that peak, s", "Gram product, s", "ratio"]
    verdicts = [
        held(max(found), 1.5, 1.2, f"d {'≥' if large else '<'} 2,048, worst shape: the Gram product takes")
        + " of what its operations take at the peak."
        for large, found in sorted(ratios.items())
    ]
    return [*table([*head, "check of float32, s", "eigenvalues, s", "measures, ms"], rows), "  \n".join(verdicts), ""]


def null_table(figures: Figures) -> Table:
    """Every null a draw, and the relations to the base."""
    rows = [
        [f"{row['side']}×{row['side']}", *(f"{times[0]:.3f}" for times in row["times"].values())]
        for row in figures.rows["nulls"]
    ]
    heads = list(figures.rows["nulls"][0]["times"]) if rows else []
    return table(["shape", *(f"{head}, s" for head in heads)], rows)


def device_table(figures: Figures) -> Table:
    """The layer of a 7B Llama on a device, with its share of the measured ceiling."""
    if not figures.rows.get("device"):
        return ["not run: no GPU here" if "device" in figures.rows else "not run: left out on request", ""]
    rows: list[list[str]] = []
    for row in figures.rows["device"]:
        times = {name: median(each) for name, each in row["times"].items()}
        rate = row["gemm_operations"] / times["gemm"]
        ceiling = row["gram_operations"] / rate
        cells = [f"{rate / 1e12:.1f}", f"{times['layer']:.2f}", f"{ceiling:.3f}", f"{times['layer'] / ceiling:.1f}"]
        rows.append([row["precision"], row["method"], *cells, f"{row['error']:.0e}"])
    head = ["precision", "method", "matrix product, TF/s", "7 spectra, s", "Gram products at that rate, s", "ratio"]
    return [figures.rows["device"][0]["device"], "", *table([*head, "largest difference from the CPU / s1"], rows)]


def guarded(stage: str, figures: Figures, build: Callable[[Figures], Table]) -> Table:
    """The table of a stage, or the reason why there is none."""
    return [f"not run: {figures.failed[stage]}", ""] if stage in figures.failed else build(figures)


def page(figures: Figures) -> str:
    """The whole page."""
    versions = ", ".join(f"{peer.name} {peer.version}" for peer in PEERS)
    load = " / ".join(f"{value:.1f}" for value in figures.load)
    lines = [
        "# Spectra",
        "",
        f"{figures.machine}; peers {versions}. One thread everywhere. Load average at the start, after the tools and "
        f"at the end: {load}; above 1, other work ran beside the measurements. CPU seconds are user + system of a "
        f"process of its own, start-up and end included; medians and ranges of {figures.rounds} rounds at most, the "
        "tools in turn. Peak memory is the largest resident set, pages of mapped files included.",
        "",
        "The pairs are synthetic: Gaussian base, update of four planted directions (6, 5, 4, 3 times the edge of the "
        "noise) in Gaussian noise, float32. Ours computes the exact spectrum of each update, every rank and mass "
        "measure beside its cached Gaussian null, spikes, the share of the storage floor and K. The peers compute "
        "less or other things: modeldelta singular values, one entropy rank, a share and a slope; WeightWatcher a "
        "power-law fit, stable rank and norms; diffract-core, asked for ranks and norms alone, a full SVD.",
        "",
    ]
    for pair, words in NAMES.items():
        lines += [f"## Update of {words}", "", *cost_table(figures, pair)]
    lines += ["GPT-2 stores queries, keys and values in one tensor; ours measures its true parts, 72 matrices.", ""]
    lines += ["## Right on known truth", "", *spikes_table(figures)]
    lines += ["Worst relative error of a rank against LAPACK's float64 SVD of the same stored difference:", ""]
    lines += [*ranks_table(figures), "Hard cases; for an update in bf16 the truth is that of the update:", ""]
    lines += hard_table(figures)
    lines += ["## All singular values of one float32 matrix", "", *guarded("spectra", figures, spectra_tables)]
    lines += ["## Stages", "", *guarded("stages", figures, stage_tables), *BOUNDS, ""]
    lines += ["## Nulls and relations to the base", ""]
    lines += ["CPU seconds a draw of each null; overlap and intruders once:", ""]
    lines += guarded("nulls", figures, null_table)
    lines += ["## On a GPU: a 7B-shaped layer (d 4,096, ffn 11,008)", "", *guarded("device", figures, device_table)]
    return "\n".join([*lines, "Made by `benchmarks/spectra.py --write`.", ""])


BOUNDS = [
    "What bounds each stage, and what would be next:",
    "",
    "- **Gram product**: arithmetic. One triangle is all that is computed; the rest of the gap to the peak is scaling, "
    "narrowing to float32 and summing the energy of each block, one pass over memory each. Next: fuse these passes.",
    "- **Check of float32**: a product with 16 columns in float64, bound by reading the matrix twice. Next: float32 "
    "columns with a bound on their own rounding.",
    "- **Eigenvalues**: memory. Half of the reduction to tridiagonal form is matrix-vector products, which read the "
    "trailing matrix once a column. Next: a two-stage reduction whose reflectors can still be checked.",
    "- **Measures**: the interpreter; a few vector operations over at most min(m, n) values.",
    "- **Start-up**: imports of numpy, scipy and the Parquet writer. Next: fewer of them on the way of a scan.",
    "- **Nulls from the entries**: one spectrum a draw. The Gaussian null needs no matrix and costs O(m²) a draw.",
]
