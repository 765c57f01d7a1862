"""Folders that lie open nothing but their index; sharding is no part of a model's identity; nothing foreign runs."""

import json
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from bad_folders import FOLDER_CASES, OUTSIDE, cache, folder, loose, remapped, single
from badcase import INDEX, Case, llama, save, sharded
from badfiles import bad_inputs, made

from shadowgraph.cli.main import main
from shadowgraph.errors import CheckpointError
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.series import open_series


def same(a: Checkpoint, b: Checkpoint) -> bool:
    return a.fingerprint == b.fingerprint and a.structure == b.structure


def test_a_sharded_folder_is_read_without_remarks(tmp_path: Path) -> None:
    sharded(tmp_path / "model")
    checkpoint = open_checkpoint(tmp_path / "model")
    assert [entry.name for entry in checkpoint.entries] == sorted(llama())
    assert checkpoint.notes == ()


def test_sharding_does_not_change_the_fingerprint(tmp_path: Path) -> None:
    sharded(tmp_path / "model")
    single(llama)(tmp_path / "whole")
    assert same(open_checkpoint(tmp_path / "model"), open_checkpoint(tmp_path / "whole"))
    name = next(iter(llama()))
    save(tmp_path / "whole" / "model.safetensors", llama() | {name: np.ones((6, 6), dtype=np.float32)})
    other = open_checkpoint(tmp_path / "whole")
    assert not same(open_checkpoint(tmp_path / "model"), other)
    assert other.structure == open_checkpoint(tmp_path / "model").structure


def test_the_hubs_cache_is_the_folder_it_was_made_from(tmp_path: Path) -> None:
    cache("models--o--n", "")(tmp_path / "models--o--n")
    cached = open_checkpoint(tmp_path / "models--o--n")
    assert same(cached, open_checkpoint(tmp_path / "source"))
    assert same(open_checkpoint(tmp_path / "models--o--n" / "snapshots" / "abc123"), cached)


def test_a_cache_of_two_snapshots_without_a_reference_asks_which(tmp_path: Path) -> None:
    cache("models--o--n", "")(tmp_path / "models--o--n")
    (tmp_path / "models--o--n" / "snapshots" / "def456").mkdir()
    assert open_checkpoint(tmp_path / "models--o--n").notes == ("the snapshot abc123 of the reference main is read",)
    (tmp_path / "models--o--n" / "refs" / "main").unlink()
    with pytest.raises(CheckpointError, match="2 snapshots and no reference main among them: abc123, def456"):
        open_checkpoint(tmp_path / "models--o--n")


def watched(path: Path, events: set[str]) -> list[tuple[str, str]]:
    """What the interpreter reports while a folder is inspected: kind and first argument of every event."""
    seen: list[tuple[str, str]] = []
    watching = [True]
    sys.addaudithook(
        lambda event, args: seen.append((event, str(args[:1]))) if watching[0] and event in events else None
    )
    with suppress(CheckpointError):
        open_checkpoint(path)
    watching[0] = False
    return seen


@pytest.mark.parametrize("key", OUTSIDE)
def test_a_path_that_leaves_is_refused_before_anything_is_opened(key: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    folder(remapped(OUTSIDE[key]))(path)
    opened = [argument for _, argument in watched(path, {"open"}) if sys.prefix not in argument]
    named = [argument for argument in opened if not argument.endswith((".py',)", ".pyc',)"))]
    assert all(INDEX in argument or "config.json" in argument for argument in named), named


RUNS = {
    "exec",
    "os.system",
    "subprocess.Popen",
    "socket.connect",
    "socket.getaddrinfo",
    "pickle.find_class",
    "mmap.__new__",
}


@pytest.mark.parametrize(
    "case",
    [case for case in FOLDER_CASES if case.row in {"DI08", "DI10", "DI15", "DI19"}],
    ids=lambda case: case.id,
)
def test_nothing_foreign_is_run_unpickled_or_fetched(case: Case, tmp_path: Path) -> None:
    path = made(case, tmp_path)
    watched(path, {"open"})  # modules are loaded by now; loading one is an exec of ours
    assert watched(path, RUNS) == []


def test_files_of_the_training_are_not_even_opened(tmp_path: Path) -> None:
    names = ("training_args.bin", "optimizer.pt", "rng_state_0.pth", "random_states_0.pkl", "scheduler.bin")
    loose("pytorch_model.bin", *names)(tmp_path / "model")
    found = [argument for _, argument in watched(tmp_path / "model", {"open"}) if str(tmp_path) in argument]
    assert found
    assert all("pytorch_model.bin" in argument for argument in found)
    for name in names:
        found = [argument for _, argument in watched(tmp_path / "model" / name, {"open"}) if str(tmp_path) in argument]
        assert not found or name.endswith(".pkl")


def test_a_series_is_ordered_by_number_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    case = next(case for case in FOLDER_CASES if case.id == "DI20 order and gap")
    series = open_series(made(case, tmp_path))
    assert [each.step for each in series.steps] == [10, 20, 30, 100]
    assert series.notes == ("a gap between step 30 and step 100; the usual distance is 10",)
    assert repr(series) == "Series('model', 4 checkpoints, 10…100)"


def test_a_series_beside_a_final_model_is_listed_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = next(case for case in FOLDER_CASES if case.id == "DI20 order and gap")
    path = made(case, tmp_path)
    save(path / "model.safetensors", llama())
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "inspection"
    assert main(["inspect", str(path), "--series", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "series"
    assert [each["step"] for each in document["steps"]] == [10, 20, 30, 100]


@pytest.mark.slow
def test_the_generator_makes_every_row(tmp_path: Path) -> None:
    for name, path, code, words in bad_inputs(tmp_path):
        assert path.is_symlink() or path.exists() or name == "absent", name
        assert code in {0, 3, 4, 5}
        assert code == 0 or words, name
