"""The configuration of a model, `config.json`: read as data, never believed further than the names of tensors reach.

Here live: reading it from a model's folder or from beside a file. Not here: the meaning of its keys (see `roles`,
`fused`). Nothing in it is run, fetched or looked up.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.folder import contained
from shadowgraph.weights.readers.span import read_all
from shadowgraph.weights.readers.strict_json import parse

CONFIG_NAME = "config.json"
CONFIG_CAP = 10_000_000


def read_config(root: Path, notes: list[str]) -> dict[str, Any]:
    """Content of `config.json` in a folder that has one; what is wrong with it becomes a note, and it is empty.

    Raises:
        CheckpointError: it is a link that leaves the folder.
        EnvironmentFault: the machine may not read it.
    """
    path = contained(root, CONFIG_NAME)
    try:
        content = parse(read_all(path, CONFIG_CAP), what="config.json", where=str(path))
    except CheckpointError as error:
        notes.append(f"config.json is not used ({error.found}); roles come from the names alone")
        return {}
    if not isinstance(content, dict):
        notes.append("config.json is not an object and is not used; roles come from the names alone")
        return {}
    config = cast(dict[str, Any], content)
    attention = config.get("_attn_implementation", config.get("attn_implementation"))
    remote = isinstance(attention, str) and "/" in attention
    if "auto_map" in config or config.get("trust_remote_code") or remote:
        notes.append("the repository asks for remote code; none is run")
    return config


def config_beside(file: Path, notes: list[str]) -> dict[str, Any]:
    """Content of the `config.json` in the folder of a single weight file, which is read as that of a folder is.

    Raises:
        EnvironmentFault: the machine may not read it.
    """
    folder = file.parent
    if not os.path.lexists(folder / CONFIG_NAME):
        return {}
    try:
        config = read_config(folder, notes)
    except CheckpointError as error:  # a folder with such a link is refused; the file alone is whole without it
        notes.append(f"{CONFIG_NAME} beside the file is not read ({error.found})")
        return {}
    if config:
        notes.append(f"{CONFIG_NAME} beside the file is read")
    return config
