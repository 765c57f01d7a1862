"""Torch archives (.bin, .pt, .pth, .ckpt): tensors by name and place in the file; no pickle is loaded in this process.

Here live: `read_header`, `read_headers`, and the check of every span that torch reports against the archive.
Not here: the checks before torch sees anything (`zip_archive`, `pickle_opcodes`), torch itself (`torch_loader`), and
values: those are read by position like any others, tensors that do not lie in order through `strided`.
Format: https://pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from shadowgraph.errors import CheckpointError, Defect, printable
from shadowgraph.weights.readers.header import Header
from shadowgraph.weights.readers.pickle_opcodes import PICKLE_CAP, require_plain
from shadowgraph.weights.readers.sniff import foreign_content, is_safetensors
from shadowgraph.weights.readers.span import current_stamp, opened, read_span, require_unchanged
from shadowgraph.weights.readers.torch_loader import Pickled, describe
from shadowgraph.weights.readers.torch_table import choose
from shadowgraph.weights.readers.zip_archive import Archive, Member, read_archive
from shadowgraph.weights.tensor import ELEMENT_TYPES, Packing, Stamp, TensorEntry

TENSOR_CAP = 200_000
RANK_CAP = 64
EXPANSION_CAP = 1 << 26  # elements that a tensor may show although fewer are stored
_COUNT_CAP = 2**63 - 1
_PICKLE = "/data.pkl"
_KEY = re.compile(r"[0-9A-Za-z_.-]{1,100}", re.ASCII)
_REMEMBERED = 8
_PLAIN = frozenset({"F64", "F32", "F16", "BF16"})

# Torch's names of element types: our name, bytes of one element.
_TYPES = {
    "float64": ("F64", 8),
    "float32": ("F32", 4),
    "float16": ("F16", 2),
    "bfloat16": ("BF16", 2),
    "float8_e4m3fn": ("F8_E4M3", 1),
    "float8_e5m2": ("F8_E5M2", 1),
    "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1),
    "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1),
    "float8_e8m0fnu": ("F8_E8M0", 1),
    "float4_e2m1fn_x2": ("F4_X2", 1),
    "complex32": ("C32", 4),
    "complex64": ("C64", 8),
    "complex128": ("C128", 16),
    "int64": ("I64", 8),
    "int32": ("I32", 4),
    "int16": ("I16", 2),
    "int8": ("I8", 1),
    "uint64": ("U64", 8),
    "uint32": ("U32", 4),
    "uint16": ("U16", 2),
    "uint8": ("U8", 1),
    "bool": ("BOOL", 1),
}
_BARRED = {
    "F4_X2": "F4_X2: packed or block-scaled type",
    "C32": "C32: complex type",
    "C128": "C128: complex type",
}


def read_header(path: Path) -> Header:
    """Read and check the tables of one archive; no tensor data is read.

    Raises:
        CheckpointError: no torch archive, one that hides or runs something, or tensors that leave their storages.
        EnvironmentFault: the file may not be read, or torch is missing.
    """
    return read_headers([path])[0]


def read_headers(paths: Sequence[Path]) -> list[Header]:
    """`read_header` of several files of one checkpoint through one process of torch, which takes seconds to start.

    Raises:
        CheckpointError: as `read_header`.
        EnvironmentFault: as `read_header`.
    """
    stamps: list[Stamp] = []
    for path in paths:
        with opened(path) as (_, stamp):
            stamps.append(stamp)
    return list(_headers(tuple(stamps)))


@lru_cache(maxsize=_REMEMBERED)
def _headers(stamps: tuple[Stamp, ...]) -> tuple[Header, ...]:
    """The headers of files as they are now; a scan opens its checkpoints again and again."""
    archives: list[Archive] = []
    pickles: list[Pickled] = []
    for stamp in stamps:
        archive, pickled = _checked(stamp)
        archives.append(archive)
        pickles.append(pickled)
    answers = describe(pickles)
    for stamp in stamps:
        with opened(stamp.path, stamp):  # what torch was shown is still what lies there
            pass
    return tuple(_header(archive, answer) for archive, answer in zip(archives, answers, strict=True))


def _checked(stamp: Stamp) -> tuple[Archive, Pickled]:
    """Everything that is checked before torch sees a pickle."""
    with opened(stamp.path, stamp) as (descriptor, _):
        head = read_span(descriptor, stamp, 0, min(stamp.size, 512)).tobytes()
        _require_archive(head, stamp)
        archive = read_archive(descriptor, stamp)
        root = _root(archive, head)
        data = archive.read(descriptor, root + _PICKLE, PICKLE_CAP)
        order = f"{root}/byteorder"
        if order in archive.members and archive.read(descriptor, order, 100) != b"little":
            found = "the bytes of its numbers are not in little-endian order"
            raise CheckpointError(found, where=str(stamp.path), hint="save it on a little-endian machine")
        require_unchanged(current_stamp(descriptor, stamp.path), stamp)
    where = f"{stamp.path}: {printable(root, 40)}{_PICKLE}"
    require_plain(data, where)
    storages = tuple(name.removeprefix(f"{root}/data/") for name in archive.members if name.startswith(f"{root}/data/"))
    unusual = next((key for key in storages if not _KEY.fullmatch(key)), None)
    if unusual is not None:
        raise CheckpointError(f"a storage has the unusual name '{printable(unusual, 60)}'", where=str(stamp.path))
    return archive, Pickled(data, storages, where)


def _require_archive(head: bytes, stamp: Stamp) -> None:
    """Refuse what is no zip archive, saying what it is instead."""
    where = str(stamp.path)
    if stamp.size == 0:
        raise CheckpointError("empty file", where=where, hint="download or save it again")
    if head.startswith(b"PK\x03\x04"):
        return
    foreign = foreign_content(head)
    if is_safetensors(head):
        foreign = "content is a safetensors file", "give it the ending .safetensors"
    if foreign is not None:
        raise CheckpointError(foreign[0], where=where, hint=foreign[1])
    raise CheckpointError(
        "no torch archive: it does not begin as a zip file", where=where, hint="give the file of the weights"
    )


def _root(archive: Archive, head: bytes) -> str:
    """The folder inside the archive that holds everything; refuses archives of other kinds."""
    where, names = str(archive.stamp.path), list(archive.members)
    program = [name for name in names if "/code/" in name or name.endswith("/constants.pkl")]
    if program:
        raise CheckpointError(
            "a TorchScript program, not a table of tensors; none of its code is run",
            where=where,
            hint="save the model's state_dict with torch.save",
        )
    pickles = [name for name in names if name.endswith(".pkl")]
    roots = {name.split("/")[0] for name in names}
    if len(pickles) > 1 or len(roots) > 1:
        found = f"the archive holds {len(pickles)} pickles in {len(roots)} folders, torch writes one in one"
        raise CheckpointError(found, where=where)
    if not pickles or pickles[0].count("/") != 1 or not pickles[0].endswith(_PICKLE):
        kind, advice = foreign_content(head) or ("content is a zip archive", "give the file of the weights")
        raise CheckpointError(f"{kind}, with no data.pkl of torch", where=where, hint=advice)
    return pickles[0].removesuffix(_PICKLE)


def _header(archive: Archive, answer: dict[str, Any]) -> Header:
    """The header of one archive from what torch said of its pickle."""
    where = str(archive.stamp.path)
    tensors: Any = answer["tensors"]
    if not isinstance(tensors, list) or not all(map(_well_formed, cast(list[Any], tensors))):
        raise CheckpointError("what torch's process says of its tensors has another form than agreed", where=where)
    if len(tensors) > TENSOR_CAP:
        raise CheckpointError(f"{len(tensors)} tensors, more than the limit of {TENSOR_CAP}", where=where)
    table, notes = choose(str(answer.get("top")), tensors, where)
    storages = {name.rpartition("/")[2]: member for name, member in archive.members.items() if "/data/" in name}
    entries = [_entry(name, each, storages, archive.stamp) for name, each in table.items()]
    for name in table:
        if len(name) > 1000 or not name.isprintable() or not name:
            notes.append(f"tensor '{printable(name)}' has an unusual name ({len(name)} characters)")
    entries.sort(key=lambda entry: (entry.offset, entry.size, entry.name))
    if not archive.summed:
        notes.append("the archive was written without checksums")
    return Header(archive.stamp, tuple(entries), {}, tuple(notes))


def _well_formed(tensor: Any) -> bool:
    """Whether the description of a tensor has its seven parts: the process may have been taken over by the pickle."""
    if not isinstance(tensor, list) or len(cast(list[Any], tensor)) != 7:
        return False
    path, kind, *_, key = cast(list[Any], tensor)
    return isinstance(path, list) and isinstance(kind, str) and isinstance(key, str)


def _entry(name: str, each: list[Any], storages: dict[str, Member], stamp: Stamp) -> TensorEntry:
    """One tensor, every number of it held against the member that stores it."""
    where = f"{stamp.path}: tensor '{printable(name)}'"
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise CheckpointError("the name is not valid Unicode", where=where) from error
    _, kind, raw_shape, raw_strides, first, stored, key = each
    shape, strides = _counts(raw_shape), _counts(raw_strides)
    if shape is None or strides is None or len(shape) != len(strides) or _counts([first, stored]) is None:
        raise CheckpointError(f"its shape, strides or place are no counts, or more than {RANK_CAP}", where=where)
    if kind not in _TYPES:
        raise CheckpointError(f"unknown element type {printable(str(kind), 40)}", where=where)
    dtype, width = _TYPES[kind]
    member = storages.get(key)
    if member is None:
        raise Defect("torch names a storage that it was not given", where=where)
    if stored != member.size:
        raise CheckpointError(f"its storage of {stored} bytes lies in a member of {member.size}", where=where)
    elements = math.prod(shape)
    reach = sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True)) + 1 if elements else 0
    if elements > _COUNT_CAP or (first + reach) * width > stored:
        raise CheckpointError(
            f"shape {list(shape[:8])} with strides {list(strides[:8])} from element {first} leaves its storage of"
            f" {stored} bytes",
            where=where,
        )
    entry = TensorEntry(name, dtype, shape, stamp, member.offset + first * width, reach * width)
    return _ordered(entry, strides, reach, _BARRED.get(dtype, ""))


def _ordered(entry: TensorEntry, strides: tuple[int, ...], reach: int, barred: str) -> TensorEntry:
    """The entry as it lies: in order, or with the strides it is read by.

    Types that are not read as they are keep no readable name where they do not lie in order: whoever joins them with
    scales or unpacks them would take their bytes for elements in order.
    """
    elements, dtype, packing = entry.parameters, entry.dtype, None
    if not _in_order(entry.shape, strides):
        packing = Packing("strided", numbers=tuple((f"stride{axis}", each) for axis, each in enumerate(strides)))
        if elements > max(reach, EXPANSION_CAP):
            barred = barred or f"expanded to more than {EXPANSION_CAP:,} elements, of which fewer are stored"
        if dtype not in _PLAIN:
            kind = ELEMENT_TYPES[dtype].kind if dtype in ELEMENT_TYPES else ""
            barred = barred or f"{dtype}: {'not stored in order' if kind == 'float' else kind}"
            dtype = f"{dtype} strided"
    return TensorEntry(
        entry.name, dtype, entry.shape, entry.file, entry.offset, entry.size, barred=barred, packing=packing
    )


def _in_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the elements of a tensor lie one behind the other."""
    if 0 in shape:
        return True
    expected = 1
    for extent, stride in zip(reversed(shape), reversed(strides), strict=True):
        if extent != 1 and stride != expected:
            return False
        expected *= extent
    return True


def _counts(values: Any) -> tuple[int, ...] | None:
    """A list of counts as a tuple, or None."""
    if not isinstance(values, list) or len(cast(list[Any], values)) > RANK_CAP:
        return None
    counts = cast(list[Any], values)
    return tuple(counts) if all(type(each) is int and 0 <= each <= _COUNT_CAP for each in counts) else None
