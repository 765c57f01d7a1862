"""What every format gives: a checked header, and nothing read beyond it.

Here live: `Header`, and the protocol that a reader of one format fulfils.
Not here: any format. A new format is a module with one `HeaderReader`, entered in `formats`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from shadowgraph.weights.tensor import Stamp, TensorEntry


@dataclass(frozen=True, slots=True)
class Header:
    """A checked header: entries in the order of their bytes, metadata, and remarks that are no errors.

    `config` holds what the file itself says of the model, under the names of `config.json`; empty for most formats.
    """

    stamp: Stamp
    entries: tuple[TensorEntry, ...]
    metadata: dict[str, str]
    notes: tuple[str, ...]
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __repr__(self) -> str:
        """One line: file and number of tensors."""
        return f"Header({self.stamp.path.name!r}, {len(self.entries)} tensors)"


class HeaderReader(Protocol):
    """A reader of one format: every span it gives lies in the file, every type is a key of `ELEMENT_TYPES`."""

    def __call__(self, path: Path, /) -> Header:
        """Read and check the header of one file; no tensor data is read.

        Raises:
            CheckpointError: the file breaks the format; the message names file and tensor.
            EnvironmentFault: the file may not or cannot be read.
        """
        ...
