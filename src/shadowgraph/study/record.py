"""The record of a run: all that the analysis reads of it, small enough to be committed.

Here live: writing and reading records, the items in them, all records of a study in order, and letting them travel.
Not here: what stands in a record (`trained`), what is made of it (`analyse`).

Floats are rounded to 9 significant digits, so that a record means the same wherever it is read and stays small: scores
of items to 7, means of measures to 5. The endpoints K, K_emb and log_norm keep every bit.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from shadowgraph.artifact import read_object, write_bytes
from shadowgraph.errors import DataError, SpecError
from shadowgraph.identity import Json, file_digest, fingerprint, plain
from shadowgraph.scores.item import ItemScore
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.differing import differing
from shadowgraph.study.layout import Layout, runs_of
from shadowgraph.study.roster import ROSTER, Asked, read_roster, write_roster
from shadowgraph.study.seal import MANIFEST, require_sealed, seal_records

SCHEMA = "1.1"
DIGITS = 9
FEWER = {"items": 7, "measures": 5}
"""Significant digits of what stands under other keys."""
WHOLE = frozenset({"K", "K_emb", "log_norm"})
"""Numbers that are not rounded."""
SHOWN = 3
"""Folders that a refusal names."""
RESULT_DIGITS = 12
"""Significant digits of a result: what lies beyond them differs between kinds of processors."""
AGREES = 1e-6
"""Relative difference up to which K of a record is that of its own slots, which are rounded."""


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record atomically, one key a line, keys sorted; equal records give equal bytes."""
    values = recorded({"schema_version": SCHEMA, **record})
    rows = [f"{json.dumps(key)}: {_compact(value)}" for key, value in sorted(values.items())]
    write_bytes(path, ("{\n" + ",\n".join(rows) + "\n}\n").encode())


def recorded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a record holds them: plain, and rounded to its digits."""
    return _object(_rounded(plain(dict(values)), DIGITS))


def to_digits(value: Json, digits: int = RESULT_DIGITS) -> Json:
    """A plain value with every float in it at so many significant digits."""
    if isinstance(value, dict):
        return {key: to_digits(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [to_digits(item, digits) for item in value]
    return float(f"{value:.{digits - 1}e}") if isinstance(value, float) else value


def read_record(path: Path) -> dict[str, Any]:
    """Read a record of a run or of a base.

    Raises:
        DataError: the file is absent, no record, or of another version.
    """
    record = read_object(path)
    if record.get("schema_version") != SCHEMA:
        found = record.get("schema_version")
        raise DataError(f"is a record of version {found!r}, and {SCHEMA} is read here", where=str(path))
    return record


def packed_items(scores: Sequence[ItemScore], suite: Path) -> dict[str, Json]:
    """The scores of a model as the columns of its record, in the order of the suite."""
    return {
        "suite": file_digest(suite / "suite.json"),
        "correct": [int(item.correct) for item in scores],
        "bits_per_byte": [item.bits_per_byte for item in scores],
        "margin": [item.margin for item in scores],
    }


def items_of(record: Mapping[str, Any], suite: Path) -> list[ItemScore]:
    """The item scores in a record.

    A record keeps what was right, the bits of gold and the margin. The log-likelihood of gold follows from its bits;
    each other continuation is given that of the best other one, so that their number is right and calibration is not to
    be read from them.

    Args:
        record: a record of a run or of a base.
        suite: the folder of the suite it was scored on.

    Returns:
        One score an item, splits and items in the order of the suite; none where the study scores nothing.

    Raises:
        DataError: the record was scored on another suite.
    """
    columns, where = record["items"], str(suite)
    if columns is None:
        return []
    roster = read_roster(suite)
    if columns["suite"] != roster.suite:
        raise DataError("a record was scored on another suite", where=where, hint="the records are of another study")
    names = ("correct", "bits_per_byte", "margin")
    if any(len(columns[name]) != len(roster.items) for name in names):
        raise DataError(f"a record does not hold the {len(roster.items)} items of the suite", where=where)
    values = zip(roster.items, *(columns[name] for name in names), strict=True)
    return [_item(asked, bool(correct), bits, margin) for asked, correct, bits, margin in values]


def records_of(layout: Layout, spec: StudySpec) -> list[dict[str, Any]]:
    """The records of all runs, in the order of `runs_of`, each held against what was proven before it began.

    Raises:
        DataError: a record is absent, of another run, or of a run other than the one that was proven matched.
    """
    statements = read_object(layout.matched)["statements"]
    return [_checked(layout.run(key) / "record.json", key.name, statements) for key in runs_of(spec)]


def base_records(layout: Layout, spec: StudySpec) -> dict[int, dict[str, Any]]:
    """The record of the base that each draw starts from, by draw; with a shared base one record for all.

    Raises:
        DataError: a record is absent or malformed.
    """
    found = {name: read_record(layout.root / name / "record.json") for name in layout.bases(spec)}
    return {draw: found[layout.base_of(spec, draw).name] for draw in range(spec.study.draws)}


def export_records(layout: Layout, spec: StudySpec, into: Path) -> int:
    """Copy what the analysis needs of a study into a folder: its plan, its proof, its records; small files only.

    A manifest, `digests.json`, names every file with its digest.

    Returns:
        Number of records of runs copied.

    Raises:
        SpecError: the folder holds the records of another plan.
        DataError: no run of the study has a record yet.
    """
    own = read_object(layout.plan)["plan_hash"]
    if (into / "plan.json").exists() and read_object(into / "plan.json").get("plan_hash") != own:
        raise SpecError("holds the records of another plan", where=str(into), hint="choose another folder")
    write_roster(layout.suite)
    names = [name for name in travelling(layout, spec) if (layout.root / name).exists()]
    count = sum(name.startswith("runs/") for name in names)
    if not count:
        raise DataError("no run has a record yet", where=str(layout.root), hint="run the study first")
    for name in ("plan.json", *names):
        write_bytes(into / name, (layout.root / name).read_bytes())
    seal_records(into)
    return count


def require_folder(source: Path) -> None:
    """Refuse what can be no folder of records, and name the folders inside it that can.

    Raises:
        SpecError: there is no such folder, or the records lie in a folder of it.
    """
    if not source.is_dir():
        found = "is a file, not a folder of records" if source.exists() else "there is no such folder"
        raise SpecError(
            found, where=str(source), hint="give --records the folder that `shadowgraph study records` wrote"
        )
    if not any((source / name).exists() for name in (MANIFEST, "_COMPLETE")):
        inner = [str(path.parent) for path in sorted(source.glob("*/plan.json"))]
        if inner:
            hint = f"give --records {' or '.join(inner[:SHOWN])}"
            raise SpecError("holds no records itself, and a folder in it does", where=str(source), hint=hint)


def is_of(layout: Layout, plan_hash: str) -> bool:
    """Whether a folder is a study's of this plan already."""
    return layout.plan.exists() and read_object(layout.plan).get("plan_hash") == plan_hash


def require_records(own: Mapping[str, Any], layout: Layout, spec: StudySpec, source: Path) -> list[str]:
    """Hold a folder of records against a plan, and against what the study's folder holds of it; nothing is written.

    Args:
        own: the plan, as `plan.json` holds it.
        layout: the study's folder; it need not be there, and what it holds of another plan is no matter.
        spec: the specification of the plan.
        source: a folder written by `export_records`, or any finished study's; either holds digests of its files.

    Returns:
        Names of the files to take; none where the folder holds no proof that runs are matched.

    Raises:
        SpecError: there is no such folder, or it holds another plan, or none.
        DataError: a file is not what was written or has no digest there, a record is malformed, or is not of the run
            that was proven matched, here or there.
    """
    require_folder(source)
    there = read_object(source / "plan.json") if (source / "plan.json").exists() else {}
    held = there.get("plan_hash")
    if held != own["plan_hash"]:
        found = "no plan" if held is None else f"the plan {held}"
        apart = "" if held is None else differing(there, own)
        found = f"holds {found}, and this is the plan {own['plan_hash']}{apart}"
        raise SpecError(found, where=str(source), hint="name another one")
    names = [name for name in travelling(layout, spec) if (source / name).exists()]
    require_sealed(source, ("plan.json", *names))
    if not (source / "matched.json").exists():
        return []
    statements = read_object(source / "matched.json")["statements"]
    proven = is_of(layout, own["plan_hash"]) and layout.matched.exists()
    if proven and read_object(layout.matched)["statements"] != statements:
        raise DataError(
            "the runs of the two were not proven matched together",
            where=str(source / "matched.json"),
            hint="another machine or other versions; start in an empty folder",
        )
    for key in runs_of(spec):
        path = source / "runs" / key.name / "record.json"
        if path.exists():
            _checked(path, key.name, statements)
    return names


def import_records(layout: Layout, spec: StudySpec, source: Path) -> int:
    """Take what a folder holds of this plan: records of runs and bases, and the proof that they are matched.

    What the study holds already stays. Nothing is taken that the proof does not name.

    Args:
        layout: the study's folder, claimed for its plan.
        spec: its specification.
        source: a folder written by `export_records`, or any finished study's; either holds digests of its files.

    Returns:
        Number of records of runs that the study holds now.

    Raises:
        ShadowgraphError: what `require_records` refuses.
    """
    for name in require_records(read_object(layout.plan), layout, spec, source):
        if not (layout.root / name).exists():
            write_bytes(layout.root / name, (source / name).read_bytes())
    return sum((layout.run(key) / "record.json").exists() for key in runs_of(spec))


def drop_weights(folder: Path) -> None:
    """Delete the weights of a run whose record is written; its readings and its ledger stay."""
    for name in ("model", "snapshots", "checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)


def travelling(layout: Layout, spec: StudySpec) -> list[str]:
    """Every file that travels, but the plan; the proof last, so that records are never there without their base."""
    bases = [f"{name}/record.json" for name in layout.bases(spec)]
    roster = f"{layout.suite.name}/{ROSTER}"
    return [roster, *bases, "matched.json", *(f"runs/{key.name}/record.json" for key in runs_of(spec))]


def _checked(path: Path, name: str, statements: Mapping[str, Any]) -> dict[str, Any]:
    """The record of one run, held against the statement it was proven matched by."""
    record = read_record(path)
    if name not in statements or record.get("run") != fingerprint(statements[name]):
        raise DataError("is not of the run that was proven matched", where=str(path), hint="delete it and run again")
    _require_own(record, path)
    return record


def _require_own(record: Mapping[str, Any], path: Path) -> None:
    """Hold K of a record, where it has one, against the concentration of its own slots."""
    k, slots = record.get("K"), record.get("per_slot")
    if not isinstance(k, int | float) or not slots:
        return
    own = fmean(fmean(float(value) for _, value in layers) for layers in slots.values())
    if not math.isclose(k, own, rel_tol=AGREES, abs_tol=AGREES / 10):
        found = f"holds K = {k:.9g}, and its own slots give {own:.9g}"
        raise DataError(found, where=str(path), hint="it was changed: delete it and run again")


def _item(asked: Asked, correct: bool, bits: float | None, margin: float | None) -> ItemScore:
    """One score from its item and its numbers."""
    likely = -(bits or 0.0) * asked.gold_bytes * math.log(2)
    others = likely - (margin or 0.0)
    return ItemScore(
        id=asked.id,
        split=asked.split,
        family=asked.family,
        group=asked.group,
        correct=correct,
        bits_per_byte=bits,
        margin=margin,
        loglikelihoods=tuple(likely if place == asked.gold else others for place in range(asked.continuations)),
        kind=asked.kind,
        form=asked.form,
        source=asked.source,
    )


def _rounded(value: Json, digits: int) -> Json:
    """A value with its floats at so many significant digits, but as `FEWER` and `WHOLE` say of what is under a key."""
    if isinstance(value, dict):
        return {k: v if k in WHOLE else _rounded(v, FEWER.get(k, digits)) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    return float(f"{value:.{digits - 1}e}") if isinstance(value, float) else value


def _object(value: Json) -> dict[str, Json]:
    """A value that is an object."""
    return value if isinstance(value, dict) else {}


def _compact(value: Json) -> str:
    """A value on one line."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
