"""The pickle of a torch archive, looked at without being run: which instructions it is made of.

Here lives: `require_plain`, a bounded pass over the instructions that keeps no value. Not here: loading, which torch
does in a process of its own (see `torch_loader`). Allowed is what `torch.save` writes for tables of tensors; anything
else is refused by its name before torch sees it. The pass holds for every value only how deep it nests and how many
values it expands to, so that neither depth nor repetition costs more than the file itself.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from shadowgraph.errors import CheckpointError, printable

PICKLE_CAP = 32_000_000
INSTRUCTION_CAP = 2_000_000  # a tensor takes 25 to 30
DEPTH_CAP = 50
EXPANDED_CAP = 20_000_000

HINT = "only tables of tensors are read: save the state_dict alone, or convert it to safetensors"

_STORAGES = (
    *("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"),
    *("ComplexDouble", "ComplexFloat"),
)
_TYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex32", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2"),
)
_REBUILDERS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter")
GLOBALS = frozenset(
    {
        "collections OrderedDict",
        "torch Size",
        "torch device",
        "torch.storage UntypedStorage",
        *(f"torch {name}Storage" for name in _STORAGES),
        *(f"torch {name}" for name in _TYPES),
        *(f"torch._utils {name}" for name in _REBUILDERS),
    }
)
"""Module and name of everything a table of tensors refers to."""

_CONSTANTS = frozenset(
    {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"}
)
_EMPTY = frozenset({"EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"})
_ARGUMENTS = {
    **{"PROTO": "<B", "BINPUT": "<B", "BINGET": "<B", "BININT1": "<B", "LONG1": "<B"},
    **{"LONG_BINPUT": "<I", "LONG_BINGET": "<I", "BINUNICODE": "<I", "BININT": "<i", "BININT2": "<H", "BINFLOAT": ">d"},
}
_COUNTED = frozenset({"BINUNICODE", "LONG1"})  # the argument says how many bytes follow it
_LINES = 1000  # bytes of a module's or a global's name
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_RUNS = frozenset({"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})


_ALLOWED = frozenset(
    {
        *_CONSTANTS,
        *_EMPTY,
        *_TUPLES,
        *("TUPLE", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
        *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "PROTO", "STOP"),
    }
)
_CODES = {ord(each.code): each.name for each in pickletools.opcodes if each.name in _ALLOWED}


@dataclass(slots=True)
class _Value:
    """What is known of a value: how deep it nests, how many values it expands to, and what it may be used for."""

    depth: int = 0
    expanded: int = 1
    callable: bool = False
    key: bool = False
    negative: bool = False


_CONSTANT = _Value(key=True)
_NEGATIVE = _Value(key=True, negative=True)
_GLOBAL = _Value(callable=True)


@dataclass(slots=True)
class _Machine:
    """The stack of an unpickler, with no value on it."""

    stack: list[_Value] = field(default_factory=list[_Value])
    below: list[list[_Value]] = field(default_factory=list[list[_Value]])
    memo: dict[int, _Value] = field(default_factory=dict[int, _Value])
    end: int = 0

    def gathered(self) -> list[_Value]:
        """The values since the last mark, taken off."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def taken(self, count: int) -> list[_Value]:
        """The last values, taken off."""
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items


def require_plain(data: bytes, where: str) -> None:
    """Check that a pickle is a table of tensors by its instructions; none is carried out.

    Args:
        data: the pickle; its length is checked here too.
        where: the file and member, for messages.

    Raises:
        CheckpointError: an instruction, a global or a size that no table of tensors has, or a broken pickle.
    """
    if len(data) > PICKLE_CAP:
        raise CheckpointError(f"a pickle of {len(data)} bytes, more than the limit of {PICKLE_CAP}", where=where)
    machine = _Machine()
    try:
        for count, (name, argument, end) in enumerate(_instructions(data, where)):
            machine.end = end
            if count >= INSTRUCTION_CAP:
                found = f"the pickle has more than {INSTRUCTION_CAP} instructions"
                raise CheckpointError(found, where=where, hint="save it in several files")
            _step(machine, name, argument, where)
    except (IndexError, KeyError, struct.error) as error:
        found = f"the pickle is broken near its byte {machine.end}: it takes what is not there"
        raise CheckpointError(found, where=where, hint="download it again") from error
    if machine.end != len(data):
        found = f"{len(data) - machine.end} bytes follow the end of the pickle: a second one may hide there"
        raise CheckpointError(found, where=where)


def _instructions(data: bytes, where: str) -> Iterator[tuple[str, object, int]]:
    """Name, argument and end of every instruction up to the first STOP; IndexError where the pickle is cut.

    Arguments are looked at only where `_step` needs them, and only those of instructions that are allowed.
    """
    position = 0
    name = ""
    while name != "STOP":
        code = data[position]
        name = _CODES.get(code, "")
        if not name:
            raise CheckpointError(_refusal(code), where=where, hint=HINT)
        position += 1
        argument: object = None
        if name == "GLOBAL":
            middle = data.index(b"\n", position) if b"\n" in data[position : position + _LINES] else len(data)
            close = data.find(b"\n", middle + 1, middle + 1 + _LINES)
            if close < 0:
                raise IndexError
            argument = (data[position:middle] + b" " + data[middle + 1 : close]).decode("utf-8", "replace")
            position = close + 1
        else:
            form = _ARGUMENTS.get(name)
            if form is not None:
                (argument,) = struct.unpack_from(form, data, position)
                position += struct.calcsize(form)
            if name in _COUNTED:
                position += int(str(argument))
            if name == "LONG1" and argument:
                argument = -(data[position - 1] >> 7)  # the sign is all that matters
        if position > len(data):
            raise IndexError
        yield name, argument, position


def _step(machine: _Machine, name: str, argument: object, where: str) -> None:
    """One instruction: what it does to the stack, or why it is refused."""
    if name in _CONSTANTS:
        below = name in {"BININT", "LONG1"} and int(str(argument)) < 0
        machine.stack.append(_NEGATIVE if below else _CONSTANT)
    elif name in _EMPTY:
        machine.stack.append(_Value())
    elif name in _STEPS:
        _STEPS[name](machine, argument, where)
    elif name in _TUPLES or name == "TUPLE":
        items = machine.taken(_TUPLES[name]) if name in _TUPLES else machine.gathered()
        machine.stack.append(_holding(_Value(), items, where))
    else:
        items = machine.gathered() if name.endswith("S") else machine.taken(2 if name == "SETITEM" else 1)
        if name.startswith("SETITEM") and not all(item.key for item in items[::2]):
            raise CheckpointError("a key of a table in the pickle is no text or number", where=where)
        _holding(machine.stack[-1], items, where)


def _name(machine: _Machine, argument: object, where: str) -> None:
    named = str(argument)
    if named not in GLOBALS:
        shown = printable(named.replace(" ", "."), 120)
        found = f"the pickle names '{shown}', which is no part of a tensor; nothing was run"
        raise CheckpointError(found, where=where, hint=HINT)
    machine.stack.append(_GLOBAL)


def _put(machine: _Machine, argument: object, _: str) -> None:
    machine.memo[int(str(argument))] = machine.stack[-1]


def _get(machine: _Machine, argument: object, _: str) -> None:
    machine.stack.append(machine.memo[int(str(argument))])


def _mark(machine: _Machine, _: object, where: str) -> None:
    machine.below.append(machine.stack)
    machine.stack = []
    if len(machine.below) > DEPTH_CAP:
        raise CheckpointError(f"the pickle nests deeper than {DEPTH_CAP}", where=where)


def _refer(machine: _Machine, _: object, where: str) -> None:
    _give(machine, machine.taken(1)[0], where)


def _reduce(machine: _Machine, _: object, where: str) -> None:
    target, given = machine.taken(2)
    if not target.callable:
        raise CheckpointError("the pickle calls something that is no function of torch", where=where)
    _give(machine, given, where)


def _give(machine: _Machine, given: _Value, where: str) -> None:
    """What comes of arguments; without memory behind its tensors torch does not see that a number is below zero."""
    if given.negative:
        raise CheckpointError("a place, a shape or a stride in the pickle is negative", where=where)
    machine.stack.append(_holding(_Value(), [given], where))


def _build(machine: _Machine, _: object, where: str) -> None:
    target, given = machine.taken(2)
    machine.stack.append(_holding(target, [given], where))


def _begin(_: _Machine, argument: object, where: str) -> None:
    if argument != 2:
        found = f"a pickle of protocol {printable(str(argument), 20)}, torch.save writes protocol 2"
        raise CheckpointError(found, where=where, hint=HINT)


def _stop(machine: _Machine, _: object, where: str) -> None:
    if len(machine.stack) != 1 or machine.below:
        raise CheckpointError("the pickle ends with other than one value", where=where)


_STEPS: Mapping[str, Callable[[_Machine, object, str], None]] = {
    "GLOBAL": _name,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "MARK": _mark,
    "BINPERSID": _refer,
    "REDUCE": _reduce,
    "BUILD": _build,
    "PROTO": _begin,
    "STOP": _stop,
}


def _refusal(code: int) -> str:
    """Why an instruction is refused."""
    known = next((each.name for each in pickletools.opcodes if each.code == chr(code)), None)
    if known is None:
        return f"the pickle is broken: {code:#04x} is no instruction"
    if known in _RUNS:
        return f"the pickle holds the instruction {known}, which makes other things than tensors; nothing was run"
    return f"the pickle holds the instruction {known}, which torch.save does not write for tensors"


def _holding(container: _Value, items: list[_Value], where: str) -> _Value:
    """A container that now holds some values more."""
    if container.key or container.callable:
        raise CheckpointError("the pickle puts values into what cannot hold any", where=where)
    for item in items:
        container.depth = max(container.depth, item.depth + 1)
        container.expanded += item.expanded
        container.negative = container.negative or item.negative
    if container.depth > DEPTH_CAP:
        raise CheckpointError(f"the pickle nests deeper than {DEPTH_CAP}", where=where)
    if container.expanded > EXPANDED_CAP:
        raise CheckpointError(f"the pickle expands to more than {EXPANDED_CAP} values", where=where)
    return container
