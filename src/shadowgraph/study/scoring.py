"""Jobs that score: the suite of a study and the scores of one model.

Here live: the job functions of the scoring stage.
Not here: items (`worlds`) and the harness (`scores`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shadowgraph.identity import Json, plain
from shadowgraph.scores.item import write_scores
from shadowgraph.scores.row import REQUIRED
from shadowgraph.scores.score import score
from shadowgraph.scores.suite import write_suite
from shadowgraph.study.arrays import read_spec
from shadowgraph.study.corpora import recipe_of
from shadowgraph.study.layout import Layout
from shadowgraph.work.job import Progress
from shadowgraph.worlds.panel import panel

KEYS = REQUIRED["choice"]  # the form of a prompt of the world stays out of the suite


def suite_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Write the items all models of the study are scored on."""
    layout = Layout(Path(str(arguments["root"])))
    spec = read_spec(layout.root)
    items = panel(recipe_of(spec), spec.study.seed, spec.scores.items)
    rows = {name: [{key: plain(getattr(item, key)) for key in KEYS} for item in some] for name, some in items.items()}
    write_suite(rows, layout.suite)


def score_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Score one model on the suite."""
    layout = Layout(Path(str(arguments["root"])))
    found = score(Path(str(arguments["model"])), layout.suite)
    write_scores(found, Path(str(arguments["folder"])) / "scores.parquet")
