"""What a run of a study takes from a folder of records, told before its output folder is claimed.

Here live: the proof that the records fit, made while nothing is written, and the line that says what they leave to do.
Not here: the checks of a record and the copying (`record`), the jobs (`execute`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from shadowgraph.errors import ShadowgraphError
from shadowgraph.study.layout import Layout, runs_of
from shadowgraph.study.plan import Plan
from shadowgraph.study.record import is_of, require_records, travelling
from shadowgraph.study.roster import ROSTER
from shadowgraph.study.seal import lost_of, manifest_of

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Taking:
    """What records bring to a study.

    Attributes:
        line: which runs and bases are trained all the same, and which files the digests name in vain; "" for none.
        absent: why it cannot be done: data are needed for what is missing, and they are not here.
    """

    line: str = ""
    absent: ShadowgraphError | None = None


def taking_of(plan: Plan, out: Path, source: Path, *, cached: bool = False) -> Taking:
    """Hold records against a plan and the output folder it is to run in; nothing is written or made.

    Args:
        plan: the frozen plan.
        out: its output folder, which need not be there.
        source: the folder of records.
        cached: whether a cache may hold trained bases.

    Returns:
        What they bring; nothing to say of a study that is finished, which takes no records.

    Raises:
        SpecError: there is no such folder, or it holds another plan, or none.
        DataError: a file in it is not what was written, or is not of the run that was proven matched.
    """
    layout, spec = Layout(out), plan.spec
    own = is_of(layout, plan.hash)
    if own and layout.complete.exists():
        return Taking()
    every = travelling(layout, spec)
    held = set(require_records({"plan_hash": plan.hash, **plan.frozen()}, layout, spec, source))
    proven = "matched.json" in held
    held |= {name for name in every if own and (out / name).exists()}
    clauses = _untaken(plan, layout, held, own=own, cached=cached)
    clauses += [] if proven else ["without matched.json, their proof, none of them is taken"]
    lost = [name for name in lost_of(source, every) if name not in held]
    if lost:
        there = "which is not there" if len(lost) == 1 else "which are not there"
        clauses.append(f"{manifest_of(source)} lists {_several(lost)}, {there} (kept but missing)")
    wanting = any(name not in held for name in every if not name.endswith(f"/{ROSTER}"))
    return Taking("; ".join(clauses), plan.absent if wanting else None)


def _untaken(plan: Plan, layout: Layout, held: Collection[str], *, own: bool, cached: bool) -> list[str]:
    """How many runs have a record, and what is trained for the sake of the others and of bases without one."""
    spec, keys = plan.spec, runs_of(plan.spec)
    runs = [key for key in keys if f"runs/{key.name}/record.json" not in held]
    bare = [name for name in layout.bases(spec) if f"{name}/record.json" not in held]
    if not runs and not bare:
        return []
    clauses = [f"records of {len(keys) - len(runs)} of {len(keys)} runs"]
    needed = dict.fromkeys([*(layout.base_of(spec, key.draw).name for key in runs), *bare])
    # A start model is brought in, not trained; and a base that stands in the output folder is not trained again.
    anew = [] if spec.model.start else [name for name in needed if not (own and _trained(layout, name))]
    unless = f", unless the cache holds {'it' if len(anew) == 1 else 'them'}" if cached else ""
    will = "would have to be" if plan.absent is not None else "will be"
    if runs:
        whose = "its" if len(runs) == 1 else "their"
        bases = f"{whose} base is" if len(anew) == 1 else f"{len(anew)} bases are"
        again = f", for which {bases} trained anew{unless}" if anew else ""
        clauses.append(f"{_several([key.name for key in runs])} {will} trained{again}")
    elif anew:
        clauses.append(f"no record of {_several(anew)}, which {will} trained anew{unless}")
    return clauses


def _trained(layout: Layout, name: str) -> bool:
    """Whether a base stands trained in the folder."""
    return (layout.root / name / "run" / "_COMPLETE").exists()


def _several(names: Sequence[str]) -> str:
    """Up to three names, then a count."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
