"""One tool on one pair, in a process of its own and in the tool's own environment.

    python benchmarks/spectra_tools.py TOOL BASE TUNED SCRATCH ANSWER [spikes]

Here live: how each tool is called, through its documented interface, and what its answer is called here. Not here:
environments, repetition, tables. Only the standard library is imported before the tool. ANSWER gets the processor
seconds at which the tool was ready and, for each tensor, the measures it gave. `spikes` asks also for the number of
outliers where that is an option of the tool.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

Answers = dict[str, dict[str, Any]]
Marks = dict[str, float]


def by_shadowgraph(base: Path, tuned: Path, scratch: Path, spikes: bool, marks: Marks) -> Answers:
    """Every rank and mass measure of the update, its Gaussian null, the storage floor and K; spikes are among them."""
    from shadowgraph.footprint.endpoint import endpoint
    from shadowgraph.footprint.scan import scan
    from shadowgraph.weights.checkpoint import open_checkpoint

    marks["ready"] = time.process_time()
    cache = base.parent.parent / "nulls"
    footprint = scan(open_checkpoint(tuned), open_checkpoint(base), objects=("O3",), cache=cache)
    concentration = endpoint(footprint).K
    footprint.write(scratch / "footprint")
    wanted = {"participation_ratio", "erank_amplitude", "stable_rank", "floor_share"}
    found: Answers = {record.tensor: {"method": record.spectrum and record.spectrum.method} for record in
                      footprint.matrices}  # fmt: skip
    for row in footprint.rows:
        if row.object == "O3" and row.measure in wanted:
            found[row.tensor][row.measure] = row.value if row.value is not None else row.status
        if row.object == "O3" and row.measure == "spike_count":
            found[row.tensor]["spikes"] = row.value if row.value is not None else row.status
    found[""] = {"K": concentration.value, "status": concentration.status}
    return found


def by_modeldelta(base: Path, tuned: Path, scratch: Path, spikes: bool, marks: Marks) -> Answers:
    """Its command with a JSON report: effective rank from amplitudes, share of the first 20, slope, norms."""
    import_module("modeldelta.core.weight_diff")  # brings torch in, which the command would import later
    compare: Any = import_module("modeldelta.cli").compare
    marks["ready"] = time.process_time()
    report = scratch / "modeldelta.json"
    compare.main([str(base), str(tuned), "--output", str(report), "--quiet"], standalone_mode=False)
    modules = json.loads(report.read_text())["modules"]
    return {
        module["name"]: {
            "erank_amplitude": module["effective_rank"],
            "top20_share": module["concentration_top_k"],
            "flagged": module["concentration_top_k"] > 0.15,
        }
        for module in modules
    }


def by_weightwatcher(base: Path, tuned: Path, scratch: Path, spikes: bool, marks: Marks) -> Answers:
    """`analyze` against a base model, default options: power law, stable rank, entropy, norms; as a CSV file."""
    logging.disable(logging.CRITICAL)
    watcher: Any = import_module("weightwatcher").WeightWatcher
    marks["ready"] = time.process_time()
    details = watcher(model=str(tuned), base_model=str(base)).analyze(mp_fit=spikes)
    details.to_csv(scratch / "weightwatcher.csv")
    found: Answers = {}
    for row in details.to_dict("records"):
        found[f"{row['name']}.weight"] = {
            "stable_rank": row["stable_rank"],
            "power_law_spikes": row["num_pl_spikes"],
            "alpha": row["alpha"],
        } | ({"spikes": row["num_spikes"]} if spikes else {})
    return found


def by_diffract(base: Path, tuned: Path, scratch: Path, spikes: bool, marks: Marks) -> Answers:
    """The differences as a dictionary of arrays, its four ranks and norms; as JSON."""
    import_module("ml_dtypes")  # without it the reader does not know bfloat16
    open_file: Any = import_module("safetensors").safe_open
    session: Any = import_module("diffract").Session(profile="ram")
    marks["ready"] = time.process_time()
    change: dict[str, Any] = {}
    with (
        open_file(base / "model.safetensors", framework="numpy") as before,
        open_file(tuned / "model.safetensors", framework="numpy") as after,
    ):
        for name in sorted(after.keys()):
            change[name] = after.get_tensor(name).astype("float32") - before.get_tensor(name).astype("float32")
    session.models.add(change, model_id="delta")
    fields = ["effective_rank", "stable_rank", "hard_rank", "frob_norm", "nuclear_norm"]
    fields += ["tw_num_spikes"] if spikes else []
    session.compute.apply(*fields)
    (scratch / "diffract.json").write_text(session.results.export_metrics(*fields, export_format="json"))
    found: Answers = {}
    for entry in session.results.export_metrics(*fields, export_format="dict").values():
        values = entry["fields"]
        found[entry["metadata"]["name"]] = {
            "erank_amplitude": values["effective_rank"],
            "stable_rank": values["stable_rank"],
        } | ({"spikes": values["tw_num_spikes"]} if spikes else {})
    return found


TOOLS: dict[str, Callable[[Path, Path, Path, bool, Marks], Answers]] = {
    "shadowgraph": by_shadowgraph,
    "modeldelta": by_modeldelta,
    "weightwatcher": by_weightwatcher,
    "diffract-core": by_diffract,
}


def main(tool: str, base: str, tuned: str, scratch: str, answer: str, *options: str) -> None:
    """Run the tool, write its marks and answers."""
    warnings.simplefilter("ignore")
    marks: Marks = {}
    Path(scratch).mkdir(parents=True, exist_ok=True)
    answers = TOOLS[tool](Path(base), Path(tuned), Path(scratch), "spikes" in options, marks)
    Path(answer).write_text(json.dumps({"marks": marks, "answers": answers}))


if __name__ == "__main__":
    main(*sys.argv[1:])
