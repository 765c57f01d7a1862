"""The tables of a study that say what is tested, frozen before the first run.

Here live: contrasts, claims of equivalence, trends, the test of a label, calipers, power, affinity.
Not here: what the study is made of (`material`) and the tests themselves (`stats`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shadowgraph.spec.table import Name, Positive, Table

Pair = tuple[Name, Name]


class Equivalence(Table):
    """A claim of no shift between two arms, with an absolute margin in K and where the margin comes from."""

    arms: Pair
    margin: Positive
    outside_margin: Positive
    origin: Annotated[str, StringConstraints(min_length=10)]


class Contrast(Table):
    """One comparison: first minus second in every pair, pairs averaged with equal weight.

    A member of a pair is an arm or a group of arms; of an arm the units are its draws, of a group its arms.
    `expected` is the sign the plan predicts; the test is two-sided whatever it says.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1)]
    role: Literal["primary", "secondary"] = "secondary"
    expected: Literal["positive", "negative", "either"] = "either"


class Trend(Table):
    """Arms in the order of a dose; the slope of K over the dose, tested by permutation."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    arms: Annotated[tuple[Name, ...], Field(min_length=3)]
    doses: Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(min_length=3)]
    role: Literal["primary", "secondary"] = "secondary"

    @model_validator(mode="after")
    def _one_dose_an_arm(self) -> Self:
        if len(self.arms) != len(self.doses) or len(set(self.doses)) < 3:
            raise ValueError("a trend needs one dose an arm and at least three different doses")
        return self


class Calipers(Table):
    """How far arms may lie apart and still count as matched; lengths and shares are relative."""

    base_loss: Positive = 0.25
    kl_to_base: Positive = 0.2
    unigram_entropy: Positive = 0.2
    document_length: Positive = 0.2
    unique_token_share: Positive = 0.2


class Label(Table):
    """Whether a label of corpora, such as "benchmark", goes with K among corpora matched on the balance sheet.

    The unit is the corpus. Every arm of `positive` is put into a stratum with the arms of `negative` that lie within
    the calipers of it; the label is exchanged inside strata.
    """

    name: Name
    positive: Name
    negative: Name
    calipers: Calipers = Calipers()
    role: Literal["primary", "secondary"] = "primary"


class Power(Table):
    """The spread that power is worked out from, before anything runs: sd of K between draws, and its origin."""

    sd: Positive
    origin: Annotated[str, StringConstraints(min_length=10)]


class Affinity(Table):
    """Share of an update's energy in the leading gradient space of each benchmark source at the base.

    `top` leading directions on either side of a matrix, `batches` gradients a source, each scaled to norm 1.
    """

    top: Annotated[int, Field(ge=1, le=256)] = 8
    batches: Annotated[int, Field(ge=2, le=1000)] = 16


class Analysis(Table):
    """What is tested, frozen before the first run.

    `primary` is the short form of one primary contrast of two arms. `design` says whether arms of one draw belong
    together: then differences are taken inside draws and signs are exchanged there; else labels of draws are.
    """

    LATER = frozenset(
        {"design", "groups", "contrasts", "trends", "label", "power", "affinity", "progress_support", "reference"}
    )

    primary: Pair | None = None
    smallest_effect: Positive
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    norm_support: Positive = 0.5
    progress_support: Positive = 0.1
    design: Literal["independent", "blocked"] = "independent"
    groups: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(default_factory=dict)
    contrasts: tuple[Contrast, ...] = ()
    trends: tuple[Trend, ...] = ()
    label: Label | None = None
    equivalence: Equivalence | Annotated[tuple[Equivalence, ...], Field(min_length=1)] | None = None
    calipers: Calipers = Calipers()
    reference: Name | None = None
    power: Power | None = None
    affinity: Affinity | None = None

    @property
    def claims(self) -> tuple[Equivalence, ...]:
        """The claims of equivalence, in order."""
        if self.equivalence is None:
            return ()
        return self.equivalence if isinstance(self.equivalence, tuple) else (self.equivalence,)

    @property
    def all_contrasts(self) -> tuple[Contrast, ...]:
        """Every contrast, the short form of the primary one first."""
        if self.primary is None:
            return self.contrasts
        first = Contrast(name=" - ".join(self.primary), pairs=(self.primary,), role="primary")
        return (first, *self.contrasts)

    @property
    def against(self) -> Name | None:
        """The arm that calipers are held against: `reference`, else the second of the first primary pair."""
        if self.reference is not None:
            return self.reference
        pairs = [contrast.pairs[0] for contrast in self.all_contrasts if contrast.role == "primary"]
        second = pairs[0][1] if pairs else None
        return None if second in self.groups else second

    def named(self) -> list[tuple[str, str]]:
        """(key, name) of every arm or group that is spoken of."""
        found = [(f"analysis.groups.{group}", name) for group, names in self.groups.items() for name in names]
        if self.primary is not None:
            found += [("analysis.primary", name) for name in self.primary]
        for contrast in self.contrasts:
            found += [(f"analysis.contrasts {contrast.name!r}", name) for pair in contrast.pairs for name in pair]
        for trend in self.trends:
            found += [(f"analysis.trends {trend.name!r}", name) for name in trend.arms]
        found += [("analysis.equivalence.arms", name) for claim in self.claims for name in claim.arms]
        if self.label is not None:
            found += [("analysis.label", name) for name in (self.label.positive, self.label.negative)]
        return found + ([("analysis.reference", self.reference)] if self.reference is not None else [])

    @model_validator(mode="after")
    def _something_is_primary(self) -> Self:
        tested = [*self.all_contrasts, *self.trends, *([self.label] if self.label is not None else [])]
        if not any(test.role == "primary" for test in tested):
            raise ValueError('nothing is primary: give "primary", or a contrast, trend or label with that role')
        names = [test.name for test in tested]
        if len(set(names)) != len(names):
            raise ValueError("two tests share a name")
        if self.primary is not None and self.primary[0] == self.primary[1]:
            raise ValueError("analysis.primary names the same arm twice")
        for contrast in self.contrasts:
            if any(first == second for first, second in contrast.pairs):
                raise ValueError(f"the contrast {contrast.name!r} compares an arm with itself")
        return self
