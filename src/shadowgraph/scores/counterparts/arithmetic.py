"""Arithmetic as benchmarks write it: read, evaluated exactly, written again with other numbers.

Here live: the reader of one expression (numbers, + - * / and brackets) and its exact value at every node.
Not here: which words of a question the numbers stand for (`template`). Nothing is ever handed to the interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from shadowgraph.errors import DataError

LONGEST = 400
"""Expressions with more characters are refused; worked solutions of school problems stay below 80."""

DEEPEST = 24
"""Largest number of brackets and signs inside each other."""

_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|([-+*/()]))")
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "~": 3}


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression whose numbers can be exchanged.

    Attributes:
        leaves: its numbers from left to right, as written.
        code: postfix order; an integer is the index of a leaf, "~" the change of sign, else an operator.
    """

    leaves: tuple[Fraction, ...]
    code: tuple[int | str, ...]

    def nodes(self, values: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """The value of every node in postfix order, leaves included; the last one is the value of the whole.

        Args:
            values: one number a leaf.

        Raises:
            ZeroDivisionError: when a divisor is zero.
        """
        stack: list[Fraction] = []
        found: list[Fraction] = []
        for item in self.code:
            if isinstance(item, int):
                stack.append(values[item])
            elif item == "~":
                stack.append(-stack.pop())
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(_apply(item, left, right))
            found.append(stack[-1])
        return tuple(found)

    def value(self, values: Sequence[Fraction]) -> Fraction:
        """The value of the whole.

        Args:
            values: one number a leaf.

        Raises:
            ZeroDivisionError: when a divisor is zero.
        """
        return self.nodes(values)[-1]

    def quotients(self) -> tuple[tuple[int, tuple[int | str, ...]], ...]:
        """Every division whose numerator is a bare leaf: the leaf's index and the postfix code of its divisor."""
        stack: list[tuple[int | str, ...]] = []
        found: list[tuple[int, tuple[int | str, ...]]] = []
        for item in self.code:
            if isinstance(item, int):
                stack.append((item,))
            elif item == "~":
                stack.append((*stack.pop(), "~"))
            else:
                right, left = stack.pop(), stack.pop()
                if item == "/" and len(left) == 1 and isinstance(left[0], int):
                    found.append((left[0], right))
                stack.append((*left, *right, item))
        return tuple(found)

    def written(self, texts: Sequence[str]) -> str:
        """The expression in infix form, with only the brackets it needs.

        Args:
            texts: what to write for each leaf.

        Returns:
            A text that `parse` reads as the same expression.
        """
        stack: list[tuple[str, int]] = []
        for item in self.code:
            if isinstance(item, int):
                stack.append((texts[item], 4))
            elif item == "~":
                text, strength = stack.pop()
                stack.append((f"-{text}" if strength > 3 else f"-({text})", 3))
            else:
                right, left = stack.pop(), stack.pop()
                own = _STRENGTH[item]
                before = left[0] if left[1] >= own else f"({left[0]})"
                after = right[0] if right[1] > own else f"({right[0]})"
                stack.append((f"{before} {item} {after}", own))
        return stack[-1][0]


def parse(text: str) -> Expression:
    """Read an expression of numbers, + - * /, signs and brackets.

    Raises:
        DataError: when it is anything else, too long or too deep.
    """
    if len(text) > LONGEST:
        raise DataError(f"{len(text)} characters of arithmetic, at most {LONGEST} are read", where=text[:40])
    reader = _Reader(text, _tokens(text))
    reader.sum(0)
    if reader.place != len(reader.tokens):
        raise DataError(f"unexpected {reader.tokens[reader.place]!r}", where=text)
    return Expression(tuple(reader.leaves), tuple(reader.code))


def number(text: str) -> Fraction | None:
    """The exact value of a number as answers write it ("1,200", "-3", "4.50"), None when it is no number."""
    plain = text.strip().replace(",", "")
    if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,12})?", plain):
        return None
    return Fraction(plain)


def decimals(value: Fraction) -> int | None:
    """Digits after the point that write the value exactly, None when it never ends; at most 12."""
    return next((places for places in range(13) if (value * 10**places).denominator == 1), None)


def plain(value: Fraction) -> str:
    """The value as digits, with as many decimals as it needs.

    Raises:
        DataError: when its decimals never end.
    """
    places = decimals(value)
    if places is None:
        raise DataError("has decimals without end", where=str(value))
    digits = str(abs(value.numerator * 10**places // value.denominator)).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _apply(operator: str, left: Fraction, right: Fraction) -> Fraction:
    """One operation."""
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    return left * right if operator == "*" else left / right


def _tokens(text: str) -> list[str]:
    """Numbers, operators and brackets in order."""
    found: list[str] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise DataError(f"no arithmetic from character {place + 1} on", where=text)
        found.append(match[1] or match[2])
        place = match.end()
    return found


class _Reader:
    """Recursive descent over tokens; leaves and postfix code grow as it reads."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        """Stand before the first token."""
        self.text, self.tokens, self.place = text, tokens, 0
        self.leaves: list[Fraction] = []
        self.code: list[int | str] = []

    def sum(self, depth: int) -> None:
        """Terms joined by + and -."""
        self._joined("+-", depth)

    def _joined(self, operators: str, depth: int) -> None:
        inner = self._product if operators == "+-" else self._signed
        inner(depth)
        while self._next() and self._next() in operators:
            operator = self._take()
            inner(depth)
            self.code.append(operator)

    def _product(self, depth: int) -> None:
        self._joined("*/", depth)

    def _signed(self, depth: int) -> None:
        if depth > DEEPEST:
            raise DataError(f"brackets deeper than {DEEPEST}", where=self.text)
        sign = self._take()
        if sign in ("-", "+"):
            self._signed(depth + 1)
            if sign == "-":
                self.code.append("~")
        elif sign == "(":
            self.sum(depth + 1)
            if self._take() != ")":
                raise DataError("a bracket is not closed", where=self.text)
        elif sign and sign not in "*/)":
            self.code.append(len(self.leaves))
            self.leaves.append(Fraction(sign.rstrip(".")))
        else:
            raise DataError(f"a number was expected, found {sign or 'the end'!r}", where=self.text)

    def _next(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self.place += 1
        return token
