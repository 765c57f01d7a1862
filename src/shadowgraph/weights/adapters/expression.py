"""Regular expressions of module names: their grammar, and the states they are matched with.

Here live: `parse`, which reads the part of Python's grammar that names need, and `Expression`.
Not here: matching (`patterns`). Look-around, back-references, named groups, flags and counts beyond `COUNT_CAP` are
refused: no name of a module needs them, and the first two have no such states.

Source:
    Thompson, Regular expression search algorithm, Communications of the ACM 11 (1968), 419-422: the construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

COUNT_CAP = 100
STATES_CAP = 5_000
LENGTH_CAP = 1_000
DEPTH_CAP = 50

Accepts = Callable[[str], bool]
_CLASSES: dict[str, Accepts] = {
    "d": str.isdecimal,
    "w": lambda letter: letter.isalnum() or letter == "_",
    "s": str.isspace,
}
_SPECIAL = frozenset("|)*+?{")


class Unreadable(ValueError):
    """What is wrong with an expression, as a clause."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one state to another: by a letter, or without one, perhaps only at an end of the name."""

    target: int
    accepts: Accepts = field(default=str.isascii, compare=False)
    where: str = ""

    def opens(self, *, first: bool, last: bool) -> bool:
        """Whether it may be taken here without a letter."""
        return not self.where or (self.where == "start" and first) or (self.where == "end" and last)


@dataclass(slots=True)
class Expression:
    """States and the edges between them: `moves` by a letter, `free` without one."""

    start: int = 0
    accept: int = 0
    moves: list[tuple[Edge, ...]] = field(default_factory=list[tuple[Edge, ...]])
    free: list[tuple[Edge, ...]] = field(default_factory=list[tuple[Edge, ...]])

    def state(self) -> int:
        """A new state."""
        if len(self.moves) >= STATES_CAP:
            raise Unreadable(f"more than {STATES_CAP} states")
        self.moves.append(())
        self.free.append(())
        return len(self.moves) - 1

    def on_letter(self, state: int, accepts: Accepts) -> int:
        """A new state reached by a letter."""
        target = self.state()
        self.moves[state] = (*self.moves[state], Edge(target, accepts))
        return target

    def freely(self, state: int, target: int, where: str = "") -> None:
        """An edge without a letter."""
        self.free[state] = (*self.free[state], Edge(target, where=where))


Build = Callable[[Expression, int], int]
"""Adds states behind a state and gives the last of them."""


def parse(key: str) -> Expression:
    """The expression of a key that stands for the last parts of a name, whatever the parts before them.

    Raises:
        Unreadable: what is wrong with it, or that it is of a kind that is not matched.
    """
    if len(key) > LENGTH_CAP:
        raise Unreadable(f"longer than {LENGTH_CAP} characters")
    reader = _Reader(key)
    body = reader.alternatives(0)
    if reader.place < len(key):
        raise Unreadable("an unbalanced parenthesis")
    found = Expression()
    found.start = found.state()
    inside = _optional(_sequence([_repeated(_letter(_anything)), _letter(_exactly("."))]))(found, found.start)
    found.accept = body(found, inside)
    return found


@dataclass(slots=True)
class _Reader:
    """A position in a key."""

    key: str
    place: int = 0

    def peek(self) -> str:
        return self.key[self.place : self.place + 1]

    def take(self) -> str:
        letter = self.peek()
        if not letter:
            raise Unreadable("it ends too early")
        self.place += 1
        return letter

    def alternatives(self, depth: int) -> Build:
        if depth > DEPTH_CAP:
            raise Unreadable(f"more than {DEPTH_CAP} groups in one another")
        branches = [self._branch(depth)]
        while self.peek() == "|":
            self.take()
            branches.append(self._branch(depth))
        return branches[0] if len(branches) == 1 else _either(branches)

    def _branch(self, depth: int) -> Build:
        parts: list[Build] = []
        while self.peek() not in {"", "|", ")"}:
            parts.append(self._repeats(depth))
        return _sequence(parts)

    def _repeats(self, depth: int) -> Build:
        anchor = self.peek() in {"^", "$"}
        part = self._atom(depth)
        counts = self._counts()
        if counts is None:
            return part
        if anchor:
            raise Unreadable("a repeated anchor")
        if self.peek() == "?":
            self.take()  # the shortest or the longest: one matches where the other does
        if self.peek() in {"*", "+", "?"} or self._counts() is not None:
            raise Unreadable("a repeated repetition")
        return _counted(part, *counts)

    def _counts(self) -> tuple[int, int | None] | None:
        """Least and most repetitions (None for no limit); None where no repetition stands here."""
        letter = self.peek()
        if letter in {"*", "+", "?"}:
            self.take()
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[letter]
        if letter != "{":
            return None
        inside, closed, _ = self.key[self.place + 1 :].partition("}")
        low, comma, high = inside.partition(",")
        digits = all(part.isdecimal() and part.isascii() for part in (low, high) if part)
        if not closed or not digits or not (low or comma):
            raise Unreadable("a brace that is no count; write \\{ for the letter")
        if len(low) > 3 or len(high) > 3 or max(int(low or 0), int(high or 0)) > COUNT_CAP:
            raise Unreadable(f"a count of more than {COUNT_CAP}")
        self.place += len(inside) + 2
        least = int(low or 0)
        most = (int(high) if high else None) if comma else least
        if most is not None and most < least:
            raise Unreadable("a count whose least is more than its most")
        return least, most

    def _atom(self, depth: int) -> Build:
        letter = self.take()
        if letter == "(":
            if self.peek() == "?":
                self.take()
                if self.take() != ":":
                    raise Unreadable("a group with a question mark other than (?:")
            inside = self.alternatives(depth + 1)
            if self.peek() != ")":
                raise Unreadable("a parenthesis that is not closed")
            self.take()
            return inside
        if letter in _SPECIAL:
            raise Unreadable("nothing to repeat" if letter != ")" else "an unbalanced parenthesis")
        if letter in {"^", "$"}:
            return _anchor("start" if letter == "^" else "end")
        if letter == "[":
            return _letter(self._set())
        if letter == "\\":
            return _letter(self._escape())
        return _letter(_anything if letter == "." else _exactly(letter))

    def _escape(self) -> Accepts:
        letter = self.take()
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter.lower() in _CLASSES:
            return _without([_CLASSES[letter.lower()]])
        if letter.isalnum():
            raise Unreadable("an escape other than \\d, \\w, \\s and marks")
        return _exactly(letter)

    def _set(self) -> Accepts:
        inverted = self.peek() == "^"
        if inverted:
            self.take()
        members: list[Accepts] = []
        started = self.place
        while self.peek() != "]" or self.place == started:
            low = self.take()
            if low == "[" or (low in "&~|-" and self.peek() == low):
                raise Unreadable("a set of sets; write \\[ for the letter")
            if low == "\\":
                escaped = self.peek()
                member = self._escape()
                if escaped.isalnum():
                    members.append(member)
                    if self.peek() == "-" and self.key[self.place + 1 : self.place + 2] != "]":
                        raise Unreadable("a range that begins with a class")
                    continue
                low = escaped
            members.append(self._range(low))
        self.take()
        return _without(members) if inverted else _any_of(members)

    def _range(self, low: str) -> Accepts:
        """One letter of a set, or the range that it begins."""
        if self.peek() != "-" or self.key[self.place + 1 : self.place + 2] in {"", "]"}:
            return _exactly(low)
        self.take()
        high = self.take()
        if high == "\\":
            high = self.take()
            if high.isalnum():
                raise Unreadable("a range that ends with a class")
        if high < low:
            raise Unreadable("a range whose end lies before its start")
        return lambda letter: low <= letter <= high


def _anything(letter: str) -> bool:
    return letter != "\n"


def _exactly(wanted: str) -> Accepts:
    return lambda letter: letter == wanted


def _any_of(members: list[Accepts]) -> Accepts:
    return lambda letter: any(member(letter) for member in members)


def _without(members: list[Accepts]) -> Accepts:
    return lambda letter: not any(member(letter) for member in members)


def _letter(accepts: Accepts) -> Build:
    return lambda found, state: found.on_letter(state, accepts)


def _anchor(where: str) -> Build:
    def build(found: Expression, state: int) -> int:
        target = found.state()
        found.freely(state, target, where)
        return target

    return build


def _sequence(parts: list[Build]) -> Build:
    def build(found: Expression, state: int) -> int:
        for part in parts:
            state = part(found, state)
        return state

    return build


def _either(branches: list[Build]) -> Build:
    def build(found: Expression, state: int) -> int:
        ends = [branch(found, _behind(found, state)) for branch in branches]
        target = found.state()
        for end in ends:
            found.freely(end, target)
        return target

    return build


def _optional(part: Build) -> Build:
    return _either([part, lambda found, state: state])


def _repeated(part: Build) -> Build:
    """Any number of times, also none."""

    def build(found: Expression, state: int) -> int:
        around = _behind(found, state)
        found.freely(part(found, around), around)
        return _behind(found, around)

    return build


def _counted(part: Build, least: int, most: int | None) -> Build:
    rest = [_repeated(part)] if most is None else [_optional(part)] * (most - least)
    return _sequence([part] * least + rest)


def _behind(found: Expression, state: int) -> int:
    """A new state behind another, so that what is added to it touches no other way."""
    target = found.state()
    found.freely(state, target)
    return target
