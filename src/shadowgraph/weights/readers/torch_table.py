"""Which of the tensors in a torch archive are the weights, and under which names.

Here lives: `choose`. Not here: reading, spans. A file may hold the table itself, or a table of tables: weights beside
the state of an optimiser, a step, a copy of the weights. One table is read, which one is said, and so is what is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from shadowgraph.errors import CheckpointError, printable

WEIGHTS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
"""Keys under which trainers keep the weights, in the order they are looked for."""

TRAINING = frozenset(
    {
        *("optimizer", "optimizers", "optimizer_state_dict", "optimizer_states", "optim", "state", "param_groups"),
        *("lr_scheduler", "lr_schedulers", "scheduler", "scheduler_state_dict", "scaler", "callbacks", "loops"),
        *("rng_state", "rng_states", "random_states", "torch", "cuda", "ema", "ema_state_dict", "model_ema"),
    }
)
"""Keys of what else a trainer keeps: never taken for the weights."""

Described = list[Any]
"""What the loader says of a tensor: its path first."""

HINT = "save the state_dict alone, or convert it to safetensors"


def choose(top: str, tensors: Sequence[Described], where: str) -> tuple[dict[str, Described], list[str]]:
    """Choose the table of weights.

    Args:
        top: the type of the whole, as torch gives it.
        tensors: all tensors, each with the list of keys that lead to it first.
        where: the file, for messages.

    Returns:
        Name to tensor, nested tables joined by dots; and remarks on what was chosen and what was left.

    Raises:
        CheckpointError: no table of tensors, or several and none of a known name.
    """
    if not tensors:
        raise CheckpointError("no tensor is stored in it", where=where, hint="give the file of the weights")
    if top not in {"dict", "OrderedDict"}:
        raise CheckpointError(f"it holds a {printable(top, 40)}, no table of named tensors", where=where, hint=HINT)
    named = [each for each in tensors if all(isinstance(key, str) for key in each[0])]
    direct = [each for each in named if len(each[0]) == 1]
    notes: list[str] = []
    prefix: list[str] = []
    chosen = direct
    if not direct:
        prefix = [_key(sorted({each[0][0] for each in named}), tensors, where)]
        chosen = [each for each in named if each[0][0] == prefix[0]]
        notes.append(f"the tensors under the key '{printable(prefix[0], 60)}' are read")
    table: dict[str, Described] = {}
    for each in chosen:
        name = ".".join(each[0][len(prefix) :])
        if name in table:
            raise CheckpointError(f"two tensors are named '{printable(name)}'", where=where)
        table[name] = each
    left = Counter(_shown(each[0]) for each in tensors)
    left.subtract(_shown(each[0]) for each in chosen)
    left = +left
    if left:
        shown = ", ".join(f"{count} under {key}" for key, count in sorted(left.items())[:5])
        notes.append(f"{left.total()} other tensors are not read: {shown}")
    return table, notes


def _key(keys: list[str], tensors: Sequence[Described], where: str) -> str:
    """The key of the table that holds the weights."""
    known = [key for key in WEIGHTS if key in keys] or [key for key in keys if key not in TRAINING]
    if len(known) == 1 or (known and known[0] in WEIGHTS):
        return known[0]
    shown = ", ".join(sorted({_shown(each[0]) for each in tensors})[:5])
    if known:
        raise CheckpointError(
            f"tensors lie under {shown}, and nothing says which are the weights", where=where, hint=HINT
        )
    found = f"no table of named weights, only tensors under {shown}"
    raise CheckpointError(found, where=where, hint="give the file of the weights")


def _shown(path: Sequence[Any]) -> str:
    """The first key of a path, for a message."""
    return printable(str(path[0]), 60) if len(path) > 1 or isinstance(path[0], str) else "a number"
