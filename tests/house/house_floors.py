"""Rules between files: floors, cycles, who may import the package itself.

Here live: the import graph and its rules. Not here: what a single file must look like (see `house_rules`).
The floors are read from pyproject.toml, so import-linter and these tests cannot disagree about them.
"""

import ast
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TypeAlias

from house_tree import ROOT, Source

PACKAGE_NAME = "shadowgraph"
Graph: TypeAlias = Mapping[str, frozenset[str]]


@cache
def floors() -> dict[str, int]:
    """The floor of every room, 0 at the ground, as the layers contract of import-linter states it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = next(each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    layers: list[str] = contract["layers"]
    return {
        room.strip().removeprefix(f"{PACKAGE_NAME}."): height
        for height, layer in enumerate(reversed(layers))
        for room in layer.split("|")
    }


def type_only(tree: ast.Module) -> set[int]:
    """Identities of the import statements that stand under `if TYPE_CHECKING:`."""
    guards = (node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    return {id(node) for guard in guards for statement in guard.body for node in ast.walk(statement)}


def in_functions(tree: ast.Module) -> set[int]:
    """Identities of all nodes inside functions: what runs only when somebody calls."""
    bodies = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {id(node) for body in bodies for node in ast.walk(body)}


def targets(source: Source, node: ast.AST, modules: frozenset[str]) -> set[str]:
    """The modules of the package that one statement imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        stem = ".".join(source.module.split(".")[: -node.level]) if node.level else ""
        head = ".".join(part for part in (stem, node.module) if part)
        names = [full if (full := f"{head}.{alias.name}") in modules else head for alias in node.names]
    else:
        return set()
    return {name for name in names if name.split(".")[0] == PACKAGE_NAME}


def imports(source: Source, modules: frozenset[str], *, at_import_time: bool) -> set[str]:
    """Modules of the package that a file imports: everywhere, or only what runs when it is imported."""
    skipped = type_only(source.tree) | in_functions(source.tree) if at_import_time else set[int]()
    nodes = (node for node in ast.walk(source.tree) if id(node) not in skipped)
    return {name for node in nodes for name in targets(source, node, modules)}


def graph(sources: Iterable[Source], *, at_import_time: bool) -> dict[str, frozenset[str]]:
    """Who imports whom, by module."""
    known = {source.module: source for source in sources}
    modules = frozenset(known)
    return {
        name: frozenset(imports(source, modules, at_import_time=at_import_time) & modules - {name})
        for name, source in known.items()
    }


def cycles(edges: Graph) -> list[str]:
    """Every module that can reach itself, with the shortest way round."""
    found: list[str] = []
    for start in sorted(edges):
        paths = [[start]]
        seen: set[str] = set()
        while paths:
            path = paths.pop(0)
            for step in sorted(edges.get(path[-1], frozenset())):
                if step == start:
                    found.append(" → ".join([*path, start]))
                    paths = []
                    break
                if step not in seen:
                    seen.add(step)
                    paths.append([*path, step])
    return found


def room(module: str) -> str:
    """The room of a module: "measures" for shadowgraph.measures.rank, "" for the package itself and when it is run."""
    return [*module.removesuffix(".__main__").split("."), ""][1]


def floor_breaches(edges: Graph, heights: Mapping[str, int]) -> list[str]:
    """Imports that go up or sideways, and rooms that stand on no floor; the package itself is above all."""
    found: list[str] = []
    for importer, imported in sorted(edges.items()):
        here = room(importer)
        if here and here not in heights:
            found.append(f"{importer} stands on no floor")
            continue
        for target in sorted(imported):
            there = room(target)
            if here and there in heights and there != here and heights[there] >= heights[here]:
                way = "sideways" if heights[there] == heights[here] else "up"
                found.append(f"{importer} imports {way}: {target}")
    return found


def root_imports(sources: Iterable[Source]) -> list[str]:
    """Files that import the package itself: the front door is for visitors, and for the command line that is one."""
    known = list(sources)
    modules = frozenset(source.module for source in known)
    inner = (source for source in known if source.room not in {"", "cli"})
    return [source.place for source in inner if PACKAGE_NAME in imports(source, modules, at_import_time=False)]
