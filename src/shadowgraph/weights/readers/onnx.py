"""The ONNX format: our own bounded walk to the tensors of a model.

Here lives: the outermost message, and which parts of it are read.
Not here: the wire format (`wire`), one tensor (`onnx_tensor`), nodes (`onnx_graph`), lost names (`onnx_names`). The
graph is never run.
Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, message ModelProto.
"""

from __future__ import annotations

from pathlib import Path

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.header import Header
from shadowgraph.weights.readers.onnx_graph import Walk
from shadowgraph.weights.readers.onnx_names import named
from shadowgraph.weights.readers.onnx_tensor import Tensors
from shadowgraph.weights.readers.sniff import foreign_content
from shadowgraph.weights.readers.span import current_stamp, opened, read_span, require_unchanged
from shadowgraph.weights.readers.wire import BYTES, VARINT, Field, Wire

_VERSION, _WRITER, _GRAPH, _METADATA, _TRAINING, _FUNCTION = 1, 2, 7, 14, 20, 25
_METADATA_CAP = 1_000


def read_header(path: Path) -> Header:
    """Read and check one ONNX file up to the places of its tensors; no tensor data is read.

    Raises:
        CheckpointError: the file breaks the format; the message names file and tensor.
        EnvironmentFault: the file, or one beside it that holds its values, may not or cannot be read.
    """
    with opened(path) as (descriptor, stamp):
        head = read_span(descriptor, stamp, 0, min(stamp.size, 512)).tobytes()
        if not head:
            raise CheckpointError("empty file", where=str(path), hint="download or export it again")
        foreign = foreign_content(head)
        if foreign is not None:
            raise CheckpointError(foreign[0], where=str(path), hint=foreign[1])
        wire = Wire(descriptor, stamp)
        graph, metadata, notes = _model(wire)
        found = Walk(wire, Tensors(wire, path)).read(graph)
        entries, remarks = named(found)
        require_unchanged(current_stamp(descriptor, path), stamp)
    for entry in entries:
        if not entry.name.isprintable():
            notes.append(f"tensor '{printable(entry.name)}' has an unusual name ({len(entry.name)} characters)")
    ordered = sorted(entries, key=lambda entry: (entry.file != stamp, str(entry.file.path), entry.offset, entry.size))
    return Header(stamp, tuple(ordered), metadata, (*notes, *remarks))


def _model(wire: Wire) -> tuple[Field, dict[str, str], list[str]]:
    """The graph, the metadata and remarks of the outermost message."""
    graph: Field | None = None
    version = functions = 0
    metadata: dict[str, str] = {}
    notes: list[str] = []
    for part in wire.fields(0, wire.stamp.size):
        if part.number == _VERSION:
            version = wire.require(part, VARINT).value
        elif part.number == _WRITER:
            metadata["writer"] = wire.text(part)
        elif part.number == _GRAPH:
            if graph is not None:
                raise wire.broken("two graphs", part.value)
            graph = wire.require(part, BYTES)
        elif part.number == _METADATA and len(metadata) < _METADATA_CAP:
            pair = {each.number: wire.text(each) for each in wire.fields(part.value, part.value + part.size)}
            metadata[pair.get(1, "")] = pair.get(2, "")
        elif part.number == _TRAINING:
            notes.append("a graph of the training is stored beside the model and is not read")
        functions += part.number == _FUNCTION
    if graph is None or version == 0:
        raise CheckpointError(
            "not an ONNX model: no version, or no graph in it",
            where=str(wire.stamp.path),
            hint="give the file of the weights, or export it again",
        )
    if functions:
        notes.append(f"{functions} functions of the model's own are not looked into; names are not recovered from them")
    return graph, metadata, notes
