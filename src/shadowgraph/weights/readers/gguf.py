"""The GGUF format of llama.cpp: our own bounded parser of the header.

Here live: every check of the tensor table (names, types, checked products, offsets in order, no overlap, no hole).
Not here: the keys before it (`gguf_keys`), what they say of the model (`gguf_config`), values (`gguf_values`), parts of
a split file as one (`gguf_split`).
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.

What is stored is not always what was trained, besides the rounding. Rows of the query and key of Llama's kin are
reordered within each head, for another way to rotate: singular values do not change, singular vectors over outputs do,
in a way that is the same in every such file. Norm weights of Gemma's kin carry a 1 that was added; vectors are not
decomposed. Hence two GGUF files are compared with each other, never one with a model of another format.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shadowgraph.errors import printable
from shadowgraph.weights.readers.gguf_config import described, metadata, remarks, require_model
from shadowgraph.weights.readers.gguf_keys import UNSIGNED_32, Cursor, Keys, read_keys
from shadowgraph.weights.readers.gguf_split import require_named, split_of
from shadowgraph.weights.readers.gguf_types import REMOVED, TYPES, BlockType
from shadowgraph.weights.readers.header import Header
from shadowgraph.weights.readers.span import current_stamp, opened, require_unchanged
from shadowgraph.weights.tensor import Packing, TensorEntry

METHOD = "gguf"
TENSOR_CAP = 200_000
NAME_CAP = 64
RANK_CAP = 4
USUAL_ALIGNMENT = 32
ALIGNMENT_CAP = 65_536  # the largest page of memory in use
_COUNT_CAP = 2**63 - 1
_FACTOR = (".weight", ".scale")  # a matrix and the factor it is multiplied by
_FACTOR_TYPES = frozenset({"F32", "F16", "BF16"})


def read_header(path: Path) -> Header:
    """Read and check the header of one file; no tensor data is read.

    Raises:
        CheckpointError: the file breaks the format, or holds no model; the message names file and tensor.
        EnvironmentFault: the file may not or cannot be read.
    """
    with opened(path) as (descriptor, stamp):
        cursor = Cursor(descriptor, stamp)
        keys = read_keys(cursor)
        alignment = _alignment(cursor, keys)
        if keys.tensors > TENSOR_CAP:
            raise cursor.fail(f"{keys.tensors} tensors, more than the limit of {TENSOR_CAP}")
        declared = [_declared(cursor, number) for number in range(keys.tensors)]
        start = _padded(cursor.position, alignment)
        require_unchanged(current_stamp(descriptor, path), stamp)
    require_model(cursor, keys)
    require_named(cursor, split_of(keys))
    notes = remarks(keys)
    entries = _placed(cursor, declared, start, alignment, notes)
    return Header(stamp, _scaled(entries), metadata(keys), tuple(notes), described(keys))


def _alignment(cursor: Cursor, keys: Keys) -> int:
    """Every tensor begins at a multiple of this."""
    if "general.alignment" not in keys.types and "general.alignment" not in keys.lengths:
        return USUAL_ALIGNMENT
    value = keys.values.get("general.alignment")
    if keys.types.get("general.alignment") != UNSIGNED_32 or type(value) is not int:
        raise cursor.fail("general.alignment is not an unsigned 32-bit number")
    if not 8 <= value <= ALIGNMENT_CAP or value & (value - 1):
        raise cursor.fail(f"general.alignment is {value}, not a power of two from 8 to {ALIGNMENT_CAP}")
    return value


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _declared(cursor: Cursor, number: int) -> TensorEntry:
    """One line of the tensor table as an entry: the outermost axis first, the offset still from the first data byte."""
    name = cursor.text(NAME_CAP, f"the name of tensor number {number + 1}")
    what = f"tensor '{printable(name)}'"
    rank = int(cursor.number("I", f"the rank of {what}"))
    if rank > RANK_CAP:
        raise cursor.fail(f"{what} has {rank} axes, more than the {RANK_CAP} of the format")
    extents = tuple(cursor.count(f"the shape of {what}") for _ in range(rank))
    code = int(cursor.number("I", f"the type of {what}"))
    offset = cursor.count(f"the offset of {what}")
    kind = TYPES.get(code)
    if kind is None:
        known = f"{REMOVED[code]}, which was taken out of the format" if code in REMOVED else "which is not known"
        raise cursor.fail(f"{what} is of type {code}, {known}", "convert the model again")
    size = _size(cursor, extents, kind, what)
    packing = None if kind.is_plain else Packing(METHOD, numbers=(("type", code),))
    barred = f"{kind.name}: {kind.reason}" if kind.reason else ""
    return TensorEntry(name, kind.name, extents[::-1], cursor.stamp, offset, size, barred=barred, packing=packing)


def _size(cursor: Cursor, extents: tuple[int, ...], kind: BlockType, what: str) -> int:
    """Bytes of a tensor; every partial product is checked, the shape is that of the file, innermost axis first."""
    product = 1
    for extent in extents:
        product *= max(extent, 1)
        if extent > _COUNT_CAP or product * kind.size > _COUNT_CAP:
            raise cursor.fail(f"overflow: {what}, shape {list(extents)}, has more bytes than 63-bit counts hold")
    row = extents[0] if extents else 1
    if row % kind.elements:
        block = f"the {kind.elements} of a block of {kind.name}"
        raise cursor.fail(f"{what} has rows of {row} elements, no multiple of {block}")
    return 0 if 0 in extents else product // kind.elements * kind.size


def _placed(
    cursor: Cursor, declared: list[TensorEntry], start: int, alignment: int, notes: list[str]
) -> list[TensorEntry]:
    """The entries where they lie in the file: one after another, each padded to the alignment, all inside."""
    found: list[TensorEntry] = []
    seen: set[str] = set()
    position = 0
    for entry in declared:
        what = f"tensor '{printable(entry.name)}'"
        if entry.name in seen:
            raise cursor.fail(f"duplicate {what}")
        seen.add(entry.name)
        if not entry.name or not entry.name.isprintable():
            notes.append(f"{what} has an unusual name ({len(entry.name)} characters)")
        if entry.offset % alignment:
            raise cursor.fail(f"{what} begins at {entry.offset}, no multiple of the alignment {alignment}")
        if entry.offset != position:
            wrong = "overlaps the tensor before it" if entry.offset < position else "leaves a hole before it"
            raise cursor.fail(f"{what} begins at {entry.offset}, {position} is next: it {wrong}, or is out of order")
        end = start + position + entry.size
        if end > cursor.stamp.size:
            raise cursor.fail(
                f"truncated: {end} bytes expected, {cursor.stamp.size} present; first tensor affected"
                f" '{printable(entry.name)}'",
                "download or save it again",
            )
        found.append(replace(entry, offset=start + position))
        position = _padded(position + entry.size, alignment)
    tail = cursor.stamp.size - (start + position)
    if found and tail > 0:
        notes.append(f"{tail} bytes after the last tensor are not read")
    return found


def _scaled(entries: list[TensorEntry]) -> tuple[TensorEntry, ...]:
    """Matrices with the factors stored beside them, one for all or one an expert, as NVFP4 and BitNet have them.

    A factor that does not fit bars its matrix: without it the values would be wrong.
    """
    factors = {
        entry.name.removesuffix(_FACTOR[1]) + _FACTOR[0]: entry for entry in entries if entry.name.endswith(_FACTOR[1])
    }
    owners = {entry.name for entry in entries} & factors.keys()
    taken = {factors[name].name for name in owners}
    found: list[TensorEntry] = []
    for entry in entries:
        if entry.name in taken:
            found.append(replace(entry, barred="scale of another tensor", companion=True))
        elif entry.name in owners:
            found.append(_with_factor(entry, factors[entry.name]))
        else:
            found.append(entry)
    return tuple(found)


def _with_factor(entry: TensorEntry, factor: TensorEntry) -> TensorEntry:
    """A matrix whose elements are its stored ones times a factor."""
    if entry.unreadable:
        return entry
    stacked = len(entry.shape) == 3 and factor.parameters == entry.shape[0]
    if factor.dtype not in _FACTOR_TYPES or not (factor.parameters == 1 or stacked):
        return replace(entry, barred=f"{entry.dtype}: its scale of shape {list(factor.shape)} does not fit")
    code = next(number for number, kind in TYPES.items() if kind.name == entry.dtype)
    return replace(entry, packing=Packing(METHOD, (("scale", factor),), (("type", code),)))
