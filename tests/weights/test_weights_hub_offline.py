"""Without a network, without the extra, without room: what is here is read, and the remedy is named (row RT15)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hub_models import model
from hub_server import COMMIT, Hub, online

from shadowgraph.cli.main import main
from shadowgraph.errors import EnvironmentFault
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.hub import located

ADDRESS = "hf://org/model"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    with online(Hub({COMMIT: model()}), tmp_path, monkeypatch) as found:
        yield found


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and the one line of the fault."""
    code = main(["inspect", *arguments])
    shown = capsys.readouterr()
    assert len(shown.err.splitlines()) == 1 or not code, shown.err
    return code, shown.err


class Offline:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def __call__(self, on: bool = True) -> None:
        from huggingface_hub import constants

        located.COMMITS.clear()
        self.monkeypatch.setattr(constants, "HF_HUB_OFFLINE", on)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return Offline(monkeypatch)


def test_offline_reads_what_is_here_and_names_the_remedy(
    hub: Hub, offline: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    offline()
    for address in (ADDRESS, f"{ADDRESS}@{COMMIT}"):
        code, line = said(capsys, address)
        assert (code, "unset HF_HUB_OFFLINE" in line, "hf download org/model" in line) == (5, True, True), line
    hub.commits[COMMIT] = model(size=400)
    offline(False)
    assert said(capsys, ADDRESS)[0] == 0
    offline()
    assert said(capsys, ADDRESS)[0] == 0
    with pytest.raises(EnvironmentFault, match="HF_HUB_OFFLINE"):
        _ = open_checkpoint(ADDRESS).fingerprint
    offline(False)
    fingerprint = open_checkpoint(ADDRESS).fingerprint
    offline()
    assert open_checkpoint(ADDRESS).fingerprint == fingerprint
    asked = len(hub.asked)
    assert open_checkpoint(f"{ADDRESS}@{COMMIT}").fingerprint == fingerprint
    assert len(hub.asked) == asked


def test_offline_reads_the_hubs_own_cache(
    hub: Hub, offline: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "hub-cache" / "models--org--model"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    offline()
    assert said(capsys, ADDRESS)[0] == 5
    (root / "snapshots" / COMMIT).mkdir(parents=True)
    (root / "snapshots" / COMMIT / "model.safetensors").write_bytes(hub.commits[COMMIT]["model.safetensors"].front)
    assert "own cache" in open_checkpoint(ADDRESS).notes[1]
    assert not hub.asked


def test_no_network(hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    code, line = said(capsys, ADDRESS)
    assert (code, "cannot be reached" in line) == (5, True)
    monkeypatch.setattr(constants, "ENDPOINT", "huggingface.co")
    code, line = said(capsys, ADDRESS)
    assert (code, "HF_ENDPOINT is no web address" in line) == (5, True)


def gone(_: str) -> None:
    """No module is there."""


def test_the_extra_is_missing(hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setattr("importlib.util.find_spec", gone)
    code, line = said(capsys, ADDRESS)
    assert (code, 'pip install "shadowgraph[hub]"' in line) == (5, True)


def test_no_room_for_the_cache(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SHADOWGRAPH_CACHE", str(tmp_path / "file"))
    with pytest.raises(EnvironmentFault, match="file"):
        open_checkpoint(ADDRESS)
