"""Where a study keeps its files.

Here live: the paths inside a study folder, and the names of all that is ours in it.
Not here: what is written into them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from shadowgraph.spec.study import StudySpec


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one study folder."""

    root: Path

    OWN: ClassVar[tuple[str, ...]] = (
        ".lock",
        "plan.json",
        "run.json",
        "ledger.jsonl",
        "base",
        "corpus",
        "matched.json",
        "suite",
        "runs",
        "footprint.parquet",
        "scores.parquet",
        "result.json",
        "report.html",
        "counterparts",
        "_COMPLETE",
    )

    @property
    def plan(self) -> Path:
        """The frozen plan."""
        return self.root / "plan.json"

    @property
    def manifest(self) -> Path:
        """Durations, host and versions: everything that must not enter the result."""
        return self.root / "run.json"

    @property
    def ledger(self) -> Path:
        """The append-only account of starts and ends."""
        return self.root / "ledger.jsonl"

    @property
    def lock(self) -> Path:
        """The file whose lock keeps a second process out."""
        return self.root / ".lock"

    @property
    def matched(self) -> Path:
        """The proof that runs differ in data only."""
        return self.root / "matched.json"

    @property
    def suite(self) -> Path:
        """The score suite."""
        return self.root / "suite"

    @property
    def footprint(self) -> Path:
        """All footprints of the study as one table."""
        return self.root / "footprint.parquet"

    @property
    def scores(self) -> Path:
        """All item scores of the study as one table."""
        return self.root / "scores.parquet"

    @property
    def result(self) -> Path:
        """The result; the page is a pure function of it."""
        return self.root / "result.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.root / "report.html"

    @property
    def counterparts(self) -> Path:
        """The benchmark in other dresses, scored after the study was complete."""
        return self.root / "counterparts"

    @property
    def complete(self) -> Path:
        """The mark written last."""
        return self.root / "_COMPLETE"

    @property
    def base(self) -> Path:
        """What belongs to the shared base: tokenizer, corpus, outside text, run, scores."""
        return self.root / "base"

    @property
    def base_run(self) -> Path:
        """The run that trained the base."""
        return self.base / "run"

    @property
    def holdings(self) -> Path:
        """The tokenised documents of all sources, shared by the draws."""
        return self.base / "holdings"

    def base_of(self, spec: StudySpec, draw: int) -> Path:
        """What belongs to the base of one draw: the shared one, or the draw's own."""
        return self.base if spec.study.base == "shared" else self.root / f"base-{draw}"

    def pool(self, draw: int) -> Path:
        """Folder of the pool behind one draw."""
        return self.root / "corpus" / f"pool-{draw}"

    def regime(self, arm: str, draw: int) -> Path:
        """Folder of one arm's training set in one draw."""
        return self.root / "corpus" / f"{arm}-{draw}"

    def run(self, arm: str, draw: int) -> Path:
        """Folder of one run."""
        return self.root / "runs" / f"{arm}-{draw}"
