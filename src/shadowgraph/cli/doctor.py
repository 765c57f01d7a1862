"""The verb `doctor`: what this machine has, and what shadowgraph would miss.

Here live: the checks of the environment.
Not here: mending it.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import shadowgraph
from shadowgraph.cli.output import emit_json
from shadowgraph.identity import versions

EXTRAS = {
    "torch": "train",
    "transformers": "train",
    "accelerate": "train",
    "lm_eval": "eval",
    "reasoning_gym": "worlds",
}
CORE = ("numpy", "scipy", "safetensors", "tokenizers", "pyarrow", "pydantic", "typer", "matplotlib")


def doctor_command(as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False) -> None:
    """Show versions, extras, cores and free disk, and name what is missing.

    Examples:
      shadowgraph doctor

      shadowgraph doctor --json
    """
    missing = {module: extra for module, extra in EXTRAS.items() if find_spec(module) is None}
    report = {
        "schema_version": "1.0",
        "kind": "doctor",
        "shadowgraph": shadowgraph.__version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "free_disk_gib": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
        "core": versions(*CORE),
        "extras": versions("torch", "transformers", "accelerate", "lm_eval", "reasoning_gym"),
        "missing": [{"module": module, "extra": extra} for module, extra in missing.items()],
    }
    if as_json:
        emit_json(report)
        return
    for key in ("shadowgraph", "python", "system", "cores", "free_disk_gib"):
        typer.echo(f"{key.replace('_', ' '):14} {report[key]}")
    for group in (versions(*CORE), versions("torch", "transformers", "accelerate", "lm_eval", "reasoning_gym")):
        for name, number in group.items():
            typer.echo(f"{name:14} {number}")
    for module, extra in missing.items():
        typer.echo(f'missing: {module}; install it with: pip install "shadowgraph[{extra}]"')
    typer.echo("all extras are here" if not missing else "reading weights, scan and audit work without these")
