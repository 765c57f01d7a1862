"""Model families by their configuration: which keys an architecture has, which class builds the model.

Here live: the configuration that a family and an architecture make, its checks, and its comparison with a saved one.
Not here: weights (see `model`). The functions import transformers when called.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shadowgraph.errors import CheckpointError, SpecError, printable, require
from shadowgraph.runs.session import offline

# What a saved configuration holds besides the architecture.
_BESIDE = frozenset(
    {
        *("model_type", "architectures", "transformers_version", "_name_or_path", "dtype", "torch_dtype"),
        *("use_cache", "return_dict", "output_hidden_states", "output_attentions", "output_router_logits"),
        *("id2label", "label2id", "problem_type", "chunk_size_feed_forward", "is_encoder_decoder", "init_kwargs"),
        *("bos_token_id", "eos_token_id", "pad_token_id", "initializer_range"),
    }
)


def configuration(family: str, architecture: Mapping[str, Any]) -> Any:
    """The configuration object of a family with some of its keys set, the others at the family's defaults.

    Args:
        family: a `model_type` of transformers, for example "qwen3".
        architecture: keys of that family's configuration class; a tower's keys nested, as in `text_config`.

    Returns:
        An instance of the family's configuration class.

    Raises:
        SpecError: an unknown family, an unknown key (named, with those close to it), or a value that the class refuses.
        EnvironmentFault: transformers is not installed.
    """
    require("torch", "train")
    require("transformers", "train")
    offline()
    from huggingface_hub.errors import StrictDataclassError
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if family not in CONFIG_MAPPING:
        close = difflib.get_close_matches(family, CONFIG_MAPPING.keys(), 3)
        raise SpecError(
            f"{printable(family)!r} is no model family that transformers knows",
            where="recipe.family",
            hint=f"close to it: {', '.join(close)}" if close else "give a model_type, such as llama or qwen3",
        )
    made: Any = CONFIG_MAPPING[family]
    _refuse_unknown(made, architecture, "recipe.architecture")
    try:
        config = made(
            **{key: dict(value) if isinstance(value, Mapping) else value for key, value in architecture.items()}
        )
    except (StrictDataclassError, ValueError, TypeError, KeyError) as error:
        words = " ".join(str(error).split())
        raise SpecError(f"{family} refuses it ({printable(words)})", where="recipe.architecture") from error
    for tower in _towers(config):
        if isinstance(architecture.get(tower), Mapping):
            _refuse_unknown(type(getattr(config, tower)), architecture[tower], f"recipe.architecture.{tower}")
    return config


def known_keys(family: str) -> frozenset[str]:
    """Every key that the configuration class of a family takes, its other names included.

    Raises:
        SpecError: an unknown family.
        EnvironmentFault: transformers is not installed.
    """
    kind = type(configuration(family, {}))
    return frozenset(item.name for item in dataclasses.fields(kind)) | frozenset(kind.attribute_map)


def saved_configuration(folder: Path) -> Any:
    """The configuration of a saved model; no code of the folder is run.

    Raises:
        CheckpointError: no `config.json`, or one of no family that transformers knows.
    """
    require("torch", "train")
    require("transformers", "train")
    offline()
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    if not (folder / "config.json").is_file():
        raise CheckpointError("no config.json", where=str(folder), hint="give the folder of a saved model")
    try:
        return AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, StrictDataclassError) as error:
        words = " ".join(str(error).split())
        raise CheckpointError(f"the configuration cannot be read ({printable(words)})", where=str(folder)) from error


def architecture_of(config: Any) -> dict[str, Any]:
    """The keys of a configuration that differ from its family's defaults, as plain values, towers nested."""
    return _plain(_without(config.to_diff_dict()))


def sees(config: Any) -> bool:
    """Whether the model of a configuration takes pictures beside text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    return getattr(config, "vision_config", None) is not None and type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def model_class(config: Any) -> Any:
    """The class that models a configuration: with pictures where it has a vision tower, else a causal decoder.

    Raises:
        SpecError: the family has neither.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    )

    mapping: Any = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING if sees(config) else MODEL_FOR_CAUSAL_LM_MAPPING
    if type(config) not in mapping:
        raise SpecError(f"{config.model_type!r} is no family of language models", where="recipe.family")
    found: Any = mapping[type(config)]
    return found[0] if isinstance(found, list | tuple) else found


def require_same(config: Any, family: str, architecture: Mapping[str, Any], start: Path) -> None:
    """Check that a start model is of the recipe's family and architecture, defaults included.

    Args:
        config: configuration of the start model.
        family: the recipe's.
        architecture: the recipe's.
        start: folder of the start model, for the message.

    Raises:
        SpecError: names the first key that differs, those the recipe names before the others.
    """
    if config.model_type != family:
        raise SpecError(
            f"the recipe says {family!r}, the start model {start} is {config.model_type!r}", where="recipe.family"
        )
    wanted = dict(_leaves(_plain(_without(configuration(family, architecture).to_dict()))))
    found = dict(_leaves(_plain(_without(config.to_dict()))))
    named = [key for key in wanted if key.split(".")[0] in architecture]
    for key in dict.fromkeys([*named, *wanted, *found]):
        if wanted.get(key) != found.get(key):
            raise SpecError(
                f"the recipe says {wanted.get(key)!r}, the start model {start} has {found.get(key)!r}",
                where=f"recipe.architecture.{key}",
                hint="take the architecture from the start model with Recipe.of_model",
            )


def _towers(config: Any) -> list[str]:
    """Keys under which a configuration holds those of its towers."""
    return list(getattr(type(config), "sub_configs", {}))


def _refuse_unknown(kind: Any, keys: Mapping[str, Any], where: str) -> None:
    """Raise SpecError naming the first key that a configuration class does not have."""
    known = {item.name for item in dataclasses.fields(kind)} | set(kind.attribute_map)
    for key in keys:
        if key not in known | {"model_type"}:
            close = difflib.get_close_matches(key, known, 3)
            raise SpecError(
                "unknown architecture key",
                where=f"{where}.{key}",
                hint=f"close to it: {', '.join(close)}" if close else f"keys are those of {kind.__name__}",
            )


def _without(values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's values less what is beside the architecture, at every depth; a tower keeps its family."""
    return {
        key: {**({"model_type": value["model_type"]} if "model_type" in value else {}), **_without(value)}
        if isinstance(value, Mapping)
        else value
        for key, value in values.items()
        if key not in _BESIDE and not key.startswith("_")
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values as JSON reads them back."""
    found: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return found


def _leaves(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
