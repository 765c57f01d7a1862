"""Patterns of module names from a stranger's file, matched without backtracking.

Here lives: `Patterns`, which says the first of many keys that a name matches, within a budget of steps.
Not here: the grammar (`expression`), what a pattern decides (`settings`). Python's own matcher backtracks, which takes
exponential time on a hostile key; here all states of an expression are followed side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shadowgraph.errors import printable
from shadowgraph.weights.adapters.expression import Edge, Expression, Unreadable, parse

BUDGET = 6_000_000
"""Steps for all names and keys of one adapter: a few seconds. A step looks one letter up."""

_MADE = 10  # steps that a state costs when a set of them is made, in time and in memory
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")

States = frozenset[int]
Dots = tuple[int, ...]


class TooMuchWork(ValueError):
    """Names and keys need more than `BUDGET` steps."""


class Patterns:
    """Keys in their order, each an expression for the last parts of a dotted name.

    A key matches where PEFT finds it: the whole name, or what follows one of its dots, is of the key's language.

    Args:
        keys: the expressions, foreign text.

    Raises:
        Unreadable: a key that is no expression, or of a kind that is not matched.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Parse every key; the plain ones, which are most, are found by their length and the places of their dots."""
        self.keys = tuple(keys)
        self._left = BUDGET
        self._plain: dict[int, dict[Dots, dict[str, int]]] = {}
        self._automata: list[tuple[int, _Automaton]] = []
        for position, key in enumerate(self.keys):
            if key and _PLAIN.issuperset(key):
                dots = tuple(place for place, letter in enumerate(key) if letter == ".")
                self._plain.setdefault(len(key), {}).setdefault(dots, {}).setdefault(key, position)
                continue
            try:
                self._automata.append((position, _Automaton(parse(key))))
            except Unreadable as error:
                raise Unreadable(f"'{printable(key, 80)}' ({error})") from error

    def first(self, name: str) -> str | None:
        """The first key in order that matches a name, None when none does.

        Raises:
            TooMuchWork: the budget of steps is spent.
            Unreadable: the name holds a line break, at which `.` and `$` mean something else.
        """
        if not self.keys:
            return None
        if "\n" in name:
            raise Unreadable("a name with a line break")
        found = min(self._plain_keys(name), default=None)
        for position, automaton in self._automata:
            if found is not None and position > found:
                break
            matches, steps = automaton.matches(name)
            self._spend(steps)
            if matches:
                return self.keys[position]
        return None if found is None else self.keys[found]

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooMuchWork(f"more than {BUDGET:,} steps")

    def _plain_keys(self, name: str) -> Iterator[int]:
        """The plain keys that are the whole name or follow one of its dots; a dot in a key stands for any letter."""
        start = 0
        while start <= len(name):
            ending = name[start:]
            for dots, known in self._plain.get(len(ending), {}).items():
                self._spend(1 + len(dots))
                masked = ending
                if any(ending[place] != "." for place in dots):
                    letters = list(ending)
                    for place in dots:
                        letters[place] = "."
                    masked = "".join(letters)
                if masked in known:
                    yield known[masked]
            self._spend(1)
            start = name.find(".", start) + 1 or len(name) + 1


class _Automaton:
    """One expression as sets of states, each made when a name first needs it."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self.numbers: dict[States, int] = {}
        self.sets: list[States] = []
        self.following: list[dict[str, int]] = []
        self.ending: list[dict[str, bool]] = []
        self.start = self._number(self._closed({expression.start}, first=True, last=False)[0])

    def matches(self, name: str) -> tuple[bool, int]:
        """Whether a whole name matches, and the steps that took."""
        if not name:
            states, made = self._closed({self.expression.start}, first=True, last=True)
            return self.expression.accept in states, _MADE * made
        steps, number = len(name), self.start
        for letter in name[:-1]:
            following = self.following[number].get(letter)
            if following is None:
                states, made = self._step(number, letter, last=False)
                steps += _MADE * made
                following = self.following[number][letter] = self._number(states)
            number = following
        matches = self.ending[number].get(name[-1])
        if matches is None:
            states, made = self._step(number, name[-1], last=True)
            steps += _MADE * made
            matches = self.ending[number][name[-1]] = self.expression.accept in states
        return matches, steps

    def _number(self, states: States) -> int:
        if states not in self.numbers:
            self.numbers[states] = len(self.sets)
            self.sets.append(states)
            self.following.append({})
            self.ending.append({})
        return self.numbers[states]

    def _step(self, number: int, letter: str, *, last: bool) -> tuple[States, int]:
        edges = [edge for state in self.sets[number] for edge in self.expression.moves[state]]
        states, made = self._closed({edge.target for edge in edges if edge.accepts(letter)}, first=False, last=last)
        return states, made + len(edges)

    def _closed(self, states: set[int], *, first: bool, last: bool) -> tuple[States, int]:
        """All states reached without a letter, and the work; some edges are open only where the name starts or ends."""
        reached, waiting, steps = set(states), list(states), 0
        while waiting:
            edges: tuple[Edge, ...] = self.expression.free[waiting.pop()]
            steps += 1 + len(edges)
            for edge in edges:
                if edge.target not in reached and edge.opens(first=first, last=last):
                    reached.add(edge.target)
                    waiting.append(edge.target)
        return frozenset(reached), steps
