"""The plan: a specification frozen and hashed before anything runs.

Here live: the plan, its hash, the folder that belongs to it, and what it says of itself.
Not here: running it (`execute`), what it can show and costs (`prospect`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.artifact import claim, read_object, write_json
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.readers.files import read_documents
from shadowgraph.errors import CheckpointError, DataError, ShadowgraphError, SpecError, printable
from shadowgraph.identity import Json, file_digest, fingerprint, versions
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import regimens
from shadowgraph.study.answer import FEWEST_DRAWS
from shadowgraph.study.differing import differing
from shadowgraph.study.feasible import require_feasible
from shadowgraph.study.layout import Layout, RunKey, runs_of
from shadowgraph.study.lopsided import TRANSFER_FAMILIES
from shadowgraph.study.prospect import core_speed, cost_of, holm_lines, hours_of, prospects, smallest_of, uncompared
from shadowgraph.study.questions import require_asked
from shadowgraph.study.sources import expand, source_files
from shadowgraph.study.start import facts_of, start_files

MOST_DRAWS = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """A frozen study.

    Attributes:
        spec: the validated specification.
        files: digest of every document file the specification names, by the name written there.
        folder: the folder that document files are relative to.
        absent: why its document files could not be read, where their digests are those of records; then nothing that
            needs them can run.
        parameters: of the start model; 0 where there is none, or it was not read.
    """

    spec: StudySpec
    files: dict[str, str]
    folder: Path
    absent: ShadowgraphError | None = None
    parameters: int = 0

    @property
    def hash(self) -> str:
        """Identity of everything that may change the result, 16 hex digits."""
        return fingerprint(self.frozen())

    def frozen(self) -> dict[str, Json]:
        """The frozen content as plain data."""
        return {
            "schema_version": "1.0",
            "program": versions("shadowgraph")["shadowgraph"],
            "spec": self.spec.model_dump(mode="json"),
            "files": dict(self.files),
        }

    @property
    def runs(self) -> list[RunKey]:
        """Every run, draws outermost so that an early end still holds whole draws, then the rate grid."""
        return runs_of(self.spec)

    @property
    def training_tokens(self) -> int:
        """Tokens of all training, bases included."""
        return cost_of(self.spec).tokens

    @property
    def smallest_p(self) -> float:
        """Smallest two-sided p that the primary tests can all give."""
        return smallest_of(prospects(self.spec))

    def __repr__(self) -> str:
        """One line: name, hash, runs."""
        return f"Plan({self.spec.study.name} {self.hash}: {len(self.runs)} runs)"


def freeze(path: Path, records: Path | None = None) -> Plan:
    """Read and freeze a study file.

    Args:
        path: a TOML file; document files in it are relative to its folder, or to `$SHADOWGRAPH_DATA`.
        records: folder of records of this plan; where document files are not to be found and its plan has the same
            specification, their digests are taken from it.

    Raises:
        SpecError: the file is wrong; names file and key; or a variable in a path is not set.
        DataError: a document file is absent, empty or wrong, or holds a family of the transfer panel; names file and
            row or document, before anything runs.
        CheckpointError: the start model is absent or cannot be trained.
    """
    spec = load(path, StudySpec)
    try:
        parameters = facts_of(spec, path.parent).parameters if spec.model.start is not None else 0
        return Plan(spec, _digests(spec, path), path.parent, parameters=parameters)
    except (SpecError, DataError, CheckpointError) as fault:
        files = None if records is None or not _some_absent(spec, path.parent) else _recorded_files(spec, records)
        if files is None:
            raise
        return Plan(spec, files, path.parent, fault)


def _digests(spec: StudySpec, path: Path) -> dict[str, str]:
    """Digest of every document file that a study file names, each looked through as far as a plan must know it."""
    files: dict[str, str] = {}
    require_asked(spec)
    if spec.sources:
        found = source_files(spec, path.parent)
        require_feasible(spec, path.parent)
        found |= start_files(spec, path.parent)
        files = {name: file_digest(file) for name, file in sorted(found.items())}
    for name in spec.pool.files if spec.pool is not None else ():
        if not sum(_free(document, path.parent / name) for document in read_documents(path.parent / name)):
            raise DataError("holds no document", where=str(path.parent / name), hint=f"named in {path} by pool.files")
        files[name] = file_digest(path.parent / name)
    return files


def _some_absent(spec: StudySpec, folder: Path) -> bool:
    """Whether a document file that a study names cannot be found."""
    names = [name for table in (*spec.sources, *spec.scores.benchmarks) for name in table.files]
    names += [spec.model.start] if spec.model.start is not None else []
    for name in [*names, *(spec.pool.files if spec.pool is not None else ())]:
        try:
            if not expand(name, folder).exists():
                return True
        except SpecError:  # the variable that it begins with is not set
            return True
    return False


def _recorded_files(spec: StudySpec, records: Path) -> dict[str, str] | None:
    """The file digests in the plan of a folder of records; None where it is of another specification."""
    held = read_object(records / "plan.json") if (records / "plan.json").exists() else {}
    if held.get("spec") != spec.model_dump(mode="json"):
        return None
    return {str(name): str(digest) for name, digest in held.get("files", {}).items()}


def _free(document: Document, path: Path) -> bool:
    """True for a document of no family that the transfer panel is made of.

    Raises:
        DataError: when it is of one; trained on it, no arm could be held against the panel.
    """
    for label in {document.family, document.source} & TRANSFER_FAMILIES:
        raise DataError(
            f"is of {label!r}, a family of the transfer panel, which no arm may be trained on",
            where=f"{path}: document {printable(document.id)!r}",
            hint="give it another family and source, or leave it out",
        )
    return True


def claim_folder(plan: Plan, out: Path, *, overwrite: bool = False) -> None:
    """Make `out` the folder of this plan, or find that it is already.

    Raises:
        SpecError: the folder holds another plan, or files that are no study of ours.
    """
    held = {"plan_hash": plan.hash, **plan.frozen()}
    _require_own(held, out, overwrite=overwrite)
    own = (*Layout.OWN, *(f"base-{draw}" for draw in range(MOST_DRAWS)), *Layout(out).bases(plan.spec))
    claim(out, held, own, key="plan_hash", kind="study", overwrite=overwrite)
    write_json(Layout(out).place, {"files": str(plan.folder.resolve())})


def _require_own(own: Mapping[str, Any], out: Path, *, overwrite: bool) -> None:
    """Refuse the folder of another plan, with the keys in which the two differ."""
    if overwrite or out.is_file() or not (out / "plan.json").exists():
        return
    held = read_object(out / "plan.json")
    if held.get("plan_hash") != own["plan_hash"]:
        found = f"the folder belongs to the plan {held.get('plan_hash')}, and this is the plan {own['plan_hash']}"
        raise SpecError(
            f"{found}{differing(held, own)}",
            where=str(out),
            hint="it holds another study: choose another --output, or pass --overwrite to delete that one",
        )


def describe(plan: Plan) -> list[str]:
    """What a plan will do and what it can show, in lines for a person."""
    spec = plan.spec
    training, analysis = spec.training, spec.analysis
    lines = [f"plan {plan.hash}: {spec.study.name}", spec.study.question, *_made_of(spec)]
    lines.append(
        f"each arm: {training.steps} steps of {training.batch} x {training.sequence_length} tokens "
        f"= {training.tokens:,} tokens; base: {_base_of(spec)}; in all {plan.training_tokens:,}"
    )
    if training.penalties:
        added = ", ".join(f"{key} {weight:g}" for key, weight in training.penalties.items())
        lines.append(f"added to the loss: {added}")
    lines += [_cost_line(plan), hours_of(spec, core_speed(), plan.parameters).line]
    found = prospects(spec)
    for test in found:
        lines.append(test.line)
    lines += holm_lines(found, analysis.alpha)
    if analysis.power is not None:
        effect = f"of an effect of {analysis.smallest_effect} in K at alpha {analysis.alpha}"
        lines.append(f"power {effect}, sd between draws {analysis.power.sd}, from: {analysis.power.origin}")
    lines += [f"margin of {claim.arms[0]} and {claim.arms[1]} from: {claim.origin}" for claim in analysis.claims]
    enough = any(test.fewest >= FEWEST_DRAWS for test in found if test.role == "primary")
    if smallest_of(found) > analysis.alpha or not enough:
        lines.append(
            f"fewer than {FEWEST_DRAWS} draws (matched sets for a label), or alpha out of reach: "
            "it will describe and claim at most L0"
        )
    return lines


def _made_of(spec: StudySpec) -> list[str]:
    """Sources, arms, draws and what is trained beside them."""
    study = spec.study
    orders = "one seed each" if study.seeds == 1 else f"{study.seeds} orders each, averaged first"
    base = "" if study.base == "shared" else ", each with a base of its own"
    lines = [f"sources: {', '.join(source.name for source in spec.sources)}"] if spec.sources else []
    if spec.pictures is not None:
        seen, outside = ", ".join(spec.pictures.scenes), ", ".join(spec.pictures.outside)
        lines.append(f"pictures: {seen}; outside all data: {outside}")
    lines.append(f"arms: {', '.join(arm.name for arm in spec.arms)}; {study.draws} corpus draws{base}, {orders}")
    grid = spec.rate_grid
    if grid is not None:
        rates = ", ".join(f"{rate:g}" for rate in grid.rates)
        lines.append(f"rate grid: {', '.join(grid.arms)} at {rates}, {grid.draws} draws")
        if idle := uncompared(spec):
            lines.append(
                f"rate grid: no contrast or label compares {', '.join(idle)} at those rates; their runs are trained "
                "and shown and enter no test"
            )
    if spec.settings:
        told = [f"{one.name}{' (held out)' if one.held_out else ''}" for one in spec.settings]
        lines.append(f"settings: {', '.join(told)}; {study.draws // len(told)} draws each")
    lines += regimens.lines(spec)
    if spec.scores.benchmarks:
        lines.append(f"scores: {', '.join(source.name for source in spec.scores.benchmarks)}")
    return lines


def _base_of(spec: StudySpec) -> str:
    """What the base is trained on, or that it is not trained here."""
    return f"{spec.training.base_tokens:,}" if spec.model.start is None else "brought in, trained on what is not known"


def _cost_line(plan: Plan) -> str:
    """Runs and disk."""
    spec = plan.spec
    cost = cost_of(spec, plan.parameters)
    other = "records" if spec.study.keep == "weights" else "weights"
    return (
        f"{cost.runs} runs and {cost.bases} {'bases' if cost.bases > 1 else 'base'} of {cost.parameters:,} parameters: "
        f'disk {cost.disk / 1e6:,.0f} MB (keep = "{spec.study.keep}"), {cost.disk_other / 1e6:,.0f} MB with '
        f'"{other}"'
    )
