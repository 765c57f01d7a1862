"""The graph of an ONNX file: which node uses which stored tensor, and where in the model that node stands.

Here live: the walk over graphs and nodes, those inside other nodes too, and constants that are weights.
Not here: bytes of a tensor (see `onnx_tensor`), the names made of what is found (see `onnx_names`).
Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, messages GraphProto, NodeProto, AttributeProto.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.onnx_tensor import Tensors
from shadowgraph.weights.readers.wire import BYTES, VARINT, Field, Wire
from shadowgraph.weights.tensor import TensorEntry, element_type

TENSOR_CAP = 50_000
NESTING_CAP = 16
INNER = "stored in a branch of a node, where it may not be used"
COMPANION = "scale or zero point of a quantised tensor"
PASSING = frozenset({"Identity", "Cast", "DequantizeLinear"})
QUANTISED: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "DequantizeLinear": (0, (1, 2)),
    "MatMulInteger": (1, (2, 3)),
    "ConvInteger": (1, (2, 3)),
    "QLinearMatMul": (3, (1, 2, 4, 5, 6, 7)),
    "QLinearConv": (3, (1, 2, 4, 5, 6, 7)),
    "QGemm": (3, (1, 2, 4, 5, 7, 8)),
    "QAttention": (1, (3, 4, 6, 7)),
    "MatMulNBits": (1, (2, 3, 4)),
    "MatMulBnb4": (1, (2,)),
    "GatherBlockQuantized": (0, (2, 3)),
}
"""Operation on quantised weights to the position of these among its inputs, and to those of scales and zero points."""

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"
_SCOPE = re.compile(r"'([^']*)'")
_USES_KEPT = 8  # of one tensor; two are enough to see that it is used more than once


class Use(NamedTuple):
    """One node that uses a tensor.

    Attributes:
        operation: its kind, such as MatMul.
        position: which input the tensor is, from 0.
        module: the module of the model that the node was made from, "" when it does not say.
        turned: whether the operation itself turns the matrix (transB of Gemm).
        bias: what the same node adds to its product, "" without.
        output: name of what it gives.
    """

    operation: str
    position: int
    module: str
    turned: bool
    bias: str
    output: str


@dataclass(slots=True)
class Graph:
    """What the graphs of a file hold.

    Attributes:
        entries: stored tensors by name, those of inner graphs barred.
        uses: name of a stored tensor of two axes or more to the nodes that use it.
        added: name of a value to the stored vectors that are added to it.
        vectors: number of nodes that add a stored vector.
        notes: remarks that are no errors.
    """

    entries: dict[str, TensorEntry] = field(default_factory=dict[str, TensorEntry])
    uses: dict[str, list[Use]] = field(default_factory=dict[str, list[Use]])
    added: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    vectors: Counter[str] = field(default_factory=Counter[str])
    notes: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class _Node:
    """One node as its message says."""

    operation: str = ""
    name: str = ""
    scopes: str = ""
    inputs: list[str] = field(default_factory=list[str])
    outputs: list[str] = field(default_factory=list[str])
    turned: bool = False
    constant: Field | None = None
    graphs: list[Field] = field(default_factory=list[Field])

    @property
    def module(self) -> str:
        """The module it was made from, by the list of scopes that the exporter left, or by its own name.

        A name holds a scope for every module that was called: /a/a.0/b is the module a.0.b, where `a` was a sequence.
        """
        scopes = _SCOPE.findall(self.scopes)
        if len(scopes) > 1:
            return scopes[-2]
        if not self.name.startswith("/"):
            return ""
        parts = self.name[1:].split("/")[:-1]
        kept = [part for part, after in zip(parts, [*parts[1:], ""], strict=True) if not after.startswith(f"{part}.")]
        return ".".join(kept)


class Walk:
    """Reads the graphs of one file."""

    def __init__(self, wire: Wire, tensors: Tensors) -> None:
        """Nothing is read yet."""
        self._wire = wire
        self._tensors = tensors
        self._aliases: dict[str, str] = {}
        self._again = 0
        self.graph = Graph()

    def read(self, message: Field) -> Graph:
        """Everything that the outer graph and the graphs inside it hold.

        Raises:
            CheckpointError: they break the format, or nest too deep.
            EnvironmentFault: a file beside the graph cannot be read.
        """
        pending = [(message, 0)]
        while pending:
            graph, depth = pending.pop()
            if depth > NESTING_CAP:
                raise self._wire.broken(f"graphs nested deeper than {NESTING_CAP}", graph.value)
            self._stored(graph, inner=depth > 0)
            for part in self._wire.fields(graph.value, graph.value + graph.size):
                if part.number == 1:
                    node = self._node(part)
                    pending += ((each, depth + 1) for each in node.graphs)
                    self._note(node, inner=depth > 0)
        inner = sum(1 for entry in self.graph.entries.values() if entry.barred == INNER) + self._again
        if inner:
            self.graph.notes.append(f"{inner} tensors are stored in branches of nodes and are not read")
        return self.graph

    def _stored(self, message: Field, *, inner: bool) -> None:
        """The initialisers of one graph, which may stand behind the nodes that use them."""
        for part in self._wire.fields(message.value, message.value + message.size):
            if part.number == 5:
                self._keep(self._tensors.read(part), inner=inner)
            elif part.number == 15:
                raise CheckpointError(
                    "a sparse initialiser, which is not read",
                    where=str(self._wire.stamp.path),
                    hint="export the model with dense weights",
                )

    def _keep(self, entry: TensorEntry, *, inner: bool) -> None:
        """Enter one stored tensor; names are unique in a graph, but two branches may hold the same."""
        where = f"{self._wire.stamp.path}: tensor '{printable(entry.name)}'"
        if not entry.name:
            raise CheckpointError("an initialiser without a name", where=where)
        if entry.name in self.graph.entries:
            if not inner:
                raise CheckpointError("two initialisers of one name", where=where)
            self._again += 1
            return
        if len(self.graph.entries) == TENSOR_CAP:
            raise CheckpointError(f"more than the limit of {TENSOR_CAP} tensors", where=where)
        self.graph.entries[entry.name] = replace(entry, barred=INNER) if inner else entry

    def _node(self, message: Field) -> _Node:
        """The fields of one NodeProto that are wanted."""
        wire, node = self._wire, _Node()
        wire.require(message, BYTES)
        for part in wire.fields(message.value, message.value + message.size):
            if part.number == 1:
                node.inputs.append(wire.text(part))
            elif part.number == 2:
                node.outputs.append(wire.text(part))
            elif part.number == 3:
                node.name = wire.text(part)
            elif part.number == 4:
                node.operation = wire.text(part)
            elif part.number == 5:
                self._attribute(wire.require(part, BYTES), node)
            elif part.number == 9:
                pair = {}
                for each in wire.fields(wire.require(part, BYTES).value, part.value + part.size):
                    if each.number == 1 or pair.get(1) == _SCOPES_KEY:
                        pair[each.number] = wire.text(each)
                node.scopes = pair.get(2, node.scopes)
        return node

    def _attribute(self, message: Field, node: _Node) -> None:
        """One AttributeProto: whether a matrix is turned, the value of a constant, and inner graphs."""
        wire, name, number = self._wire, "", 0
        for part in wire.fields(message.value, message.value + message.size):
            if part.number == 1:
                name = wire.text(part)
            elif part.number == 3:
                number = wire.require(part, VARINT).value
            elif part.number == 5:
                node.constant = wire.require(part, BYTES)
            elif part.number in (6, 11):
                node.graphs.append(wire.require(part, BYTES))
        node.turned |= name == "transB" and number != 0

    def _note(self, node: _Node, *, inner: bool) -> None:
        """What one node says of the tensors that it uses."""
        graph, output = self.graph, (node.outputs or [""])[0]
        if node.operation == "Constant":
            self._constant(node, output, inner=inner)
            return
        sources = [self._aliases.get(name, name) for name in node.inputs]
        held = [graph.entries.get(name) for name in sources]
        if node.operation in PASSING and held and held[0] is not None:
            self._aliases[output] = sources[0]
        bias = sources[2] if node.operation == "Gemm" and len(sources) > 2 else ""
        graph.vectors.update({bias} if bias else ())
        for position, (name, entry) in enumerate(zip(sources, held, strict=True)):
            if entry is None or len(entry.shape) < 2:
                continue
            uses = graph.uses.setdefault(name, [])
            if len(uses) < _USES_KEPT:
                uses.append(Use(node.operation, position, node.module, node.turned, bias, output))
        self._companions(node.operation, sources)
        if node.operation == "Add" and len(sources) == 2 and (held[0] is None) != (held[1] is None):
            vector = 0 if held[0] is not None else 1
            if len(graph.entries[sources[vector]].shape) == 1:
                graph.added.setdefault(sources[1 - vector], []).append(sources[vector])
                graph.vectors[sources[vector]] += 1

    def _companions(self, operation: str, sources: list[str]) -> None:
        """Bar quantised weights of an operation from being read as they lie, and what describes them."""
        weights, companions = QUANTISED.get(operation, (-1, ()))
        entries = self.graph.entries
        for position, name in enumerate(sources):
            if name not in entries:
                continue
            if position in companions:
                entries[name] = replace(entries[name], barred=COMPANION, companion=True)
            elif position == weights and not entries[name].barred:
                entries[name] = replace(entries[name], barred=f"quantised for {operation}, which is not read")

    def _constant(self, node: _Node, output: str, *, inner: bool) -> None:
        """A constant of two axes or more is a stored tensor under the name of its output; others describe the graph."""
        if node.constant is None or not output:
            return
        entry = self._tensors.read(node.constant, output)
        if len(entry.shape) > 1 and element_type(entry.dtype).kind == "float":
            self._keep(entry, inner=inner)
