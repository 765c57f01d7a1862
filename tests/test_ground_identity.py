"""Identity: equal values give equal bytes, different values do not, and nothing without a form slips in."""

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import Defect, EnvironmentFault
from shadowgraph.identity import Provenance, canonical_bytes, file_digest, file_identity, fingerprint, plain, versions

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A value of two parts."""

    left: int
    right: tuple[float, ...]


@given(VALUES)
def test_canonical_bytes_read_back_to_the_value(value: Any) -> None:
    assert json.loads(canonical_bytes(value)) == plain(value)


@given(st.dictionaries(st.text(max_size=5), SCALARS, max_size=6))
def test_the_order_of_keys_does_not_change_the_bytes(value: dict[str, Any]) -> None:
    assert canonical_bytes(dict(reversed(value.items()))) == canonical_bytes(value)


@given(VALUES)
def test_reducing_twice_changes_nothing(value: Any) -> None:
    assert plain(plain(value)) == plain(value)


@given(st.lists(st.integers(0, 5), max_size=5), st.lists(st.integers(0, 5), max_size=5))
def test_fingerprints_are_equal_exactly_when_values_are(first: list[int], second: list[int]) -> None:
    assert (fingerprint(first) == fingerprint(second)) == (first == second)


def test_a_fingerprint_is_the_head_of_sha256() -> None:
    assert fingerprint({"b": 1, "a": [True, None]}) == hashlib.sha256(b'{"a":[true,null],"b":1}').hexdigest()[:16]


def test_dataclasses_tuples_paths_and_numpy_have_a_form() -> None:
    value = {"pair": Pair(1, (0.5, 2.0)), "path": Path("a/b"), "row": np.arange(3), "one": np.float32(0.5)}
    assert plain(value) == {
        "pair": {"left": 1, "right": [0.5, 2.0]},
        "path": "a/b",
        "row": [0, 1, 2],
        "one": 0.5,
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf")])
def test_numbers_that_are_none_are_refused_and_located(number: float) -> None:
    with pytest.raises(Defect, match=r"value\.rows\[1\]"):
        plain({"rows": [0.0, number]})


@pytest.mark.parametrize("stranger", [b"bytes", {1, 2}, object(), 1j, Pair])
def test_types_without_a_form_are_refused(stranger: object) -> None:
    with pytest.raises(Defect, match="has no canonical form"):
        plain([stranger])


def test_half_a_character_is_refused_and_located() -> None:
    with pytest.raises(Defect, match=r"value\.tensor"):
        canonical_bytes({"tensor": "layer\ud800"})


def test_keys_that_are_written_alike_are_refused() -> None:
    with pytest.raises(Defect, match="written alike"):
        plain({1: "a", "1": "b"})


def test_a_file_digest_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_versions_name_what_is_absent() -> None:
    found = versions("numpy", "a-package-that-nobody-has")
    assert found == {"numpy": np.__version__, "a-package-that-nobody-has": "absent"}


def test_provenance_has_an_identity() -> None:
    record = Provenance(versions={"numpy": "1"}, seeds={"study": 0}, parents={})
    assert fingerprint(record) != fingerprint(dataclasses.replace(record, seeds={"study": 1}))


def test_a_file_is_known_by_its_size_and_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    data = bytearray(300_000)
    path.write_bytes(data)
    first = file_identity(path)
    assert (first["name"], first["bytes"], len(first["ends"])) == ("large.bin", 300_000, 32)
    for place, seen in ((0, True), (150_000, False), (299_999, True)):
        changed = bytearray(data)
        changed[place] = 1
        path.write_bytes(changed)
        assert (file_identity(path) != first) == seen, place
    with pytest.raises(EnvironmentFault, match="cannot be read"):
        file_identity(tmp_path / "absent")
