"""What an adapter's configuration says: its method, its ranks and its scales.

Here live: `Settings`, and `read_settings`, which checks `adapter_config.json`.
Not here: tensors (`pairs`), the matching of names (`patterns`). The scale of a module is the one that PEFT computes:
alpha / r, or alpha / sqrt(r) with `use_rslora`, where r and alpha are those of the first key of `rank_pattern` and of
`alpha_pattern` that matches the module's name, else the general ones.

Source:
    PEFT 0.21.2, `tuners/lora/layer.py` (`update_layer`), `tuners/lora/model.py` (`_create_and_replace`) and
    `utils/other.py` (`get_pattern_key`). Kalajdzievski, A Rank Stabilization Scaling Factor (2023), arXiv 2312.03732.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.adapter import ADVICE
from shadowgraph.weights.adapters.expression import Unreadable
from shadowgraph.weights.adapters.patterns import Patterns, TooMuchWork

RANK, ALPHA = 8, 8.0  # what PEFT takes where a configuration says nothing
RANK_CAP = 1 << 24
KEYS_CAP = 50_000
WRITTEN_CAP = 1_000  # keys that are more than a name
TARGETS_CAP = 200

_UNCHANGED = frozenset({"gaussian", "eva", "orthogonal", "mica"})
_MUTATED = ("pissa", "corda", "olora", "loftq", "lora_ga")
_OTHER_UPDATES = {
    "use_qalora": "QA-LoRA pools the inputs, so that its factors are not those of the matrix",
    "use_bdlora": "BD-LoRA stores block-diagonal factors by their blocks",
    "arrow_config": "Arrow routes every token to other factors",
    "alora_invocation_tokens": "an activated LoRA changes the weights after its invocation only",
    "monteclora_config": "MonteCLoRA samples its factors at every step",
    "kasa_config": "KaSA takes the smallest singular values out of the base, so that the product is not the update",
    "layer_replication": "its layers are copies of other layers of the base",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is needed of an adapter's configuration.

    Attributes:
        path: the configuration's file, or what stands for it in messages.
        rank: the general rank.
        alpha: the general alpha.
        stabilised: whether alpha is divided by the root of the rank.
        ranks: keys of `rank_pattern` and their ranks.
        alphas: keys of `alpha_pattern` and their alphas.
        dora: whether every matrix has magnitudes besides its factors.
        turned: whether the base stores the matrices as (in, out); the factors do not depend on it.
        parameters: names of parameters that are changed directly, not as the weight of a module.
        owners: the last parts of their modules' names, and the parameters of each.
        base: the base it names, foreign text.
        notes: remarks that are no errors.
    """

    path: str
    rank: int
    alpha: float
    stabilised: bool
    ranks: tuple[Patterns, dict[str, int]]
    alphas: tuple[Patterns, dict[str, float]]
    dora: bool
    turned: bool
    parameters: tuple[str, ...]
    owners: dict[tuple[str, ...], tuple[str, ...]]
    base: str
    notes: tuple[str, ...]

    def scale_for(self, name: str, rank: int) -> float:
        """The factor of the product of a module, or of a parameter, by its name in the base's model.

        Raises:
            CheckpointError: the factors have another rank than the configuration declares.
        """
        key = self._key(self.ranks[0], name, "rank_pattern")
        declared = self.rank if key is None else self.ranks[1][key]
        if rank != declared:
            raise CheckpointError(
                f"the factors of '{printable(name, 80)}' have the rank {rank}, adapter_config.json declares {declared}",
                where=self.path,
                hint="the file and its configuration do not belong together",
            )
        key = self._key(self.alphas[0], name, "alpha_pattern")
        alpha = self.alpha if key is None else self.alphas[1][key]
        return alpha / math.sqrt(rank) if self.stabilised else alpha / rank

    def parameters_of(self, module: str) -> tuple[str, ...]:
        """Parameters of a module that are changed directly, by their last names."""
        parts = tuple(module.split("."))
        lengths = {len(owner) for owner in self.owners if len(owner) <= len(parts)}
        found = (last for length in sorted(lengths) for last in self.owners.get(parts[len(parts) - length :], ()))
        return tuple(dict.fromkeys(found))

    def _key(self, patterns: Patterns, module: str, field: str) -> str | None:
        try:
            return patterns.first(module)
        except (TooMuchWork, Unreadable) as error:
            raise CheckpointError(
                f"{field} cannot be matched with '{printable(module, 80)}' ({error})", where=self.path
            ) from error


def read_settings(config: dict[str, Any], where: str) -> Settings:
    """Check a configuration.

    Args:
        config: content of `adapter_config.json`.
        where: the file, for messages.

    Raises:
        CheckpointError: another method than LoRA, an update that is no product of two factors, a field of the wrong
            kind, a pattern that is refused.
    """
    _require_product(config, where)
    notes = [
        f"adapter_config.json declares no {field}; PEFT's own {default:g} is taken"
        for field, default in (("r", RANK), ("lora_alpha", ALPHA))
        if config.get(field) is None
    ]
    ranks = {
        key: _rank(value, f"rank_pattern of '{printable(key, 80)}'", where)
        for key, value in _table(config, "rank_pattern", where).items()
    }
    alphas = {
        key: _number(value, f"alpha_pattern of '{printable(key, 80)}'", where)
        for key, value in _table(config, "alpha_pattern", where).items()
    }
    targets = _names(config, "target_parameters", where)
    base: Any = config.get("base_model_name_or_path")
    return Settings(
        where,
        RANK if config.get("r") is None else _rank(config["r"], "r", where),
        ALPHA if config.get("lora_alpha") is None else _number(config["lora_alpha"], "lora_alpha", where),
        _flag(config, "use_rslora", where),
        (_patterns(tuple(ranks), "rank_pattern", where), ranks),
        (_patterns(tuple(alphas), "alpha_pattern", where), alphas),
        _flag(config, "use_dora", where),
        _flag(config, "fan_in_fan_out", where),
        targets,
        _owners(targets),
        base if isinstance(base, str) else "",
        tuple(notes),
    )


def _require_product(config: dict[str, Any], where: str) -> None:
    """Refuse what is not W0 + scale · B · A on the weights of the base as they are."""
    method: Any = config.get("peft_type")
    if method != "LORA":
        shown = (
            f"of the method {printable(method, 40)}" if isinstance(method, str) else "that names no method (peft_type)"
        )
        raise CheckpointError(
            f"an adapter {shown}; only LoRA and DoRA adapters are read",
            where=where,
            hint=ADVICE,
        )
    for field, reason in _OTHER_UPDATES.items():
        value: Any = config.get(field)
        if value is not None and value is not False and value != []:
            raise CheckpointError(
                f"its update is not read ({field}: {reason})",
                where=where,
                hint="merge it into its base where that is possible",
            )
    start: Any = config.get("init_lora_weights")
    if start is None or isinstance(start, bool):
        return
    name = start.lower() if isinstance(start, str) else ""
    if name.startswith(_MUTATED):
        raise CheckpointError(
            f"init_lora_weights is {printable(name, 40)}: the base was changed before training began, so that the"
            " product of the factors is not the update of the original base",
            where=where,
            hint="save it converted to plain LoRA (path_initial_model_for_weight_conversion), or give the merged model",
        )
    if name not in _UNCHANGED:
        raise CheckpointError(
            f"init_lora_weights is {printable(str(start), 40)}, which is not known: it may have changed the base",
            where=where,
        )


def _rank(value: Any, what: str, where: str) -> int:
    if type(value) is not int or not 0 < value <= RANK_CAP:
        raise CheckpointError(f"{what} is {printable(str(value), 40)}, not a rank of at least 1", where=where)
    return value


def _number(value: Any, what: str, where: str) -> float:
    if type(value) in (int, float) and abs(value) <= 1e100:
        return float(value)
    raise CheckpointError(f"{what} is {printable(str(value), 40)}, not a number that scales", where=where)


def _flag(config: dict[str, Any], field: str, where: str) -> bool:
    value: Any = config.get(field)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise CheckpointError(f"{field} is {printable(str(value), 40)}, not true or false", where=where)


def _table(config: dict[str, Any], field: str, where: str) -> dict[str, Any]:
    value: Any = config.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CheckpointError(f"{field} is not an object", where=where)
    return cast(dict[str, Any], value)


def _names(config: dict[str, Any], field: str, where: str) -> tuple[str, ...]:
    value: Any = config.get(field)
    if value is None:
        return ()
    names = cast(list[Any], value) if isinstance(value, list) else [value]
    if not isinstance(value, list) or len(names) > TARGETS_CAP or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{field} is not a list of at most {TARGETS_CAP:,} names", where=where)
    return tuple(names)


def _owners(targets: tuple[str, ...]) -> dict[tuple[str, ...], tuple[str, ...]]:
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for target in targets:
        *owner, last = target.split(".")
        found[tuple(owner)] = (*found.get(tuple(owner), ()), last)
    return found


def _patterns(keys: tuple[str, ...], field: str, where: str) -> Patterns:
    if len(keys) > KEYS_CAP:
        raise CheckpointError(f"{field} has {len(keys):,} keys, more than the limit of {KEYS_CAP:,}", where=where)
    try:
        found = Patterns(keys)
    except Unreadable as error:
        raise CheckpointError(f"a key of {field} cannot be matched safely: {error}", where=where) from error
    return found
