"""A checkpoint: the checked list of its tensors, and its matrices one at a time.

Here live: `open_checkpoint` and `Checkpoint`.
Not here: how a format is parsed (readers), how roles are found, how two checkpoints are joined (pairing).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.adapter import ADVICE, BARRED, REFUSAL, adapter_tensors, is_adapter
from shadowgraph.weights.directory import Layout, find_layout
from shadowgraph.weights.fused import section
from shadowgraph.weights.hub.located import located
from shadowgraph.weights.matrix import Skipped, WeightMatrix, treat
from shadowgraph.weights.quantised import is_packed, packed_notes, resolve, unpacked
from shadowgraph.weights.readers.formats import read_any_headers
from shadowgraph.weights.readers.gguf_split import require_whole
from shadowgraph.weights.readers.values import read_values, stored_pieces
from shadowgraph.weights.roles import NAMELESS, Family, Place, families, recognise
from shadowgraph.weights.tensor import TensorEntry

UNKNOWN_FAMILY = "unknown"
EXPERT_CAP = 65_536  # matrices stacked in one tensor; the largest models have some hundred
STACKED_CAP = 524_288  # the same in all tensors of a checkpoint

Item = tuple[WeightMatrix, ...] | Skipped


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on a disk, known by its headers.

    Attributes:
        path: the directory or file given; for a model of the hub its address at one commit.
        entries: all stored tensors and those that stand for packed groups, in order of name.
        config: content of `config.json`, empty without one.
        family: name of the family whose names it uses, "unknown" when no family does.
        notes: remarks that are no errors.
    """

    path: Path
    entries: tuple[TensorEntry, ...]
    config: dict[str, Any]
    family: str
    notes: tuple[str, ...]
    _digest: list[str] = field(default_factory=list[str], init=False, repr=False, compare=False)
    _treated: list[tuple[Item, ...]] = field(
        default_factory=list[tuple[Item, ...]], init=False, repr=False, compare=False
    )

    def __repr__(self) -> str:
        """One line: name, family, number of tensors."""
        return f"Checkpoint({self.path.name!r}, {self.family}, {len(self.entries)} tensors)"

    @property
    def fingerprint(self) -> str:
        """Digest of every tensor's name, type, shape and bytes: 16 hex digits, equal however the files are sharded.

        Reads all data once, at the first call; headers alone do not identify weights.
        """
        if not self._digest:
            digest = hashlib.sha256()
            for entry in self.entries:
                label = f"{entry.name}\x1f{entry.dtype}\x1f{list(entry.shape)}"
                if entry.packing is not None and entry.packing.parts:  # equal bytes of other layouts are other values
                    label += f"\x1f{entry.packing.numbers}"
                digest.update(f"{label}\x1e".encode())
                for piece in stored_pieces(entry):
                    digest.update(piece.data)
            self._digest.append(digest.hexdigest()[:16])
        return self._digest[0]

    @property
    def structure(self) -> str:
        """Digest of every tensor's name, type and shape: 16 hex digits, from headers alone; says nothing of values."""
        labels = (f"{entry.name}\x1f{entry.dtype}\x1f{list(entry.shape)}\x1e" for entry in self.entries)
        return hashlib.sha256("".join(labels).encode()).hexdigest()[:16]

    @property
    def same_files(self) -> frozenset[tuple[int, int, int, int]]:
        """Device, inode, size and time of every file; equal sets are the same bytes without reading them."""
        stamps = {entry.file for entry in self.entries}
        return frozenset((stamp.device, stamp.inode, stamp.size, stamp.modified_ns) for stamp in stamps)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(entry.size for entry in self.entries)

    @property
    def parameters(self) -> int:
        """Number of elements; companions of quantised tensors and groups left out are not counted."""
        return sum(entry.parameters for entry in self.entries if not entry.companion and not is_packed(entry))

    @property
    def block_parameters(self) -> int:
        """Number of elements in the tensors of rank 2 and more inside the layers, readable or not.

        Groups left out count with the stored elements of their codes, so that they lower the share analysed.
        """
        family = self._family()
        return sum(
            entry.parameters
            for entry in self.entries
            if len(entry.shape) >= 2
            and not entry.companion
            and not family.is_buffer(entry.name)
            and family.place(entry.name).layer is not None
        )

    def matrices(self) -> Iterator[WeightMatrix]:
        """Every matrix in order of name, after splitting; nothing is read until a matrix is loaded."""
        for item in self._items():
            if not isinstance(item, Skipped):
                yield from item

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Every stored tensor that is no matrix to analyse, with its reason."""
        return tuple(item for item in self._items() if isinstance(item, Skipped))

    def read(self, entry: TensorEntry) -> NDArray[np.float64]:
        """Values of one stored tensor as float64."""
        return read_values(entry)

    def _family(self) -> Family:
        return next((family for family in families() if family.name == self.family), NAMELESS)

    def _items(self) -> tuple[Item, ...]:
        """Every stored tensor treated, once."""
        if not self._treated:
            self._treated.append(tuple(_treated(self.entries, self._family(), self.config)))
        return self._treated[0]


def _treated(entries: tuple[TensorEntry, ...], family: Family, config: dict[str, Any]) -> Iterator[Item]:
    """Every stored tensor as its matrices; companions, and stacks of more experts than any model has, are left out."""
    reasons: dict[str, str] = {entry.name: entry.barred for entry in entries if entry.companion and entry.barred}
    stacked = 0
    for entry in entries:
        if len(entry.shape) != 3 or entry.name in reasons or not family.place(entry.name).stacked:
            continue
        if entry.shape[0] > EXPERT_CAP:
            reasons[entry.name] = f"{entry.shape[0]:,} experts in one tensor, more than the limit of {EXPERT_CAP:,}"
        elif stacked + entry.shape[0] > STACKED_CAP:
            reasons[entry.name] = f"more than {STACKED_CAP:,} stacked experts in one checkpoint"
        else:
            stacked += entry.shape[0]
    rest = treat([entry for entry in entries if entry.name not in reasons], family, config)
    for entry in entries:
        yield Skipped(entry.name, reasons[entry.name]) if entry.name in reasons else next(rest)


def open_checkpoint(path: Path | str, prefer: str = "") -> Checkpoint:
    """Open a Hugging Face directory, a model in the hub's cache, or one weight file; headers only.

    `prefer` names the format to read where a folder holds several, one of `kinds.KINDS`; `path` of what is opened
    then names its file or index, so that it opens the same again.

    An address hf://organisation/name@revision opens the model on the hub: what is read of it is fetched (see `hub`).

    Raises:
        SpecError: an address of another form, or no such format.
        CheckpointError: malformed, unsafe or incomplete files, or every matrix of the layers is empty.
        EnvironmentFault: the machine cannot read them, or the hub cannot be reached.
    """
    place = located(path)
    layout = find_layout(place.folder, prefer)
    path = layout.root if prefer and place.path == place.folder else place.path
    entries, notes, config = _collect(layout)
    family = recognise([*entries, *unpacked(entries)], config, entries) or NAMELESS
    _require_content(family, entries, path, notes)
    places = {name: family.place(name) for name, entry in entries.items() if not entry.companion}
    _require_distinct(places, path)
    notes.extend(_remarks(config, family, places))
    ordered = tuple(entries[name] for name in sorted(entries))
    return Checkpoint(path, ordered, config, family.name, (*place.notes, *packed_notes(ordered), *layout.notes, *notes))


def _require_content(family: Family, entries: dict[str, TensorEntry], path: Path, notes: list[str]) -> None:
    """Tensors of no element are what a partitioned save (ZeRO stage 3) leaves behind; an adapter is no model."""
    if not entries:
        raise CheckpointError("no tensor is stored in it", where=str(path), hint="download or save it again")
    if any(entry.barred == BARRED for entry in entries.values()) and is_adapter(entries):
        raise CheckpointError(REFUSAL, where=str(path), hint=ADVICE)
    empty = sum(1 for entry in entries.values() if entry.parameters == 0)
    if not empty:
        return
    hint = "consolidate the partitioned checkpoint first"
    blocks = [entry for name, entry in entries.items() if family.place(name).roles[0].is_block_linear]
    if blocks and all(entry.parameters == 0 for entry in blocks):
        raise CheckpointError(f"all {len(blocks)} matrices of the layers are empty", where=str(path), hint=hint)
    notes.append(f"{empty} of {len(entries)} tensors are empty, as a partitioned save leaves them; {hint}")


def _require_distinct(places: dict[str, Place], path: Path) -> None:
    """A matrix of a layer stored under two spellings of its name would be counted twice."""
    seen: dict[str, str] = {}
    for name, place in places.items():
        other = seen.setdefault(place.key, name)
        if other != name and place.roles[0].is_block_linear:
            raise CheckpointError(
                f"tensors '{printable(other)}' and '{printable(name)}' are two spellings of one matrix",
                where=str(path),
                hint="save the model again with one of them",
            )


def _collect(layout: Layout) -> tuple[dict[str, TensorEntry], list[str], dict[str, Any]]:
    """Headers of all shards joined, checked against the index; with the configuration, that of the folder first."""
    config: dict[str, Any] = {}
    entries: dict[str, TensorEntry] = {}
    notes: list[str] = []
    writers: set[str] = set()
    headers = list(read_any_headers(layout.shards))
    for shard, header in zip(layout.shards, headers, strict=True):
        notes.extend(header.notes)
        config.update(header.config)
        writers.update({header.metadata["format"]} if "format" in header.metadata else ())
        for entry in header.entries:
            if entry.name in entries:
                other = entries[entry.name].file.path.name
                raise CheckpointError(
                    f"tensor '{printable(entry.name)}' is stored in two shards, also in {printable(other)}",
                    where=str(shard),
                )
            entries[entry.name] = entry
    require_whole(headers)
    if layout.weight_map is not None:
        _check_index(layout, layout.weight_map, entries, notes)
    if len(writers) > 1:
        shown = ", ".join(printable(writer, 40) for writer in sorted(writers)[:5])
        notes.append(f"the shards name several writers ({shown}); they may not belong together")
    config.update(layout.config)
    return _without_adapters(resolve(entries, config), notes), notes, config


def _without_adapters(entries: dict[str, TensorEntry], notes: list[str]) -> dict[str, TensorEntry]:
    """Bar the parameters of an adapter that was saved among the weights it changes."""
    found = adapter_tensors(entries)
    if not found:
        return entries
    notes.append(
        f"{len(found)} tensors of an adapter are stored beside the weights and not merged into them:"
        f" what is listed is not what the model computes; {ADVICE}"
    )
    return {
        name: replace(entry, barred=BARRED, companion=True) if name in found else entry
        for name, entry in entries.items()
    }


def _check_index(
    layout: Layout, weight_map: dict[str, Path], entries: dict[str, TensorEntry], notes: list[str]
) -> None:
    for name, shard in weight_map.items():
        entry = entries.get(name)
        if entry is None or entry.file.path != shard:
            raise CheckpointError(
                f"the index promises tensor '{printable(name)}', which is not there", where=str(shard)
            )
    unlisted = len(entries) - len(weight_map)
    if unlisted:
        notes.append(f"{unlisted} tensors are stored but not in the index; they are read")
    stored = sum(entry.size for entry in entries.values())
    if layout.total_size is not None and layout.total_size != stored:
        notes.append(f"the index promises {layout.total_size} bytes, {stored} are stored")


def _remarks(config: dict[str, Any], family: Family, places: dict[str, Place]) -> list[str]:
    notes: list[str] = []
    if family.name == UNKNOWN_FAMILY:
        shown = ", ".join(printable(name, 80) for name in sorted(places)[:3])
        return [f"no known family names its tensors like this ({len(places)} tensors, such as {shown}): no roles"]
    model = config.get("model_type")
    if isinstance(model, str) and model not in family.models:
        notes.append(f"model type '{printable(model, 60)}' is read by the names of the family {family.name}")
    stacks: dict[str, set[int]] = {}
    experts: dict[int, set[int]] = {}
    for place in places.values():
        if place.layer is not None:
            stacks.setdefault(place.roles[0].tower, set()).add(place.layer)
            if place.expert is not None:
                experts.setdefault(place.layer, set()).add(place.expert)
    layers = stacks.get("text") or stacks.get("vision", set())
    inner = section(config, "text")
    declared = inner.get("num_hidden_layers", inner.get("n_layer"))
    if type(declared) is int and declared != len(layers):
        notes.append(f"config.json declares {printable(str(declared), 20)} layers, {len(layers)} are stored")
    if layers and len(layers) != max(layers) + 1:
        notes.append(f"the layers are not numbered 0 to {len(layers) - 1}")
    gaps = sorted(layer for layer, found in experts.items() if len(found) != max(found) + 1)
    if gaps:
        held = len(experts[gaps[0]])
        notes.append(f"experts are missing in {len(gaps)} of {len(experts)} layers: layer {gaps[0]} holds {held}")
    elif len({len(found) for found in experts.values()}) > 1:
        notes.append("the layers hold different numbers of experts")
    return notes
