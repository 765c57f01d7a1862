"""Fused matrices: how the parts of one stored matrix lie along its output axis.

Here live: `Cut`, the rules by name, and the sizes of a tower by the many names configurations give them.
Not here: which tensor follows which rule (data, `families/*.toml`), reading.

Every rule has one form: the output axis is `groups` runs of equal length, and each run holds the parts one after
another. One run is plain concatenation; a run a head is the interleaved layout of GPT-NeoX and BLOOM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Config = Mapping[str, Any]
Sizes = tuple[int, tuple[int, ...]]

SECTIONS = {
    "text": ("text_config", "llm_config", "language_config", "decoder", "thinker_config"),
    "vision": ("vision_config",),
    "audio": ("audio_config",),
}
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads")
KEY_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "multi_query_group_num")


@dataclass(frozen=True, slots=True)
class Cut:
    """Layout of the output axis: `groups` runs, each of `sizes` rows for the parts in their order."""

    groups: int
    sizes: tuple[int, ...]

    def rows(self, part: int) -> int:
        """Number of rows of one part."""
        return self.groups * self.sizes[part]

    def span(self, part: int) -> tuple[int, int] | None:
        """First and last + 1 row of a part when its rows lie together, else None."""
        if self.groups > 1:
            return None
        first = sum(self.sizes[:part])
        return first, first + self.sizes[part]

    def take(self, values: NDArray[np.float64], part: int) -> NDArray[np.float64]:
        """Rows of one part.

        Args:
            values: whole matrix (out, in).
            part: which part, from 0.

        Returns:
            Array (rows of the part, in), in their stored order.
        """
        first = sum(self.sizes[:part])
        runs = values.reshape(self.groups, sum(self.sizes), values.shape[1])
        return runs[:, first : first + self.sizes[part]].reshape(-1, values.shape[1])


def section(config: Config, tower: str) -> Config:
    """The part of a configuration that speaks of one tower; the whole where it is flat."""
    for key in SECTIONS.get(tower, ()):
        inner: Any = config.get(key)
        if isinstance(inner, dict):
            return cast(dict[str, Any], inner)
    return config


def count(config: Config, *names: str) -> int:
    """The first of these keys that holds a positive integer, 0 when none does."""
    for name in names:
        value: Any = config.get(name)
        if type(value) is int and value > 0:
            return value
    return 0


def cut(rule: str, rows: int, parts: int, config: Config) -> Cut | None:
    """The layout of `rows` outputs in `parts` parts by a rule, None when the configuration does not fit.

    Args:
        rule: a key of `RULES`.
        rows: length of the output axis.
        parts: number of parts.
        config: configuration of the tower, see `section`.
    """
    groups, ratio = RULES[rule](config, rows, parts)
    each = groups * sum(ratio)
    if groups <= 0 or min(ratio) <= 0 or rows % each:
        return None
    unit = rows // each
    if rule in _EXACT and unit != 1:
        return None
    return Cut(groups, tuple(unit * share for share in ratio))


def _equal(config: Config, rows: int, parts: int) -> Sizes:
    """Concatenated, all of one size."""
    return 1, (1,) * parts


def _alternate(config: Config, rows: int, parts: int) -> Sizes:
    """Row by row in turn, as in gpt-oss."""
    return rows // parts, (1,) * parts


def _heads(config: Config, rows: int, parts: int) -> Sizes:
    """Interleaved by head: q, k, v of the first head, then of the next."""
    return count(config, *HEADS), (1,) * parts


def _grouped(config: Config, rows: int, parts: int) -> Sizes:
    """Interleaved by key head: the queries that share it, the key, the value."""
    heads, keys = count(config, *HEADS), count(config, *KEY_HEADS)
    return keys, (heads // keys if keys else 0, 1, 1)


def _concatenated(config: Config, rows: int, parts: int) -> Sizes:
    """All queries, all keys, all values; key heads may be fewer."""
    heads = count(config, *HEADS)
    keys = count(config, *KEY_HEADS) or (1 if config.get("multi_query_attention") is True else heads)
    return 1, (heads, keys, keys)


def _query_groups(config: Config, rows: int, parts: int) -> Sizes:
    """ChatGLM: concatenated with groups of queries, else by head."""
    return (_concatenated if config.get("multi_query_attention") is True else _heads)(config, rows, parts)


def _attention_config(config: Config, rows: int, parts: int) -> Sizes:
    """MPT: as `_concatenated`, with the key heads in a section of its own and equal by default."""
    nested: Any = config.get("attn_config")
    heads = count(config, *HEADS)
    keys = count(cast(dict[str, Any], nested), "kv_n_heads") if isinstance(nested, dict) else 0
    return (1, (heads, keys, keys)) if keys else (1, (1, 1, 1))


def _falcon(config: Config, rows: int, parts: int) -> Sizes:
    """Falcon and GPT-BigCode: by key head in the new architecture, one key head with multi_query, else by head."""
    if config.get("new_decoder_architecture") is True:
        return _grouped(config, rows, parts)
    if config.get("multi_query", True) is not False:
        return 1, (count(config, *HEADS), 1, 1)
    return _heads(config, rows, parts)


def _latent(config: Config, rows: int, parts: int) -> Sizes:
    """Multi-head latent attention, first half: the latent and the rotary key shared by all heads."""
    return 1, (count(config, "kv_lora_rank"), count(config, "qk_rope_head_dim"))


def _unfolded(config: Config, rows: int, parts: int) -> Sizes:
    """Multi-head latent attention, second half: key without rotation and value, by head."""
    return count(config, *HEADS), (count(config, "qk_nope_head_dim"), count(config, "v_head_dim"))


def _selection(config: Config, rows: int, parts: int) -> Sizes:
    """Mamba: step, input and output of the state, chosen by the input."""
    states = count(config, "state_size", "mamba_d_state")
    return 1, (rows - 2 * states, states, states)


def _mamba2(config: Config, rows: int, parts: int) -> Sizes:
    """Mamba 2: z, x, input and output of the state for each group, one step a head."""
    heads = count(config, "mamba_n_heads", "mamba_num_heads", "num_heads")
    groups = count(config, "n_groups", "mamba_n_groups")
    states = groups * count(config, "state_size", "mamba_d_state", "ssm_state_size")
    inner = (rows - 2 * states - heads) // 2
    return 1, (inner, inner, states, states, heads)


def _delta(config: Config, rows: int, parts: int) -> Sizes:
    """Gated delta net: query, key, value and gate, by key head."""
    keys, values = count(config, "linear_num_key_heads"), count(config, "linear_num_value_heads")
    wide = (values // keys if keys else 0) * count(config, "linear_value_head_dim")
    narrow = count(config, "linear_key_head_dim")
    return keys, (narrow, narrow, wide, wide)


def _delta_flat(config: Config, rows: int, parts: int) -> Sizes:
    """Gated delta net with concatenated query, key and value."""
    keys = count(config, "linear_num_key_heads") * count(config, "linear_key_head_dim")
    return 1, (keys, keys, count(config, "linear_num_value_heads") * count(config, "linear_value_head_dim"))


def _delta_step(config: Config, rows: int, parts: int) -> Sizes:
    """Gated delta net: update rate and decay, by key head."""
    return count(config, "linear_num_key_heads"), (1, 1)


def _gated_query(config: Config, rows: int, parts: int) -> Sizes:
    """Query and the gate of the output, by head."""
    return count(config, *HEADS), (1, 1)


RULES: Mapping[str, Callable[[Config, int, int], Sizes]] = {
    "equal": _equal,
    "alternate": _alternate,
    "heads": _heads,
    "grouped": _grouped,
    "concatenated": _concatenated,
    "query_groups": _query_groups,
    "attn_config": _attention_config,
    "falcon": _falcon,
    "latent": _latent,
    "unfolded": _unfolded,
    "selection": _selection,
    "mamba2": _mamba2,
    "delta": _delta,
    "delta_flat": _delta_flat,
    "delta_step": _delta_step,
    "gated_query": _gated_query,
}
_EXACT = frozenset({"latent", "unfolded", "selection", "mamba2", "delta", "delta_flat"})
