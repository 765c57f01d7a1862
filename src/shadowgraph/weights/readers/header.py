"""What every format gives: a checked header, and nothing read beyond it.

Here live: `Header`, and the protocol that a reader of one format fulfils.
Not here: any format. A new format is a module with one `HeaderReader`, entered in `formats`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shadowgraph.weights.tensor import Stamp, TensorEntry


@dataclass(frozen=True, slots=True)
class Header:
    """A checked header: entries in the order of their bytes, metadata, and remarks that are no errors."""

    stamp: Stamp
    entries: tuple[TensorEntry, ...]
    metadata: dict[str, str]
    notes: tuple[str, ...]

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
