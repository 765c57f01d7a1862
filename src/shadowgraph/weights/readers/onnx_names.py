"""Names of the tensors of an ONNX file: those that the exporter lost, as the nodes tell them.

Here live: the recovery of a name from the one node that uses a tensor, the turning of what the exporter turned, and
the prefix that a wrapper of the exported model put before every name.
Not here: the graph itself (see `onnx_graph`), roles; the families are asked only which spelling one of them knows.

An exporter folds the transpose of a linear layer into its weight and so stores (in, out) under a name of its own, such
as onnx::MatMul_470 or val_40. The node that uses it still says of which module it was made. What keeps a name of the
model keeps its layout too, because only what is stored as the model has it keeps its name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from shadowgraph.errors import printable
from shadowgraph.weights.readers.onnx_graph import PASSING, Graph, Use
from shadowgraph.weights.roles import recognise
from shadowgraph.weights.tensor import FLOAT8, Packing, TensorEntry, element_type

_LOST = re.compile(r"(onnx::.*|/.*|[0-9]+|_?val?_[0-9]+|t_[0-9]+|transpose(_[0-9]+)?|.*_output_[0-9]+)(_quantized)?")
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
_PREFIX_CAP = 6  # modules that wrap a model
_COPY = "turned copy of a tensor that is stored under its own name"
_FOLDED = frozenset({"Conv", "ConvTranspose"})


def named(graph: Graph) -> tuple[tuple[TensorEntry, ...], tuple[str, ...]]:
    """The tensors of a graph under the names of the model, and remarks on them.

    A name is recovered where a single node uses the tensor, no other tensor would get the same name, and none has it.
    """
    entries = graph.entries
    lost = [name for name, entry in entries.items() if len(entry.shape) == 2 and _LOST.fullmatch(name)]
    plain = [name for name in lost if not entries[name].companion and element_type(entries[name].dtype).kind == "float"]
    wanted = {name: found for name in lost if (found := _recovered(name, graph)) is not None}
    asked = Counter(found[0] for found in wanted.values())
    renamed: dict[str, TensorEntry] = {}
    for name, (recovered, turned) in wanted.items():
        entry = entries[name]
        held = entries.get(recovered)
        if held is not None and turned and held.shape == entry.shape[::-1] and held.dtype == entry.dtype:
            renamed[name] = replace(entry, barred=_COPY, companion=True)
        elif held is None and asked[recovered] == 1:
            renamed[name] = replace(_turned(entry) if turned else entry, name=recovered)
    notes = _remarks(plain, renamed, graph)
    found = [renamed.get(name, entry) for name, entry in entries.items()]
    prefix = _prefix(entry.name for entry in found)
    if prefix:
        notes.append(
            f"the names are read without '{printable(prefix, 80)}', which the exported wrapper put before them"
        )
        found = [replace(entry, name=entry.name.removeprefix(prefix)) for entry in found]
    return tuple(found), tuple(notes)


def _recovered(name: str, graph: Graph) -> tuple[str, bool] | None:
    """The name of the model for one tensor and whether it lies as (in, out), None when its uses do not tell."""
    uses = [use for use in graph.uses.get(name, ()) if use.operation not in PASSING]
    if len(uses) != 1:
        return None
    use = uses[0]
    if (use.operation, use.position) in {("MatMul", 1), ("MatMulInteger", 1), ("QLinearMatMul", 3)}:
        turned = True
    elif (use.operation, use.position) == ("Gemm", 1):
        turned = not use.turned
    elif (use.operation, use.position) == ("Gather", 0):
        return (f"{use.module}.weight", False) if use.module else None
    else:
        return None
    bias = _bias(use, graph, graph.entries[name].shape[1 if turned else 0])
    if bias and (not use.module or bias.startswith(f"{use.module}.")):
        return bias.removesuffix("bias") + "weight", turned  # in_proj_bias stands beside in_proj_weight
    return (f"{use.module}.weight", turned) if use.module else None


def _bias(use: Use, graph: Graph, outputs: int) -> str:
    """The name of the bias of a linear map, "" without one that is its own; equal biases may be stored once."""
    found = [use.bias] if use.bias else graph.added.get(use.output, [])
    if len(found) != 1 or not found[0].endswith("bias") or not _PATH.fullmatch(found[0]):
        return ""
    own = found[0] in graph.entries and graph.entries[found[0]].shape == (outputs,)
    return found[0] if own and graph.vectors[found[0]] == 1 else ""


def _turned(entry: TensorEntry) -> TensorEntry:
    """A stored (in, out) as the matrix (out, in); what is not read is left as it lies."""
    if entry.unreadable or entry.dtype in FLOAT8:
        return entry
    rows, columns = entry.shape
    strides = (("stride0", 1), ("stride1", columns))
    return replace(entry, shape=(columns, rows), packing=Packing("strided", numbers=strides))


def _prefix(names: Iterable[str]) -> str:
    """What a wrapper put before every name of the model: the shortest run of modules without which a family knows them.

    "" when a family knows the names as they are, or none knows them either way.
    """
    paths = [name for name in names if _PATH.fullmatch(name)]
    if not paths or recognise(paths) is not None:
        return ""
    shared = paths[0].split(".")[:-1][:_PREFIX_CAP]
    for path in paths:
        parts = path.split(".")[:-1]
        while parts[: len(shared)] != shared:
            shared.pop()
    for count in range(1, len(shared) + 1):
        prefix = ".".join(shared[:count]) + "."
        if recognise(path.removeprefix(prefix) for path in paths) is not None:
            return prefix
    return ""


def _remarks(plain: list[str], renamed: Mapping[str, TensorEntry], graph: Graph) -> list[str]:
    """How many matrices had lost their names, and which of these were not found again."""
    notes = list(graph.notes)
    found = sum(name in renamed and not renamed[name].companion for name in plain)
    if found:
        notes.append(f"{_many(found, 'matrix', 'matrices')} stored without a name of the model: named by the nodes")
    folded = [name for name in graph.entries if _LOST.fullmatch(name) and _is_folded(name, graph)]
    if folded:
        notes.append(
            f"{_many(len(folded), 'kernel', 'kernels')} with a normalisation folded in by the exporter, whose names"
            f" stay: such as '{printable(folded[0], 80)}'"
        )
    left = [name for name in plain if name not in renamed]
    if left:
        notes.append(
            f"{_many(len(left), 'matrix', 'matrices')} stored without a name of the model that the nodes tell, and so"
            f" without a role: such as '{printable(left[0], 80)}'"
        )
    return notes


def _many(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _is_folded(name: str, graph: Graph) -> bool:
    return len(graph.entries[name].shape) > 2 and any(use.operation in _FOLDED for use in graph.uses.get(name, ()))
