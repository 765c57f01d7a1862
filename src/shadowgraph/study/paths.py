"""The path of a run: benchmark loss, outside loss and K at the base, at every snapshot, and at the end.

Here lives: `path_of`. Not here: edits of the end (`edited`), what paths are compared by (`frontiers`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shadowgraph.identity import Json
from shadowgraph.runs.loss import evaluate_loss
from shadowgraph.runs.run import Run
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.edited import reading_texts
from shadowgraph.study.layout import Layout


def path_of(
    run: Run, base: Path, layout: Layout, spec: StudySpec, readings: Mapping[int, Mapping[str, Any]]
) -> list[dict[str, Json]]:
    """What a run lost and won on its way, on the text of the study's intervention.

    Args:
        run: the finished run, its weights still there.
        base: folder of the model it started from.
        layout: the study's folder.
        spec: the study, with an intervention.
        readings: step → endpoints of the update after it, as `Endpoint.as_dict` gives them.

    Returns:
        One point a step, growing from 0, the base: step, benchmark and outside (nats a token, None where not finite),
        K (nats; at the base, which has no update, None) and, where K is missing, K_status.

    Raises:
        Defect: the study asks for no intervention.
    """
    texts = reading_texts(layout, spec)
    models = {0: base, **run.snapshots, run.recipe.steps: run.model}
    found: list[dict[str, Json]] = []
    for step, model in sorted(models.items()):
        benchmark, outside = (evaluate_loss(model, text) for text in texts)
        read = readings[step] if step else {"K": None, "K_status": "no_change"}
        point: dict[str, Json] = {"step": step, "benchmark": _number(benchmark), "outside": _number(outside)}
        missing: dict[str, Json] = {"K_status": str(read.get("K_status", "absent"))} if read.get("K") is None else {}
        found.append({**point, "K": read.get("K"), **missing})
    return found


def _number(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None
