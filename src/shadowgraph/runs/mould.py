"""A model in memory into which stored weights are poured, as often as one likes and without a file.

Here lives: the mould, which knows where every stored element goes in the module.
Not here: what the weights are (`study.edited`), the loss (`loss`). The functions import torch when called.

Legend: `e` stored elements of a model, tensor by tensor in order of name.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, require
from shadowgraph.runs.session import offline
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint


@dataclass(frozen=True, eq=False)
class Mould:
    """A model whose weights can be exchanged.

    Attributes:
        model: the module, in evaluation mode and float32.
        parts: every parameter with the stored element that each of its own is, of the parameter's shape.
        offsets: name of a stored tensor → its first element among all.
        size: number of stored elements.
    """

    model: Any
    parts: tuple[tuple[Any, Any], ...]
    offsets: dict[str, int]
    size: int

    def __repr__(self) -> str:
        """One line: parameters and elements."""
        return f"Mould({len(self.parts)} parameters, {self.size} elements)"

    def pour(self, values: NDArray[np.float64]) -> Any:
        """Give the model these weights, rounded to float32.

        Args:
            values: (e,) stored elements.

        Returns:
            The model.
        """
        import torch

        held = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
        with torch.no_grad():
            for parameter, places in self.parts:
                parameter.copy_(held[places])
        return self.model


def flat_weights(checkpoint: Checkpoint) -> NDArray[np.float64]:
    """All stored elements of a model, (e,), tensor by tensor in order of name; exact."""
    return np.concatenate([checkpoint.read(entry).ravel() for entry in checkpoint.entries])


def mould_of(folder: Path) -> Mould:
    """Load a model of ours as a mould; call it and use it inside one `session`.

    Where stored elements go is found by loading their own numbers as weights: whatever a family splits, joins, turns
    or ties on the way into memory, it moves the numbers as it moves weights.

    Args:
        folder: a model folder of a full run, stored in float32.

    Returns:
        The mould, filled with the folder's own weights.

    Raises:
        CheckpointError: some stored element goes nowhere in the model, or to two places.
        EnvironmentFault: torch or transformers are not installed.
    """
    require("torch", "train")
    require("transformers", "train")
    offline()
    import torch

    from shadowgraph.runs.model import load_model

    model, entries = load_model(folder), open_checkpoint(folder).entries
    offsets: dict[str, int] = {}
    numbers: dict[str, Any] = {}
    size = 0
    for entry in entries:
        offsets[entry.name] = size
        numbers[entry.name] = torch.arange(size, size + entry.parameters, dtype=torch.float64).reshape(entry.shape)
        size += entry.parameters
    numbered = type(model).from_pretrained(None, config=model.config, state_dict=numbers, dtype=torch.float64)
    found = {name: value.detach().to(torch.int64) for name, value in numbered.named_parameters()}
    held = np.sort(np.concatenate([value.numpy().ravel() for value in found.values()]))
    if not np.array_equal(held, np.arange(size)):
        raise CheckpointError(
            "its stored weights and those of the model in memory do not correspond one to one", where=str(folder)
        )
    parts = tuple((parameter, found[name]) for name, parameter in model.named_parameters())
    return Mould(model, parts, offsets, size)
