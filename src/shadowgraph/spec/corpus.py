"""The specification of `corpus build`: a pool, benchmarks, a budget, and the arms to cut from it.

Here live: the tables of the file, their bounds and the rules between them.
Not here: what a regime does (`corpus.rules`) and the specification of a whole study (`spec.study`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from shadowgraph.spec.source import load
from shadowgraph.spec.table import Count, Files, Key, Name, Positive, Share, Table

# The options of every regime; a star marks those it cannot do without.
OPTIONS: dict[str, tuple[str, ...]] = {
    "random": (),
    "aligned": ("benchmark", "temperature"),
    "content_only": ("benchmark", "temperature"),
    "format_only": ("benchmark", "temperature"),
    "aligned_many": ("benchmarks", "temperature"),
    "covering": ("method",),
    "covering_new": ("method", "quantile"),
    "concentrated": ("patterns", "skew", "benchmark"),
    "narrow_familiar": ("patterns", "skew", "quantile"),
    "repeated": ("share*", "repeats", "documents", "kind", "spacing"),
    "mixture": ("share*", "benchmark", "temperature", "method"),
    "blend": ("share*", "benchmark", "temperature"),
    "blocked": ("of",),
    "reversed": ("of",),
    "permuted": ("of",),
    "shuffled_answers": ("of",),
    "leak": ("share*", "benchmark"),
}
NEEDS_BASE = frozenset({"covering_new", "narrow_familiar"})
NEEDS_ANSWERS = frozenset({"shuffled_answers"})
NEEDS_BENCHMARK = frozenset(
    {"aligned", "content_only", "format_only", "aligned_many", "concentrated", "mixture", "blend", "leak"}
)
PICKING = frozenset(OPTIONS) - {"blocked", "reversed", "permuted", "shuffled_answers"}


class CorpusTable(Table):
    """The name of what is built, its seed, and how many independent draws every arm gets."""

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    draws: Annotated[int, Field(ge=1, le=100)] = 1


class ColumnsTable(Table):
    """Which key of a row holds what; see `corpus.document.Columns`."""

    text: Key = "text"
    id: Key | None = None
    source: Key | None = None
    family: Key | None = None
    format: Key | None = None
    media: Key | None = None
    messages: Key | None = None
    turn: str = "{role}: {content}\n"
    skip_empty: bool = False


class PoolFiles(Table):
    """The documents every arm is cut from.

    `longest` is the number of characters at which a document is cut at a paragraph bound. With `disjoint_draws` every
    document falls to one draw by hash of its id, so that draws are independent; without, draws share one pool. Paths of
    images are relative to the folder `images`, by default to the folder of the file that names them; a record whose
    image is missing is refused, or left out where `missing_images` says so.
    """

    files: Files
    columns: ColumnsTable = ColumnsTable()
    longest: Annotated[int, Field(ge=100)] = 4000
    images: Key | None = None
    missing_images: Literal["refuse", "leave_out"] = "refuse"
    disjoint_draws: bool = True


class BaseTable(Table):
    """A sample of what the base was trained on; only regimes that speak of novelty need it."""

    files: Files
    columns: ColumnsTable = ColumnsTable()


class BenchmarkTable(Table):
    """One benchmark: the name of a known adapter, or any name with a mapping of keys."""

    name: Name
    adapter: Key | None = None
    files: Files
    mapping: dict[str, str] | None = None


class TokensTable(Table):
    """How a document becomes tokens; `answer_after` marks where the supervised part begins, everything without it.

    `image` is the token that stands for a part of an image and `image_tokens` how many of them stand for one image;
    with them images count in the budget, every arm holds as many as any other, and their tokens leave the loss.
    """

    tokenizer: Key
    template: str = "{text}"
    end: Key
    answer_after: Key | None = None
    image: Key | None = None
    image_tokens: Annotated[int, Field(ge=1, le=1 << 16)] | None = None

    @model_validator(mode="after")
    def _template_holds_text(self) -> Self:
        if self.template.count("{text}") != 1:
            raise ValueError('the key "template" must hold {text} once')
        if (self.image is None) != (self.image_tokens is None):
            raise ValueError('the keys "image" and "image_tokens" go together')
        if self.image is not None and (self.image == self.end or self.image in self.template):
            raise ValueError('the token "image" can be neither "end" nor a part of "template"')
        return self


class BudgetTable(Table):
    """What every arm weighs, to the token; `supervised` takes surplus tokens out of the loss, for arms with answers.

    `images` is the number of images of every arm; by default the pool's share, where images count in the budget. With
    `match_lengths` every arm gives each bin of document length the share it has in the pool: arms then differ in what
    documents say and not in their length, and one that aims at a benchmark may come no nearer to it than the documents
    of its lengths allow.
    """

    tokens: Count
    sequence_length: Annotated[int, Field(ge=8, le=1 << 20)]
    batch: Count = 16
    supervised: Count | None = None
    images: Annotated[int, Field(ge=0)] | None = None
    match_lengths: bool = True

    @model_validator(mode="after")
    def _whole_sequences(self) -> Self:
        if self.tokens % self.sequence_length:
            near = self.tokens // self.sequence_length * self.sequence_length
            raise ValueError(f"tokens must be a multiple of sequence_length, for example {near}")
        return self


class CorpusArm(Table):
    """One data regime.

    Attributes:
        name: name of the arm, also of its folder; "leak" stands in it exactly when the regime is "leak".
        regime: the rule.
        benchmark: which benchmark, the first by default.
        benchmarks: which benchmarks, all by default.
        temperature: softness of an aligned choice, in standard deviations of the score.
        share: share of tokens that is repeated, aligned or leaked.
        repeats: how often a repeated document stands in the arm.
        documents: number of repeated documents, instead of `repeats`.
        kind: what a repeat is: the same text, the same prompt with another answer, or a near copy.
        spacing: where repeats stand: side by side, within one batch, or anywhere.
        method: how a covering set is found.
        patterns: number of clusters that carry the mass.
        skew: exponent of the Zipf law over these patterns.
        quantile: share of the pool by novelty that counts as new (or as familiar).
        of: the arm that a derived arm takes its documents from.
    """

    name: Name
    regime: Literal[
        "random",
        "aligned",
        "content_only",
        "format_only",
        "aligned_many",
        "covering",
        "covering_new",
        "concentrated",
        "narrow_familiar",
        "repeated",
        "mixture",
        "blend",
        "blocked",
        "reversed",
        "permuted",
        "shuffled_answers",
        "leak",
    ]
    benchmark: Name | None = None
    benchmarks: tuple[Name, ...] | None = None
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.25
    share: Share | None = None
    repeats: Annotated[int, Field(ge=1, le=10_000)] | None = None
    documents: Count | None = None
    kind: Literal["same", "answers", "near"] = "same"
    spacing: Literal["sequence", "batch", "spread"] = "spread"
    method: Literal["clusters", "facility", "k-center"] = "clusters"
    patterns: Annotated[int, Field(ge=1, le=64)] = 4
    skew: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    quantile: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    of: Name | None = None

    @model_validator(mode="after")
    def _options_fit_regime(self) -> Self:
        known = OPTIONS[self.regime]
        allowed = {option.rstrip("*") for option in known}
        for option in sorted(self.model_fields_set - {"name", "regime"} - allowed):
            raise ValueError(f'regime "{self.regime}" has no use for the key "{option}"')
        for option in known:
            if option.endswith("*") and getattr(self, option[:-1]) is None:
                raise ValueError(f'regime "{self.regime}" needs the key "{option[:-1]}"')
        if self.regime == "repeated" and (self.repeats is None) == (self.documents is None):
            raise ValueError('regime "repeated" needs one of the keys "repeats" and "documents"')
        if ("leak" in self.name) != (self.regime == "leak"):
            raise ValueError('an arm that leaks has "leak" in its name, and no other has')
        return self


class MatchTable(Table):
    """Which draws are kept: those in which every arm lies within the calipers of the reference.

    A caliper is the largest difference in a column of the balance sheet; columns in `relative` compare as |a/b − 1|.
    """

    reference: Name
    keep: Count
    calipers: Annotated[dict[str, Positive], Field(min_length=1)]
    relative: tuple[Key, ...] = ("document_length", "unique_token_share", "documents")


class CorpusSpec(Table):
    """A whole file of `corpus build`."""

    schema_version: Literal["1.0"]
    corpus: CorpusTable
    pool: PoolFiles
    base: BaseTable | None = None
    benchmarks: tuple[BenchmarkTable, ...] = ()
    tokens: TokensTable
    budget: BudgetTable
    arms: Annotated[tuple[CorpusArm, ...], Field(min_length=1, max_length=100)]
    match: MatchTable | None = None

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [arm.name for arm in self.arms]
        tests = [benchmark.name for benchmark in self.benchmarks]
        for kind, given in (("arms", names), ("benchmarks", tests)):
            if len(set(given)) != len(given):
                raise ValueError(f"two {kind} share a name")
        if self.budget.images is not None and self.tokens.image is None:
            raise ValueError('the key "budget.images" needs the keys "tokens.image" and "tokens.image_tokens"')
        regimes = {arm.name: arm.regime for arm in self.arms}
        for arm in self.arms:
            self._check_arm(arm, regimes, tests)
        if self.match is not None and self.match.reference not in names:
            raise ValueError(f"match.reference names the arm {self.match.reference!r}, which no [[arms]] table defines")
        if self.match is not None and self.match.keep > self.corpus.draws:
            raise ValueError(f"match.keep is {self.match.keep}, and there are {self.corpus.draws} draws")
        return self

    def _check_arm(self, arm: CorpusArm, regimes: dict[str, str], tests: list[str]) -> None:
        """The rules between one arm and the other tables."""
        if arm.regime not in PICKING:
            if arm.of is None:
                raise ValueError(f'the arm {arm.name!r} needs the key "of"')
            if regimes.get(arm.of) not in PICKING:
                raise ValueError(f"the arm {arm.name!r} is made of {arm.of!r}, which is no arm that picks documents")
        if arm.regime in NEEDS_BASE and self.base is None:
            raise ValueError(f"the arm {arm.name!r} speaks of novelty and needs the table [base]")
        answers = arm.regime in NEEDS_ANSWERS or arm.kind == "answers"
        if answers and self.tokens.answer_after is None:
            raise ValueError(f'the arm {arm.name!r} speaks of answers and needs the key "tokens.answer_after"')
        if arm.documents is not None and self.tokens.image is not None:
            raise ValueError(f'the arm {arm.name!r} cannot count images with "documents"; give "repeats"')
        if arm.regime in NEEDS_BENCHMARK and not tests:
            raise ValueError(f"the arm {arm.name!r} needs a [[benchmarks]] table")
        for name in (*(arm.benchmarks or ()), *([arm.benchmark] if arm.benchmark else [])):
            if name not in tests:
                raise ValueError(f"the arm {arm.name!r} names the benchmark {name!r}, which no table defines")


def read_corpus_spec(path: Path) -> CorpusSpec:
    """Read and validate a file of `corpus build`; paths in it are relative to its folder.

    Raises:
        SpecError: naming the file and the first wrong key.
    """
    return load(path, CorpusSpec)


def corpus_arm(arm: Any) -> CorpusArm:
    """An arm of a study in the terms of `corpus build`; an arm of `corpus build` is itself."""
    if isinstance(arm, CorpusArm):
        return arm
    return CorpusArm.model_construct(**arm.model_dump())
