"""House rules that one file can keep or break by itself; every rule returns the list of its breaches.

Here live: size, names, annotations, docstrings, randomness, prints and over-wide excepts.
Not here: rules between files (see `house_floors`) and rules about words (see `house_words`).
"""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePath

from house_tree import Function, Source, functions, parameters

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
DRAWERS = {"util", "utils", "common", "helper", "helpers", "base", "manager", "managers", "misc"}
COMMANDS = "cli"  # a docstring there is a help text; typer's options explain the parameters
NUMERIC_ROOMS = {"measures", "stats", "spectra"}
OWN_FAULTS = {"SpecError", "CheckpointError", "DataError", "EnvironmentFault", "Defect"}
RANDOM_TYPES = {"Generator", "BitGenerator"}
OTHER_SOURCES = {"os.urandom", "uuid.uuid4", "uuid.uuid1"}
KEEPS_THE_STATE = {"get_state", "set_state", "getstate", "setstate"}
FEW_PARAMETERS = 3
WRAPPERS = {"Iterator", "Generator", "tuple", "list", "Sequence", "None", "self", "Self"}
SPEAKS_LITTLE = {"Any", "NDArray", "Path", "Json", "Callable", "Mapping", "Markup"}


def too_long(source: Source) -> list[str]:
    """Files over 400 lines and functions over 60, docstring and decorators counted."""
    found: list[str] = []
    lines = source.text.count("\n")
    if lines > LONGEST_FILE:
        found.append(f"{source.place}: {lines} lines")
    for function in functions(source.tree):
        first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
        length = (function.end_lineno or first) - first + 1
        if length > LONGEST_FUNCTION:
            found.append(f"{source.place}: {function.name} has {length} lines")
    return found


def drawer_names(places: list[str]) -> list[str]:
    """Files and folders whose name says only that things are kept there; a study's records are named by the study."""
    ours = [place for place in places if not place.startswith("docs/results/")]
    return [place for place in ours if {part.split(".")[0] for part in PurePath(place).parts} & DRAWERS]


def unannotated(source: Source) -> list[str]:
    """Parameters and results without an annotation."""
    found: list[str] = []
    for function in functions(source.tree):
        bare = [argument.arg for argument in parameters(function) if argument.annotation is None]
        if function.returns is None:
            bare.append("its result")
        found += [f"{source.place}: {function.name} does not annotate {name}" for name in bare]
    return found


def public_members(tree: ast.Module | ast.ClassDef, owner: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Public classes, functions and methods by dotted name; nothing inside functions."""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield owner + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_members(node, f"{owner}{node.name}.")


def sections(docstring: str) -> dict[str, str]:
    """The text of each Google section of a docstring by its heading."""
    parts = re.split(
        r"^(Args|Returns|Raises|Yields|Attributes|Example|Examples|Source|Note):\s*$", docstring, flags=re.M
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described(arguments: str) -> set[str]:
    """Names that an Args section describes; "m, n: sizes" and "*label: ..." describe them all."""
    return {
        name.strip().lstrip("*`").rstrip("`")
        for line in re.findall(r"^ {4}(\S[^:\n]*?)(?: \([^)]*\))?:", arguments, flags=re.M)
        for name in line.split(",")
    }


def raised(function: Function) -> set[str]:
    """Our own faults that the body raises by name."""
    calls = (node.exc for node in ast.walk(function) if isinstance(node, ast.Raise))
    names = (call.func if isinstance(call, ast.Call) else call for call in calls)
    return {name.id for name in names if isinstance(name, ast.Name)} & OWN_FAULTS


def speaks(result: ast.expr | None) -> bool:
    """Whether the type of a result says by itself what comes back: nothing, or nouns of the house."""
    nodes = [] if result is None else list(ast.walk(result))
    names = {node.id for node in nodes if isinstance(node, ast.Name)} - WRAPPERS
    return not names & SPEAKS_LITTLE and all(name[:1].isupper() for name in names)


def is_property(function: Function) -> bool:
    """Whether a decorator makes an attribute of the function or repeats a signature."""
    return any("property" in ast.unparse(mark) or "overload" in ast.unparse(mark) for mark in function.decorator_list)


def docstring_gaps(name: str, function: Function, numeric: bool, inherits: bool = False) -> list[str]:
    """What the docstring of one public function leaves out; a method of a derived class may lean on its base."""
    docstring = ast.get_docstring(function) or ""
    if not docstring:
        return [f"{name} has no docstring"]
    parts, taken = sections(docstring), {argument.arg for argument in parameters(function)}
    found: list[str] = []
    if "Args" not in parts and not inherits and (len(taken) > FEW_PARAMETERS or (numeric and taken)):
        found.append(f"{name} has no Args section")
    if "Args" in parts and (gap := described(parts["Args"]) ^ taken):
        found.append(f"{name} and its Args section differ in {', '.join(sorted(gap))}")
    if "Args" in parts and not {"Returns", "Yields"} & parts.keys() and (numeric or not speaks(function.returns)):
        found.append(f"{name} has Args but no Returns section")
    found += [
        f"{name} raises {fault} and does not say so" for fault in sorted(raised(function)) if fault not in docstring
    ]
    return found


def undocumented(source: Source) -> list[str]:
    """Missing docstrings, sections that disagree with the signature, and faults nobody announces.

    A module, public class, public function or public method has a docstring. An Args section names exactly the
    parameters, and brings a Returns section with it unless the type of the result is a noun of the house. More than
    three parameters, or any in a numeric room, need one. Each of our own faults raised in the body is named.
    """
    found: list[str] = []
    derived = {node.name for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef) and node.bases}
    if not ast.get_docstring(source.tree):
        found.append("the file has no docstring")
    for name, node in public_members(source.tree):
        if isinstance(node, ast.ClassDef):
            found += [] if ast.get_docstring(node) else [f"{name} has no docstring"]
        elif not is_property(node) and source.room != COMMANDS:
            found += docstring_gaps(name, node, source.room in NUMERIC_ROOMS, name.split(".")[0] in derived)
        elif not ast.get_docstring(node):
            found.append(f"{name} has no docstring")
    return [f"{source.place}: {gap}" for gap in found]


def imported_names(node: ast.AST) -> list[str]:
    """The dotted names that an import statement brings in; empty for anything else."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def stray_randomness(source: Source) -> list[str]:
    """Randomness that does not come through `seeds`.

    Allowed: to name the type `np.random.Generator`, and to save and restore the global state around foreign code.
    """
    found: list[str] = []
    for node in ast.walk(source.tree):
        names = [ast.unparse(node)] if isinstance(node, ast.Attribute) else imported_names(node)
        found += [f"{source.place}:{getattr(node, 'lineno', 0)}: {name}" for name in names if draws(node, name)]
    return found


def draws(node: ast.AST, name: str) -> bool:
    """Whether an import or an attribute opens a door to randomness."""
    parts = name.split(".")
    if parts[0] == "secrets" or name in OTHER_SOURCES:
        return True
    if parts[0] in {"np", "numpy"} and parts[1:2] == ["random"]:
        return not isinstance(node, ast.Attribute) or bool(set(parts[2:3]) - RANDOM_TYPES - KEEPS_THE_STATE)
    if parts[0] == "random":
        renamed = isinstance(node, ast.Import) and any(alias.asname for alias in node.names)
        return renamed or bool(set(parts[1:2]) - KEEPS_THE_STATE)
    return False


def prints(source: Source) -> list[str]:
    """Calls of the built-in `print`, `breakpoint` and `input`."""
    return [
        f"{source.place}:{node.lineno}: {node.func.id}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in {"print", "breakpoint", "input"}
    ]


def wide_excepts(source: Source) -> list[str]:
    """Handlers that swallow every fault: bare, `Exception` or `BaseException`, unless they end by raising again."""
    found: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and not isinstance(node.body[-1], ast.Raise):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {"everything" if kind is None else ast.unparse(kind) for kind in caught}
            if names & {"everything", "Exception", "BaseException"}:
                found.append(f"{source.place}:{node.lineno}: catches {', '.join(sorted(names))}")
    return found


def asserts(source: Source) -> list[str]:
    """Assertions in the package: they vanish under -O, and input deserves a sentence."""
    return [f"{source.place}:{node.lineno}: assert" for node in ast.walk(source.tree) if isinstance(node, ast.Assert)]
