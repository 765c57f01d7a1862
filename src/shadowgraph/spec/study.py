"""The specification of a controlled study.

Here live: the tables of a study file, their bounds and the rules between them.
Not here: what a study does with them (`study`), and the hash of a plan.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of a specification: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Study(Table):
    """Who this study is: its name, its question and its master seed."""

    name: Name
    question: Annotated[str, StringConstraints(min_length=10, max_length=400)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    draws: Annotated[int, Field(ge=2, le=100)]


class PoolTable(Table):
    """Where the documents come from; `documents` is the size of the pool behind one draw."""

    documents: Annotated[int, Field(ge=100)]
    zipf: Annotated[float, Field(ge=0.0, le=3.0)] = 1.0
    benchmark_format_share: Annotated[float, Field(gt=0.0, le=0.05)] = 0.05
    files: tuple[str, ...] = ()


class Arm(Table):
    """One data regime.

    `share` is the share of tokens that is repeated (regime "repeated") or aligned (regime "blend"); `documents`
    the number of distinct repeated documents; `temperature` the softness of the aligned selection in standard
    deviations of the alignment score.
    """

    name: Name
    regime: Literal["aligned", "covering", "random", "repeated", "blend"]
    share: Share | None = None
    documents: Count | None = None
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.25

    @model_validator(mode="after")
    def _options_fit_regime(self) -> Self:
        if self.regime in {"repeated", "blend"} and self.share is None:
            raise ValueError(f'regime "{self.regime}" needs the key "share"')
        if self.regime not in {"repeated", "blend"} and self.share is not None:
            raise ValueError(f'regime "{self.regime}" has no use for the key "share"')
        if (self.regime == "repeated") != (self.documents is not None):
            raise ValueError('the key "documents" belongs to regime "repeated" and is needed there')
        return self


class ModelTable(Table):
    """A decoder in the style of Llama: RMSNorm, rotary positions, SwiGLU, tied embeddings."""

    vocabulary: Annotated[int, Field(ge=300, le=65_535)]
    hidden: Count
    intermediate: Count
    layers: Count
    heads: Count
    key_value_heads: Count

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise ValueError("hidden must be an even multiple of heads")
        if self.heads % self.key_value_heads:
            raise ValueError("heads must be a multiple of key_value_heads")
        return self


class Training(Table):
    """What all arms share: length, batch, optimiser (AdamW, fp32, one thread)."""

    sequence_length: Annotated[int, Field(ge=8, le=8192)]
    batch: Count
    base_steps: Count
    steps: Count
    base_learning_rate: Positive
    learning_rate: Positive
    warmup_steps: Annotated[int, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    snapshots: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.25, 0.5)

    @model_validator(mode="after")
    def _snapshots_grow(self) -> Self:
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be below steps")
        steps = self.snapshot_steps
        if any(later <= earlier for earlier, later in pairwise(steps)) or steps[0] < 1:
            raise ValueError("snapshots must name distinct, growing steps")
        return self

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Optimiser steps after which weights are kept, the last step included."""
        return (*(round(share * self.steps) for share in self.snapshots), self.steps)

    @property
    def tokens(self) -> int:
        """Tokens one arm consumes: steps x batch x sequence_length."""
        return self.steps * self.batch * self.sequence_length

    @property
    def base_tokens(self) -> int:
        """Tokens the shared base consumes."""
        return self.base_steps * self.batch * self.sequence_length


class ScoreTable(Table):
    """How many items a split holds."""

    items: Annotated[int, Field(ge=4, le=10_000)] = 60


class Equivalence(Table):
    """A claim of no shift between two arms, with an absolute margin in K and where the margin comes from."""

    arms: tuple[Name, Name]
    margin: Positive
    outside_margin: Positive
    origin: Annotated[str, StringConstraints(min_length=10)]


class Calipers(Table):
    """How far arms may lie apart and still count as matched; lengths and shares are relative."""

    base_loss: Positive = 0.25
    kl_to_base: Positive = 0.2
    unigram_entropy: Positive = 0.2
    document_length: Positive = 0.2
    unique_token_share: Positive = 0.2


class Analysis(Table):
    """What is tested, frozen before the first run."""

    primary: tuple[Name, Name]
    smallest_effect: Positive
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    norm_support: Positive = 0.5
    equivalence: Equivalence | None = None
    calipers: Calipers = Calipers()


class StudySpec(Table):
    """A whole study file."""

    schema_version: Literal["1.0"]
    study: Study
    pool: PoolTable
    arms: Annotated[tuple[Arm, ...], Field(min_length=2, max_length=20)]
    model: ModelTable
    training: Training
    scores: ScoreTable = ScoreTable()
    analysis: Analysis

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError("two arms share a name")
        if "base" in names:
            raise ValueError('an arm cannot be called "base"')
        asked = [("analysis.primary", self.analysis.primary)]
        if self.analysis.equivalence is not None:
            asked.append(("analysis.equivalence.arms", self.analysis.equivalence.arms))
        for key, pair in asked:
            if pair[0] == pair[1]:
                raise ValueError(f"{key} names the same arm twice")
            for name in pair:
                if name not in names:
                    raise ValueError(f"{key} names the arm {name!r}, which no [[arms]] table defines")
        return self
