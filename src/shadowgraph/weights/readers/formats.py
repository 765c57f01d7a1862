"""Which reader for which file.

Here lives: the table of formats by the ending of a name.
Not here: any parsing. What is in no table goes to safetensors, whose refusal says what the file really is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path

from shadowgraph.weights.readers.header import Header

SAFETENSORS = "safetensors"
READERS: Mapping[str, str] = {
    ".safetensors": SAFETENSORS,
    ".gguf": "gguf",
    ".bin": "torch_archive",
    ".pt": "torch_archive",
    ".pth": "torch_archive",
    ".ckpt": "torch_archive",
    ".onnx": "onnx",
}
"""Ending of a file's name to the module of this folder whose `read_header` reads it, loaded when it is needed."""


def read_any_header(path: Path) -> Header:
    """Read and check the header of a weight file by the reader of its format.

    Raises:
        CheckpointError: the file breaks its format; the message names file and tensor.
        EnvironmentFault: the file may not or cannot be read.
    """
    return next(read_any_headers([path]))


def read_any_headers(paths: Sequence[Path]) -> Iterator[Header]:
    """Read and check the headers of weight files in their order, each by the reader of its format.

    A reader with `read_headers` is given its files together: starting it costs more than a file does.

    Raises:
        CheckpointError: a file breaks its format; the message names file and tensor.
        EnvironmentFault: a file may not or cannot be read.
    """
    for name, group in groupby(paths, key=lambda path: READERS.get(path.suffix.lower(), SAFETENSORS)):
        reader = import_module(f"shadowgraph.weights.readers.{name}")
        together = getattr(reader, "read_headers", None)
        if together is None:
            yield from map(reader.read_header, group)
        else:
            yield from together(list(group))
