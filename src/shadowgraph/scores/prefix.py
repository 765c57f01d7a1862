"""The context of an item's continuations computed once.

Here live: log-likelihoods with a key-value cache of the shared context.
Not here: how requests are encoded and named (`harness`). This module imports torch.

lm-eval runs context and continuation together, once a continuation. Here a batch of contexts runs once, padded on the
left, its cache is copied to each continuation, and only the continuations run again. The same numbers in exact
arithmetic; in float32 the sums run in another order, so they differ in the last digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from shadowgraph.scores.batches import Request

Tensor = Any  # torch.Tensor
_Group = tuple[tuple[int, ...], list[int]]  # context, and the requests that have it


def shared_loglikelihoods(model: Any, requests: Sequence[Request]) -> list[tuple[float, bool]]:
    """Log-likelihoods by a cache of each context.

    Args:
        model: an lm-eval Hugging Face model over a causal language model that takes a cache.
        requests: texts, ids of the context, ids of the continuation; all contexts and continuations hold an id.

    Returns:
        Log-likelihood (nats) of every continuation, and whether it is the greedy one, in the order of the requests.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, (_, context, continuation) in enumerate(requests):
        room = model.max_length + 1 - len(continuation)  # cut on the left, as lm-eval does
        groups.setdefault(tuple(context[-room:]), []).append(index)
    found: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
    longest_first = sorted(groups.items(), key=lambda group: (-len(group[0]), group[0]))
    for batch in _batches(longest_first, model.batch_size):
        order = [index for _, members in batch for index in members]
        tails = [requests[index][2] for index in order]
        for index, answer in zip(order, _batch(model, batch, tails), strict=True):
            found[index] = answer
            model.cache_hook.add_partial("loglikelihood", requests[index][0], answer)
    return found


def _batches(groups: Sequence[_Group], size: int) -> Iterator[list[_Group]]:
    """Whole groups, together at most `size` requests, unless one alone has more."""
    batch: list[_Group] = []
    held = 0
    for group in groups:
        if batch and held + len(group[1]) > size:
            yield batch
            batch, held = [], 0
        batch.append(group)
        held += len(group[1])
    if batch:
        yield batch


def _batch(model: Any, groups: Sequence[_Group], tails: Sequence[list[int]]) -> list[tuple[float, bool]]:
    """Log-likelihoods of the tails of a batch, group by group."""
    width, rest = max(len(context) for context, _ in groups), max(len(tail) for tail in tails) - 1
    heads = torch.zeros((len(groups), width), dtype=torch.long)
    seen = torch.zeros_like(heads)
    for row, (context, _) in enumerate(groups):
        heads[row, width - len(context) :] = torch.tensor(context)
        seen[row, width - len(context) :] = 1
    owner = torch.tensor([row for row, (_, members) in enumerate(groups) for _ in members])
    places = (seen.cumsum(1) - 1).clamp(min=0)
    first = _forward(model, heads, seen, places, logits_to_keep=1, use_cache=rest > 0)
    logs = first.logits[:, -1:].log_softmax(-1)[owner]
    if rest > 0:
        ids = torch.zeros((len(tails), rest), dtype=torch.long)
        known = torch.zeros_like(ids)
        for row, tail in enumerate(tails):
            ids[row, : len(tail) - 1] = torch.tensor(tail[:-1], dtype=torch.long)
            known[row, : len(tail) - 1] = 1
        cache = first.past_key_values
        cache.batch_select_indices(owner)
        mask = torch.cat([seen[owner], known], dim=1)
        start = places[owner, -1:] + 1
        second = _forward(model, ids, mask, start + torch.arange(rest), past_key_values=cache, use_cache=True)
        logs = torch.cat([logs, second.logits.log_softmax(-1)], dim=1)
    return [_answer(logs[row, : len(tail)], tail) for row, tail in enumerate(tails)]


def _forward(model: Any, ids: Tensor, mask: Tensor, places: Tensor, **kwargs: Any) -> Any:
    """One pass of the module on its device."""
    device = model.device
    return model.model(
        input_ids=ids.to(device), attention_mask=mask.to(device), position_ids=places.to(device), **kwargs
    )


def _answer(logs: Tensor, tail: list[int]) -> tuple[float, bool]:
    """Σ log p of a tail's tokens, and whether each was the likeliest; logs (tokens, vocabulary)."""
    ids = torch.tensor(tail, device=logs.device)
    return float(logs.gather(1, ids[:, None]).sum()), bool((logs.argmax(-1) == ids).all())
