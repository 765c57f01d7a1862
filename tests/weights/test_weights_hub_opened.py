"""Models of the hub, opened by address: the same as from a folder, for little traffic, by any number of processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from hub_models import huge, model, saved, sharded, tensors
from hub_server import COMMIT, OTHER, TOKEN, Content, Hub, content, online

from shadowgraph.cli.main import main
from shadowgraph.errors import CheckpointError
from shadowgraph.footprint.scan import scan
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.hub import located
from shadowgraph.weights.readers import span

ADDRESS = "hf://org/model"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    with online(Hub({COMMIT: model()}), tmp_path, monkeypatch) as found:
        yield found


def test_an_address_opens_what_a_folder_would(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(saved(tensors()))
    local, remote = open_checkpoint(tmp_path / "model.safetensors"), open_checkpoint(ADDRESS)
    assert remote.path == Path(f"hf:/org/model@{COMMIT}")
    assert remote.config["model_type"] == "llama"
    assert f"org/model, commit {COMMIT}, which was main" in remote.notes[0]
    assert "digest" in remote.notes[1]
    assert remote.structure == local.structure
    assert remote.fingerprint == local.fingerprint
    for one, other in zip(remote.matrices(), local.matrices(), strict=True):
        assert np.array_equal(one.load(), other.load())
    assert {each.path.rpartition("/")[2] for each in hub.asked} <= {"main", "config.json", "model.safetensors"}


def test_shards_come_from_their_index(hub: Hub) -> None:
    hub.commits[COMMIT] = sharded()
    found = open_checkpoint(ADDRESS)
    assert len(found.entries) == 12
    assert found.fingerprint == open_checkpoint(str(found.path)).fingerprint


@pytest.mark.parametrize(
    ("inside", "count"), [("/sub", 12), ("/sub/model.safetensors", 12), ("/other.safetensors", 3), ("/sub/", 12)]
)
def test_a_folder_or_a_file_of_a_repository(hub: Hub, inside: str, count: int) -> None:
    few = dict(list(tensors(3).items())[:3])
    hub.commits[COMMIT] = {
        **{f"sub/{name}": each for name, each in model().items()},
        "other.safetensors": content(saved(few)),
    }
    assert len(open_checkpoint(ADDRESS + inside).entries) == count


def test_headers_of_two_gigabytes_cost_no_more_than_themselves(hub: Hub) -> None:
    hub.commits[COMMIT] = huge()
    assert hub.commits[COMMIT]["model.safetensors"].size > 2_000_000_000
    found = open_checkpoint(ADDRESS)
    assert (len(found.entries), len(list(found.matrices()))) == (240, 240)
    assert hub.sent < 200_000
    folder = located.located(ADDRESS).folder
    held = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    assert held < 500_000


def test_one_layer_costs_one_layer(hub: Hub) -> None:
    hub.commits[COMMIT] = huge()
    found = open_checkpoint(ADDRESS)
    before, requests = hub.sent, len(hub.asked)
    layer = [matrix for matrix in found.matrices() if matrix.layer == 7]
    size = sum(4 * matrix.parameters for matrix in layer)
    for matrix in layer:
        assert not matrix.load().any()
    assert size <= hub.sent - before <= 1.2 * size
    assert len(hub.asked) - requests < 60
    before = hub.sent
    for matrix in layer:
        matrix.load()
    assert hub.sent == before


def test_what_was_read_is_not_fetched_again_by_any_process(hub: Hub) -> None:
    first = open_checkpoint(ADDRESS).fingerprint
    sent, asked = hub.sent, len(hub.asked)
    code = (
        f"from shadowgraph.weights.checkpoint import open_checkpoint as o; print(o('{ADDRESS}@{COMMIT}').fingerprint)"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == first
    assert (hub.sent, len(hub.asked)) == (sent, asked)
    assert hub.sent == sum(len(hub.commits[COMMIT][name].front) for name in ("config.json", "model.safetensors"))


def test_a_branch_is_one_commit_for_a_process_and_pinned_for_others(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.commits[OTHER] = model(seed=1)
    first = open_checkpoint(ADDRESS)
    hub.revisions["main"] = OTHER
    assert open_checkpoint(ADDRESS).path == first.path
    monkeypatch.setattr(located, "COMMITS", {})
    moved = open_checkpoint(ADDRESS)
    assert moved.path == Path(f"hf:/org/model@{OTHER}")
    assert moved.fingerprint != first.fingerprint
    assert open_checkpoint(first.path).fingerprint == first.fingerprint


@pytest.mark.parametrize("revision", ["v1.0", "refs/pr/3", "feature/x"])
def test_every_kind_of_revision(hub: Hub, revision: str) -> None:
    hub.revisions = {revision: COMMIT}
    typed = revision.replace("feature/", "feature%2F")
    assert open_checkpoint(f"{ADDRESS}@{typed}").path == Path(f"hf:/org/model@{COMMIT}")


def test_the_numbers_do_not_depend_on_where_a_model_lies(hub: Hub, tmp_path: Path) -> None:
    hub.commits[OTHER] = model(seed=1)
    for seed in (0, 1):
        (tmp_path / f"{seed}").mkdir()
        (tmp_path / f"{seed}" / "model.safetensors").write_bytes(saved(tensors(seed)))
    local = scan(open_checkpoint(tmp_path / "1"), open_checkpoint(tmp_path / "0"))
    remote = scan(open_checkpoint(f"{ADDRESS}@{OTHER}"), open_checkpoint(ADDRESS))
    assert remote.rows == local.rows
    assert remote.parents == local.parents
    sent = hub.sent
    assert scan(open_checkpoint(f"{ADDRESS}@{OTHER}"), open_checkpoint(ADDRESS)).rows == local.rows
    assert hub.sent == sent


def test_the_hubs_own_cache_comes_first(hub: Hub, tmp_path: Path) -> None:
    root = tmp_path / "hub-cache"
    snapshot = root / "models--org--model" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (root / "blobs" / "ab").mkdir(parents=True)
    (root / "models--org--model" / "blobs").mkdir()
    data = hub.commits[COMMIT]["model.safetensors"].front
    (root / "blobs" / "ab" / "x").write_bytes(data)  # as the library shares them between models
    (snapshot.parents[1] / "blobs" / "y").symlink_to("../../blobs/ab/x")
    (snapshot / "model.safetensors").symlink_to("../../blobs/y")
    assert "digest" in open_checkpoint(ADDRESS).notes[1]  # without its configuration it is not whole
    (snapshot / "config.json").write_bytes(hub.commits[COMMIT]["config.json"].front)
    asked = len(hub.asked)
    found = open_checkpoint(ADDRESS)
    assert "own cache" in found.notes[1]
    assert len(list(found.matrices())) == 12
    assert len(hub.asked) == asked
    (root / "blobs" / "ab" / "x").write_bytes(data[:-4])
    assert "digest" in open_checkpoint(ADDRESS).notes[1]


def test_another_format_beside_it_need_not_be_here(hub: Hub, tmp_path: Path) -> None:
    hub.commits[COMMIT] |= {
        "pytorch_model.bin": Content(b"", 10**9, digest="b" * 64),
        "pytorch_model.bin.index.json": content(b"{}", lfs=False),
        "onnx/model.onnx": Content(b"", 10**9, digest="b" * 64),
    }
    snapshot = tmp_path / "hub-cache" / "models--org--model" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).write_bytes(hub.commits[COMMIT][name].front)
    assert "own cache" in open_checkpoint(ADDRESS).notes[1]


def test_the_mirror_is_no_model_by_its_path(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub.commits[COMMIT] = huge()
    folder = located.located(ADDRESS).folder
    (tmp_path / "link.safetensors").symlink_to(folder / "model.safetensors")
    monkeypatch.setattr(span, "_SUPPLIES", {})
    for path in (folder, folder / "model.safetensors", tmp_path / "link.safetensors"):
        with pytest.raises(CheckpointError, match="kept only in parts"):
            open_checkpoint(path)


def test_the_command_line_from_end_to_end(hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    hub.commits[OTHER] = model(seed=1)
    assert main(["inspect", ADDRESS, "--json", "--stable-for", "60"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert len(document["matrices"]) == 12
    assert any(COMMIT in note for note in document["notes"])
    assert shown.err == f"fetched from the hub: {hub.sent:,} bytes\n"
    tuned = f"{ADDRESS}@{OTHER}"
    assert main(["scan", tuned, "--base", ADDRESS, "--jobs", "2", "--output", str(tmp_path / "out"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert main(["scan", tuned, "--base", ADDRESS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == rows
    assert main(["audit", tuned, "--base", ADDRESS, "--exit-zero"]) == 0
    capsys.readouterr()
    assert TOKEN not in shown.out + shown.err
    assert not any(TOKEN.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert all(TOKEN in each.headers["authorization"] for each in hub.asked if each.kind != "cdn")
    assert hub.of_kind("cdn")
    assert not any("authorization" in each.headers for each in hub.of_kind("cdn"))
