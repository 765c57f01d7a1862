"""Faults: exit codes, one-line messages, and foreign text that cannot drive a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import (
    CheckpointError,
    DataError,
    Defect,
    EnvironmentFault,
    ShadowgraphError,
    SpecError,
    printable,
    require,
)

EXIT_CODES: dict[type[ShadowgraphError], int] = {
    SpecError: 2,
    CheckpointError: 3,
    DataError: 3,
    EnvironmentFault: 5,
    Defect: 70,
}
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


@pytest.mark.parametrize(("fault", "code"), EXIT_CODES.items())
def test_exit_codes_are_the_documented_ones(fault: type[ShadowgraphError], code: int) -> None:
    assert fault.exit_code == code


def test_every_fault_has_its_own_label() -> None:
    assert len({fault.label for fault in EXIT_CODES}) == len(EXIT_CODES)


def test_a_message_names_place_finding_and_advice() -> None:
    fault = DataError("the gold answer is missing", where="pool.jsonl row 7", hint="add the key 'answer'")
    assert str(fault) == "pool.jsonl row 7: the gold answer is missing; add the key 'answer'"


def test_a_message_without_place_or_advice_is_the_finding_alone() -> None:
    assert str(Defect("a spectrum rose")) == "a spectrum rose"


def test_plain_data_carries_the_same_parts() -> None:
    assert SpecError("unknown key", where="study.arms", hint="see the schema").as_dict() == {
        "type": "SpecError",
        "found": "unknown key",
        "where": "study.arms",
        "hint": "see the schema",
        "exit_code": 2,
    }


def test_the_place_of_a_fault_is_made_printable() -> None:
    assert "\x1b" not in str(CheckpointError("not finite", where="layer\x1b[31m.weight"))


@given(ANY_TEXT)
def test_printable_text_holds_no_character_that_moves_or_hides(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"}
    shown.encode("utf-8")


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=200))
def test_printable_leaves_ordinary_text_alone(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("first\nsecond", "first\\nsecond"),
        ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
        ("half\ud800", "half\\ud800"),
        ("nul\x00", "nul\\x00"),
    ],
)
def test_printable_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_cuts_long_text_in_its_middle_and_says_so() -> None:
    assert printable("a" * 300 + "z" * 200, limit=10) == "aaaaa…zzzzz"
    assert printable("a" * 300 + "z", limit=1) == "a…"


def test_a_long_path_leaves_the_finding_whole() -> None:
    fault = CheckpointError("cut", where="/d" * 500 + "/model.safetensors", hint="fetch it again")
    assert str(fault).endswith("/model.safetensors: cut; fetch it again")


def test_require_is_silent_for_a_module_that_is_there() -> None:
    require("json", "lab")


def test_require_names_the_install_line_of_what_is_missing() -> None:
    with pytest.raises(EnvironmentFault, match=r'pip install "shadowgraph\[train\]"'):
        require("a_module_that_nobody_has", "train")
