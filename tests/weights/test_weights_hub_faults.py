"""What the hub, the network and a proxy do wrong (row RT15): code, remedy, no traceback, nothing wrong kept."""

from __future__ import annotations

import gzip
import json
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_misdeeds import answers, cuts, refuses, without_ranges
from hub_models import huge, model
from hub_server import COMMIT, OTHER, TOKEN, Asked, Content, Handler, Hub, Misdeed, content, online

from shadowgraph.cli.main import main
from shadowgraph.errors import CheckpointError, EnvironmentFault
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.hub import faults, located
from shadowgraph.weights.hub.client import Client
from shadowgraph.weights.hub.faults import retry_after
from shadowgraph.weights.hub.listing import RemoteFile

ADDRESS = "hf://org/model"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    with online(Hub({COMMIT: model()}), tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited, without waiting them."""
    found: list[float] = []
    monkeypatch.setattr(faults, "time", SimpleNamespace(sleep=found.append))
    return found


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and the one line of the fault."""
    code = main(["inspect", *arguments])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert TOKEN not in shown.err + shown.out
    assert "s3cr3t" not in shown.err + shown.out
    if code:
        assert len(shown.err.splitlines()) == 1, shown.err
    return code, shown.err


GATED = {"X_Error_Code": "GatedRepo"}


@pytest.mark.parametrize(
    ("misdeed", "code", "words"),
    [
        (refuses(401), 5, "HF_TOKEN"),
        (refuses(403, **GATED), 5, "accept its licence"),
        (refuses(401, **GATED), 5, "accept its licence"),
        (refuses(403), 5, "HF_TOKEN"),
        (refuses(403, "resolve", **GATED), 5, "accept its licence"),
        (refuses(404, "api"), 3, "no such repository"),
        (refuses(404, "resolve", X_Error_Code="EntryNotFound"), 3, "no such file"),
        (refuses(429), 5, "too many requests, 6 times"),
        (refuses(429, Retry_After="3600"), 5, "asks to wait 3600 s"),
        (refuses(500), 5, "answers 500"),
        (refuses(503, "cdn"), 5, "answers 503"),
        (refuses(403, "cdn"), 5, "storage answers 403"),
        (refuses(416, "cdn"), 3, "shorter"),
        (refuses(418), 5, "answers 418"),
        (refuses(302, Location="/api/models/org/model/revision/main"), 5, "redirects"),
        (refuses(302, Location="ftp://127.0.0.1/"), 5, "no safe address"),
        (refuses(302, Location="http://[::1"), 5, "no safe address"),
        (refuses(204), 5, "answers 204"),
        (cuts(0), 5, "cut"),
        (answers("api", b"<html>Log in</html>"), 5, "not the hub"),
        (answers("api", b"[]"), 5, "not the hub"),
        (answers("api", b'{"sha": null}'), 5, "not the hub"),
        (answers("api", b'{"sha": "x", "siblings": []}'), 3, "no commit"),
        (answers("api", b'{"sha": "x", "siblings": [3]}'), 5, "not the hub"),
        (answers("api", b'{"sha":' * 2000), 5, "not the hub"),
        (answers("resolve", b"<html>Log in</html>"), 5, "not the hub"),
        (answers("cdn", b"x" * 9), 3, "9 bytes, its list says"),
        (answers("cdn", b"x", 206), 5, "which bytes it sends"),
        (answers("cdn", b"x", 206, Content_Range="bytes 0-0/99"), 3, "has 99 bytes"),
        (answers("cdn", gzip.compress(b"x"), Content_Encoding="gzip"), 5, "packed"),
        (refuses(302, "resolve", Location="/x", X_Repo_Commit=OTHER), 3, "answers with the commit"),
        (refuses(302, "resolve", Location="/x", X_Repo_Commit=COMMIT, ETag='"f00"'), 3, "other content"),
        (refuses(302, "resolve", Location="/x", X_Repo_Commit=COMMIT, X_Linked_Size="1"), 3, "a size of 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_lasts_is_said_once_with_its_remedy(
    hub: Hub, waits: list[float], misdeed: Misdeed, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.always = misdeed
    found, line = said(capsys, ADDRESS)
    assert found == code, line
    assert words in line
    assert sum(waits) <= faults.LONGEST
    assert len(hub.asked) < 20
    hub.always = None
    assert said(capsys, ADDRESS)[0] == 0  # nothing of it was kept
    assert len(open_checkpoint(ADDRESS).fingerprint) == 16


@pytest.mark.parametrize("address", ["hf://org/other", "hf://org/model@gone", "hf://org/model/gone.safetensors"])
def test_what_is_not_there(hub: Hub, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = said(capsys, address)
    assert code == 3
    assert "no " in line
    assert "check the address" in line


@pytest.mark.parametrize(
    ("misdeeds", "waited"),
    [
        ([refuses(429, Retry_After="7")], [7.0]),
        ([refuses(503, "resolve"), refuses(502, "cdn"), refuses(500, "cdn")], [0.0] * 3),
        ([refuses(403, "cdn")], [0.0]),
        ([cuts(0), cuts(1000), cuts(1)], [0.0] * 3),
    ],
)
def test_what_passes_is_waited_for(
    hub: Hub, waits: list[float], misdeeds: list[Misdeed], waited: list[float], tmp_path: Path
) -> None:
    hub.misdeeds = list(misdeeds)
    assert open_checkpoint(ADDRESS).fingerprint
    found = (located.located(ADDRESS).folder / "model.safetensors").read_bytes()
    assert found == hub.commits[COMMIT]["model.safetensors"].front
    assert not hub.misdeeds
    assert waits == waited


def test_a_cut_range_goes_on_where_it_stopped(hub: Hub, waits: list[float]) -> None:
    hub.commits[COMMIT] = model(size=400)  # 7.7 MB
    whole = hub.commits[COMMIT]["model.safetensors"]
    hub.always = cuts(700_000)
    open_checkpoint(ADDRESS)
    asked = [each.range for each in hub.of_kind("cdn") if each.range]
    hub.always = None
    fingerprint = open_checkpoint(ADDRESS).fingerprint
    assert len(fingerprint) == 16
    assert (located.located(ADDRESS).folder / "model.safetensors").read_bytes() == whole.front
    assert all(one[1] <= whole.size for one in asked)
    assert hub.sent < 1.3 * whole.size
    assert waits == []


def test_a_large_range_outlives_many_cuts_but_not_endless_ones(hub: Hub, waits: list[float]) -> None:
    file = RemoteFile("model.safetensors", huge()["model.safetensors"].size, "a" * 64, "")
    hub.commits[COMMIT] = huge()
    found = bytearray()
    hub.always = cuts(1_500_000)
    Client("org/model").fetch(COMMIT, file, 5, 20_000_000, found.extend)
    assert bytes(found) == hub.commits[COMMIT][file.name].read(5, 20_000_000)
    assert len(waits) > faults.TRIES
    hub.always = cuts(1000)
    with pytest.raises(EnvironmentFault, match="what was fetched is kept"):
        Client("org/model").fetch(COMMIT, file, 0, 20_000_000, found.extend)


def test_a_server_without_ranges_does_not_send_everything(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.commits[COMMIT] = huge()
    hub.always = without_ranges
    code, line = said(capsys, ADDRESS)
    assert (code, "where a range was asked for" in line) == (5, True)
    assert hub.sent < 50_000_000  # what was under way when the connection was closed
    hub.commits[OTHER], hub.revisions["main"] = model(), OTHER
    located.COMMITS.clear()
    assert open_checkpoint(ADDRESS).fingerprint  # a small file comes whole, with or without ranges


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_is_not_what_its_digest_says_is_removed(
    hub: Hub, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = hub.commits[COMMIT]
    bad = bytearray(good[name].front)
    bad[-9] ^= 1
    digest = good[name].sha256 if good[name].lfs else good[name].blob
    hub.commits[COMMIT] = {**good, name: Content(bytes(bad), good[name].size, good[name].lfs, digest)}
    code, line = said(capsys, ADDRESS)
    assert (code, "digest" in line) == (3, True), line
    hub.commits[COMMIT] = good
    assert said(capsys, ADDRESS)[0] == 0


def test_a_large_file_is_checked_once_all_of_it_is_here(hub: Hub) -> None:
    good = model(size=400)
    honest = good["model.safetensors"]
    bad = bytearray(honest.front)
    bad[-9] ^= 1
    hub.commits[COMMIT] = {**good, "model.safetensors": Content(bytes(bad), honest.size, True, honest.sha256)}
    found = open_checkpoint(ADDRESS)
    with pytest.raises(CheckpointError, match="digest"):
        _ = found.fingerprint
    with pytest.raises(CheckpointError):
        _ = found.fingerprint
    hub.commits[COMMIT] = good
    assert open_checkpoint(ADDRESS).fingerprint


HOSTILE = (
    "../x.safetensors",
    "/etc/x.safetensors",
    "a\\..\\x.bin",
    "sub/../../x.gguf",
    "C:x.bin",
    "x\0.bin",
    "a//../../b.pt",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_out_are_refused_before_any_file_is_made(
    hub: Hub, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.commits[COMMIT][name] = content(b"x")
    code, line = said(capsys, ADDRESS)
    assert (code, "leads out" in line) == (3, True), line
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "files" in path.parts]
    assert not hub.of_kind("resolve")


@pytest.mark.parametrize(
    "names", [("a.safetensors", "a.safetensors/b.bin"), ("n" * 300 + ".bin",), ("d" * 300 + "/x.bin",)]
)
def test_names_that_no_disk_holds(hub: Hub, names: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    hub.commits[COMMIT].update({name: content(b"x") for name in names})
    code, line = said(capsys, ADDRESS)
    assert code == 3, line


def test_a_repository_without_weights(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.commits[COMMIT] = {"README.md": content(b"x", False), "config.json": content(b"{}", False)}
    code, line = said(capsys, ADDRESS)
    assert (code, "no file of weights" in line) == (3, True)


def test_no_file_of_a_model_is_ever_an_address(hub: Hub) -> None:
    hub.told = lambda answer: answer | {"cardData": {"base_model": "org/base"}}
    hub.commits[COMMIT]["config.json"] = content(json.dumps({"_name_or_path": "hf://org/base"}).encode(), False)
    assert open_checkpoint(ADDRESS).fingerprint
    assert not any("base" in each.path for each in hub.asked)


def test_the_token_follows_no_redirect_to_another_host(hub: Hub) -> None:
    def moved(handler: Handler, asked: Asked) -> bool:
        if asked.kind == "api" and "Host" in handler.headers and handler.headers["Host"] in hub.endpoint:
            handler.say(307, headers={"Location": f"{hub.storage}{asked.path}?blobs=true"})
            return True
        return False

    hub.always = moved
    assert open_checkpoint(ADDRESS).fingerprint
    away = [each for each in hub.asked if each.headers["host"] in hub.storage]
    assert {each.kind for each in away} == {"api", "cdn"}
    assert not any("authorization" in each.headers or TOKEN in str(each.headers) for each in away)


def test_a_redirect_within_the_hub_is_followed_with_the_token(hub: Hub) -> None:
    def kept_elsewhere(handler: Handler, asked: Asked) -> bool:
        if asked.kind == "resolve" and asked.path.endswith("config.json"):
            tag = hub.commits[COMMIT]["config.json"].tag
            place = f"/cdn/{COMMIT}/config.json"
            handler.say(307, headers={"Location": place, "X-Repo-Commit": COMMIT, "ETag": f'W/"{tag}"'})
            return True
        return False

    hub.always = kept_elsewhere
    assert open_checkpoint(ADDRESS).config["model_type"] == "llama"
    kept = [each for each in hub.of_kind("cdn") if each.path.endswith("config.json")]
    assert [TOKEN in each.headers["authorization"] for each in kept] == [True]


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("-1", None), ("٣", None)])
def test_how_long_to_wait(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


def test_a_date_to_wait_for() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    late = retry_after({"retry-after": "Wed, 21 Oct 2215 07:28:00 GMT"})
    assert late is not None
    assert late > 1e9
