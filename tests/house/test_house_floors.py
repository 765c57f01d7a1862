"""Imports go downward, nothing turns in a circle, and the rules that say so can fail."""

from house_floors import cycles, floor_breaches, floors, graph, imports, root_imports
from house_tree import PACKAGE, none_of, package_sources, parsed


def test_no_two_modules_import_each_other_at_import_time() -> None:
    none_of(cycles(graph(package_sources(), at_import_time=True)))


def test_imports_go_downward_those_in_functions_too() -> None:
    none_of(floor_breaches(graph(package_sources(), at_import_time=False), floors()))


def test_no_room_below_the_commands_imports_the_front_door() -> None:
    none_of(root_imports(package_sources()))


def test_every_room_stands_on_a_floor() -> None:
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith(("_", "."))}
    assert rooms - {"py.typed"} <= floors().keys()


def test_the_floors_are_those_of_the_house() -> None:
    heights = floors()
    assert heights["errors"] == 0
    assert heights["weights"] == heights["corpus"]
    assert heights["runs"] == heights["scores"] < heights["study"] < heights["cli"]


LOW = parsed("def f() -> None:\n    from shadowgraph.study import plan", module="shadowgraph.weights.matrix")
SIDE = parsed("from shadowgraph.corpus.pool import Pool", module="shadowgraph.weights.pairing")
HIGH = parsed("import shadowgraph.weights.matrix", module="shadowgraph.study.plan")
ROUND = parsed("from ..study import plan", module="shadowgraph.weights.roles")
GUARDED = parsed(
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shadowgraph.cli import main",
    module="shadowgraph.corpus.pool",
)
MODULES = [
    LOW,
    SIDE,
    HIGH,
    ROUND,
    GUARDED,
    parsed("", module="shadowgraph.study"),
    parsed("", module="shadowgraph.cli.main"),
]


def test_imports_are_read_wherever_they_stand() -> None:
    names = frozenset(source.module for source in MODULES)
    assert imports(LOW, names, at_import_time=False) == {"shadowgraph.study.plan"}
    assert imports(LOW, names, at_import_time=True) == set()
    assert imports(ROUND, names, at_import_time=True) == {"shadowgraph.study.plan"}
    assert imports(GUARDED, names, at_import_time=True) == set()
    assert imports(GUARDED, names, at_import_time=False) == {"shadowgraph.cli.main"}


def test_wrong_directions_are_found() -> None:
    heights = {"weights": 1, "corpus": 1, "study": 2, "cli": 3}
    assert floor_breaches(graph(MODULES, at_import_time=False), heights) == [
        "shadowgraph.corpus.pool imports up: shadowgraph.cli.main",
        "shadowgraph.weights.matrix imports up: shadowgraph.study.plan",
        "shadowgraph.weights.pairing imports sideways: shadowgraph.corpus.pool",
        "shadowgraph.weights.roles imports up: shadowgraph.study.plan",
    ]
    assert "shadowgraph.cli.main stands on no floor" in floor_breaches(
        graph(MODULES, at_import_time=False), {"study": 1}
    )


def test_circles_are_found() -> None:
    edges = {"a": frozenset({"b"}), "b": frozenset({"c", "d"}), "c": frozenset({"a"}), "d": frozenset[str]()}
    assert cycles(edges) == ["a → b → c → a", "b → c → a → b", "c → a → b → c"]
    assert cycles({"a": frozenset({"d"}), "d": frozenset()}) == []


def test_front_door_imports_are_found() -> None:
    guests = [
        parsed("", module="shadowgraph"),
        parsed("from shadowgraph import scan", "guest.py", "shadowgraph.study.scan"),
    ]
    assert root_imports([*guests, *MODULES]) == ["guest.py"]
