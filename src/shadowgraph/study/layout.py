"""Where a study keeps its files.

Here live: what a run is called, the runs of a study, and the paths inside a study folder.
Not here: what is written into them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from shadowgraph.spec.study import StudySpec


@dataclass(frozen=True, slots=True)
class RunKey:
    """One run of a study.

    Attributes:
        arm: its data regime.
        draw: its corpus draw.
        seed: index of the order of the draw's sequences.
        rate: learning rate of a run of the rate grid, None for the study's own.
        regimen: name of its regimen, "" for the study's own training.
    """

    arm: str
    draw: int
    seed: int = 0
    rate: float | None = None
    regimen: str = ""

    @property
    def name(self) -> str:
        """Name of the run, and of its folder: "arm-0", "arm-0-s1", "arm-0-r0.0003", "arm-0-muon"."""
        order = f"-s{self.seed}" if self.seed else ""
        rate = f"-r{self.rate:g}" if self.rate is not None else ""
        return f"{self.arm}-{self.draw}{order}{rate}" + (f"-{self.regimen}" if self.regimen else "")

    @property
    def main(self) -> bool:
        """Whether it is trained as the study says, so that the tests of the plan see it."""
        return self.rate is None and not self.regimen


def runs_of(spec: StudySpec) -> list[RunKey]:
    """Every run: draws outermost, so that an early end still holds whole draws, then the rate grid, then regimens."""
    orders = range(spec.study.seeds)
    main = [RunKey(arm, draw, seed) for arm, draw in spec.runs for seed in orders]
    return main + _grid_runs(spec) + _regimen_runs(spec)


def _grid_runs(spec: StudySpec) -> list[RunKey]:
    """The runs of the rate grid."""
    grid = spec.rate_grid
    if grid is None:
        return []
    drawn = [(arm, draw) for arm, draw in spec.runs if arm in grid.arms and draw < grid.draws]
    return [RunKey(arm, draw, 0, rate) for arm, draw in drawn for rate in grid.rates]


def _regimen_runs(spec: StudySpec) -> list[RunKey]:
    """The runs of all regimens, draws outermost, each in the first order of its draw."""
    draws = {regimen.name: set(spec.draws_under(regimen)) for regimen in spec.regimens}
    return [
        RunKey(arm, draw, regimen=regimen.name)
        for arm, draw in spec.runs
        for regimen in spec.regimens
        if draw in draws[regimen.name] and (not regimen.arms or arm in regimen.arms)
    ]


def base_setting(spec: StudySpec, draw: int) -> str:
    """Name of the setting whose base a draw starts from, "" for the first one's or where there are no settings.

    Settings start from one base where its model and its training are the same, and all from a start model.
    """
    if not spec.settings or spec.model.start is not None:
        return ""
    own = _of_base(spec, draw)
    first = next(number for number in range(len(spec.settings)) if _of_base(spec, number) == own)
    return spec.settings[first].name if first else ""


def _of_base(spec: StudySpec, draw: int) -> tuple[str, float, float]:
    """What a setting says of the base of a draw."""
    under = spec.under(draw)
    return under.model.model_dump_json(), under.training.base_learning_rate, under.training.weight_decay


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one study folder."""

    root: Path

    OWN: ClassVar[tuple[str, ...]] = (
        ".lock",
        "plan.json",
        "place.json",
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
    def place(self) -> Path:
        """Where the files of the study lie on this machine; never leaves it."""
        return self.root / "place.json"

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
        """What all bases share: tokenizer, corpus, text outside; with one base for all draws, all of that base."""
        return self.root / "base"

    @property
    def base_run(self) -> Path:
        """The run that trained the one base of all draws."""
        return self.base / "run"

    @property
    def benchmark(self) -> Path:
        """Held-out sequences of the benchmark of an intervention."""
        return self.base / "benchmark.npy"

    @property
    def start(self) -> Path:
        """What is known of the start model, where the study has one."""
        return self.base / "start.json"

    @property
    def holdings(self) -> Path:
        """The tokenised documents of all sources, shared by the draws."""
        return self.base / "holdings"

    def base_of(self, spec: StudySpec, draw: int) -> Path:
        """Folder of the base that a draw starts from: its sequences, counts, run and record."""
        if spec.study.base != "shared":
            return self.root / f"base-{draw}"
        setting = base_setting(spec, draw)
        return self.base if not setting else self.root / f"base-{setting}"

    def bases(self, spec: StudySpec) -> dict[str, int]:
        """Every base by the name of its folder, with the first draw that starts from it."""
        found: dict[str, int] = {}
        for draw in range(spec.study.draws):
            found.setdefault(self.base_of(spec, draw).name, draw)
        return found

    def directions(self, spec: StudySpec, draw: int) -> Path:
        """Leading gradient directions of the sources at the base that a draw starts from."""
        return self.base_of(spec, draw) / "directions"

    def pool(self, draw: int) -> Path:
        """Folder of the pool behind one draw."""
        return self.root / "corpus" / f"pool-{draw}"

    def base_losses(self, draw: int) -> Path:
        """Loss of a draw's base on the data of every arm, by the arm's name."""
        return self.pool(draw) / "base_loss.json"

    def regime(self, arm: str, draw: int) -> Path:
        """Folder of one arm's training set in one draw."""
        return self.root / "corpus" / f"{arm}-{draw}"

    def run(self, key: RunKey) -> Path:
        """Folder of one run."""
        return self.root / "runs" / key.name
