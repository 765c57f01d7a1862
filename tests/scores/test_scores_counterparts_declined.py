"""Where a change of dress could change the answer, the rule says so; options inside a prompt are found."""

import pytest
from counterpart_cases import free, question, read, taken

from shadowgraph.scores.counterparts.laid import Laid, lay
from shadowgraph.scores.counterparts.rule import Declined, dressed
from shadowgraph.scores.counterparts.text_rules import TEXT_RULES
from shadowgraph.scores.question import Question

ABOVE = ("brass", "steel", "glass", "all of the above")
BRACKETS = "What is found first?\nOptions:\n(A) a door\n(B) a key\n(C) a map"
DASHES = "Does the road end here?\nOptions:\n- Yes\n- No"

RULES = {rule.name: rule for rule in TEXT_RULES}


def reason(name: str, asked: Question) -> str:
    """Why a rule that must decline does."""
    found = dressed(RULES[name], asked, 0)
    assert isinstance(found, Declined), found
    return found.reason


@pytest.mark.parametrize("last", [ABOVE[3], "None of these", "both A and B", "neither", "A and C only", "(B)", "C"])
@pytest.mark.parametrize("name", ["permuted", "negated", "true_false", "open", "cloze", "dialogue", "list", "table"])
def test_a_choice_that_speaks_of_others_keeps_its_order_and_its_company(last: str, name: str) -> None:
    reason(name, question(choices=("brass", "steel", "glass", last)))


@pytest.mark.parametrize("last", ["both A and B", "A and C only", "(B)", "D or E", "option 2"])
def test_other_labels_are_declined_where_a_choice_names_one(last: str) -> None:
    assert reason("labels", question(choices=("brass", "steel", "glass", last))) == "a choice names a label"
    taken("labels", question(choices=ABOVE))


@pytest.mark.parametrize(
    ("name", "prompt", "why"),
    [
        ("labels", "Is answer B better?", "the prompt names a label"),
        ("permuted", "Why is the last option wrong?", "the wording leans on the order of the choices"),
        ("labels", "Read:\nA. one\nWhat comes next?", "a line of its text looks like a labelled choice"),
        ("negated", "Which is NOT a metal?", "the prompt holds a negation"),
        ("negated", "Which of the four metals is soft?", "the prompt speaks of how many are offered"),
        ("cloze", "The ____ is made of it.", "its gap stands inside the prompt"),
        ("table", "What is a|b here?", "a text holds a mark of the layout"),
        ("distractor", "How many words has this line?", "the prompt counts or names parts of its own text"),
        ("distractor", "She left. Where is she?", "the prompt begins by pointing back"),
        ("context_order", "What is it?", "it is not a context with one question after it"),
        ("context_order", "Here we all met Dr. Brown came when?", "its sentences cannot be told apart for certain"),
        ("context_order", "Look at the words below. What do they mean?", "its parts point at each other's place"),
        (
            "context_order",
            "Ann has 3 pens and buys 4 pens. How many is that?",
            "its question points back to what stands before it",
        ),
        (
            "context_order",
            "A puzzle has a row of gaps. Who can complete this puzzle?",
            "its question points back to what stands before it",
        ),
        (
            "context_order",
            "Ann swims in the lake for 2 hours. How far does she get?",
            "its question points back to what stands before it",
        ),
        ("open", "Which of these is a metal?", "the prompt speaks of what is offered"),
        ("open", "Which of the following actions helps?", "the prompt speaks of what is offered"),
        ("cloze", "Of the following metals, what is soft?", "the prompt speaks of what is offered"),
        ("cloze", "Which of these is soft", "the prompt speaks of what is offered"),
        ("free", "What is it made of?", "behind choices, only a whole number is surely the one answer"),
        ("lettered", "What is it made of?", "its choices are shown by its source"),
    ],
)
def test_a_prompt_that_forbids_a_dress_is_named(name: str, prompt: str, why: str) -> None:
    assert reason(name, question(prompt)) == why


def test_choices_that_no_dress_can_hold_are_declined_by_all() -> None:
    many = question(choices=[f"choice{n}x" for n in range(27)])
    for asked in (question(choices=("one", " one ", "two"), gold=2), question(choices=("one",)), many):
        assert len({reason(name, asked) for name in RULES}) == 1
    assert {reason(name, free(answer="one\ntwo")) for name in RULES} == {"the answer spans lines"}


def test_texts_are_not_scored_where_one_begins_another() -> None:
    asked = question(choices=("yellow", "yellow and green", "red"))
    assert reason("open", asked) == "one choice begins with another"
    assert {reason(name, asked) for name in ("cloze", "dialogue", "list", "table")} == {
        "one choice begins with another"
    }
    taken("permuted", asked)


def test_a_wrong_claim_never_holds_the_right_one() -> None:
    pair = question(choices=("Paris", "Paris, France", "paris."))
    assert reason("true_false", pair) == "no wrong choice is clearly another than the right one"
    assert reason("negated", question(choices=("3", "3.0"))) == "no wrong choice is clearly another than the right one"
    taken("negated", question(choices=("2", "12")))


def test_free_replies_behind_choices_are_whole_numbers() -> None:
    probe = taken("free", question("How many legs has a spider?", ("6", "8", "10"), 1))
    assert (probe.answers, probe.extract, probe.continuations) == (("8",), "number", ())
    assert (
        reason("free", question("How many of these are odd?", ("6", "8"), 1)) == "the prompt speaks of what is offered"
    )
    assert reason("free", question("About how many are usual?", ("6", "8"), 1)).startswith("the answer is right by")


@pytest.mark.parametrize(("answer", "shown"), [("(B)", "bracketed"), ("(D)", "none"), ("key", "none")])
def test_options_inside_a_prompt_are_found(answer: str, shown: str) -> None:
    laid = lay(free(BRACKETS, answer))
    assert isinstance(laid, Laid)
    assert laid.shown == shown


def test_a_prompt_with_its_own_options_is_told_as_it_was_and_changed_in_its_own_layout() -> None:
    asked = free(BRACKETS, "(B)")
    first = taken("original", asked)
    assert first.context == f"Question: {BRACKETS}\nAnswer:"
    assert (first.continuations, first.gold) == ((" (A)", " (B)", " (C)"), 1)
    other = taken("permuted", asked)
    place = f"({'ABC'[other.gold]})"
    assert "\nOptions:\n(A) " in other.context
    assert f"{place} a key" in other.context
    assert other.continuations[other.gold] == f" {place}"
    assert read(taken("labels", asked)) == "a key" == read(taken("open", asked))
    roads = free(DASHES, "No")
    assert taken("original", roads).continuations == (" Yes", " No")
    assert taken("permuted", roads).context.endswith("Options:\n- No\n- Yes\nAnswer:")
    assert reason("labels", roads) == "its choices have no labels"


@pytest.mark.parametrize(
    ("answer", "pair"), [("yes", ("yes", "no")), ("False", ("True", "False")), ("VALID", ("VALID", "INVALID"))]
)
def test_an_answer_of_two_set_words_is_scored_against_the_other(answer: str, pair: tuple[str, str]) -> None:
    probe = taken("original", free("Is it so?", answer))
    assert probe.continuations == tuple(f" {word}" for word in pair)
    assert probe.continuations[probe.gold] == f" {answer}"
    assert reason("permuted", free("Is it so?", answer)) == "its choices are not shown"
    assert read(taken("lettered", free("Is it so?", answer))) == answer


def test_choices_told_in_one_line_have_one_mark_between_and_after_them() -> None:
    asked = question(choices=("the crust.", "the rotation", "a warming Earth."))
    for seed in range(6):
        context = taken("dialogue", asked, seed).context
        assert "one of these: “the crust.”, “the rotation”, “a warming Earth.”\n" in context
    assert "one of these: yellow; purple; black; silver.\n" in taken("dialogue", question()).context
    assert "“the crust.”, “the rotation”" in taken("table", asked).context


def test_a_reply_is_a_number_only_where_every_answer_is_one() -> None:
    both = Question("q", "made", "q", "f", "How many days has a week?", "7", accepted=("seven",))
    numbers = Question("q", "made", "q", "f", "How many days has a year?", "1,461", accepted=("1461",))
    for name in ("original", "free", "dialogue", "table", "cloze", "list"):
        assert taken(name, both).extract == "line"
        assert taken(name, numbers).extract == "number"
    several = Question("q", "made", "q", "f", "How many?", "7", accepted=("7\ndays",))
    assert reason("original", several) == "the answer spans lines"
