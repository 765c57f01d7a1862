"""Packed elements: which decoder for which packing.

Here live: the protocol of a decoder and the table of methods.
Not here: any arithmetic. A decoder is a module of its own, loaded when a tensor of its method is read.

Legend: a tensor of shape (a, b, …, w) is seen as lines of its last axis, a · b · … lines of `w` elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect, printable
from shadowgraph.weights.tensor import TensorEntry


class Decoder(Protocol):
    """A module that decodes the tensors of one method, or of several of one kind."""

    def decode(self, entry: TensorEntry, first: int, last: int, /) -> NDArray[np.float64]:
        """Lines first … last − 1 as float64 (last − first, w), exact up to one rounding of the method's own product.

        Raises:
            CheckpointError: a file changed or cut since its header was read, or values that the method forbids.
            EnvironmentFault: the device refuses.
        """
        ...

    def squared_steps(self, entry: TensorEntry, first: int, last: int, /) -> float:
        """Sum over the elements of these lines of the squared distance between neighbouring values of the method.

        A value was rounded to the nearest of these, with an error uniform in half a step: variance step² / 12.
        """
        ...


DECODERS: Mapping[str, str] = {
    "strided": "strided",
    "gguf": "gguf_values",
    "gptq": "packed_integers",
    "awq": "packed_integers",
    "compressed-tensors": "packed_integers",
    "int8": "packed_integers",
    "bitsandbytes-8bit": "packed_integers",
    "mlx": "packed_integers",
    "bitsandbytes-4bit": "packed_codes",
    "mxfp4": "packed_codes",
    "nvfp4": "packed_codes",
}
"""Method of a packing to the module of this folder that decodes it."""


def decoder(entry: TensorEntry) -> Decoder:
    """The decoder of a packed tensor.

    Raises:
        Defect: a tensor without packing.
    """
    if entry.packing is None:
        raise Defect("a tensor without packing has no decoder", where=printable(entry.name))
    return cast(Decoder, import_module(f"shadowgraph.weights.readers.{DECODERS[entry.packing.method]}"))
