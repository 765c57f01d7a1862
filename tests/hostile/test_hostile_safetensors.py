"""Endless headers cost little memory; a file that changes or fails while it is read is an error and no signal."""

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from badcase import packed
from safetensors.numpy import save_file

from shadowgraph.errors import CheckpointError, EnvironmentFault
from shadowgraph.weights.readers import span
from shadowgraph.weights.readers.safetensors import read_header
from shadowgraph.weights.readers.values import read_values


@pytest.mark.parametrize(
    ("count", "filler"),
    [
        (1_000_000, '"t{}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
        (250_000, '"t{}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
        (5_000_000, '"k{}":0'),
    ],
    ids=["ST23", "ST23 beyond the cap", "ST23 keys"],
)
def test_endless_headers_are_refused_in_little_memory(count: int, filler: str, tmp_path: Path) -> None:
    path = tmp_path / "many.safetensors"
    path.write_bytes(packed(b"{" + ",".join(map(filler.format, range(count))).encode() + b"}"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    with pytest.raises(CheckpointError, match="more than"):
        read_header(path)
    assert time.process_time() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000


def test_many_tensors_below_the_cap_are_read(tmp_path: Path) -> None:
    entries = ",".join(f'"t{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(20_000))
    path = tmp_path / "many.safetensors"
    path.write_bytes(packed(b"{" + entries.encode() + b"}"))
    assert len(read_header(path).entries) == 20_000


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file({"w": np.arange(6, dtype=np.float32).reshape(2, 3)}, path)
    return path


def test_a_file_cut_between_header_and_data_is_an_error_and_no_signal(good: Path) -> None:
    entry = read_header(good).entries[0]
    os.truncate(good, good.stat().st_size - 8)
    with pytest.raises(CheckpointError, match="changed while reading"):
        read_values(entry)


def test_a_file_cut_during_the_read_is_an_error(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = read_header(good).entries[0]

    def ended(*_: object) -> int:
        return 0

    monkeypatch.setattr(span.os, "preadv", ended)
    with pytest.raises(CheckpointError, match="cut while reading"):
        read_values(entry)


def test_a_replaced_file_is_noticed(good: Path) -> None:
    entry = read_header(good).entries[0]
    other = good.with_name("other")
    other.write_bytes(good.read_bytes())
    other.replace(good)
    with pytest.raises(CheckpointError, match="changed while reading"):
        read_values(entry)


def test_a_file_written_during_the_read_is_noticed(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = read_header(good).entries[0]
    genuine = os.preadv

    def touching(descriptor: int, buffers: list[Any], offset: int) -> int:
        os.utime(good, ns=(1, 1))
        return genuine(descriptor, buffers, offset)

    monkeypatch.setattr(span.os, "preadv", touching)
    with pytest.raises(CheckpointError, match="changed while reading"):
        read_values(entry)


def test_short_reads_go_on_and_two_faults_are_forgiven(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = read_header(good).entries[0]
    genuine, faults = os.preadv, [OSError(5, "Input/output error")] * 2

    def stingy(descriptor: int, buffers: list[Any], offset: int) -> int:
        if faults:
            raise faults.pop()
        return genuine(descriptor, [buffers[0][:5]], offset)

    monkeypatch.setattr(span.os, "preadv", stingy)
    assert np.array_equal(read_values(entry), np.arange(6.0).reshape(2, 3))


def test_a_device_that_keeps_failing_is_the_machines_fault(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = read_header(good).entries[0]

    def failing(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(span.os, "preadv", failing)
    with pytest.raises(EnvironmentFault, match="at byte") as caught:
        read_values(entry)
    assert caught.value.exit_code == 5


def test_no_permission_is_the_machines_fault(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(span.os, "open", refused)
    with pytest.raises(EnvironmentFault, match="permission denied"):
        read_header(good)


def test_nothing_is_mapped_or_run(good: Path) -> None:
    events: list[str] = []
    watching = [True]
    sys.addaudithook(lambda event, _: events.append(event) if watching[0] else None)
    read_values(read_header(good).entries[0])
    watching[0] = False
    assert not {event for event in events if event.startswith(("mmap", "exec", "os.system", "socket", "pickle"))}
    assert "open" in events
