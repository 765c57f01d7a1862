"""The specification of a controlled study: the whole file, and the rules between its tables.

Here live: the file. Not here: its tables (`material`, `analysis`), what a study does with them (`study`), and the hash
of a plan.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shadowgraph.spec.analysis import Analysis
from shadowgraph.spec.intervention import Intervention
from shadowgraph.spec.material import (
    PICTURE_REGIMES,
    SOURCE_REGIMES,
    WORLD_REGIMES,
    Arm,
    ModelTable,
    PoolTable,
    RateGrid,
    ScoreTable,
    SourceTable,
    Study,
    Training,
)
from shadowgraph.spec.pictures import PictureTable
from shadowgraph.spec.regimen import Regimen, require_regimens
from shadowgraph.spec.setting import Setting
from shadowgraph.spec.table import Table


class StudySpec(Table):
    """A whole study file: procedural documents ([pool]), real ones ([[sources]]) or questions about [pictures]."""

    LATER = frozenset({"sources", "rate_grid", "settings", "regimens", "intervention", "pictures"})

    schema_version: Literal["1.0"]
    study: Study
    pool: PoolTable | None = None
    sources: tuple[SourceTable, ...] = ()
    pictures: PictureTable | None = None
    arms: Annotated[tuple[Arm, ...], Field(min_length=2, max_length=200)]
    model: ModelTable
    training: Training
    scores: ScoreTable = ScoreTable()
    analysis: Analysis
    rate_grid: RateGrid | None = None
    settings: Annotated[tuple[Setting, ...], Field(max_length=50)] = ()
    regimens: Annotated[tuple[Regimen, ...], Field(max_length=50)] = ()
    intervention: Intervention | None = None

    @property
    def arm(self) -> dict[str, Arm]:
        """Arms by name."""
        return {arm.name: arm for arm in self.arms}

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Every (arm, draw) at the main rate, draws outermost so that an early end still holds whole draws."""
        draws = range(self.study.draws)
        return [(arm.name, draw) for draw in draws for arm in self.arms if arm.draws is None or draw < arm.draws]

    def setting_of(self, draw: int) -> Setting | None:
        """The setting that a draw is of; None where there are none. Draws go round."""
        return self.settings[draw % len(self.settings)] if self.settings else None

    def draws_of(self, setting: Setting) -> list[int]:
        """The draws of a setting."""
        return [draw for draw in range(self.study.draws) if self.setting_of(draw) == setting]

    @property
    def regimen(self) -> dict[str, Regimen]:
        """Regimens by name."""
        return {regimen.name: regimen for regimen in self.regimens}

    def draws_under(self, regimen: Regimen) -> list[int]:
        """The draws of a regimen: the first ones, of settings the first ones of each."""
        every = [self.draws_of(setting) for setting in self.settings] or [list(range(self.study.draws))]
        return sorted(draw for draws in every for draw in draws[: regimen.draws])

    def under(self, draw: int) -> StudySpec:
        """The specification as it holds for one draw: the model and the training of its setting."""
        setting = self.setting_of(draw)
        if setting is None:
            return self
        changed = {"model": setting.of_model(self.model), "training": setting.of_training(self.training)}
        return self.model_copy(update={**changed, "settings": ()})

    @model_validator(mode="after")
    def _start_agrees(self) -> Self:
        training = self.training
        if self.model.start is None:
            for key in ("base_steps", "base_learning_rate"):
                if not getattr(training, key):
                    raise ValueError(f'the key "training.{key}" is needed, or a "model.start" that needs no training')
            return self
        known = [source.name for source in self.sources if source.base != "never"]
        changing = [setting.name for setting in self.settings if setting.training.base_learning_rate is not None]
        guided = [arm.name for arm in self.arms if arm.sources in {"known", "new"} or arm.regime == "covering_new"]
        rules = (
            (not self.sources, "model.start goes with [[sources]]"),
            (self.study.base != "shared", 'model.start goes with study.base = "shared"'),
            (
                training.base_steps or training.base_learning_rate,
                "model.start is trained no further as a base: leave out training.base_steps and base_learning_rate",
            ),
            (known, f'what model.start was trained on is not known: base = "never" in sources {", ".join(known)}'),
            (changing, f"model.start has no base_learning_rate to change in settings {', '.join(changing)}"),
            (guided, f"what model.start was trained on is not known: arms {', '.join(guided)} cannot go by it"),
            (self.analysis.label, "analysis.label matches corpora on their distance from what the base was trained on"),
        )
        for broken, message in rules:
            if broken:
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        names, count = [setting.name for setting in self.settings], len(self.settings)
        rules = (
            (len(set(names)) != count, "two settings share a name"),
            (all(setting.held_out for setting in self.settings), "every setting is held out: nothing is left to test"),
            (not self.sources, "settings go with [[sources]]"),
            (self.study.base != "shared", 'settings go with study.base = "shared"'),
            (self.rate_grid is not None or self.analysis.label is not None, "settings go without rate grid and label"),
            (self.analysis.design != "blocked", 'settings need analysis.design = "blocked"'),
            (any(arm.draws is not None for arm in self.arms), "with settings every arm has all draws"),
            (
                count > 0 and (self.study.draws % count != 0 or self.study.draws < 2 * count),
                f"study.draws must be two or more times the number of settings, {count}",
            ),
        )
        for broken, message in rules if self.settings else ():
            if broken:
                raise ValueError(message)
        for setting in self.settings:
            setting.require_whole(self.model, self.training)
        adapters = [self.training.adapter, *(setting.training.adapter for setting in self.settings)]
        if self.analysis.affinity is not None and any(table is not None for table in adapters):
            raise ValueError(
                "analysis.affinity is read from whole updates, and training.adapter trains factors of them"
            )
        return self

    @model_validator(mode="after")
    def _regimens_agree(self) -> Self:
        if not self.regimens:
            return self
        if not self.sources:
            raise ValueError("regimens go with [[sources]]")
        trainings = {setting.name: setting.of_training(self.training) for setting in self.settings}
        draws = self.study.draws // (len(self.settings) or 1)
        require_regimens(self.regimens, [arm.name for arm in self.arms], trainings or {"": self.training}, draws)
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError("two arms share a name")
        if "base" in names:
            raise ValueError('an arm cannot be called "base"')
        groups = self.analysis.groups
        for group in groups:
            if group in names:
                raise ValueError(f"analysis.groups defines {group!r}, which is an arm")
        self._check_named(names)
        for claim in self.analysis.claims:
            if claim.arms[0] == claim.arms[1]:
                raise ValueError("analysis.equivalence.arms names the same arm twice")
        for name in self.rate_grid.arms if self.rate_grid is not None else ():
            if name not in names:
                raise ValueError(f"rate_grid.arms names the arm {name!r}, which no [[arms]] table defines")
        if self.study.draws == 1 and self.analysis.label is None:
            raise ValueError("one draw an arm tests nothing: give study.draws, or an analysis.label over many corpora")
        return self

    def _check_named(self, names: list[str]) -> None:
        """Every arm or group that the analysis speaks of exists; groups stand in contrasts and labels only."""
        for key, name in self.analysis.named():
            grouped = key.startswith(("analysis.contrasts", "analysis.label"))
            if name not in names and not (grouped and name in self.analysis.groups):
                raise ValueError(f"{key} names the arm {name!r}, which no [[arms]] table defines")

    @model_validator(mode="after")
    def _material_agrees(self) -> Self:
        if (self.pool is not None) + bool(self.sources) + (self.pictures is not None) != 1:
            raise ValueError(
                "give either [pool] (procedural documents) or [[sources]] (files), or [pictures] (questions about them)"
            )
        self._check_pictures()
        known = [source.name for source in self.sources]
        if len(set(known)) != len(known):
            raise ValueError("two sources share a name")
        rotating = any(source.base == "rotate" for source in self.sources)
        started = self.model.start is not None
        if self.sources and not rotating and not started and all(source.base == "never" for source in self.sources):
            raise ValueError('no source is in the base: give one base = "always" or "rotate"')
        if rotating != (self.study.base == "each_draw") and self.sources:
            raise ValueError('sources with base = "rotate" and study.base = "each_draw" go together')
        if not self.sources and self.study.base == "each_draw":
            raise ValueError('study.base = "each_draw" needs [[sources]]')
        for arm in self.arms:
            self._check_arm(arm)
        return self

    @model_validator(mode="after")
    def _intervention_agrees(self) -> Self:
        asked = self.intervention
        if asked is None:
            return self
        if not self.sources:
            raise ValueError("intervention goes with [[sources]]")
        for name in asked.arms:
            if name not in self.arm:
                raise ValueError(f"intervention.arms names the arm {name!r}, which no [[arms]] table defines")
        roles = {source.name: source.role for source in self.sources}
        if roles.get(asked.benchmark) != "arm":
            raise ValueError(f'intervention.benchmark names {asked.benchmark!r}, which is no source with role = "arm"')
        if any(self.under(draw).training.adapter is not None for draw in range(self.study.draws)):
            raise ValueError("intervention edits whole updates, and training.adapter trains factors of them")
        return self

    def _check_pictures(self) -> None:
        """The rules between the pictures, the model that looks at them and training."""
        vision, table, training = self.model.vision, self.pictures, self.training
        if (vision is None) != (table is None):
            given, absent = ("[pictures]", "[model.vision]") if vision is None else ("[model.vision]", "[pictures]")
            raise ValueError(f"{given} stands without {absent}: give both or neither")
        if vision is None or table is None:
            return
        if vision.places >= training.sequence_length:
            room = f"a picture takes {vision.places} of {training.sequence_length}"
            raise ValueError(f"training.sequence_length leaves no room for words: {room}")
        for broken, key in (
            (bool(self.scores.benchmarks), "scores.benchmarks"),
            (self.analysis.affinity is not None, "analysis.affinity"),
            (training.adapter is not None, "training.adapter"),
        ):
            if broken:
                raise ValueError(f"{key} does not go with [pictures]")

    def _check_arm(self, arm: Arm) -> None:
        """The rules between one arm and what it is made of."""
        if self.pictures is None and arm.asked:
            raise ValueError(f'the arm {arm.name!r} has the key "asked", and there are no [pictures]')
        if self.pictures is not None and (arm.regime == "blend") != bool(arm.asked):
            raise ValueError(f'over [pictures] the regime "blend" needs the key "asked"; the arm {arm.name!r} has none')
        allowed = SOURCE_REGIMES if self.sources else WORLD_REGIMES
        allowed = PICTURE_REGIMES if self.pictures is not None else allowed
        if arm.regime not in allowed:
            raise ValueError(f"the arm {arm.name!r} has the regime {arm.regime!r}; here it is one of {allowed}")
        if not self.sources:
            if arm.sources is not None or arm.pick is not None or arm.toward or arm.presented != "mixed":
                raise ValueError(f"the arm {arm.name!r} speaks of sources, and there are none")
            return
        if arm.sources is None:
            raise ValueError(f'the arm {arm.name!r} needs the key "sources"')
        if arm.presented == "blocked" and self.study.seeds > 1:
            raise ValueError(f"the arm {arm.name!r} has one order, and study.seeds asks for {self.study.seeds}")
        if arm.sources in {"known", "new"} and self.study.base == "shared":
            raise ValueError(f'the arm {arm.name!r} takes {arm.sources!r} sources, which needs "each_draw" bases')
        self._check_sources(arm)

    def _check_sources(self, arm: Arm) -> None:
        """The sources that an arm names exist and may be trained on."""
        roles = {source.name: source.role for source in self.sources}
        chosen = arm.sources if isinstance(arm.sources, tuple) else ()
        for name in (*chosen, *arm.toward):
            if name not in roles:
                raise ValueError(f"the arm {arm.name!r} names the source {name!r}, which no [[sources]] table defines")
            if roles[name] == "outside":
                raise ValueError(f"the arm {arm.name!r} takes {name!r}, which is kept outside all data")
