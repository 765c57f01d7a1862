"""The option `--prefer`: which format is read where a folder holds the weights in several.

Here live: its values. Not here: the choice (`weights.directory`).
"""

from enum import StrEnum


class Preferred(StrEnum):
    """Formats of weights by name, as `weights.kinds` has them."""

    SAFETENSORS = "safetensors"
    TORCH = "torch"
    GGUF = "gguf"
    ONNX = "onnx"
