"""The source tree as the house tests see it: files, their text and their syntax trees.

Here lives: finding and parsing. Not here: any rule (see `house_rules`, `house_floors`, `house_words`).
"""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "shadowgraph"
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file: where it stands, its dotted name, its text and its tree."""

    place: str
    module: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first name under the package: "measures", "errors"; empty for the package itself."""
        parts = self.module.split(".")
        return parts[1] if len(parts) > 1 else ""


def parsed(text: str, place: str = "sample.py", module: str = "shadowgraph.sample") -> Source:
    """Parse a text as if it stood at `place`; the samples in the tests come in by this door."""
    return Source(place, module, text, ast.parse(text))


def dotted(path: Path) -> str:
    """The import name of a file under src/."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def package_sources() -> tuple[Source, ...]:
    """Every Python file of the package."""
    files = sorted(PACKAGE.rglob("*.py"))
    return tuple(parsed(path.read_text("utf-8"), str(path.relative_to(ROOT)), dotted(path)) for path in files)


@cache
def test_sources() -> tuple[Source, ...]:
    """Every Python file of the tests."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    return tuple(parsed(path.read_text("utf-8"), str(path.relative_to(ROOT)), path.stem) for path in files)


test_sources.__test__ = False  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that belongs to the project: known to git, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return tuple(path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file())


def none_of(breaches: list[str]) -> None:
    """Fail with one breach a line; pytest alone would cut the list short."""
    if breaches:
        pytest.fail("\n".join([f"{len(breaches)} breaches:", *breaches]), pytrace=False)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, nested ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def parameters(function: Function) -> list[ast.arg]:
    """All parameters of a function in order, starred ones included, `self` and `cls` left out."""
    spec = function.args
    starred = [argument for argument in (spec.vararg, spec.kwarg) if argument is not None]
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *starred]
    return every[1:] if every and every[0].arg in {"self", "cls"} else every
