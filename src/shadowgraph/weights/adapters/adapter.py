"""An adapter: the checked list of its tensors, and its updates.

Here live: `Adapter` and `open_adapter`.
Not here: the choice between a model and an adapter (`opened`), what the configuration says (`settings`), how updates
are made (`joined`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.adapter import ADAPTER_CONFIG, ADAPTER_NAME, require_merged
from shadowgraph.weights.adapters.joined import AdapterUpdates, Joiner, stored
from shadowgraph.weights.adapters.lookup import Lookup
from shadowgraph.weights.adapters.pairs import Contents, Pair, read_contents, stripped
from shadowgraph.weights.adapters.settings import Settings, read_settings
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.folder import contained, listing
from shadowgraph.weights.readers.formats import read_any_header
from shadowgraph.weights.readers.span import read_all
from shadowgraph.weights.readers.strict_json import parse
from shadowgraph.weights.roles import NAMELESS, Family, families, recognise
from shadowgraph.weights.settings import CONFIG_CAP, CONFIG_NAME
from shadowgraph.weights.tensor import TensorEntry

ARCHIVE_NAME = "adapter_model.bin"
WEIGHTS = (ADAPTER_NAME, ARCHIVE_NAME)
UNSCALED = f"an adapter without {ADAPTER_CONFIG} beside it: the scale of its factors is not known"

__all__ = ["Adapter", "AdapterUpdates", "open_adapter"]


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter on a disk, known by its headers and its configuration.

    Attributes:
        path: the directory or file given.
        entries: all stored tensors, in order of name.
        config: content of `adapter_config.json`.
        family: name of the family whose names its base uses, "unknown" when no family does.
        notes: remarks that are no errors.
        settings: what the configuration says, checked.
        contents: the tensors, sorted.
        scales: factor of the product of every module, where it changes the module's weight.
        base_config: content of a `config.json` beside it, empty without one.
        name: by which it was chosen among several, None where it was not.
    """

    path: Path
    entries: tuple[TensorEntry, ...]
    config: dict[str, Any]
    family: str
    notes: tuple[str, ...]
    settings: Settings
    contents: Contents
    scales: Mapping[str, float]
    base_config: dict[str, Any]
    name: str | None = None
    _digest: list[str] = field(default_factory=list[str], init=False, repr=False, compare=False)

    def __repr__(self) -> str:
        """One line: name, family, number of modules."""
        return f"Adapter({self.path.name!r}, {self.family}, {len(self.contents.pairs)} pairs of factors)"

    @property
    def fingerprint(self) -> str:
        """Digest of every tensor as for a checkpoint and of what scales them: 16 hex digits.

        Reads all data once, at the first call.
        """
        if not self._digest:
            settings = self.settings
            scaled = [sorted(self.scales.items()), settings.alpha, settings.stabilised, settings.alphas[1]]
            text = json.dumps([self._stored.fingerprint, settings.dora, settings.parameters, scaled])
            self._digest.append(hashlib.sha256(text.encode()).hexdigest()[:16])
        return self._digest[0]

    @property
    def structure(self) -> str:
        """Digest of every tensor's name, type and shape: 16 hex digits, from headers alone."""
        return self._stored.structure

    @property
    def same_files(self) -> frozenset[tuple[int, int, int, int]]:
        """Device, inode, size and time of every file of tensors."""
        return self._stored.same_files

    @property
    def stored_bytes(self) -> int:
        """Bytes of all tensors."""
        return self._stored.stored_bytes

    @property
    def parameters(self) -> int:
        """Number of stored elements."""
        return self._stored.parameters

    @property
    def block_parameters(self) -> int:
        """Number of stored elements of factors and matrices inside the layers."""
        family = _family(self.family)
        inside = [
            (pair.module, entry)
            for pair in self.contents.pairs
            for entry in (pair.down, pair.up)
        ] + [(name, entry) for name, entry in self.contents.whole if len(entry.shape) >= 2]  # fmt: skip
        return sum(entry.parameters for name, entry in inside if _layer(family, name) is not None)

    @property
    def _stored(self) -> Checkpoint:
        """The same tensors seen as those of a model, for what is counted alike."""
        return Checkpoint(self.path, self.entries, {}, self.family, ())

    def updates(self, base: Checkpoint | None) -> AdapterUpdates:
        """Every update it makes, alone or against a base; only headers are read.

        Args:
            base: the model that it was trained on; without one, what needs a base is left out with its reason.

        Raises:
            CheckpointError: a matrix that the base does not have, or has in another shape; a base with an adapter
                beside its weights; a matrix that is changed twice.
        """
        family, config, lookup = _family(self.family), self.base_config, None
        if base is not None:
            require_merged(base.entries, str(base.path))
            family, config = _family(base.family), base.config
            lookup = Lookup.of(base, family)
        return Joiner(str(self.path), self.settings, self.scales, family, config, lookup).join(self.contents)


def open_adapter(path: Path, folder: Path, weights: str, notes: tuple[str, ...] = ()) -> Adapter:
    """Open an adapter of the PEFT library; headers and configuration only.

    Args:
        path: what the user gave.
        folder: the folder of its files.
        weights: name of the file of its tensors.
        notes: remarks of the caller.

    Raises:
        CheckpointError: a malformed or unsafe file, no configuration, another method than LoRA and DoRA, half a pair,
            ranks that do not agree with one another or with the configuration.
        EnvironmentFault: the machine cannot read them.
    """
    names = listing(folder)
    if ADAPTER_CONFIG not in names:
        raise CheckpointError(UNSCALED, where=str(folder / weights), hint=f"put its {ADAPTER_CONFIG} there")
    place = contained(folder, ADAPTER_CONFIG)
    config = _object(place)
    settings = read_settings(config, str(place))
    if weights not in names:
        raise CheckpointError(f"{ADAPTER_CONFIG} is there, but no {' or '.join(WEIGHTS)}", where=str(folder))
    header = read_any_header(contained(folder, weights))
    contents = read_contents(header.entries, str(folder / weights))
    scales: dict[str, float] = {}
    for pair in contents.pairs:
        _require_magnitude(pair, settings, str(folder / weights))
        if not pair.depth and not settings.parameters_of(pair.module):
            scales[pair.module] = settings.scale_for(pair.module, pair.rank)
    base_config, remarks = _base_config(folder) if CONFIG_NAME in names else ({}, [])
    family = recognise(_names(contents), base_config, _as_stored(contents, settings)) or NAMELESS
    entries = tuple(sorted(header.entries, key=lambda entry: entry.name))
    said = (*notes, *header.notes, *settings.notes, *contents.notes, *remarks, *_remarks(settings))
    return Adapter(path, entries, config, family.name, said, settings, contents, scales, base_config)


def _object(path: Path) -> dict[str, Any]:
    content = parse(read_all(path, CONFIG_CAP), what=path.name, where=str(path))
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name} is not an object", where=str(path))
    return cast(dict[str, Any], content)


def _base_config(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Content of a `config.json` beside an adapter; anything wrong with it becomes a note."""
    try:
        return _object(contained(folder, CONFIG_NAME)), []
    except CheckpointError as error:
        return {}, [f"config.json is not used ({error.found}); roles come from the names alone"]


def _require_magnitude(pair: Pair, settings: Settings, where: str) -> None:
    """DoRA needs one magnitude a row of the matrix, of an embedding one a column; without it nothing is known."""
    place = f"{where}: module '{printable(pair.module, 80)}'"
    if settings.dora != (pair.magnitude is not None):
        found = "use_dora is true, and the vector of magnitudes is missing"
        if pair.magnitude is not None:
            found = "a vector of magnitudes, and use_dora is not true"
        raise CheckpointError(found, where=place, hint="save the adapter again")
    if pair.magnitude is None:
        return
    expected = pair.shape[1] if pair.kind == "embedding" else pair.shape[0]
    if pair.magnitude.unreadable or pair.magnitude.parameters != expected:
        raise CheckpointError(
            f"the vector of magnitudes is {pair.magnitude.dtype} {list(pair.magnitude.shape)}, {expected} numbers are"
            " needed",
            where=place,
        )


def _names(contents: Contents) -> list[str]:
    return [f"{pair.module}.weight" for pair in contents.pairs] + [stripped(name) for name, _ in contents.whole]


def _as_stored(contents: Contents, settings: Settings) -> dict[str, TensorEntry]:
    """The matrices as the base stores them: their shapes tell families apart that name them alike."""
    return {
        name: stored(name, pair, settings)
        for pair in contents.pairs
        if pair.kind == "linear" and not pair.depth
        for name in (f"{pair.module}.weight",)
    }


def _remarks(settings: Settings) -> list[str]:
    if not settings.base:
        return ["the adapter names no base"]
    return [f"the adapter names '{printable(settings.base, 80)}' as its base; it is not looked for"]


def _family(name: str) -> Family:
    return next((family for family in families() if family.name == name), NAMELESS)


def _layer(family: Family, name: str) -> int | None:
    return family.place(name if name.endswith(".weight") else f"{name}.weight").layer
