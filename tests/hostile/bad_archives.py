"""Rows PK01 to PK09 of the fault list: pickles that run something, zip files that two programs read in two ways.

Here live: their makers, and archives as torch writes them, made without torch. Not here: assertions.
A payload, if it ever ran, would make the file `CANARY` in the working directory.
"""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from badcase import LAYER, Case, Maker, packed, raw
from numpy.lib.format import magic

CANARY = "canary-of-a-pickle"
BIN = "pytorch_model.bin"
M = "model"
Members = dict[str, bytes]


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def plain(value: Any) -> bytes:
    """A number or a tuple of numbers without the pickle's head and end."""
    return pickle.dumps(value, 2)[2:-1]


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def tensor(
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None = None,
    *,
    first: int = 0,
    key: str = "0",
    count: int = 36,
    storage: str = "FloatStorage",
    place: str = "cpu",
) -> bytes:
    """The instructions by which torch rebuilds one tensor."""
    if strides is None:
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    stored = b"(" + text("storage") + named("torch", storage) + text(key) + text(place) + plain(count) + b"tQ"
    hooks = named("collections", "OrderedDict") + b")R"
    body = stored + plain(first) + plain(shape) + plain(strides) + b"\x89" + hooks
    return named("torch._utils", "_rebuild_tensor_v2") + b"(" + body + b"tR"


def table(tensors: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in tensors.items()) + b"u"


def pickled(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def block(**changes: Any) -> bytes:
    """A pickle of the matrices of one layer, all views of one storage; `changes` are those of the last."""
    names = [f"model.layers.0.{part}.weight" for part in LAYER]
    tensors = {name: tensor((6, 6)) for name in names}
    if changes:
        tensors[names[-1]] = tensor(changes.pop("shape", (6, 6)), **changes)
    return pickled(table(tensors))


def members(pickle_bytes: bytes, **others: bytes) -> Members:
    """The members of an archive as torch names them; one storage of 36 elements."""
    values = np.linspace(-1, 1, 36, dtype="<f4").tobytes()
    found = {"data.pkl": pickle_bytes, "byteorder": b"little", "data/0": values, "version": b"3\n"} | others
    return {f"archive/{name}": data for name, data in found.items()}


def archived(content: Members, **settings: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **settings) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data, settings.get("compression"))
    return stream.getvalue()


def bad(pickle_bytes: bytes, **others: bytes) -> Maker:
    return raw(archived(members(pickle_bytes, **others)))


def patched(change: Callable[[bytearray], object], content: Members | None = None) -> Maker:
    """A good archive, some bytes of it changed."""
    data = bytearray(archived(content or members(block())))
    change(data)
    return raw(bytes(data))


def places(data: bytearray, mark: bytes) -> list[int]:
    found: list[int] = []
    at = data.find(mark)
    while at >= 0:
        found.append(at)
        at = data.find(mark, at + 1)
    return found


def at_central(member: int, offset: int, value: bytes, *, local: bool = False) -> Callable[[bytearray], object]:
    """Set bytes of a record of the list of members, or of a member's own header."""

    def change(data: bytearray) -> None:
        place = places(data, b"PK\x03\x04" if local else b"PK\x01\x02")[member]
        data[place + offset : place + offset + len(value)] = value

    return change


def both(member: int, central: int, local: int, value: bytes) -> Callable[[bytearray], object]:
    def change(data: bytearray) -> None:
        at_central(member, central, value)(data)
        at_central(member, local, value, local=True)(data)

    return change


def wrong_sum(data: bytearray) -> None:
    """One bit of the pickle's text turned: a name of a tensor, still a good pickle."""
    place = data.find(b"model.layers.0")
    data[place] ^= 1


def renamed(old: str, new: str, where: str = "both") -> Callable[[bytearray], object]:
    """Another name of the same length in the list of members, in the member's own header, or in both."""

    def change(data: bytearray) -> None:
        found = places(data, old.encode())
        for place in {"both": found, "central": found[-1:], "local": found[:1]}[where]:
            data[place : place + len(old)] = new.encode()

    return change


def hidden(data: bytearray) -> None:
    """Bytes of no member before the list of members, all offsets still right."""
    start = struct.unpack_from("<L", data, len(data) - 6)[0]
    data[start:start] = b"evil"
    struct.pack_into("<L", data, len(data) - 6, start + 4)


def overlapping(path: Path) -> None:
    """Two entries of the list for the same bytes, as in a bomb that repeats one core."""
    data = bytearray(archived(members(block(), **{"data/1": b"\0" * 144})))
    central = places(data, b"PK\x01\x02")
    first = struct.unpack_from("<L", data, central[2] + 42)[0]
    struct.pack_into("<L", data, central[4] + 42, first)
    path.write_bytes(bytes(data))


def counted(data: bytearray) -> None:
    """More members than the list has room for."""
    data[-14:-10] = b"\xff" * 4


def bomb(path: Path) -> None:
    """A gigabyte of zeros in a megabyte of deflated data."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("archive/data.pkl", "w", force_zip64=True) as member,
    ):
        for _ in range(64):
            member.write(b"\0" * (1 << 24))


def doubled(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/data.pkl", "b/data.pkl"):
            archive.writestr(name, block())


def duplicated(path: Path) -> None:
    content = members(block(), **{"data/1": b"\0" * 144})
    patched(renamed("archive/data/1", "archive/data/0"), content)(path)


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"), io.BytesIO(b""))


def reduced(module: str, name: str, *arguments: str) -> bytes:
    """A call of something, as `__reduce__` leaves it."""
    return named(module, name) + b"(" + b"".join(text(each) for each in arguments) + b"tR"


CALLS = {
    "os.system": ("os", "system", f"touch {CANARY}"),
    "posix.system": ("posix", "system", f"touch {CANARY}"),
    "subprocess": ("subprocess", "getoutput", f"touch {CANARY}"),
    "eval": ("builtins", "eval", f"open('{CANARY}','w')"),
    "exec": ("__builtin__", "exec", f"open('{CANARY}','w')"),
    "pip": ("pip", "main", "install"),
    "importlib": ("importlib", "import_module", "antigravity"),
    "runpy": ("runpy", "run_path", "x.py"),
    "numpy": ("numpy.f2py.crackfortran", "getlincoef", f"open('{CANARY}','w')", ""),
    "torch": ("torch.utils.collect_env", "run", f"touch {CANARY}"),
    "torch hub": ("torch.hub", "load", "x/y", "z"),
    "torch storage": ("torch.storage", "_load_from_bytes", "x"),
    "network": ("urllib.request", "urlopen", "http://127.0.0.1:1/"),
    "attribute": ("operator", "attrgetter", "__class__"),
    "a dotted name": ("torch", "_utils.__builtins__", "x"),
}
LAST = f"model.layers.0.{LAYER[-1]}.weight"
GOOD = block()[:-2]  # without the last SETITEMS and STOP
CALL = reduced("os", "system", f"touch {CANARY}")
OLD = pickle.dumps(0x1950A86A20F9469CFC6C, 2)  # the number that torch wrote first before version 1.6
DEEP = b"(" * 1_000_000 + b"."


def laughs(steps: int) -> bytes:
    """A pair of a pair of a pair …: few bytes, 2 to the power of `steps` values."""
    return b"]q\x00" + b"".join(bytes([0x68, n, 0x68, n, 0x86, 0x71, n + 1]) for n in range(steps))


ARCHIVE_CASES: tuple[Case, ...] = (
    *(Case(f"PK01 {name}", bad(pickled(reduced(*call))), 3, ("nothing was run",), BIN) for name, call in CALLS.items()),
    Case("PK01 instance", bad(b"\x80\x02(S'touch x'\nios\nsystem\n."), 3, ("the instruction",), BIN),
    Case("PK01 from the stack", bad(b"\x80\x04\x8c\x02os\x8c\x06system\x93."), 3, ("protocol 4",), BIN),
    Case("PK01 stacked global", bad(b"\x80\x02X\x02\0\0\0osX\x06\0\0\0system\x93."), 3, ("STACK_GLOBAL",), BIN),
    Case("PK01 extension", bad(b"\x80\x02\x82\x01."), 3, ("EXT1",), BIN),
    Case("PK01 new object", bad(pickled(named("collections", "OrderedDict") + b")\x81")), 3, ("NEWOBJ",), BIN),
    Case("PK01 plain", raw(pickled(CALL)), 3, ("content is a pickle", "never opened"), BIN),
    Case("PK01 old torch", raw(OLD + pickled(CALL)), 3, ("before version 1.6",), BIN),
    Case("PK01 lightning", raw(archived(members(pickled(CALL)))), 3, ("os.system",), "last.ckpt"),
    Case("PK01 in a folder", lambda p: (p.mkdir(), bad(pickled(CALL))(p / BIN))[0], 3, ("os.system", BIN), M),
    Case("PK02 late", bad(GOOD + text("x") + CALL + b"u."), 3, ("os.system",), BIN),
    Case("PK02 broken tail", bad(GOOD + text("x") + CALL + b"uX\xff\xff"), 3, ("os.system",), BIN),
    Case("PK02 no end", bad(GOOD), 3, ("the pickle is broken",), BIN),
    Case("PK02 stacked", bad(block() + pickled(CALL)), 3, ("follow the end of the pickle",), BIN),
    Case("PK02 nothing left", bad(b"\x80\x02)R."), 3, ("the pickle is broken",), BIN),
    Case(
        "PK03 central name",
        patched(renamed("archive/version", "archive/versioN", "central")),
        3,
        ("another name",),
        BIN,
    ),
    Case("PK03 local name", patched(renamed("archive/version", "archive/versioN", "local")), 3, ("another name",), BIN),
    Case("PK03 sum", patched(wrong_sum), 3, ("checksum",), BIN),
    Case("PK03 listed sum", patched(at_central(0, 16, b"\1\2\3\4")), 3, ("another size",), BIN),
    Case("PK03 flag", patched(both(0, 8, 6, b"\x20\x00")), 3, ("unusual flags",), BIN),
    Case("PK03 encrypted", patched(both(0, 8, 6, b"\x01\x00")), 3, ("encrypted",), BIN),
    Case("PK03 one flag", patched(at_central(0, 8, b"\x00\x08")), 3, ("other flags",), BIN),
    Case("PK03 method", patched(at_central(0, 8, b"\x08\x00", local=True)), 3, ("other flags",), BIN),
    Case("PK03 climbing", patched(renamed("archive/version", "archive/../evil")), 3, ("leads out",), BIN),
    Case("PK03 backslash", patched(renamed("archive/version", "archive/..\\evil")), 3, ("leads out",), BIN),
    Case("PK03 absolute", patched(renamed("archive/version", "/rchive/version")), 3, ("leads out",), BIN),
    Case("PK03 drive", patched(renamed("archive/version", "C:chive/version")), 3, ("leads out",), BIN),
    Case("PK03 duplicate", duplicated, 3, ("two members of this name",), BIN),
    Case("PK03 two archives", doubled, 3, ("2 pickles in 2 folders",), BIN),
    Case("PK03 second pickle", bad(block(), **{"x.pkl": b"."}), 3, ("2 pickles",), BIN),
    Case("PK03 no pickle", raw(archived({"archive/version": b"3\n"})), 3, ("no data.pkl",), BIN),
    Case("PK03 7z", raw(b"7z\xbc\xaf\x27\x1c" + b"\0" * 50), 3, ("7z archive",), BIN),
    Case("PK03 tar", tarred, 3, ("tar archive",), BIN),
    Case("PK03 gzip", raw(b"\x1f\x8b" + b"\0" * 50), 3, ("gzip",), BIN),
    Case("PK03 TorchScript", bad(block(), **{"code/__torch__.py": b"evil"}), 3, ("TorchScript",), "model.pt"),
    Case("PK03 before", raw(b"#!/bin/sh\n" + archived(members(block()))), 3, ("no torch archive",), BIN),
    Case("PK03 behind", raw(archived(members(block())) + b"tail"), 3, ("end record",), BIN),
    Case("PK03 between", patched(hidden), 3, ("something may hide",), BIN),
    Case("PK03 cut", raw(archived(members(block()))[:-30]), 3, ("end record",), BIN),
    Case("PK03 comment", patched(lambda data: data.__setitem__(slice(-2, None), b"\1\0")), 3, ("comment",), BIN),
    Case("PK03 many", patched(counted), 3, ("members in 246 bytes",), BIN),
    Case("PK04 bomb", bomb, 3, ("is compressed",), BIN),
    Case("PK04 overlap", overlapping, 3, ("overlaps",), BIN),
    Case("PK04 far", patched(at_central(3, 42, b"\xff\xff\xff\x7f")), 3, ("of no member",), BIN),
    Case("PK05 count", bad(block(count=1000)), 3, ("4000 bytes lies in a member of 144", LAST), BIN, slow=True),
    Case("PK05 reach", bad(block(strides=(7, 1))), 3, ("164 bytes lies in a member of 144", LAST), BIN, slow=True),
    Case("PK05 first", bad(block(first=1)), 3, ("lies in a member of 144",), BIN, slow=True),
    Case("PK05 negative first", bad(block(first=-1)), 3, ("is negative",), BIN),
    Case("PK05 negative stride", bad(block(strides=(-6, 1))), 3, ("is negative",), BIN),
    Case("PK05 negative length", bad(block(count=-(2**70))), 3, ("is negative",), BIN),
    Case("PK05 huge stride", bad(block(strides=(2**62, 1))), 3, ("model",), BIN, slow=True),
    Case("PK05 huge shape", bad(block(shape=(2**31, 2**31))), 3, ("model",), BIN, slow=True),
    Case("PK05 no number", bad(block(first=2**90)), 3, ("weights-only loader refuses",), BIN, slow=True),
    Case("PK05 no storage", bad(block(key="7")), 3, ("weights-only loader refuses",), BIN, slow=True),
    Case("PK05 climbing storage", bad(block(key="../data.pkl")), 3, ("weights-only loader refuses",), BIN, slow=True),
    Case("PK06 memo", bad(pickled(b"]r\xff\xff\xff\xffj\x00\x00\x00\x7f")), 3, ("takes what is not there",), BIN),
    Case("PK06 LONG4", bad(pickled(b"\x8b\xff\xff\xff\x7f")), 3, ("LONG4",), BIN),
    Case("PK06 text", bad(pickled(b"\x8d" + b"\0" * 7 + b"\x10")), 3, ("BINUNICODE8",), BIN),
    Case("PK06 cut text", bad(pickled(b"X\xff\xff\xff\x7f")), 3, ("pickle is broken",), BIN),
    Case("PK06 marks", bad(b"\x80\x02" + DEEP), 3, ("nests deeper",), BIN),
    Case("PK06 nested", bad(pickled(b"]" + b"\x85" * 100_000)), 3, ("nests deeper",), BIN),
    Case("PK06 laughs", bad(pickled(laughs(40))), 3, ("expands to more",), BIN),
    Case("PK06 DUP", bad(pickled(b"]22\x87")), 3, ("DUP",), BIN),
    Case("PK06 many", bad(pickled(b"N" * 3_000_000)), 3, ("instructions",), BIN),
    Case("PK06 large", bad(b"\0" * 40_000_000), 3, ("more than the limit",), BIN),
    Case("PK06 keys", bad(pickled(b"}](K\x01e\x85K\x01s")), 3, ("no text or number",), BIN),
    Case("PK07 storage", bad(block(storage="EvilStorage")), 3, ("torch.EvilStorage",), BIN),
    Case("PK07 device", bad(block(place="cuda:7")), 0, ("self_attn",), BIN),
    Case("PK08 npz", raw(archived({"w.npy": b"\x93NUMPY"})), 3, ("numpy arrays",), "weights.npz"),
    Case("PK08 npz named", raw(archived({"w.npy": b"\x93NUMPY"})), 3, ("numpy arrays",), BIN),
    Case("PK08 npy", raw(magic(1, 0) + b"__import__('os')"), 3, ("numpy array",), "weights.npy"),
    Case("PK08 huge", raw(magic(1, 0) + b"\x46\0{'shape': (1152921504606846976,)}"), 3, ("numpy array",), BIN),
    Case("PK09 turned", bad(block(strides=(1, 6))), 0, ("down_proj",), BIN),
    Case("PK09 surrogate", bad(pickled(table({"\ud800": tensor((6, 6))}))), 3, ("Unicode",), BIN, slow=True),
    Case("VA13 torch", raw(archived(members(block(), byteorder=b"big"))), 3, ("little-endian",), BIN),
    Case("DI08 safetensors inside", raw(packed(b'{"a":{}}')), 3, ("safetensors file", "ending"), BIN),
    Case("DI08 GGUF inside", raw(b"GGUF\x03\0\0\0"), 3, ("GGUF file", "ending"), BIN),
    Case("DI08 pointer", raw(b"version https://git-lfs.github.com/spec/v1\n"), 3, ("Git LFS",), BIN),
    Case("DI08 page", raw(b"<!doctype html>"), 3, ("HTML",), BIN),
    Case("DI08 empty", raw(b""), 3, ("empty file",), BIN),
    Case("DI19 given", raw(pickled(CALL)), 3, ("file of the training", "not opened"), "training_args.bin"),
)
