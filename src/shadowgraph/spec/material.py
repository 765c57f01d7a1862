"""The tables of a study that say what it is made of: documents, arms, model, training.

Here live: those tables and the rules inside each. Not here: what is tested (`analysis`) and the whole file (`study`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shadowgraph.spec.corpus import ColumnsTable
from shadowgraph.spec.pictures import Asked, VisionTable
from shadowgraph.spec.table import Count, Files, Key, Name, Positive, Sentence, Share, Table


class Study(Table):
    """Who this study is, how often it draws its corpora, and what it keeps.

    `base` says whether all draws share one base or each draw trains its own, which is then the unit of inference;
    `seeds` is the number of orders of one draw's documents, averaged before anything is tested; `keep` whether a
    finished run keeps its weights or only its record.
    """

    LATER = frozenset({"seeds", "base", "keep", "disjoint_draws"})

    name: Name
    question: Sentence
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    draws: Annotated[int, Field(ge=1, le=100)]
    seeds: Annotated[int, Field(ge=1, le=20)] = 1
    base: Literal["shared", "each_draw"] = "shared"
    keep: Literal["weights", "records"] = "weights"
    disjoint_draws: bool = False


class PoolTable(Table):
    """A pool of procedural documents; `documents` is the size of the pool behind one draw."""

    documents: Annotated[int, Field(ge=100)]
    zipf: Annotated[float, Field(ge=0.0, le=3.0)] = 1.0
    benchmark_format_share: Annotated[float, Field(gt=0.0, le=0.05)] = 0.05
    files: tuple[str, ...] = ()


class SourceTable(Table):
    """One source of real documents.

    Paths are relative to the study file and may begin with `$SHADOWGRAPH_DATA`. Texts are cut at paragraph bounds into
    documents of at most `longest` characters, and neighbours are joined until `shortest` is reached, so that documents
    of all sources can be given one length.

    Attributes:
        name: name of the source.
        files: its files.
        adapter: name of a benchmark adapter; the documents are then the benchmark's items.
        template: how a document is told. Of items: {question} {choices} {answer} {worked}; of texts: {text}, {head}
            (its first sentence) and {rest}. None: as the source tells it.
        columns: keys of a row; not used with an adapter.
        only: glob on the id of a text or the group of an item: a narrower source out of a broad one.
        benchmark: whether it is a benchmark.
        base: whether the base is trained on it: always, never, or, where each draw has its own base, in half of the
            draws, chosen at random so that each source is known in one draw and new in the next.
        role: "arm", or "outside" for text that no arm and no base sees, on which outside loss is read.
        longest: characters of a document at most.
        shortest: characters of a document at least, but for the last one of a text.
    """

    name: Name
    files: Files
    adapter: Key | None = None
    template: Key | None = None
    columns: ColumnsTable = ColumnsTable()
    only: Key | None = None
    benchmark: bool = False
    base: Literal["always", "never", "rotate"] = "never"
    role: Literal["arm", "outside"] = "arm"
    longest: Annotated[int, Field(ge=40, le=100_000)] = 700
    shortest: Annotated[int, Field(ge=0, le=100_000)] = 400

    @model_validator(mode="after")
    def _bounds_agree(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError("shortest is above longest")
        if self.role == "outside" and self.base != "never":
            raise ValueError("a source outside all data cannot be in the base")
        return self


# Rules of `corpus build` that an arm over sources may name, and "even": equal tokens of every source.
SOURCE_REGIMES = ("even", "random", "covering", "covering_new", "repeated", "blend")
WORLD_REGIMES = ("aligned", "covering", "random", "repeated", "blend")
# Over pictures: every family of question evenly, or a share of some families and every one evenly for the rest.
PICTURE_REGIMES = ("even", "blend")


class Arm(Table):
    """One data regime.

    Attributes:
        name: its name.
        regime: the rule; of procedural pools one of `WORLD_REGIMES`, of sources one of `SOURCE_REGIMES`.
        share: share of tokens that is repeated ("repeated") or aligned ("blend").
        documents: number of distinct repeated documents.
        repeats: how often a repeated document stands in the arm, instead of `documents`.
        temperature: softness of the aligned selection in standard deviations of the alignment score.
        sources: what it takes: all sources with the role "arm", those the draw's base knows, those it does not, those
            that are benchmarks, those that are not, or these. Only with sources.
        pick: how many of them, chosen anew each draw, each source equally often.
        toward: "blend": the sources that get `share`; the others get the rest, all evenly.
        presented: mixed at random; source by source; every document backwards; token identities exchanged.
        draws: draws of this arm, when fewer than the study's.
        asked: "blend" over pictures: the kinds of question, kinds of picture or families that get `share`.
    """

    LATER = frozenset({"repeats", "sources", "pick", "toward", "presented", "draws", "asked"})

    name: Name
    regime: Literal["aligned", "covering", "random", "repeated", "blend", "even", "covering_new"]
    share: Share | None = None
    documents: Count | None = None
    repeats: Annotated[int, Field(ge=2, le=10_000)] | None = None
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.25
    sources: Literal["all", "known", "new", "benchmarks", "others"] | tuple[Name, ...] | None = None
    pick: Count | None = None
    toward: tuple[Name, ...] = ()
    presented: Literal["mixed", "blocked", "reversed", "permuted"] = "mixed"
    draws: Count | None = None
    asked: tuple[Asked, ...] = ()

    @model_validator(mode="after")
    def _options_fit_regime(self) -> Self:
        if self.regime in {"repeated", "blend"} and self.share is None:
            raise ValueError(f'regime "{self.regime}" needs the key "share"')
        if self.regime not in {"repeated", "blend"} and self.share is not None:
            raise ValueError(f'regime "{self.regime}" has no use for the key "share"')
        counted = (self.documents is not None) + (self.repeats is not None)
        if counted != (self.regime == "repeated"):
            raise ValueError('the key "documents" (or "repeats") belongs to regime "repeated" and is needed there')
        if bool(self.toward) and self.regime != "blend":
            raise ValueError(f'regime "{self.regime}" has no use for the key "toward"')
        if bool(self.asked) and self.regime != "blend":
            raise ValueError(f'regime "{self.regime}" has no use for the key "asked"')
        return self


SIZES = ("vocabulary", "hidden", "intermediate", "layers", "heads", "key_value_heads")


class ModelTable(Table):
    """A decoder: RMSNorm, rotary positions, SwiGLU, tied embeddings, in the style of the family.

    `family` is a model type of transformers; `settings` are further keys of its configuration. With `vision` the
    decoder stands behind a tower that looks at pictures, in the family "llava". Or `start`, the path of a model that
    stands there already: a Hugging Face folder or a GGUF file; then no other key is given and sizes are 0.
    """

    LATER = frozenset({"family", "settings", "vision", "start", *SIZES})

    vocabulary: Annotated[int, Field(ge=300, le=65_535)] = 0
    hidden: Count = 0
    intermediate: Count = 0
    layers: Count = 0
    heads: Count = 0
    key_value_heads: Count = 0
    family: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "llama"
    settings: dict[str, bool | int | float | str] = Field(default_factory=dict)
    vision: VisionTable | None = None
    start: Key | None = None

    @model_validator(mode="after")
    def _sizes_or_start(self) -> Self:
        given = sorted(self.model_fields_set - {"start"})
        if self.start is not None and given:
            raise ValueError(f'"start" is a model that stands there already: leave out the key "{given[0]}"')
        absent = [key for key in SIZES if key not in self.model_fields_set]
        if self.start is None and absent:
            raise ValueError(f'the key "{absent[0]}" is missing (all sizes are needed, or "start")')
        return self

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.start is not None:
            return self
        if (self.vision is not None) != (self.family == "llava"):
            found = "is not given" if self.vision is None else "is given"
            raise ValueError(
                f'model.family is "{self.family}" and model.vision {found}: give both family = "llava" and vision, '
                "or neither"
            )
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise ValueError("hidden must be an even multiple of heads")
        if self.heads % self.key_value_heads:
            raise ValueError("heads must be a multiple of key_value_heads")
        return self


class AdapterTable(Table):
    """Low-rank adapters instead of full training: rank, scale alpha, and the slots that get one."""

    rank: Annotated[int, Field(ge=2, le=1024)]
    alpha: Positive
    targets: Annotated[tuple[Key, ...], Field(min_length=1)] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )


class Training(Table):
    """What all arms share: length, batch, optimiser (fp32, one thread); bases are always trained by AdamW.

    `anchor` and `flatten` weigh what is added to the loss: half the squared distance of all weights from the base, and
    the unevenness of the spectra of the updates of matrices inside the layers. With a start model there is no base to
    train: `base_steps` and `base_learning_rate` are 0 and not given.
    """

    LATER = frozenset({"adapter", "optimiser", "anchor", "flatten", "base_steps", "base_learning_rate"})

    sequence_length: Annotated[int, Field(ge=8, le=8192)]
    batch: Count
    base_steps: Count = 0
    steps: Count
    base_learning_rate: Positive = 0.0
    learning_rate: Positive
    warmup_steps: Annotated[int, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    snapshots: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.25, 0.5)
    adapter: AdapterTable | None = None
    optimiser: Literal["adamw", "sgd", "muon"] = "adamw"
    anchor: Annotated[float, Field(ge=0.0)] = 0.0
    flatten: Annotated[float, Field(ge=0.0)] = 0.0

    @model_validator(mode="after")
    def _snapshots_grow(self) -> Self:
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be below steps")
        steps = self.snapshot_steps
        if any(later <= earlier for earlier, later in pairwise(steps)) or steps[0] < 1:
            raise ValueError("snapshots must name distinct, growing steps")
        return self

    @model_validator(mode="after")
    def _penalties_see_updates(self) -> Self:
        for key in self.penalties if self.adapter is not None else ():
            raise ValueError(f"{key} is of whole updates, and training.adapter trains factors of them")
        return self

    @property
    def penalties(self) -> dict[str, float]:
        """The weights of what is added to the loss, those above 0."""
        return {key: weight for key, weight in (("anchor", self.anchor), ("flatten", self.flatten)) if weight > 0}

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
        """Tokens a base consumes."""
        return self.base_steps * self.batch * self.sequence_length


class RateGrid(Table):
    """Further runs of some arms at other learning rates: the second way to compare at equal update norm."""

    arms: Annotated[tuple[Name, ...], Field(min_length=1)]
    rates: Annotated[tuple[Positive, ...], Field(min_length=1)]
    draws: Count = 1


class ScoreSource(Table):
    """One benchmark of the suite: its test files, and how its items are told; every telling is a split."""

    name: Name
    files: Files
    adapter: Key | None = None
    dresses: tuple[Key, ...] = ()


class ScoreTable(Table):
    """What models are scored on. Of procedural pools the panel of the worlds; of sources the benchmarks named here."""

    LATER: ClassVar[frozenset[str]] = frozenset({"benchmarks"})

    items: Annotated[int, Field(ge=4, le=10_000)] = 60
    benchmarks: tuple[ScoreSource, ...] = ()
