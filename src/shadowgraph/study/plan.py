"""The plan: a specification frozen and hashed before anything runs.

Here live: the plan, its hash, its costs, and the folder that belongs to it.
Not here: running it (`execute`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from shadowgraph.artifact import claim
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.readers.files import read_documents
from shadowgraph.errors import DataError, printable
from shadowgraph.identity import Json, file_digest, fingerprint, versions
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.answer import FEWEST_DRAWS
from shadowgraph.study.layout import Layout
from shadowgraph.study.lopsided import TRANSFER_FAMILIES


@dataclass(frozen=True, slots=True)
class Plan:
    """A frozen study.

    Attributes:
        spec: the validated specification.
        files: digest of every document file the specification names, by the name written there.
        folder: the folder that document files are relative to.
    """

    spec: StudySpec
    files: dict[str, str]
    folder: Path

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
    def runs(self) -> list[tuple[str, int]]:
        """Every run as (arm, draw), draws outermost so that an early end still holds whole draws."""
        return [(arm.name, draw) for draw in range(self.spec.study.draws) for arm in self.spec.arms]

    @property
    def training_tokens(self) -> int:
        """Tokens of all training, the base included."""
        training = self.spec.training
        return training.base_tokens + len(self.runs) * training.tokens

    @property
    def smallest_p(self) -> float:
        """Smallest two-sided p the primary permutation test can give."""
        draws = self.spec.study.draws
        return min(1.0, 2 / math.comb(2 * draws, draws))

    def __repr__(self) -> str:
        """One line: name, hash, runs."""
        return f"Plan({self.spec.study.name} {self.hash}: {len(self.runs)} runs)"


def freeze(path: Path) -> Plan:
    """Read and freeze a study file.

    Args:
        path: a TOML file; document files in it are relative to its folder.

    Raises:
        SpecError: the file is wrong; names file and key.
        DataError: a document file is absent, empty or wrong, or holds a family of the transfer panel; names file and
            row or document, before anything runs.
    """
    spec = load(path, StudySpec)
    files: dict[str, str] = {}
    for name in spec.pool.files:
        if not sum(_free(document, path.parent / name) for document in read_documents(path.parent / name)):
            raise DataError("holds no document", where=str(path.parent / name), hint=f"named in {path} by pool.files")
        files[name] = file_digest(path.parent / name)
    return Plan(spec, files, path.parent)


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
    claim(out, held, Layout.OWN, key="plan_hash", kind="study", overwrite=overwrite)


def describe(plan: Plan) -> list[str]:
    """What a plan will do and what it can show, in lines for a person."""
    spec = plan.spec
    training, primary = spec.training, spec.analysis.primary
    lines = [
        f"plan {plan.hash}: {spec.study.name}",
        spec.study.question,
        f"arms: {', '.join(arm.name for arm in spec.arms)}; {spec.study.draws} corpus draws, one seed each",
        f"each arm: {training.steps} steps of {training.batch} x {training.sequence_length} tokens "
        f"= {training.tokens:,} tokens; base: {training.base_tokens:,}; in all {plan.training_tokens:,}",
        f"primary: K({primary[0]}) - K({primary[1]}), exact two-sided permutation test over draws, alpha "
        f"{spec.analysis.alpha}; smallest attainable p {plan.smallest_p:.2g}",
    ]
    if plan.smallest_p > spec.analysis.alpha or spec.study.draws < FEWEST_DRAWS:
        lines.append(f"fewer than {FEWEST_DRAWS} draws, or alpha out of reach: it will describe and claim at most L0")
    equivalence = spec.analysis.equivalence
    if equivalence is not None:
        lines.append(
            f"equivalence: {equivalence.arms[0]} and {equivalence.arms[1]} within {equivalence.margin} in K and within "
            f"{equivalence.outside_margin} nats outside; margin from: {equivalence.origin}"
        )
    return lines
