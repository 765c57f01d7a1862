"""The updates of an adapter, matrix by matrix, alone or against a base.

Here live: `AdapterUpdates` and `join`.
Not here: stacked experts (`stacks`), finding matrices of the base (`lookup`), values (`products`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.adapters.factored import FactoredUpdate
from shadowgraph.weights.adapters.lookup import Lookup
from shadowgraph.weights.adapters.pairs import Contents, Pair
from shadowgraph.weights.adapters.products import Magnified, Rows, Single
from shadowgraph.weights.adapters.settings import Settings
from shadowgraph.weights.adapters.stacks import expert_updates
from shadowgraph.weights.matrix import Skipped, WeightMatrix, split
from shadowgraph.weights.pairing import Update
from shadowgraph.weights.roles import Family, Place, families, template_of, unwrapped
from shadowgraph.weights.tensor import Stamp, TensorEntry

Item = FactoredUpdate | Update | Skipped


@dataclass(frozen=True, slots=True)
class AdapterUpdates:
    """All updates of an adapter, and what was left out.

    Attributes:
        factored: products that are never formed.
        dense: modules saved whole and updates that are no product (DoRA), against a base.
        skipped: tensors of the adapter, or matrices it changes, that give no update, with reasons.
        notes: remarks that are no errors.
    """

    factored: tuple[FactoredUpdate, ...]
    dense: tuple[Update, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """One line: counts."""
        return f"AdapterUpdates({len(self.factored)} products, {len(self.dense)} whole, {len(self.skipped)} skipped)"


@dataclass(frozen=True, slots=True)
class Joiner:
    """What every update of one adapter is made with.

    Attributes:
        where: the adapter, for messages.
        settings: its configuration.
        scales: the factor of every pair of a module's weight, by module.
        family: the family whose names its base uses.
        config: content of the base's `config.json`, or of one that lies beside the adapter.
        lookup: the base, None without one.
    """

    where: str
    settings: Settings
    scales: Mapping[str, float]
    family: Family
    config: dict[str, Any]
    lookup: Lookup | None

    def join(self, contents: Contents) -> AdapterUpdates:
        """Every update.

        Raises:
            CheckpointError: what the base does not have, or has in another shape; one matrix changed twice.
        """
        items: list[Item] = [*contents.skipped]
        for module, several in groupby(contents.pairs, key=lambda pair: pair.module):
            items.extend(self._module(module, list(several)))
        for name, entry in contents.whole:
            items.extend(self._whole(name, entry))
        if self.lookup is not None:
            self.lookup.require_all(self.where)
        factored = tuple(item for item in items if isinstance(item, FactoredUpdate))
        dense = tuple(item for item in items if isinstance(item, Update))
        self._require_once(factored, dense)
        skipped = tuple(item for item in items if isinstance(item, Skipped))
        return AdapterUpdates(factored, dense, skipped, tuple(self._notes(dense)))

    def _module(self, module: str, pairs: list[Pair]) -> Iterator[Item]:
        """The updates of one module: of its weight, or of other parameters of it."""
        names = [f"{module}.{last}" for last in self.settings.parameters_of(module)]
        known = [name for name in names if name.endswith(".weight") or self._is_known(name)]
        if any(self.family.place(name).stacked for name in known):
            if self.lookup is None:
                reason = "stacked experts, and without a base nothing says how its factors fit them"
                yield from (Skipped(pair.down.name, reason) for pair in pairs)
            else:
                yield from expert_updates(pairs, known, self.lookup, self.settings)
            return
        if len(pairs) > 1 or pairs[0].depth:
            shown = printable(module, 80)
            yield from (
                Skipped(pair.down.name, f"one of several parameters of '{shown}', and none is known") for pair in pairs
            )
            return
        (pair,) = pairs
        if module in self.scales:
            yield from self._single(f"{module}.weight", pair, self.scales[module])
        elif len(known) == 1:
            yield from self._single(known[0], pair, self.settings.scale_for(known[0], pair.rank))
        else:
            yield Skipped(pair.down.name, f"which parameter of '{printable(module, 80)}' it changes is not known")

    def _is_known(self, name: str) -> bool:
        return self.family.place(name).roles[0].block != "unknown"

    def _single(self, name: str, pair: Pair, scale: float) -> Iterator[Item]:
        """The updates of one matrix, several where it is fused."""
        place = self.family.place(name)
        found = self._alone(name, place, pair) if self.lookup is None else self._in_base(name, place, pair, self.lookup)
        if isinstance(found, Skipped):
            yield found
            return
        for matrix, rows, before in found:
            factors = Single(pair, rows)
            if pair.magnitude is not None:
                yield _magnified(factors, pair.magnitude, scale, before)
                continue
            yield FactoredUpdate(
                *(matrix.tensor, matrix.key, matrix.part, matrix.role, matrix.layer, matrix.expert),
                *((rows.count, matrix.shape[1]), pair.rank, scale, pair.dtype, before, factors),
            )

    def _alone(
        self, name: str, place: Place, pair: Pair
    ) -> list[tuple[WeightMatrix, Rows, WeightMatrix | None]] | Skipped:
        """The matrices that a product is by its name and shape, as the family cuts them."""
        if pair.magnitude is not None:
            return Skipped(name, "DoRA scales the rows of the merged matrix: without a base the update is not known")
        whole = stored(name, pair, self.settings)
        known = isinstance(self.config.get("model_type"), str) or len(place.roles) == 1
        if not known and _layouts(template_of(unwrapped(name))[0], whole.shape[0] > whole.shape[1]) > 1:
            reason = f"fused, and without a config.json nothing says how its {pair.shape[0]} outputs divide"
            return Skipped(name, reason)
        logical = TensorEntry(name, pair.dtype, pair.shape, pair.up.file, pair.up.offset, 0)
        parts = split(logical, place._replace(transposed=False, free=False), self.config)
        if isinstance(parts, Skipped):
            return parts
        return [(matrix, _rows(matrix, matrix.shape[0]), None) for matrix in parts]

    def _in_base(
        self, name: str, place: Place, pair: Pair, lookup: Lookup
    ) -> list[tuple[WeightMatrix, Rows, WeightMatrix | None]] | Skipped:
        """The matrices of the base that a product changes."""
        matrices = lookup.matrices(place)
        if not matrices:
            if place.key in lookup.reasons:
                return Skipped(name, f"left out in the base: {lookup.reasons[place.key]}")
            lookup.absent.append(printable(name, 80))
            return []
        if len(matrices) == 1:
            (matrix,) = matrices
            rows = lookup.common_rows(name, pair.shape, matrix)
            return [] if rows is None else [(_as_called(matrix, name, place), Rows(None, 0, rows), matrix)]
        whole = sum(matrix.shape[0] for matrix in matrices)
        fits = all(matrix.piece is not None and matrix.piece.expert is None for matrix in matrices)
        if not fits or (whole, matrices[0].shape[1]) != pair.shape:
            theirs = f"{whole} × {matrices[0].shape[1]}"
            shape = f"{pair.shape[0]} × {pair.shape[1]}"
            lookup.absent.append(f"{printable(name, 80)} ({shape}, in the base {theirs})")
            return []
        return [(matrix, _rows(matrix, matrix.shape[0]), matrix) for matrix in matrices]

    def _whole(self, name: str, entry: TensorEntry) -> Iterator[Item]:
        """The updates of a module that was saved whole."""
        place = self.family.place(name)
        parts = split(entry, place, self.config)
        if isinstance(parts, Skipped):
            yield parts
            return
        for matrix in parts:
            if self.lookup is None:
                yield Skipped(matrix.name, "saved whole: without a base there is no update")
                continue
            found = [each for each in self.lookup.matrices(place) if each.part == matrix.part]
            if not found and not matrix.role.is_block_linear:
                yield Skipped(matrix.name, "not in the base")
            elif not found:
                self.lookup.absent.append(printable(matrix.name, 80))
            elif self.lookup.common_rows(matrix.name, matrix.shape, found[0]) is not None:
                yield Update(found[0], matrix)

    def _require_once(self, factored: tuple[FactoredUpdate, ...], dense: tuple[Update, ...]) -> None:
        seen: set[tuple[str, str]] = set()
        for identity in (*(each.identity for each in factored), *(each.after.identity for each in dense)):
            if identity in seen:
                raise CheckpointError(
                    f"the matrix '{printable(identity[0], 80)}' is changed twice, which has no single update",
                    where=self.where,
                    hint="save the adapter again",
                )
            seen.add(identity)

    def _notes(self, dense: tuple[Update, ...]) -> Iterator[str]:
        lookup = self.lookup
        if lookup is None:
            return
        named = self.settings.base.replace("\\", "/").rstrip("/").rpartition("/")[2]
        if named and named.lower() not in str(lookup.base.path.absolute()).lower():
            yield f"the adapter names '{printable(self.settings.base, 80)}' as its base, another was given"
        yield from lookup.notes
        magnified = sum(isinstance(update.after.load, Magnified) for update in dense)
        if magnified:
            yield f"{magnified} matrices are changed in the length of their rows too (DoRA); they are compared whole"


def _magnified(factors: Single, magnitude: TensorEntry, scale: float, before: WeightMatrix | None) -> Item:
    """The whole matrix that DoRA makes of one of the base."""
    pair, rows = factors.pair, factors.rows
    if before is None or pair.kind == "convolution" or rows.count != before.shape[0]:
        return Skipped(pair.down.name, "DoRA of a convolution or of a resized vocabulary is not read")
    load = Magnified(before, factors, scale, magnitude, rows, pair.kind == "embedding")
    source = TensorEntry(
        f"{before.tensor} with {magnitude.name}", "F64", before.shape, magnitude.file, magnitude.offset, 0
    )
    return Update(
        before,
        WeightMatrix(
            *(before.tensor, before.key, before.part, before.role, before.layer, before.expert, before.shape),
            *("F64", source, load),
        ),
    )


def _rows(matrix: WeightMatrix, count: int) -> Rows:
    """The rows of a product that are this part of a fused matrix."""
    piece = matrix.piece
    return Rows(None, 0, count) if piece is None else Rows(piece.cut, piece.part, count)


def _as_called(matrix: WeightMatrix, name: str, place: Place) -> WeightMatrix:
    """A matrix of the base under the adapter's name where the base ties two of them."""
    if matrix.role.block == place.roles[0].block:
        return matrix
    return replace(matrix, tensor=name, key=place.key, role=place.roles[0], piece=None)


def stored(name: str, pair: Pair, settings: Settings) -> TensorEntry:
    """The matrix of a pair as its base stores it, by its shape; it has no bytes."""
    shape = pair.shape[::-1] if settings.turned else pair.shape
    return TensorEntry(name, pair.dtype, shape, pair.up.file, pair.up.offset, 0)


@lru_cache(maxsize=1024)
def _layouts(template: str, tall: bool) -> int:
    """In how many ways families lay fused matrices of this name, stored with more rows than columns or not."""
    name = template.replace("#", "0")
    entry = {name: TensorEntry(name, "F32", (2, 1) if tall else (1, 2), Stamp(Path(), 0, 0, 0, 0), 0, 0)}
    rows = (row for family in families() if not family.contradicts(entry) for row in family.rows.get(template, ()))
    return len({(row.rule, row.roles) for row in rows if len(row.roles) > 1})
