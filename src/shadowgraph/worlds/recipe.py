"""What a pool is made of.

Here live: the recipe of pools, base documents, benchmark and panel, with its checks.
Not here: making any of them (see `benchmark`, `pool`, `panel`).
"""

from __future__ import annotations

from dataclasses import dataclass

from shadowgraph.errors import SpecError
from shadowgraph.identity import fingerprint
from shadowgraph.worlds.families import ARM, BASE, BENCHMARK, FAMILIES, UNSEEN
from shadowgraph.worlds.layouts import BASE_FORMATS, CHOICE, HELD_OUT_FORMATS, TRAIN_FORMATS


@dataclass(frozen=True, slots=True, repr=False)
class PoolRecipe:
    """The recipe of the embedded pool.

    Attributes:
        families: the arms' families.
        base_families: families only the base trains on.
        unseen_families: families in nobody's training.
        benchmark_families: some of `families`; facts of the arms' world join them.
        formats: formats of the pool, the benchmark's included.
        base_formats: formats of the base's documents.
        held_out_formats: formats never trained.
        benchmark_format: the benchmark's format; only "choice" has a fixed layout.
        benchmark_format_share: largest share of the benchmark's format in the characters of any block of documents, and
            so of any pool of whole blocks.
        benchmark_first: least share (in the mean) of benchmark families among documents in the benchmark's format.
        facts_share: share of facts among all other documents.
        zipf: exponent of the skew over the cells family × format: weight rank**-zipf; 0 is flat.
        rank_seed: seed of the fixed order of the cells; the same for every draw.
        world: number of the fictional worlds (modulo 128).
        people: people in each fictional world.
        places: places in each fictional world.
        test_items: test items kept for every family.
        test_facts_share: share of facts kept for the test: told in pools, but never as a question.
    """

    families: tuple[str, ...] = ARM
    base_families: tuple[str, ...] = BASE
    unseen_families: tuple[str, ...] = UNSEEN
    benchmark_families: tuple[str, ...] = BENCHMARK
    formats: tuple[str, ...] = TRAIN_FORMATS
    base_formats: tuple[str, ...] = BASE_FORMATS
    held_out_formats: tuple[str, ...] = HELD_OUT_FORMATS
    benchmark_format: str = CHOICE
    benchmark_format_share: float = 0.05
    benchmark_first: float = 0.7
    facts_share: float = 0.25
    zipf: float = 1.0
    rank_seed: int = 0
    world: int = 0
    people: int = 120
    places: int = 16
    test_items: int = 64
    test_facts_share: float = 0.15

    def __post_init__(self) -> None:
        """Check names, disjointness and ranges.

        Raises:
            SpecError: naming the key.
        """
        self._check_families()
        self._check_formats()
        for key in ("benchmark_format_share", "benchmark_first", "facts_share", "test_facts_share"):
            if not 0.0 <= getattr(self, key) <= 1.0:
                raise SpecError(f"{getattr(self, key)} is no share", where=key, hint="give a number from 0 to 1")
        if self.zipf < 0 or self.test_items < 1:
            raise SpecError("the exponent is at least 0 and a family keeps at least one item", where="zipf, test_items")

    def _check_families(self) -> None:
        names = (*self.families, *self.base_families, *self.unseen_families)
        unknown = [name for name in names if name not in FAMILIES]
        if unknown:
            raise SpecError(f"there is no family {unknown[0]!r}", where="families", hint=f"from {', '.join(FAMILIES)}")
        if len(set(names)) != len(names):
            raise SpecError("a family stands in two sets", where="families, base_families, unseen_families")
        if not set(self.benchmark_families) <= set(self.families):
            raise SpecError("a benchmark family is not among the arms' families", where="benchmark_families")
        if any(FAMILIES[name].kind == "open" for name in self.benchmark_families):
            raise SpecError("an open family has no choices", where="benchmark_families")

    def _check_formats(self) -> None:
        groups = {"formats": TRAIN_FORMATS, "base_formats": BASE_FORMATS, "held_out_formats": HELD_OUT_FORMATS}
        for key, known in groups.items():
            chosen: tuple[str, ...] = getattr(self, key)
            if not chosen or not set(chosen) <= set(known):
                raise SpecError(
                    f"{chosen} are not all formats of this group", where=key, hint=f"from {', '.join(known)}"
                )
        if self.benchmark_format != CHOICE or not set(self.formats) - {CHOICE}:
            raise SpecError("the benchmark's format must be 'choice', beside other formats", where="benchmark_format")

    def __repr__(self) -> str:
        """One line."""
        return f"PoolRecipe({len(self.families)} families × {len(self.formats)} formats, {self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Digest of all fields."""
        return fingerprint(self)
