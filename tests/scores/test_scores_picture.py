"""Pictures of a suite: written once, proven on reading, opened without trust."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shadowgraph.errors import DataError
from shadowgraph.scores.picture import MOST_BYTES, picture_fault, picture_name, read_picture, write_pictures
from shadowgraph.scores.suite import read_suite, write_suite


def encoded(format_name: str = "PNG", size: tuple[int, int] = (7, 5), mode: str = "RGB") -> bytes:
    held = io.BytesIO()
    Image.new(mode, size, 1).save(held, format_name)
    return held.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that unpacks to width × height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 4096)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def row(name: str = "one", **more: Any) -> dict[str, Any]:
    said = {
        "family": "f",
        "group": "g",
        "context": "Question: what?\nAnswer:",
        "continuations": [" a", " b"],
        "gold": 0,
    }
    return {"id": name, **said, **more}


def test_a_suite_keeps_its_pictures(tmp_path: Path) -> None:
    data = encoded()
    name = picture_name(data)
    rows = {"shown": [row(image=name), row("two", image=name)], "plain": [row()]}
    suite = write_suite(rows, tmp_path, pictures={name: data, "pictures/unused.png": data})
    again = read_suite(tmp_path)
    assert again.fingerprint == suite.fingerprint
    assert list(again.pictures) == [name]
    assert again.items("shown")[1]["image"] == name
    assert not (tmp_path / "shown.yaml").exists()  # lm-eval could not show the picture
    assert (tmp_path / "plain.yaml").is_file()
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [Path(name).name]
    assert read_picture(tmp_path, name).size == (7, 5)
    before = (tmp_path / "suite.json").read_bytes()
    write_suite(rows, tmp_path, pictures={name: data})
    assert (tmp_path / "suite.json").read_bytes() == before
    other = encoded(size=(9, 9))
    assert write_suite(rows, tmp_path / "other", pictures={name: other}).fingerprint != suite.fingerprint
    (tmp_path / name).write_bytes(other)
    with pytest.raises(DataError, match="was changed"):
        read_suite(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match="missing"):
        read_suite(tmp_path)


def test_a_suite_without_pictures_has_the_manifest_it_had(tmp_path: Path) -> None:
    write_suite({"plain": [row()]}, tmp_path)
    assert b"pictures" not in (tmp_path / "suite.json").read_bytes()


@pytest.mark.parametrize(
    "name", ["/etc/x.png", "../x.png", "a/../../x.png", "C:\\x.png", "c:x.png", "", "a\0b", 7, None]
)
def test_paths_that_leave_the_folder_are_refused(name: Any, tmp_path: Path) -> None:
    assert picture_fault(name)
    with pytest.raises(DataError, match=r"split 'shown' row 1 key 'image'"):
        write_suite({"shown": [row(image=name)]}, tmp_path, pictures={str(name): b""})
    if isinstance(name, str):
        with pytest.raises(DataError):
            read_picture(tmp_path, name)
        with pytest.raises(DataError):
            write_pictures({name: b""}, tmp_path)


def test_a_manifest_that_names_a_file_outside_is_refused(tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    write_suite({"plain": [row()]}, suite)
    text = (suite / "suite.json").read_text()
    (suite / "suite.json").write_text(text.replace('"items"', '"pictures": {"../secret": "00"},\n "items"', 1))
    with pytest.raises(DataError, match="leaves the suite's folder"):
        read_suite(suite)


def test_links_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "out.png").write_bytes(encoded())
    os.symlink(tmp_path / "out.png", tmp_path / "suite" / "in.png")
    with pytest.raises(DataError, match="by a link"):
        read_picture(tmp_path / "suite", "in.png")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (bomb(60000, 60000), "pixels"),
        (bomb(16384, 16384), "pixels"),
        (bomb(64, 64), "no picture"),
        (encoded()[:40], "no picture"),
        (encoded()[:-20] + b"\0" * 20, "no picture"),
        (encoded("GIF", mode="P"), "no picture"),
        (b"\x89PNG\r\n\x1a\n", "no picture"),
        (b"<svg/>", "no picture"),
        (b"", "no picture"),
    ],
    ids=["bomb", "large bomb", "too little", "cut", "broken end", "gif", "head", "svg", "empty"],
)
def test_what_is_no_sound_picture_is_refused(data: bytes, fault: str, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(DataError, match=fault):
        read_picture(tmp_path, "x.png")


def test_large_files_folders_and_gaps_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.png").open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    with pytest.raises(DataError, match="bytes"):
        read_picture(tmp_path, "x.png")
    (tmp_path / "y.png").mkdir()
    for name in ("y.png", "z.png"):
        with pytest.raises(DataError, match="no such picture"):
            read_picture(tmp_path, name)
    with pytest.raises(DataError, match="was not given"):
        write_suite({"shown": [row(image="pictures/a.png")]}, tmp_path)


@pytest.mark.parametrize(("format_name", "mode"), [("PNG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB")])
def test_pictures_become_three_colours(format_name: str, mode: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(encoded(format_name, mode=mode))
    found = read_picture(tmp_path, "x")
    assert (found.mode, found.size) == ("RGB", (7, 5))
