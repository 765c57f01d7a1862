"""The mirror: killed, damaged, shared by processes, and never a byte that was not fetched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import pytest
from hub_models import model
from hub_server import COMMIT, Asked, Handler, Hub, online
from huggingface_hub import constants
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import CheckpointError, EnvironmentFault
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.hub import located, mirror
from shadowgraph.weights.hub.listing import RemoteFile
from shadowgraph.weights.hub.mirror import BLOCK, MirroredFile
from shadowgraph.weights.readers import span
from shadowgraph.weights.readers.span import opened, read_span

ADDRESS = "hf://org/model"
READS = (
    "import sys; from shadowgraph.weights.checkpoint import open_checkpoint;"
    f"print(open_checkpoint('{ADDRESS}').fingerprint)"
)
SIZE = 9_000_000


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    with online(Hub({COMMIT: model(size=400)}), tmp_path, monkeypatch) as found:  # 7.7 MB
        yield found


@lru_cache(maxsize=2)
def mixed(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]  # 251 divides no block: no two blocks begin alike


class Source:
    """Bytes that tell their place, and what was asked for."""

    def __init__(self, size: int) -> None:
        self.data = mixed(size)
        self.asked: list[tuple[int, int]] = []

    def __call__(self, file: RemoteFile, first: int, last: int, take: Callable[[bytes], None]) -> None:
        self.asked.append((first, last))
        for start in range(first, last, 100_000):
            take(self.data[start : min(start + 100_000, last)])


def mirrored(folder: Path, source: Source) -> MirroredFile:
    file = RemoteFile("model.safetensors", len(source.data), "", "")
    found = MirroredFile(file, folder / "files" / "x", folder / "records" / "x.json", source, "hf://org/model/x")
    found.make()
    return found


@settings(max_examples=30)
@given(spans=st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, 2_000_000)), min_size=1, max_size=6))
def test_every_byte_read_is_the_hubs_and_comes_once(
    spans: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    source, folder = Source(SIZE), tmp_path_factory.mktemp("mirror")
    found = mirrored(folder, source)
    with found.path.open("rb") as stream:
        for first, length in spans:
            last = min(first + length, SIZE)
            found.fill(first, last)
            stream.seek(first)
            assert stream.read(last - first) == source.data[first:last]
    fetched = sorted(source.asked)
    assert all(one[1] <= other[0] for one, other in pairwise(fetched))
    assert all(first % BLOCK == 0 and (last % BLOCK == 0 or last == SIZE) for first, last in fetched)
    wanted = sum(min(first + length, SIZE) - first for first, length in spans)
    assert sum(last - first for first, last in fetched) <= 1.125 * wanted + 2 * BLOCK * len(spans)


def test_reading_in_order_takes_few_requests(tmp_path: Path) -> None:
    source = Source(60_000_000)
    found = mirrored(tmp_path, source)
    for first in range(0, len(source.data), 1 << 20):
        found.fill(first, min(first + (1 << 20), len(source.data)))
    assert len(source.asked) < 35
    assert max(last - first for first, last in source.asked) <= mirror.SEGMENT


def test_the_stamp_stays_when_bytes_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span, "_SUPPLIES", {})
    source = Source(SIZE)
    found = mirrored(tmp_path, source)
    span.supply(found.path, found)
    with opened(found.path) as (descriptor, stamp):
        assert read_span(descriptor, stamp, 4_000_000, 1000).tobytes() == source.data[4_000_000:4_001_000]
        os.utime(found.path, (1e9, 1e9))
        assert span.current_stamp(descriptor, found.path) == stamp
    with opened(found.path, stamp):
        pass
    with pytest.raises(CheckpointError, match="ends at byte"), opened(found.path) as (descriptor, stamp):
        read_span(descriptor, stamp, SIZE - 10, 11)


CLAIM = b'{"body": {"ranges": [[0, 9000000]], "size": 9000000, "tag": ""}, "digest": "x"}'


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "other", "list", "claim"])
def test_a_damaged_record_is_fetched_again(damage: str, tmp_path: Path) -> None:
    source, record = Source(SIZE), tmp_path / "records" / "x.json"
    mirrored(tmp_path, source).fill(0, 100)
    mirrored(tmp_path, source).fill(0, 100)
    assert source.asked == [(0, BLOCK)]
    whole = record.read_bytes()
    assert b"65536" in whole
    damaged = {"cut": whole[:-20], "other": whole.replace(b"65536", b"55536"), "list": b"[]", "claim": CLAIM}
    record.unlink()
    if damage != "gone":
        record.write_bytes(damaged.get(damage, b""))
    again = mirrored(tmp_path, source)
    again.path.write_bytes(bytes(SIZE))
    again.fill(0, 100)
    assert source.asked == [(0, BLOCK)] * 2
    assert again.path.read_bytes()[:100] == source.data[:100]


def test_bytes_that_a_loss_of_power_may_have_cost_are_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(SIZE)
    for name, asked in (("one", 1), ("one", 1), ("two", 2), ("", 3), ("two", 3)):
        monkeypatch.setattr(mirror, "boot", lambda name=name: name)
        mirrored(tmp_path, source).fill(0, 100)
        assert len(source.asked) == asked


def test_a_file_that_is_gone_or_cut_is_made_anew_with_nothing_in_it(tmp_path: Path) -> None:
    source = Source(SIZE)
    first = mirrored(tmp_path, source)
    first.fill(0, 100)
    for size in (0, 10):
        first.path.unlink()
        if size:
            first.path.write_bytes(bytes(size))
        other = mirrored(tmp_path, source)
        first.fill(0, 100)  # it knew the bytes as here; the record says otherwise now
        assert other.path.read_bytes()[:100] == source.data[:100]


def test_what_came_before_a_cut_is_kept(tmp_path: Path) -> None:
    source = Source(SIZE)

    def cut(file: RemoteFile, first: int, last: int, take: Callable[[bytes], None]) -> None:
        take(source.data[first : first + 300_000])
        raise EnvironmentFault("the connection was cut")

    found = mirrored(tmp_path, source)
    found.fetch = cut
    with pytest.raises(EnvironmentFault):
        found.fill(0, 1_000_000)
    found.fetch = source
    found.fill(0, 1_000_000)
    assert source.asked == [(300_000, 1_179_648)]
    assert found.path.read_bytes()[:1_000_000] == source.data[:1_000_000]


def test_a_full_disk_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = mirrored(tmp_path, Source(SIZE))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mirror.os, "pwrite", full)
    with pytest.raises(EnvironmentFault, match="SHADOWGRAPH_CACHE"):
        found.fill(0, 100)


def test_a_process_that_never_ends_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "PATIENCE", 0.1)
    with (
        mirror.locked(tmp_path / "x.lock"),
        pytest.raises(EnvironmentFault, match="another process"),
        mirror.locked(tmp_path / "x.lock"),
    ):
        pass


def test_threads_share_a_file(tmp_path: Path) -> None:
    source = Source(SIZE)
    files = [mirrored(tmp_path, source) for _ in range(4)]
    threads = [threading.Thread(target=each.fill, args=(0, 3_000_000)) for each in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files[0].path.read_bytes()[:3_000_000] == source.data[:3_000_000]
    assert len(source.asked) == 1


def child() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", READS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_process_leaves_what_the_next_goes_on_with(hub: Hub) -> None:
    stalled, go = threading.Event(), threading.Event()

    def stalls(handler: Handler, asked: Asked) -> bool:
        if len(hub.of_kind("cdn")) < 4:
            return False
        found = hub.commits[COMMIT]["model.safetensors"]
        handler.send(asked, found, stop=200_000)
        handler.wfile.flush()
        stalled.set()
        go.wait(20)
        return True

    hub.always = stalls
    process = child()
    assert stalled.wait(30)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hub.always = None
    go.set()
    before, whole = hub.sent, hub.commits[COMMIT]["model.safetensors"]
    assert before > 1_000_000
    found = open_checkpoint(ADDRESS)
    assert found.fingerprint
    assert (located.located(ADDRESS).folder / "model.safetensors").read_bytes() == whole.front
    assert hub.sent < whole.size + 500_000


def test_two_processes_fetch_a_file_once_between_them(hub: Hub) -> None:
    processes = [child(), child()]
    said = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert said[0][0] == said[1][0] == f"{open_checkpoint(ADDRESS).fingerprint}\n"
    files = hub.commits[COMMIT]
    assert hub.sent == files["model.safetensors"].size + files["config.json"].size


def test_many_may_look_up_one_revision_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, rounds = 4, 12

    def looked_up(_: int) -> set[Path]:
        places: set[Path] = set()
        for _ in range(rounds):
            located.COMMITS.clear()  # as a process that has not asked yet
            places.add(located.located(ADDRESS).path)
        return places

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(looked_up, range(threads)))
    assert set().union(*found) == {Path(f"{ADDRESS}@{COMMIT}")}
    with monkeypatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        located.COMMITS.clear()
        assert located.located(ADDRESS).path == Path(f"{ADDRESS}@{COMMIT}")


def test_records_say_what_was_checked(hub: Hub) -> None:
    assert open_checkpoint(ADDRESS).fingerprint
    folder = located.located(ADDRESS).folder
    records = [json.loads(path.read_text())["body"] for path in (folder.parent / "records").glob("*.json")]
    assert [(each["checked"], each["ranges"]) for each in records] == [(True, [[0, each["size"]]]) for each in records]
    assert len(records) == 2
