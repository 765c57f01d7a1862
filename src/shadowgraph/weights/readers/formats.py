"""Which reader for which file.

Here lives: the table of formats by the ending of a name.
Not here: any parsing. What is in no table goes to safetensors, whose refusal says what the file really is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shadowgraph.weights.readers.header import Header, HeaderReader
from shadowgraph.weights.readers.safetensors import read_header as read_safetensors

READERS: Mapping[str, HeaderReader] = {".safetensors": read_safetensors}


def read_any_header(path: Path) -> Header:
    """Read and check the header of a weight file by the reader of its format.

    Raises:
        CheckpointError: the file breaks its format; the message names file and tensor.
        EnvironmentFault: the file may not or cannot be read.
    """
    return READERS.get(path.suffix.lower(), read_safetensors)(path)
