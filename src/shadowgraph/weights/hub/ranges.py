"""Ranges of bytes: which parts of a file are here.

Here lives: the set of ranges and what is missing from it.
Not here: files, requests.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

Range = tuple[int, int]  # first byte, last byte + 1


@dataclass(frozen=True, slots=True)
class Ranges:
    """Disjoint ranges in order, none empty, no two touching."""

    parts: tuple[Range, ...] = ()

    @property
    def total(self) -> int:
        """Bytes in all ranges."""
        return sum(last - first for first, last in self.parts)

    def holds(self, first: int, last: int) -> bool:
        """Whether every byte from `first` up to `last` − 1 is in the set."""
        if first >= last:
            return True
        place = bisect_right(self.parts, first, key=lambda part: part[0]) - 1
        return place >= 0 and last <= self.parts[place][1]

    def with_range(self, first: int, last: int) -> Ranges:
        """The set with one more range, joined with those that it meets."""
        if first >= last:
            return self
        low = bisect_left(self.parts, first, key=lambda part: part[1])
        high = bisect_right(self.parts, last, key=lambda part: part[0])
        met = self.parts[low:high]
        if met:
            first, last = min(first, met[0][0]), max(last, met[-1][1])
        return Ranges((*self.parts[:low], (first, last), *self.parts[high:]))

    def missing(self, first: int, last: int) -> Iterator[Range]:
        """The ranges between `first` and `last` that are not in the set, in order."""
        for begin, end in self.parts[bisect_right(self.parts, first, key=lambda part: part[1]) :]:
            if begin >= last or first >= last:
                break
            if first < begin:
                yield first, begin
            first = max(first, end)
        if first < last:
            yield first, last


def sound(value: object, size: int) -> Ranges | None:
    """Ranges as they were written down, None where they cannot be those of a file of `size` bytes."""
    if not isinstance(value, list):
        return None
    before = -1
    parts: list[Range] = []
    for item in value:
        if not isinstance(item, list) or len(item) != 2 or any(type(edge) is not int for edge in item):
            return None
        first, last = item
        if not before < first < last <= size:
            return None
        parts.append((first, last))
        before = last
    return Ranges(tuple(parts))
