"""Jobs that score: the suite of a study and the scores of one model.

Here live: the job that writes the suite, and scoring a model for its record.
Not here: items of worlds (`worlds`), of benchmarks (`suites`) and about pictures (`seen`), the harness (`scores`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shadowgraph.artifact import write_json
from shadowgraph.identity import Json, plain
from shadowgraph.runs.session import session
from shadowgraph.scores.engine import Engine
from shadowgraph.scores.item import write_scores
from shadowgraph.scores.row import REQUIRED
from shadowgraph.scores.score import ready, score
from shadowgraph.scores.suite import write_suite
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import read_spec
from shadowgraph.study.layout import Layout
from shadowgraph.study.record import packed_items
from shadowgraph.study.roster import SPLITS
from shadowgraph.study.suites import benchmark_rows
from shadowgraph.work.job import Progress
from shadowgraph.worlds.panel import panel

KEYS = REQUIRED["choice"]  # the form of a prompt of the world stays out of the suite


def suite_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Write the items all models of the study are scored on."""
    layout = Layout(Path(str(arguments["root"])))
    spec = read_spec(layout.root)
    if spec.pictures is not None:
        from shadowgraph.study.seen import write_seen_suite

        write_seen_suite(spec, layout.suite)
        return
    if spec.pool is not None:
        write_suite(_world_rows(spec), layout.suite)
        return
    rows, shown, declined = benchmark_rows(spec, Path(str(arguments["files"])))
    write_json(layout.suite / SPLITS, shown)
    write_json(layout.suite / "declined.json", declined)
    write_suite(rows, layout.suite)


def _world_rows(spec: StudySpec) -> dict[str, list[dict[str, Any]]]:
    """The panel of the procedural worlds."""
    from shadowgraph.study.corpora import recipe_of  # which needs the recipes of `training`, which needs scores

    items = panel(recipe_of(spec), spec.study.seed, spec.scores.items)
    return {name: [{key: plain(getattr(item, key)) for key in KEYS} for item in some] for name, some in items.items()}


def scored(model: Path, folder: Path, layout: Layout, progress: Progress) -> dict[str, Json] | None:
    """Score a model on the study's suite.

    Args:
        model: folder of the model.
        folder: receives the table of scores.
        layout: the study's folder.
        progress: told the share done.

    Returns:
        The columns of the model's record; None where the study scores nothing. An adapter is scored merged.
    """
    if not (layout.suite / "suite.json").exists():
        return None
    from shadowgraph.runs.model import is_adapter

    found = score(_engine(model) if is_adapter(model) else model, layout.suite, progress=progress)
    write_scores(found, folder / "scores.parquet")
    return packed_items(found, layout.suite)


def _engine(adapter: Path) -> Engine:
    """A low-rank adapter as a model that can be asked: merged into its base, in memory."""
    ready()
    from transformers import AutoTokenizer

    from shadowgraph.runs.model import adapter_base, load_model
    from shadowgraph.scores.harness import ModelEngine

    with session(1):
        module = load_model(adapter)
        tokenizer: Any = AutoTokenizer.from_pretrained(
            str(adapter_base(adapter)), local_files_only=True, trust_remote_code=False
        )
    return ModelEngine(module, tokenizer, name=adapter.name)
