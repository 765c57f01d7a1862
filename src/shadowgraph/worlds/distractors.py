"""Wrong answers that look right.

Here live: distractors for numeric and few-valued questions, each refused unless the family's scorer refuses it too.
Not here: the scorers (they belong to the families) and the order of the choices (see `item.place_gold`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, localcontext

import numpy as np

from shadowgraph.errors import Defect
from shadowgraph.worlds.item import normal

WRONG_CHOICES = 3
"""Distractors of a question with more than two possible answers; with the gold there are four choices."""

_ATTEMPTS = 200
_DIGITS = 60


def numeric_distractors(
    answer: str,
    signed: bool,
    is_gold: Callable[[str], bool],
    generator: np.random.Generator,
) -> tuple[str, ...]:
    """Draw three numbers near the answer, written with its decimals.

    The count of distractors below the answer is uniform on 0 … 3, so the rank of the gold among its choices tells
    nothing. Offsets are whole multiples of the unit 10**-min(decimals, 3); the range widens when it is exhausted.

    Args:
        answer: the gold, an integer or a decimal number.
        signed: whether a negative distractor is plausible.
        is_gold: the family's scorer; a candidate it accepts is refused.
        generator: the source of chance.

    Returns:
        Three distinct strings, none equal to the answer, in random order.

    Raises:
        Defect: when the answer is no number or no three distractors were found.
    """
    with localcontext(Context(prec=_DIGITS)):  # a family may have left another precision behind
        return _numeric(answer, signed, is_gold, generator)


def _numeric(
    answer: str, signed: bool, is_gold: Callable[[str], bool], generator: np.random.Generator
) -> tuple[str, ...]:
    """The distractors, at a precision that holds them."""
    gold = Decimal(answer)
    decimals = len(answer.partition(".")[2])
    unit = Decimal(1).scaleb(-min(decimals, 3))
    below = int(generator.random() * (WRONG_CHOICES + 1))
    found: list[str] = []
    for attempt in range(_ATTEMPTS):
        # Doubling overtakes scorers that forgive a share of a large answer.
        reach = (6 + int(abs(gold) / unit / 8) % 40 + attempt) << (attempt // 20)
        step = unit * (1 + int(generator.random() * reach))
        value = gold - step if len(found) < below else gold + step
        if value < 0 and not signed:
            value = gold + step
        text = f"{value:.{decimals}f}"
        if text != answer and text not in found and not is_gold(text):
            found.append(text)
            if len(found) == WRONG_CHOICES:
                return tuple(found[int(index)] for index in generator.permutation(WRONG_CHOICES))
    raise Defect("no three numeric distractors were found", where=answer)


def listed_distractors(
    answer: str,
    values: Sequence[str],
    is_gold: Callable[[str], bool],
    generator: np.random.Generator,
) -> tuple[str, ...]:
    """Draw up to three other values of a list; a list of two values gives its other one.

    Args:
        answer: the gold, one of the values; case, spacing and a final full stop do not count.
        values: all possible answers, different from each other.
        is_gold: the family's scorer; a value it accepts is refused.
        generator: the source of chance.

    Returns:
        min(3, len(values) − 1) of the values as written, in random order.

    Raises:
        Defect: when fewer values than that are wrong answers.
    """
    wanted = min(WRONG_CHOICES, len(values) - 1)
    gold = normal(answer)
    found: list[str] = []
    for index in generator.permutation(len(values)):
        value = values[int(index)]
        if normal(value) != gold and not is_gold(value):
            found.append(value)
            if len(found) == wanted:
                return tuple(found)
    raise Defect(f"only {len(found)} of {wanted} distractors were found", where=answer)
