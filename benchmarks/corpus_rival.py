"""The peers' stages, each run in the peer's own environment: python corpus_rival.py dsir|decon JSON OUT.

Here live: importance resampling by data-selection and the search for items by decontaminate, as their documentation
shows them, in processor seconds. Not here: our own stages (`corpus_tools`).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def dsir(values: dict[str, Any]) -> dict[str, Any]:
    """Fit, weigh and resample; `wanted` documents are picked."""
    import numpy as np
    from data_selection import HashedNgramDSIR

    np.random.seed(values["seed"])  # noqa: NPY002  the package draws from numpy's global generator
    size = sum(len(json.loads(line)["text"].encode()) for line in Path(values["pool"]).read_bytes().splitlines())
    with tempfile.TemporaryDirectory() as cache:
        chosen = HashedNgramDSIR([values["pool"]], [values["target"]], cache_dir=cache, num_proc=1)
        marks = [time.process_time()]
        chosen.fit_importance_estimator(num_tokens_to_fit="all")
        marks.append(time.process_time())
        chosen.compute_importance_weights()
        marks.append(time.process_time())
        out = Path(cache) / "picked"
        chosen.resample(out_dir=str(out), num_to_sample=values["wanted"], cache_dir=str(Path(cache) / "resampled"))
        texts = [json.loads(line)["text"] for path in sorted(out.glob("*.jsonl")) for line in path.open("rb")]
    return {"bytes": size, "fit": marks[1] - marks[0], "weigh": marks[2] - marks[1], "picked": texts}


def decon(values: dict[str, Any]) -> dict[str, Any]:
    """Search the pool and the planted documents; the time of building the index alone is taken off."""
    import decon as package

    def run(training: Path, out: Path) -> tuple[float, set[int]]:
        began = time.process_time()
        config = package.Config(str(training), str(evals), str(out), worker_threads=1)
        package.detect(config)
        lines = {json.loads(line)["training_line"] for path in out.glob("*.jsonl") for line in path.open("rb")}
        return time.process_time() - began, lines

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        evals = root / "evals"
        evals.mkdir()
        (evals / "items-1.jsonl").write_bytes(Path(values["items"]).read_bytes())
        found: dict[str, tuple[float, set[int]]] = {}
        (root / "little.jsonl").write_text(json.dumps({"text": "nothing"}) + "\n")
        for name, path in (("index", root / "little.jsonl"), ("pool", values["pool"]), ("planted", values["planted"])):
            (root / name).mkdir()
            (root / name / "rows.jsonl").write_bytes(Path(path).read_bytes())
            found[name] = run(root / name, root / f"out {name}")
    size = sum(len(json.loads(line)["text"].encode()) for line in Path(values["pool"]).read_bytes().splitlines())
    seconds = found["pool"][0] - found["index"][0]
    flagged = {name: sorted(found[name][1]) for name in ("pool", "planted")}
    return {"bytes": size, "seconds": seconds, "index": found["index"][0], **flagged}


if __name__ == "__main__":
    found = {"dsir": dsir, "decon": decon}[sys.argv[1]](json.loads(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps({"marks": {}, "answers": found}), encoding="utf-8")
