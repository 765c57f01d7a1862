"""The batches lm-eval is about to run, and how much of each is needed.

Here live: the plan of batches, made with lm-eval's own collator.
Not here: running them (`harness`). This module imports torch and lm-eval.

lm-eval computes the logits of every position of a batch and keeps those of the continuations. The output layer works
position by position, so that leaving out the others changes no kept number; of a model with many tokens and few layers
it is most of the work and of the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from lm_eval.models.utils import Collator

LEAST = 16  # positions kept at least: products of very few rows may be summed in another order

Request = tuple[tuple[str, str], list[int], list[int]]  # context and continuation, as text and as ids


class Batch(NamedTuple):
    """The ids lm-eval will put into the model (rows × positions), and how many last positions it will read."""

    ids: Any
    keep: int


def planned(requests: Sequence[Request], size: int, longest: int) -> Iterator[Batch]:
    """The batches in the order in which lm-eval will run them.

    Args:
        requests: texts, ids of the context, ids of the continuation.
        size: requests a batch.
        longest: the model's window.
    """
    collator: Any = Collator(
        list(requests),
        sort_fn=lambda request: (-len(request[1] + request[2]), tuple(request[1] + request[2])),
        group_by="contexts",
        group_fn=lambda request: request[-2] + request[-1][:-1],
    )
    for chunk in collator.get_batched(n=size):
        rows = [(context + tail)[-(longest + 1) :][:-1] for _, context, tail in chunk]
        width = max(len(row) for row in rows)
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
        first = min(len(row) - len(tail) for row, (_, _, tail) in zip(rows, chunk, strict=True))
        yield Batch(ids, min(width, max(width - first, LEAST)))
