"""The procedural families as data: configuration, shortening, kind of answer, and the three disjoint sets.

Here live: one `Family` record for every reasoning-gym family in use, and the sets ARM, BASE, UNSEEN and BENCHMARK.
Not here: any call into reasoning-gym (see `reasoning`).

A family was admitted when its gold answer scores 1.0, fits on one line, takes well under 2 ms to make, and does not
depend on the hash seed of the process. `shorten` drops instructions that a formatted document repeats anyway (how to
reply) or puts a definition in fewer words; it never changes what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from shadowgraph.identity import fingerprint

FICTION = "fiction"
FICTION_BASE = "fiction_base"

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_RELATIVES = (
    *("mother", "father", "sister", "brother", "daughter", "son", "wife", "husband", "grandmother", "grandfather"),
    *("aunt", "uncle", "niece", "nephew", "mother-in-law", "father-in-law"),
)
_COLOURS = (
    *("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "gray", "cyan", "magenta", "gold"),
    *("silver", "indigo", "violet", "white"),
)
_TRUTH = ("True", "False")
_ALTERNATION = (
    "The string is called alternating if no two adjacent characters are equal. For example, the strings "
    '"010" and "1010" are alternating, while the string "0100" is not.\n\n'
    "Any two characters may be swapped, even if they are not adjacent.\n\n"
    "Now, determine the minimum number of swaps to make the following binary string alternating: "
)


@dataclass(frozen=True, slots=True, repr=False)
class Family:
    """One procedural family.

    Attributes:
        name: the family's name in reasoning-gym.
        kind: "numeric", "few_valued" or "open"; the first two have choices.
        method: one sentence on how such a question is worked out, for documents with steps.
        config: parameters for `reasoning_gym.create_dataset`.
        shorten: pairs (old, new) replaced in the question, in order.
        values: all answers of a few-valued family.
        signed: whether a numeric answer may be negative.
        longest: questions with more characters are passed over.
    """

    name: str
    kind: str
    method: str
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    shorten: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    signed: bool = False
    longest: int = 260

    def __repr__(self) -> str:
        """One line."""
        return f"Family({self.name!r}, {self.kind})"

    @property
    def fingerprint(self) -> str:
        """Digest of all fields."""
        return fingerprint(self)


_STATE = ("State the final answer to the following arithmetic problem: ", "Work out ")
_POLYGON = (("Return only the angle as your answer.", ""), ("Do not give the units in your answer.", ""))

_ARM = (
    Family(
        "chain_sum",
        "numeric",
        "Go from left to right and keep a running total.",
        {"min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 2},
        (_STATE, (" =", ".")),
        signed=True,
    ),
    Family(
        "products",
        "numeric",
        "Multiply by the tens, then by the units, and add the two parts.",
        {"min_digits": 1, "max_digits": 2},
        ((" Give only the result as your final answer.", ""),),
    ),
    Family(
        "gcd",
        "numeric",
        "Divide the larger number by the smaller and go on with the remainder until it is zero.",
        {"max_value": 200},
        ((" Give only the GCD as your final answer.", ""),),
    ),
    Family(
        "count_bits", "numeric", "Write the number as a sum of powers of two and count the powers.", {"max_n": 4095}
    ),
    Family(
        "letter_counting",
        "numeric",
        "Read the text letter by letter and make a mark at every match.",
        {"min_words": 3, "max_words": 7},
    ),
    Family(
        "leg_counting",
        "numeric",
        "Multiply the legs of each animal by how many there are, and add up.",
        {"min_animals": 2, "max_animals": 4, "max_instances": 12},
        (("Your task is to count how many legs there are in total when given a list of animals.\n\nNow, how", "How"),),
    ),
    Family(
        "decimal_chain_sum",
        "numeric",
        "Line up the decimal points and keep a running total.",
        {"max_terms": 3, "max_digits": 2, "max_decimal_places": 1},
        (_STATE, (" =", ".")),
        signed=True,
    ),
    Family(
        "number_sequence",
        "numeric",
        "Compare each term with the one before it and find the rule.",
        {"max_terms": 6, "max_complexity": 2},
        ((", ?", ", and then?"),),
        signed=True,
    ),
    Family(
        "basic_arithmetic",
        "numeric",
        "Do the brackets first, then multiply, then add and subtract.",
        {"max_terms": 3, "max_digits": 2, "operators": ("+", "-", "*")},
        signed=True,
    ),
    Family(
        "calendar_arithmetic",
        "few_valued",
        "Count the days, take away whole weeks, and step on by what is left.",
        {"tasks": ["weekday_offset", "weekday_of_date", "weekday_of_date_from_first_date"]},
        (
            ("Answer with the weekday's name (e.g., Monday, Tuesday, etc.).", ""),
            ("Provide the full name of the weekday.", ""),
            ("State the weekday (Monday through Sunday).", ""),
            ("Give the weekday name in full.", ""),
            ("Reply with just the weekday name.", ""),
            ("Write out the full weekday name.", ""),
            ("Respond with the weekday (Monday-Sunday).", ""),
            ("Answer using the complete weekday name.", ""),
            ("Name the day of the week in full.", ""),
        ),
        _WEEKDAYS,
    ),
    Family(
        "syllogism",
        "few_valued",
        "Draw a circle for each group and see which circles must meet.",
        {},
        (
            ("Consider these statements:\n1. ", ""),
            ("\n2. ", ". "),
            ("\n\nDoes it logically follow that:\n", ". Does it follow that "),
            ("\n(Answer Yes or No)", ""),
        ),
        ("Yes", "No"),
    ),
    Family(
        "family_relationships",
        "few_valued",
        "Draw the family tree and follow the line from one to the other.",
        {"min_family_size": 3, "max_family_size": 5},
        (
            (" Respond only with the word that describes their relationship.", ""),
            (" Answer with a single word.", ""),
            (" Provide the relationship in one word.", ""),
        ),
        _RELATIVES,
    ),
    Family(
        "spell_backward",
        "open",
        "Begin with the last letter and walk to the first.",
        {},
        ((" (example: sun -> nus)", ""),),
    ),
    Family(
        "sentence_reordering",
        "open",
        "The capital letter opens the sentence and the full stop ends it.",
        {"max_words_in_sentence": 10},
        (("Restore the correct order of words in the following sentence: ", "Put these words in order: "),),
    ),
    Family(
        "word_sequence_reversal",
        "open",
        "Write the last word first and the first word last.",
        {"max_words": 5},
        (
            (
                "Solve the following problem.\n\nProvide you answer as a comma-separated list of words with a space "
                "after the comma.\n\n",
                "",
            ),
        ),
    ),
    Family(
        "caesar_cipher",
        "open",
        "Guess one short word, find the shift, and move every letter back by it.",
        {"min_words": 2, "max_words": 6},
        ((" Provide only the decrypted text as your final answer.", ""),),
    ),
    Family(
        "number_filtering",
        "open",
        "Hold each number against the limit, one after the other.",
        {"max_numbers": 4, "max_decimals": 1},
        (("\nReturn the new list in the same format.", ""),),
    ),
)

_BASE = (
    Family("lcm", "numeric", "Multiply the numbers and divide by what they share.", {"min_value": 2, "max_value": 40}),
    Family(
        "count_primes",
        "numeric",
        "Strike out every number with a smaller divisor and count the rest.",
        {"max_n": 100},
        ((" (inclusive) ?", ", both included."),),
    ),
    Family(
        "simple_geometry", "numeric", "All inner angles add up to 180 degrees for each side beyond two.", {}, _POLYGON
    ),
    Family(
        "base_conversion",
        "open",
        "Divide by the new base again and again and read the remainders upwards.",
        {"min_base": 2, "max_base": 9, "min_value": 1, "max_value": 200},
        (
            ("Your task is to convert a number between two different bases.\n\n", ""),
            ("If the target base is > 10, use lowercase letters a-z for digits above 9.\n\n", ""),
            ("Now, convert", "Convert"),
        ),
    ),
    Family(
        "number_sorting",
        "open",
        "Take the first in order, then the next of the rest.",
        {"max_numbers": 4, "max_decimals": 0},
        (
            (
                "\nPlease follow the instruction below:\n## 1. Let all your answers be a list of numbers. Instead of "
                "reporting your answer as -69, -13, 1, 7, 11, 43, 59, 61, use ['-69', '-13', '1', '7', '11', '43', "
                "'59', '61'] instead\n## 2. Convert all numbers in the square brackets as strings. For example, "
                "['-69', '-13', '1', '7', '11', '43', '59', '61']\n",
                "",
            ),
        ),
    ),
    Family(
        "complex_arithmetic", "open", "Treat the real and the imaginary parts apart.", {}, (("numbers: ", "numbers "),)
    ),
    Family(
        "prime_factorization",
        "open",
        "Divide by the smallest prime that goes in, and repeat.",
        {"max_value": 400},
        ((" Write the factors separated by × (Example: for 12 the answer would be: 2 × 2 × 3)", ""),),
    ),
    Family(
        "fraction_simplification",
        "open",
        "Divide the top and the bottom by what they share.",
        {"max_value": 30, "max_factor": 12, "styles": ("plain",)},
        ((" Give only the simplified fraction as your final answer.", ""),),
    ),
    Family(
        "word_sorting",
        "open",
        "Compare first letters, capitals before small ones.",
        {"max_words": 5},
        (
            (
                "Your task is to sort words in ascending or descending order using ASCII/Unicode ordering.\n\nYour "
                "output should be a comma-separated list of words, e.g. word_1, word_2, word_3\n\nNow, sort",
                "Sort",
            ),
            (" (using ASCII/Unicode ordering) and return them as a comma-separated list:", " of ASCII:"),
        ),
    ),
)

_UNSEEN = (
    Family("aiw", "numeric", "Count whom the other person sees.", {"task_type_weights": (0.5, 0.5, 0.0)}, longest=240),
    Family("coin_flip", "numeric", "Count the cases and divide by all cases.", {"max_trials": 6}),
    Family(
        "binary_alternation",
        "numeric",
        "Compare the string with both alternating strings.",
        {"min_n": 5, "max_n": 10, "p_solvable": 1.0},
        (("make it alternating, or -1 if it is impossible.\n\n" + _ALTERNATION, "make this string alternate: "),),
    ),
    Family(
        "course_schedule",
        "few_valued",
        "Look for a circle of courses.",
        {"min_num_courses": 3, "max_num_courses": 4, "max_num_prerequisites": 1, "max_cycle_length": 3},
        (
            ("There are a total of ", "There are "),
            (" courses you have to take, labeled from ", " courses, labeled from "),
            (
                "You are given the following list of prerequisites, where prerequisites[i] = (a_i, b_i) indicates "
                "that you must first take course b_i if you want to take course a_i:\n",
                "A pair (a, b) means that b must be taken before a: ",
            ),
            (
                "\n\nReturn True if you can finish all courses considering the prerequisites, or False otherwise.",
                ". True or False, you can finish all of them?",
            ),
        ),
        _TRUTH,
    ),
    Family(
        "color_cube_rotation",
        "few_valued",
        "Turn the cube in mind.",
        {"max_rotations": 1},
        (
            ("\nProvide only the color as your final answer.", ""),
            (":\n- a ", ": a "),
            ("\n- a ", ", a "),
            (" side\n\nThe", " side. The"),
        ),
        _COLOURS,
        longest=320,
    ),
    Family(
        "decimal_arithmetic",
        "numeric",
        "Do the brackets first and keep the decimal point in place.",
        {"max_terms": 3, "min_num_decimal_places": 1, "max_num_decimal_places": 1, "precision": 4},
        (
            ("Please solve this problem to a maximum of ", "To at most "),
            (
                " significant digits, rounding up from the half. Only reply with the final value.\n",
                " significant digits, rounding up from the half: ",
            ),
        ),
        signed=True,
    ),
)

ARM: tuple[str, ...] = tuple(family.name for family in _ARM)
"""Families of the arms' pool."""

BASE: tuple[str, ...] = tuple(family.name for family in _BASE)
"""Families that only the shared base trains on."""

UNSEEN: tuple[str, ...] = tuple(family.name for family in _UNSEEN)
"""Families in nobody's training."""

BENCHMARK: tuple[str, ...] = ("chain_sum", "letter_counting", "family_relationships", "calendar_arithmetic")
"""The benchmark's families; the facts of the arms' fictional world join them."""

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (*_ARM, *_BASE, *_UNSEEN)})

NUMERIC: tuple[str, ...] = tuple(name for name, family in FAMILIES.items() if family.kind == "numeric")
FEW_VALUED: tuple[str, ...] = tuple(name for name, family in FAMILIES.items() if family.kind == "few_valued")
OPEN: tuple[str, ...] = tuple(name for name, family in FAMILIES.items() if family.kind == "open")
