"""The directions in which a model's loss pulls its matrices, batch by batch.

Here live: the leading eigenvectors of the second moment of batch gradients at saved weights.
Not here: how much of an update lies in them (`footprint`), training.

Legend: `m n` rows and columns of a matrix, `k` directions kept, G_b the gradient of batch b.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, DataError, SpecError, printable, require
from shadowgraph.runs.session import offline
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.matrix import WeightMatrix, flat_shape

RESOLVED = 1e-12  # eigenvalues below this share of the trace have no direction of their own


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Leading directions of one matrix's batch gradients.

    Attributes:
        left: (m, k) orthonormal eigenvectors of Σ_b G_b G_bᵀ, largest first; fewer columns than asked for where the
            moment has a lower rank.
        right: (n, k) the same of Σ_b G_bᵀ G_b.
        batches: number of batches summed.
        captured: mean over batches of the share of a batch's gradient energy that lies in the left directions of the
            other batches, 0 … 1; with a single batch, in its own.
        spread: largest minus smallest of these shares, 0 with a single batch. A wide one says that few batches speak
            for all.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    batches: int
    captured: float
    spread: float

    def __repr__(self) -> str:
        """One line: shapes and how well the directions generalise."""
        return (
            f"Directions(left {self.left.shape[0]}×{self.left.shape[1]}, right {self.right.shape[0]}×"
            f"{self.right.shape[1]}, {self.batches} batches, captured {self.captured:.3f} ± {self.spread / 2:.3f})"
        )


def leading_directions(
    model: Path, sequences: NDArray[np.integer], *, batches: int, batch: int, top: int, threads: int = 1
) -> dict[str, Directions]:
    """Leading directions of the loss gradient of every block linear matrix at the saved weights.

    The gradient of each batch over all parameters is scaled to norm 1, about what clipping and Adam do: in the raw sum
    one or two batches of large gradient speak for all. Then the moments are summed:

        L = Σ_b G_b G_bᵀ (m × m),  R = Σ_b G_bᵀ G_b (n × n),

    and their `top` leading eigenvectors kept, each with its largest entry positive. Under a random update of no
    relation the expected energy share in them is k/m (left) and k/n (right).

    Args:
        model: folder of the model W0.
        sequences: (N, L) token ids, N at least batches × batch, L at least 2; the first rows are used, in order.
        batches: number of gradients.
        batch: rows a gradient; the mean over a batch carries noise of share 1 / batch, so take the run's own.
        top: directions a side, at most as many as the side is long.
        threads: threads of the model; the values are the same for the same number.

    Returns:
        Directions by the name a footprint gives the matrix. Matrices that the loss on this text does not reach (a
        vision tower, an expert no token came to) are absent. All gradients are held: batches × parameters × 4 bytes.

    Raises:
        SpecError: a count below 1.
        DataError: too few rows, nothing to predict, or a gradient that is zero or not finite.
        CheckpointError: the folder holds no model, or one whose stored names its gradients do not bear.

    Source:
        A Fisher-like second moment of normalised batch gradients; the choice of the norm follows Pascanu, Mikolov and
        Bengio, On the difficulty of training recurrent neural networks (2013), section 3.2, gradient clipping.
    """
    for name, value in (("batches", batches), ("batch", batch), ("top", top), ("threads", threads)):
        if value < 1:
            raise SpecError(f"{value} must be at least 1", where=name)
    if sequences.ndim != 2 or sequences.shape[0] < batches * batch or sequences.shape[1] < 2:
        raise DataError(f"{batches} × {batch} rows are needed, {sequences.shape} given", where="sequences")
    require("torch", "train")
    require("transformers", "train")
    offline()
    from shadowgraph.runs.session import session

    checkpoint = open_checkpoint(model)
    with session(threads):
        gradients = _gradients(model, sequences[: batches * batch].reshape(batches, batch, -1))
        return {
            matrix.name: directions
            for matrix in _reached(checkpoint, gradients)
            if (directions := _directions([_cut(stored[matrix.tensor], matrix) for stored in gradients], top))
        }


def _gradients(model: Path, rows: NDArray[np.integer]) -> list[dict[str, NDArray[np.float32]]]:
    """The normalised gradient of every batch by stored name; parameters without one are zero there."""
    import torch
    from transformers.core_model_loading import revert_weight_conversion

    from shadowgraph.runs.model import load_model

    network = load_model(model)
    found: list[dict[str, NDArray[np.float32]]] = []
    for number, block in enumerate(rows):
        ids = torch.from_numpy(np.ascontiguousarray(block, dtype=np.int64))
        network.zero_grad(set_to_none=True)
        network(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        gradients = {
            name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for name, parameter in network.named_parameters()
        }
        norm = sum(float(value.double().square().sum()) for value in gradients.values()) ** 0.5
        if not 0.0 < norm < float("inf"):
            raise DataError(f"the gradient has the norm {norm}", where=f"sequences, batch {number}")
        # Stored names and shapes can differ from those in memory (experts are stacked there): undone as on saving.
        stored: dict[str, Any] = revert_weight_conversion(network, {k: v / norm for k, v in gradients.items()})
        found.append({name: np.array(value.numpy(), dtype=np.float32) for name, value in stored.items()})
    return found


def _reached(checkpoint: Checkpoint, gradients: list[dict[str, NDArray[np.float32]]]) -> list[WeightMatrix]:
    """The block linear matrices that some gradient touches."""
    blocks = [matrix for matrix in checkpoint.matrices() if matrix.role.is_block_linear]
    for matrix in blocks:
        found = gradients[0].get(matrix.tensor)
        if found is None or found.shape != matrix.source.shape:
            raise CheckpointError(
                f"no gradient bears the name and shape of '{printable(matrix.tensor)}'",
                where=str(checkpoint.path),
                hint="load the model and save it again",
            )
    return blocks


def _cut(stored: NDArray[np.float32], matrix: WeightMatrix) -> NDArray[np.float64]:
    """The gradient of one matrix (out, in) from that of its stored tensor."""
    piece = matrix.piece
    if piece is None:
        return stored.astype(np.float64)
    values = stored.reshape(flat_shape(stored.shape)) if piece.expert is None else stored[piece.expert]
    return piece.cut.take((values.T if piece.transposed else values).astype(np.float64), piece.part)


def _directions(gradients: list[NDArray[np.float64]], top: int) -> Directions | None:
    """Leading directions of one matrix, None when no batch reaches it."""
    energies = [float(np.sum(gradient**2)) for gradient in gradients]
    if not any(energies):
        return None
    lefts = [gradient @ gradient.T for gradient in gradients]
    total: NDArray[np.float64] = np.sum(lefts, axis=0)
    left = _eigenvectors(total, top)
    right = _eigenvectors(np.sum([gradient.T @ gradient for gradient in gradients], axis=0), top)
    shares: list[float] = []
    for moment, energy in zip(lefts, energies, strict=True):
        if energy > 0.0:
            others = left if len(gradients) == 1 else _eigenvectors(total - moment, top)
            shares.append(float(np.sum(others * (moment @ others))) / energy)
    return Directions(
        left=left,
        right=right,
        batches=len(gradients),
        captured=sum(shares) / len(shares),
        spread=max(shares) - min(shares),
    )


def _eigenvectors(moment: NDArray[np.float64], top: int) -> NDArray[np.float64]:
    """Orthonormal leading eigenvectors (size, k) of a symmetric matrix, largest first, largest entry positive."""
    size = moment.shape[0]
    values, vectors = scipy.linalg.eigh(moment, subset_by_index=(max(0, size - top), size - 1), check_finite=False)
    kept = values[::-1] > RESOLVED * float(np.trace(moment))
    vectors = np.ascontiguousarray(vectors[:, ::-1][:, kept])
    signs = np.sign(vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])])
    return vectors * signs
