"""The loss of a model on sequences.

Here live: mean cross-entropy a token, of a saved model and of one in memory, of text or of text about pictures.
Not here: scores of items (`scores`), training losses (the ledger).
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError, require
from shadowgraph.runs.sequences import UNSUPERVISED, as_seen
from shadowgraph.runs.session import offline

LOGITS = 1 << 27
"""Bytes of the logits of a forward pass at most, where one row does not need more."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What goes along with rows of token ids.

    Attributes:
        supervised: (N, L) booleans, whether a token counts.
        pictures: (M, p, c, h, w) float32 or uint8, as `sequences.Along` says.
        shown: (N,) rows of `pictures`.
    """

    supervised: NDArray[np.bool_]
    pictures: NDArray[np.float32] | NDArray[np.uint8]
    shown: NDArray[np.integer]


def evaluate_loss(
    model_dir: Path,
    sequences: NDArray[np.integer],
    *,
    along: Shown | None = None,
    batch: int = 16,
    threads: int = 1,
) -> float:
    """Mean cross-entropy of a saved model on token sequences.

    Args:
        model_dir: folder of the model.
        sequences: (N, L) token ids, L at least 2; the first token of a row is context only.
        along: which tokens count and what the rows show; None for all tokens and no pictures.
        batch: rows a forward pass.
        threads: threads used; the value is the same for the same number.

    Returns:
        Nats a predicted token: −(1 / P) Σ log p(token | tokens before it in its row, its picture) over the P tokens
        that count, all N(L−1) of them without `along`.

    Raises:
        DataError: when there is nothing to predict, or `along` is of other rows.
        CheckpointError: when the folder holds no model.
    """
    _count(sequences, along)
    require("torch", "train")
    require("transformers", "train")
    offline()
    from shadowgraph.runs.model import load_model
    from shadowgraph.runs.session import session

    with session(threads):
        return loss_of(load_model(model_dir), sequences, along=along, batch=batch)


def loss_of(model: Any, sequences: NDArray[np.integer], *, along: Shown | None = None, batch: int = 16) -> float:
    """Mean cross-entropy of a model in memory; call it inside a `session`, whose threads it uses.

    Args:
        model: a Hugging Face language model in evaluation mode.
        sequences: (N, L) token ids, L at least 2; the first token of a row is context only.
        along: as for `evaluate_loss`.
        batch: rows a forward pass; fewer where their logits would fill more than `LOGITS`.

    Returns:
        Nats a predicted token, as `evaluate_loss` gives for the same weights.

    Raises:
        DataError: when there is nothing to predict, or `along` is of other rows.
    """
    import torch

    counted, total = _count(sequences, along), 0.0
    row = sequences.shape[1] * int(model.config.get_text_config().vocab_size) * 4
    batch = max(1, min(batch, LOGITS // row))
    with torch.inference_mode():
        for first in range(0, sequences.shape[0], batch):
            rows = slice(first, first + batch)
            ids = torch.from_numpy(np.ascontiguousarray(sequences[rows], dtype=np.int64))
            shown, targets = {}, ids[:, 1:].flatten()
            if along is not None:
                pixels = as_seen(along.pictures[along.shown[rows]])
                shown["pixel_values"] = torch.from_numpy(pixels.reshape(-1, *pixels.shape[2:]))
                unseen = torch.from_numpy(~along.supervised[rows][:, 1:].flatten())
                targets = targets.masked_fill(unseen, UNSUPERVISED)
            logits = model(input_ids=ids, **shown, use_cache=False).logits[:, :-1].flatten(0, 1)
            total += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
    return total / counted


def _count(sequences: NDArray[np.integer], along: Shown | None) -> int:
    """How many tokens are predicted; refuses sequences that hold nothing to predict."""
    if sequences.ndim != 2 or sequences.shape[0] < 1 or sequences.shape[1] < 2:
        raise DataError(f"sequences of shape {sequences.shape} hold nothing to predict", where="sequences")
    if along is None:
        return sequences.shape[0] * (sequences.shape[1] - 1)
    if along.supervised.shape != sequences.shape or len(along.shown) != len(sequences):
        raise DataError(f"goes along with other rows than {sequences.shape}", where="along")
    counted = int(np.count_nonzero(along.supervised[:, 1:]))
    if not counted:
        raise DataError("no token of the sequences counts", where="along")
    return counted
