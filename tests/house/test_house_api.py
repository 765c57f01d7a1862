"""The front door: documented names are the public names, each resolves, none is shadowed by a room."""

import ast
import re

import pytest

import shadowgraph
from house_tree import PACKAGE, ROOT, package_sources

FRONT = next(source for source in package_sources() if source.module == "shadowgraph")


def documented(page: str) -> list[str]:
    """Names in the first column of the table of docs/api.md."""
    return re.findall(r"^\| `(\w+)` \|", page, flags=re.M)


def typed_names(tree: ast.Module) -> dict[str, str]:
    """What the front door tells type checkers: name → module, from the imports under TYPE_CHECKING."""
    guard = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in guard.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}".removesuffix(f":{alias.asname or alias.name}")
        for node in imports
        for alias in node.names
    }


def homes(tree: ast.Module) -> dict[str, str]:
    """What the front door does at run time: name → module, from its table."""
    table = next(
        node.value for node in tree.body if isinstance(node, ast.Assign) and "_HOMES" in ast.unparse(node.targets[0])
    )
    return {name: f"shadowgraph.{room}" for name, room in ast.literal_eval(table).items()}


def test_public_names_are_the_documented_ones() -> None:
    assert sorted(documented((ROOT / "docs" / "api.md").read_text("utf-8"))) == sorted(shadowgraph.__all__)


def test_type_checkers_and_run_time_see_the_same_names() -> None:
    assert typed_names(FRONT.tree) == homes(FRONT.tree)
    assert sorted(homes(FRONT.tree)) == shadowgraph.__all__


@pytest.mark.parametrize("name", shadowgraph.__all__)
def test_a_public_name_resolves_to_what_is_defined_there(name: str) -> None:
    value = getattr(shadowgraph, name)
    room, _, given = homes(FRONT.tree)[name].partition(":")
    assert name == "CATALOGUE" or (value.__module__, value.__name__) == (room, given or name)
    assert value is getattr(shadowgraph, name)


def test_no_room_hides_a_public_name() -> None:
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()}
    assert not rooms & set(shadowgraph.__all__)


def test_names_are_listed_before_they_are_loaded() -> None:
    assert set(shadowgraph.__all__) <= set(dir(shadowgraph))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'shadow'"):
        _ = shadowgraph.shadow  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]


def test_documented_names_are_read_from_the_first_column() -> None:
    assert documented("| name | b |\n|---|---|\n| `scan` | `Footprint` |\n| text | `pair` |\n") == ["scan"]
