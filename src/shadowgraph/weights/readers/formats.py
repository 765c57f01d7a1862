"""Which reader for which file.

Here lives: the table of formats by the ending of a name.
Not here: any parsing. What is in no table goes to safetensors, whose refusal says what the file really is.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
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
    module = import_module(f"shadowgraph.weights.readers.{READERS.get(path.suffix.lower(), SAFETENSORS)}")
    return module.read_header(path)
