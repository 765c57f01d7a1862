"""What the corpus room costs and finds beside its peers on real text, ratios in one run.

    python benchmarks/corpus.py [--data FOLDER] [--gigabytes 4] [--write] [--quick]

Every measurement is a process of its own, one thread, files in the page cache; peers run in environments of their own
under .cache. `--data` is the folder of real benchmarks and corpora (default: the variable SHADOWGRAPH_DATA). `--quick`
takes a few megabytes and no peer. `--write` writes benchmarks/corpus.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

from peers import ROOT, Peer, Run, environment_of, tool

HERE = Path(__file__).resolve().parent
OWN = Path(sys.executable)
PEERS = (Peer("data-selection", "1.0.3"), Peer("decontaminate", "0.3.0.post4", python="3.12"))
LIMIT = 3600.0
TARGETS = ["gsm8k", "mmlu"]
WANTED = 1500


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run every stage in order; a stage that failed leaves its reason."""
    quick, seed = arguments.quick, arguments.seed
    cache = arguments.cache / ("quick" if quick else "corpus")
    cache.mkdir(parents=True, exist_ok=True)
    pool, data = str(cache / "pool.jsonl"), str(arguments.data)
    files: dict[str, Any] = {"pool": pool, "data": data, "targets": TARGETS, "seed": seed}
    made = _stage(
        "make", {"data": data, "out": str(cache), "bytes": 3_000_000 if quick else 200_000_000, "targets": TARGETS[:1]}
    )
    wanted = 100 if quick else WANTED
    found: dict[str, Any] = {"seed": seed, "pool": made, "quick": quick, "wanted": wanted}
    found["align"] = _stage("align_speed", {**files, "wanted": wanted})
    found["dsir"] = _rival(arguments, cache, files, wanted)
    found["scan"] = _stage("scan", {**files, "out": str(cache), "each": 20 if quick else 100})
    found["decon"] = _decon(arguments, cache, files, found["scan"]["kinds"])
    found["cover"] = _stage("cover", {**files, "share": 0.1})
    found["near"] = _stage("near", {**files, "benchmarks": TARGETS if quick else []})
    found["memory"], large = [], cache / "large.jsonl"
    sizes = [6e6, 12e6] if quick else [arguments.gigabytes * 1e9 * share for share in (0.125, 0.25, 0.5, 1.0)]
    for place, size in enumerate(sizes):
        _stage("repeat", {**files, "out": str(large), "bytes": size})
        runs = [1, 2] if place == 1 else [1]
        for jobs in runs:
            run = _stage("whole", {**files, "pool": str(large), "jobs": jobs})
            found["memory"].append({**run, "jobs": jobs, "file": large.stat().st_size})
        large.unlink()
    return found


def _child(python: Path, name: str, values: dict[str, Any], script: str) -> Run:
    """One stage in a process of its own."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        return tool(python, [str(HERE / script), name, json.dumps(values), str(answer)], answer, LIMIT, python == OWN)


def _stage(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """What one of our stages answers; a failure ends the benchmark."""
    run = _child(OWN, name, values, "corpus_tools.py")
    if run.failure:
        raise SystemExit(f"{name}: {run.failure}")
    return run.answers


def _rival(arguments: argparse.Namespace, cache: Path, files: dict[str, Any], wanted: int) -> dict[str, Any]:
    """The reference importance resampling on the same pool and target, and what its picks are by our reading."""
    if arguments.quick:
        return {"reason": "left out by --quick"}
    python, reason = environment_of(PEERS[0], arguments.cache / "peers")
    if python is None:
        return {"reason": reason}
    values = {**files, "target": str(cache / "target.jsonl"), "wanted": wanted}
    run = _child(python, "dsir", values, "corpus_rival.py")
    if run.failure:
        return {"reason": run.failure}
    picked = cache / "picked.json"
    picked.write_text(json.dumps(run.answers.pop("picked")), encoding="utf-8")
    return {**run.answers, **_stage("pick_words", {**files, "picked": str(picked)})}


def _decon(arguments: argparse.Namespace, cache: Path, files: dict[str, Any], kinds: list[str]) -> dict[str, Any]:
    """The contamination peer on the same pool, items and planted documents."""
    if arguments.quick:
        return {"reason": "left out by --quick"}
    python, reason = environment_of(PEERS[1], arguments.cache / "peers")
    if python is None:
        return {"reason": reason}
    values = {**files, "items": str(cache / "items.jsonl"), "planted": str(cache / "planted.jsonl")}
    run = _child(python, "decon", values, "corpus_rival.py")
    if run.failure:
        return {"reason": run.failure}
    hits = {kind: sum(kinds[line] == kind for line in run.answers["planted"]) for kind in set(kinds)}
    return {**run.answers, "hits": hits}


def page(found: dict[str, Any]) -> str:
    """The page in Markdown."""
    pool, align, dsir, scan = found["pool"], found["align"], found["dsir"], found["scan"]
    speed = {key: align[key][1] / align[key][0] / 1e6 for key in ("score", "content", "count")}
    lines = [
        "# Corpus: cost and recall on real text",
        "",
        f"One run on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; processor "
        f"seconds, one thread, best of three for ours, one run for peers. Pool: {pool['documents']:,} documents, "
        f"{pool['bytes'] / 1e6:.1f} MB of text (documentation, books, dictionaries). Seed {found['seed']}.",
        "",
        "Written by `python benchmarks/corpus.py --write`.",
        "",
        "## Scoring nearness",
        "",
        "| what | MB/s of text | ratio |",
        "|---|---:|---:|",
    ]
    peer = dsir["bytes"] / dsir["weigh"] / 1e6 if "weigh" in dsir else None
    for key, name in (("score", "score, words and format, from JSONL"), ("content", "score, words alone, from JSONL"),
                      ("count", "count words and format, from JSONL")):  # fmt: skip
        ratio = f"{speed[key] / peer:.0f}x" if peer else "-"
        lines.append(f"| shadowgraph: {name} | {speed[key]:.0f} | {ratio} |")
    told = f"{peer:.2f} | 1x |" if peer else f"not run: {dsir['reason']} | - |"
    lines.append(f"| data-selection {PEERS[0].version}: weights | {told}")
    lines += ["", *_confound(found), *_scan_lines(scan, found["decon"]), *_cover_lines(found["cover"])]
    lines += [*_near_lines(found["near"]), *_memory_lines(found["memory"])]
    return "\n".join(lines) + "\n"


def _confound(found: dict[str, Any]) -> list[str]:
    """Words picked at equal document counts."""
    picked, dsir = found["align"]["picked"], found["dsir"]
    rows = {"random": picked["random"], "shadowgraph: mean a word, temperature one sd": picked["ours"]}
    lines = [
        f"## Words in {found['wanted']:,} picked documents", "",
        "Summed weights prefer short documents, so equal document counts are unequal token budgets.", "",
        "| selection | words | against random | mean log ratio a word, nats |", "|---|---:|---:|---:|",
    ]  # fmt: skip
    if "words" in dsir:
        rows["data-selection: summed weights"] = [dsir["words"], dsir["ratio"]]
    for name, (words, ratio) in rows.items():
        lines.append(f"| {name} | {words:,} | {100 * (words / picked['random'][0] - 1):+.0f} % | {ratio:.3f} |")
    return [*lines, ""]


def _scan_lines(scan: dict[str, Any], decon: dict[str, Any]) -> list[str]:
    """Speed and recall of the search for items."""
    speed = scan["bytes"] / scan["seconds"] / 1e6
    lines = [
        "## Benchmark items in a corpus", "",
        f"{scan['items']:,} items, {scan['grams']:,} 8-grams, indexed in "
        f"{scan['indexing']:.1f} s. Items of at least 30 "
        "words planted with a fresh seed into documents of the pool.", "",
        "| | shadowgraph | decontaminate |", "|---|---:|---:|",
    ]  # fmt: skip
    missing = f"not run: {decon['reason']}" if "reason" in decon else ""
    rate = 0.0 if missing else decon["bytes"] / decon["seconds"] / 1e6
    peer = missing or f"{rate:.1f} (ours {speed / rate:.1f}x)"
    lines.append(f"| MB/s of text from JSONL | {speed:.0f} | {peer} |")
    for kind, (hit, total) in scan["recall"].items():
        lines.append(f"| recall, {kind} | {hit} of {total} ({100 * hit / total:.1f} %) | {_of(decon, kind, total)} |")
    share = 100 * scan["false"] / scan["documents"]
    lines.append(f"| documents of the pool touched, nothing planted | {scan['false']} of {scan['documents']:,} "
                 f"({share:.3f} %) | {'-' if missing else len(decon['pool'])} |")  # fmt: skip
    return [*lines, ""]


def _of(decon: dict[str, Any], kind: str, total: int) -> str:
    """The peer's recall of one kind."""
    return "-" if "reason" in decon else f"{decon['hits'][kind]} of {total} ({100 * decon['hits'][kind] / total:.1f} %)"


def _cover_lines(cover: dict[str, Any]) -> list[str]:
    """Selection for coverage."""
    lines = [
        "## Covering selection", "",
        f"{cover['budget']:,} words of {cover['documents']:,} documents. The judge is scikit-learn's: weighted words, "
        f"64 axes and 128 clusters of {cover['held']:,} held-out documents, with a fresh seed; no selection saw them. "
        f"Vectors of the pool took {cover['vectors']:.1f} s. Effective clusters: exp of the entropy of the words' "
        "shares.", "",
        "| selection | seconds | words | coverage of held-out documents | effective clusters of 128 |",
        "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for name, row in cover.items():
        if isinstance(row, list):
            spent, words, anchored, clusters = row
            lines.append(f"| {name} | {spent:.1f} | {words:,} | {anchored:.3f} | {clusters:.1f} |")
    return [*lines, ""]


def _near_lines(near: dict[str, Any]) -> list[str]:
    """Which corpus is how near to which benchmark: KL reduction, nats."""
    names, table = near["benchmarks"], near["table"]
    lines = ["## Which corpus is how near to which benchmark", ""]
    texts = (
        ("KL reduction against all corpora together, nats: above 0 nearer by words than the mixture.", 3),
        ("Format distance, bits: 0 is the same format.", 2),
        ("AUC of a classifier of passages: 0.5 cannot tell.", 2),
    )
    for place, (text, decimals) in enumerate(texts):
        lines += [text, "", f"| corpus | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
        best = {
            b: (max if place == 0 else min)(r[b][place] for r in table.values() if r[b][place] is not None)
            for b in names
        }
        for corpus, row in sorted(table.items()):
            cells = [f"**{_number(row[b][place], decimals)}**" if row[b][place] == best[b]
                     else _number(row[b][place], decimals) for b in names]  # fmt: skip
            lines.append(f"| {corpus} | {' | '.join(cells)} |")
        lines.append("")
    if "gsm8k" in names:
        order = sorted(table, key=lambda corpus: -(table[corpus]["gsm8k"][0] or -9.0))
        wiki = (
            f"; wikitext is number {order.index('wikitext2_5k') + 1} of {len(order)}" if "wikitext2_5k" in order else ""
        )
        lines += [f"Sanity: the nearest to GSM8K test by words is `{order[0]}`{wiki}.", ""]
    return lines


def _memory_lines(memory: list[dict[str, Any]]) -> list[str]:
    """Peak memory against size, and the cost of a terabyte."""
    lines = ["## One pass, every measure", "",
             "| JSONL | processes | MB/s of text, wall | processor s | peak of a process |",
             "|---:|---:|---:|---:|---:|"]  # fmt: skip
    for row in memory:
        lines.append(f"| {row['file'] / 1e9:.2f} GB | {row['jobs']} | {row['bytes'] / row['wall'] / 1e6:.1f} | "
                     f"{row['cpu']:.0f} | {row['peak'] / 1e6:.0f} MB |")  # fmt: skip
    last = memory[-1]
    hours = last["cpu"] / last["bytes"] * 1e12 / 3600
    twice = [row["digest"] for row in memory if row["file"] == memory[1]["file"]]
    same = len(twice) > 1 and len(set(twice)) == 1
    return [*lines, "", f"On paper a terabyte of text costs {hours:.0f} core-hours at this rate. One and two "
            f"processes gave {'the same' if same else 'DIFFERENT'} results.", ""]  # fmt: skip


def _number(value: float | None, decimals: int = 3) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def main() -> None:
    """Measure, print the page, write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("SHADOWGRAPH_DATA"))
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache")
    parser.add_argument("--gigabytes", type=float, default=4.0, help="largest file of the pass with every measure")
    parser.add_argument("--seed", type=int, default=None, help="default: a fresh one, written on the page")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.data is None or not Path(arguments.data).is_dir():
        print("not run: SHADOWGRAPH_DATA names no folder of benchmarks and corpora", file=sys.stderr)
        return
    arguments.seed = secrets.randbelow(1 << 31) if arguments.seed is None else arguments.seed
    text = page(measured(arguments))
    print(text)
    if arguments.write:
        Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
