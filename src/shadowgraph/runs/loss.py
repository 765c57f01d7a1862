"""The loss of a model on sequences.

Here live: mean cross-entropy a token.
Not here: scores of items (`scores`), training losses (the ledger).
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError, require
from shadowgraph.runs.session import offline


def evaluate_loss(model_dir: Path, sequences: NDArray[np.integer], *, batch: int = 16, threads: int = 1) -> float:
    """Mean cross-entropy of a saved model on token sequences.

    Args:
        model_dir: folder of the model.
        sequences: (N, L) token ids, L at least 2; the first token of a row is context only.
        batch: rows a forward pass.
        threads: threads used; the value is the same for the same number.

    Returns:
        Nats a predicted token: −(1 / N(L−1)) Σ log p(token | tokens before it in its row).

    Raises:
        DataError: when there is nothing to predict.
        CheckpointError: when the folder holds no model.
    """
    if sequences.ndim != 2 or sequences.shape[0] < 1 or sequences.shape[1] < 2:
        raise DataError(f"sequences of shape {sequences.shape} hold nothing to predict", where="sequences")
    require("torch", "train")
    require("transformers", "train")
    offline()
    import torch

    from shadowgraph.runs.model import load_model
    from shadowgraph.runs.session import session

    total = 0.0
    with session(threads), torch.inference_mode():
        model = load_model(model_dir)
        for first in range(0, sequences.shape[0], batch):
            ids = torch.from_numpy(np.ascontiguousarray(sequences[first : first + batch], dtype=np.int64))
            logits = model(input_ids=ids, use_cache=False).logits[:, :-1].flatten(0, 1)
            total += float(torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="sum"))
    return total / (sequences.shape[0] * (sequences.shape[1] - 1))
