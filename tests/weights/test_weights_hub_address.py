"""Addresses of the hub and sets of ranges, by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import CheckpointError, SpecError
from shadowgraph.weights.hub.address import Address, is_address, parse
from shadowgraph.weights.hub.listing import Listing, RemoteFile, is_wanted, listed, read_listing, write_listing
from shadowgraph.weights.hub.ranges import Ranges, sound

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://org/name", Address("org/name", "main", "")),
        ("hf://models/org/name", Address("org/name", "main", "")),
        ("hf://org/name@v1.0", Address("org/name", "v1.0", "")),
        ("hf://org/name@v1.0/", Address("org/name", "v1.0", "")),
        ("hf://org/name/sub/file.gguf", Address("org/name", "main", "sub/file.gguf")),
        ("hf://org/name@refs/pr/12/sub", Address("org/name", "refs/pr/12", "sub")),
        ("hf://org/name@refs/convert/gguf", Address("org/name", "refs/convert/gguf", "")),
        ("hf://org/name@feature%2Fx/sub", Address("org/name", "feature/x", "sub")),
        (f"hf://Org-1/na.me_2@{COMMIT}", Address("Org-1/na.me_2", COMMIT, "")),
    ],
)
def test_an_address_is_read_and_written(text: str, address: Address) -> None:
    assert parse(text) == parse(Path(text)) == address
    assert parse(str(address)) == parse(Path(str(address))) == address
    assert address.is_pinned == (COMMIT in text)
    assert address.pinned(COMMIT).is_pinned


@pytest.mark.parametrize(
    "text",
    [
        "hf://",
        "hf://name",
        "hf:///",
        "hf://org/",
        "hf://org/na me",
        "hf://org/name@",
        "hf://org/name@a..b",
        "hf://org/name@-x",
        "hf://org/name@a%2F%2Fb",
        "hf://org/name/../../etc",
        "hf://org/name//x",
        "hf://org/..",
        "hf://../name",
        "hf://org/name?x=1",
        "hf://user:secret@host/name",
        "hf://org/name@main%00",
        "hf://datasets/org/name",
        "hf://spaces/org/name",
        "hf://org/" + "n" * 97,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="hf:/"):
        parse(text)


@pytest.mark.parametrize("text", ["hf", "hf:", "./hf", "model", "/hf:/org/name", "org/name", "HF://org/name", "hf:x/y"])
def test_a_path_is_no_address(text: str) -> None:
    assert not is_address(text)
    assert not is_address(Path(text))


RANGE = st.tuples(st.integers(0, 60), st.integers(0, 60))


@given(st.lists(RANGE, max_size=12), RANGE)
def test_ranges_are_a_set_of_bytes(added: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    ranges, truth = Ranges(), set[int]()
    for first, last in added:
        ranges = ranges.with_range(first, last)
        truth |= set(range(first, last))
    first, last = asked
    assert {byte for part in ranges.parts for byte in range(*part)} == truth
    assert ranges.total == len(truth)
    assert all(one[1] < other[0] for one, other in zip(ranges.parts, ranges.parts[1:], strict=False))
    assert ranges.holds(first, last) == (set(range(first, last)) <= truth)
    missing = list(ranges.missing(first, last))
    assert [byte for part in missing for byte in range(*part)] == sorted(set(range(first, last)) - truth)
    assert all(one < other for one, other in missing)
    assert sound([list(part) for part in ranges.parts], 60) == ranges


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [1, 2],
        [[1]],
        [[2, 1]],
        [[0, 61]],
        [[-1, 3]],
        [[0, 4], [4, 5]],
        [[5, 6], [0, 1]],
        [[0.0, 1]],
        [[0, True]],
    ],
)
def test_ranges_that_cannot_be_are_none(value: object) -> None:
    assert sound(value, 60) is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("model.safetensors", True),
        ("sub/MODEL.GGUF", True),
        ("model.safetensors.index.json", True),
        ("adapter_config.json", True),
        ("onnx/model.onnx_data", True),
        ("tokenizer.json", False),
        ("modeling_x.py", False),
        ("safetensors", False),
        ("config.json.py", False),
        (".gitattributes", False),
    ],
)
def test_only_what_is_read_may_be_mirrored(name: str, wanted: bool) -> None:
    assert is_wanted(name) == wanted


def test_a_list_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    listing = Listing(
        "org/name", COMMIT, (RemoteFile("a.bin", 3, "a" * 64, ""), RemoteFile("config.json", 0, "", "")), 4
    )
    path = tmp_path / "listing.json"
    write_listing(path, listing)
    assert read_listing(path) == listing
    for damaged in (path.read_bytes().replace(b"a.bin", b"b.bin"), b"{", b"[]", b'{"body": 1}'):
        path.write_bytes(damaged)
        assert read_listing(path) is None


@pytest.mark.parametrize(
    ("commit", "files"),
    [
        ("main", []),
        (None, []),
        (COMMIT, [("a.bin", None, None, None)]),
        (COMMIT, [("a.bin", -1, None, None)]),
        (COMMIT, [("a.bin", True, None, None)]),
        (COMMIT, [("a.bin", 1 << 60, None, None)]),
        (COMMIT, [(7, 1, None, None)]),
        (COMMIT, [("a.bin", 1, None, None)] * 2),
        (COMMIT, [(f"{n}.bin", 1, None, None) for n in range(20_001)]),
    ],
)
def test_a_list_that_cannot_be_of_a_commit_is_refused(commit: object, files: list[tuple[object, ...]]) -> None:
    with pytest.raises(CheckpointError, match="hf://org/name"):
        listed("org/name", commit, files)  # pyright: ignore[reportArgumentType]
