"""Every broken safetensors file is refused by name, quickly, in little memory; every odd one is flagged."""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from badfiles import CASES, Case, packed, tensor
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import save_file

from shadowgraph.errors import CheckpointError, EnvironmentFault, ShadowgraphError
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.readers import span
from shadowgraph.weights.readers.safetensors import read_header, read_values


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_bad_file_is_refused_or_flagged(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    case.make(path)
    started = time.perf_counter()
    if case.code == 0:
        said = " ".join(read_header(path).notes)
    else:
        with pytest.raises(ShadowgraphError) as caught:
            read_header(path)
        assert caught.value.exit_code == case.code
        assert "model.safetensors" in caught.value.where
        said = str(caught.value)
    assert all(word in said for word in case.words), said
    assert said.isprintable()
    assert len(said) < 1500
    assert time.perf_counter() - started < 5


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


def test_names_print_without_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(packed(json.dumps({"\x1b]8;;http://x\x07": tensor("F32", [2, 2], 0, 16)}).encode(), b"\0" * 16))
    with pytest.raises(CheckpointError, match="no known family") as caught:
        open_checkpoint(path)
    assert str(caught.value).isprintable()


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


def accepted_by_oracle(path: Path) -> set[str] | None:
    """Names the official reader sees, None when it refuses."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy", backend="pread") as stream:
            return set(stream.keys())
    except SafetensorError:
        return None


@settings(max_examples=250)
@given(data=st.data())
def test_we_accept_nothing_that_the_official_reader_refuses(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Differential: a small valid file, mutated; whatever we accept the oracle accepts, with the same names."""
    header = json.dumps(
        {"__metadata__": {"a": "b"}, "x": tensor("F32", [2, 2], 0, 16), "y": tensor("BF16", [3], 16, 22)}
    ).encode()
    content = bytearray(packed(header, bytes(range(22))))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    path = tmp_path_factory.getbasetemp() / "mutant.safetensors"
    path.write_bytes(bytes(content[:cut]))
    try:
        ours = {entry.name for entry in read_header(path).entries}
    except CheckpointError:
        return
    assert accepted_by_oracle(path) == ours


@settings(max_examples=60)
@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=5),
    dtype=st.sampled_from([np.float64, np.float32, np.float16]),
)
def test_we_read_what_the_official_writer_writes(
    shapes: list[list[int]], dtype: type, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tensors = {
        f"t{i}": np.asarray(np.arange(int(np.prod(shape))).reshape(shape) / 7, dtype=dtype)
        for i, shape in enumerate(shapes)
    }
    path = tmp_path_factory.getbasetemp() / "written.safetensors"
    save_file(tensors, path)
    entries = read_header(path).entries
    assert {entry.name for entry in entries} == set(tensors)
    for entry in entries:
        assert np.array_equal(read_values(entry), tensors[entry.name].astype(np.float64))
