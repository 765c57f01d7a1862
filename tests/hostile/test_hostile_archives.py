"""Pickles run nothing: not in the process that reads, and in the one that torch runs in only what builds tensors."""

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bad_archives import ARCHIVE_CASES, CALL, CALLS, CANARY, archived, block, members, named, pickled, reduced, text
from badfiles import made
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import CheckpointError, EnvironmentFault
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.readers import torch_archive, torch_child, torch_loader
from shadowgraph.weights.readers.pickle_opcodes import require_plain

WATCHED = """
import json, sys
from pathlib import Path
from shadowgraph.errors import CheckpointError
from shadowgraph.weights.checkpoint import open_checkpoint
events = ("exec", "compile", "import", "os.", "subprocess.", "socket.", "pickle.", "ctypes.", "mmap.", "shutil.")
seen, watching = [], []
sys.addaudithook(lambda event, args: seen.append(event) if watching and event.startswith(events) else None)
quiet = {"os.scandir", "os.listdir"}
for place in [sys.argv[1], *sys.argv[1:]]:
    try:
        open_checkpoint(Path(place))
        print("accepted", place)
    except CheckpointError:
        pass
    if not watching:
        watching.append(True)
print(json.dumps(sorted(set(seen) - quiet)))
print(json.dumps([name for name in ("torch", "numpy.f2py", "pip") if name in sys.modules]))
"""
RUN = [case for case in ARCHIVE_CASES if case.row in {"PK01", "PK02"} and case.target != "model"]


def test_the_reading_process_runs_nothing_of_a_pickle(tmp_path: Path) -> None:
    files = [str(made(case, tmp_path / str(number))) for number, case in enumerate(RUN)]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *files], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen, loaded = [json.loads(line) for line in done.stdout.splitlines()]
    assert seen == []
    assert loaded == []
    assert not (tmp_path / CANARY).exists()


@contextmanager
def child(folder: Path) -> Generator["Child"]:
    """The process in which torch runs, spoken to without the checks that come before it."""
    command = [sys.executable, "-I", torch_child.__file__, "2", "10", ""]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


class Child:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        assert "ready" in self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = int.from_bytes(self.process.stdout.read(8), "little")
        return json.loads(self.process.stdout.read(length)) if length else {"ended": self.process.wait()}

    def ask(self, pickle_bytes: bytes, *storages: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        for piece in (json.dumps(storages or ["0"]).encode(), pickle_bytes):
            self.process.stdin.write(len(piece).to_bytes(8, "little") + piece)
        self.process.stdin.flush()
        return self.answer()


NEEDS_MEMORY = pickled(named("builtins", "bytearray") + b"(J" + struct.pack("<i", 2_000_000_000) + b"tR")
CYCLE = pickled(b"}q\x00" + text("a") + b"h\x00s")
NO_TABLE = pickled(b"]q\x00(" + b"h\x00" * 10 + b"e")


def test_the_process_of_torch_runs_nothing_either_and_keeps_its_limits(tmp_path: Path) -> None:
    with child(tmp_path) as torch:
        status = Path(f"/proc/{torch.process.pid}/limits").read_text()
        lines = {line[:26].strip(): line[26:].split()[0] for line in status.splitlines()[1:]}
        assert lines["Max open files"] == lines["Max file size"] == lines["Max processes"] == "0"
        assert int(lines["Max data size"]) <= 600_000_000
        for call in CALLS.values():
            assert "refused" in torch.ask(pickled(reduced(*call)))
        assert "refused" in torch.ask(block()[:-2] + text("x") + CALL + b"u.")
        assert "MemoryError" in torch.ask(NEEDS_MEMORY)["refused"]
        assert "holds itself" in torch.ask(CYCLE)["refused"]
        assert "refused" in torch.ask(NO_TABLE)
        assert "refused" in torch.ask(block(), "1")
        assert len(torch.ask(block())["tensors"]) == 7
        resident = Path(f"/proc/{torch.process.pid}/status").read_text()
        assert int(resident.split("VmHWM:")[1].split()[0]) < 600_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_pickle_that_keeps_torch_busy_is_cut_off(tmp_path: Path) -> None:
    steps = b"".join(bytes([0x68, n, 0x68, n, 0x86, 0x71, n + 1]) for n in range(60))
    endless = pickled(b"K\x01\x85q\x00" + steps + b"}h\x3cK\x01s")  # a key whose hash takes 2 to the power of 60 steps
    started = time.perf_counter()
    with child(tmp_path) as torch:
        assert torch.ask(endless) == {"ended": -24}
    assert time.perf_counter() - started < 120
    with pytest.raises(CheckpointError, match="takes longer"):
        torch_loader.describe([torch_loader.Pickled(endless, ("0",), "x")])


@pytest.mark.parametrize("event", ["socket.connect", "os.system", "subprocess.Popen", "open", "import", "exec"])
def test_what_the_process_of_torch_may_not_do(event: str) -> None:
    with pytest.raises(RuntimeError, match=event):
        torch_child.refuse(event, ())


def test_what_it_may() -> None:
    torch_child.refuse("object.__getattr__", ())
    torch_child.refuse("sys._getframe", ())


def absent(name: str) -> None:
    assert name == "torch"


def test_without_torch_the_install_line_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(archived(members(block())))
    monkeypatch.setattr("importlib.util.find_spec", absent)
    with pytest.raises(EnvironmentFault, match=r"pip install \"shadowgraph\[torch\]\"") as caught:
        open_checkpoint(file)
    assert caught.value.exit_code == 5


def test_an_old_torch_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(archived(members(block())))
    monkeypatch.setattr(torch_loader, "LEAST", (99, 0))
    with pytest.raises(EnvironmentFault, match=r"99\.0 or later is needed.*pip install") as caught:
        open_checkpoint(file)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("code", "kind"), [("raise SystemExit(3)", "ended with code 3"), ("while True: pass", "longer")]
)
def test_a_process_that_does_not_start_is_the_machines_fault(
    code: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch_child.py").write_text(code)
    monkeypatch.setattr(torch_loader, "__file__", str(tmp_path / "torch_loader.py"))
    monkeypatch.setattr(torch_loader, "STARTING", 2.0)
    with pytest.raises(EnvironmentFault, match=kind):
        torch_loader.describe([torch_loader.Pickled(block(), ("0",), "x")])


READY = """
import sys
def put(text):
    sys.stdout.buffer.write(len(text).to_bytes(8, "little") + text)
    sys.stdout.buffer.flush()
put(b'{"ready": ""}')
def get():
    for _ in range(2):
        sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(8), "little"))
"""
ENDS = {
    "sys.exit(1)": r"broke off on it \(code 1\)",
    "import os; os.kill(os.getpid(), 11)": r"broke off on it \(code -11\)",
    "while True: pass": "takes longer",
    "import os; get(); os.close(1); get()": "takes longer",
    "get(); put(b'{')": "the answer of torch's process is not JSON",
    "get(); put(b'[]')": "refuses it",
    "get(); sys.stdout.buffer.write(b'\\xff' * 8); sys.stdout.flush()": "bytes",
}


@pytest.mark.parametrize("code", ENDS)
def test_whatever_happens_to_the_process_is_said(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch_child.py").write_text(READY + code)
    monkeypatch.setattr(torch_loader, "__file__", str(tmp_path / "torch_loader.py"))
    monkeypatch.setattr(torch_loader, "READING", 2.0)
    monkeypatch.setattr(torch_loader, "ENDING", 1.0)
    with pytest.raises(CheckpointError, match=ENDS[code]):
        torch_loader.describe([torch_loader.Pickled(block() * 1000, ("0",), "x")])


def saying(*tensor: Any) -> Callable[[Sequence[torch_loader.Pickled]], list[dict[str, Any]]]:
    """A loader that says one thing of every pickle."""
    return lambda pickles: [{"top": "dict", "tensors": [list(tensor)]} for _ in pickles]


GOOD = (["a"], "float32", [6, 6], [6, 1], 0, 144, "0")
LIES = {
    "a wrong place": (["a"], "float32", [6, 6], [6, 1], 0, 144, "x"),
    "a negative stride": (["a"], "float32", [6, 6], [-6, 1], 35, 144, "0"),
    "a negative start": (["a"], "float32", [6, 6], [6, 1], -1, 144, "0"),
    "beyond": (["a"], "float32", [6, 6], [6, 1], 1, 144, "0"),
    "a huge stride": (["a"], "float32", [2, 2], [2**62, 1], 0, 144, "0"),
    "a huge shape": (["a"], "float32", [2**40, 2**40], [0, 0], 0, 144, "0"),
    "more bytes": (["a"], "float32", [6, 6], [6, 1], 0, 145, "0"),
    "an unknown type": (["a"], "float31", [6, 6], [6, 1], 0, 144, "0"),
    "ranks that differ": (["a"], "float32", [6, 6], [1], 0, 144, "0"),
    "no numbers": (["a"], "float32", [6, 6.0], [6, 1], 0, 144, "0"),
    "a truth": (["a"], "float32", [6, True], [6, 1], 0, 144, "0"),
    "too little": (["a"], "float32", [6, 6]),
    "no type": (["a"], ["float32"], [6, 6], [6, 1], 0, 144, "0"),
    "no name": ([3], "float32", [6, 6], [6, 1], 0, 144, "0"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_torch_says_is_held_against_the_file(lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(archived(members(block())))
    monkeypatch.setattr(torch_archive, "describe", saying(*LIES[lie]))
    with pytest.raises((CheckpointError, torch_archive.Defect), match=r"pytorch_model\.bin"):
        torch_archive.read_header(file)
    monkeypatch.setattr(torch_archive, "describe", saying(*GOOD))
    assert torch_archive.read_header(file).entries[0].shape == (6, 6)


VALID = archived(members(block()))


def survives(data: bytes, path: Path) -> bool:
    """Whether a changed archive is accepted; a refusal is one of ours and names the file, quickly."""
    path.write_bytes(data)
    started = time.process_time()
    said = ""
    try:
        torch_archive.read_header(path)
    except CheckpointError as error:
        said = str(error)
    assert time.process_time() - started < 2
    assert not said or path.name in said
    return not said


def test_every_cut_and_every_turned_bit_of_the_lists_is_refused_or_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_archive, "describe", saying(*GOOD))
    file = tmp_path / "m.bin"
    assert not any(survives(VALID[:length], file) for length in range(0, len(VALID), 7))
    listed = VALID.index(b"PK\x01\x02")
    harmless: set[int] = set()
    for place in range(listed, len(VALID)):
        changed = bytearray(VALID)
        changed[place] ^= 1 << (place % 8)
        if survives(bytes(changed), file):
            harmless.add((place - listed) % 1000)
    versions_dates_attributes = len(harmless) / (len(VALID) - listed)
    assert 0 < versions_dates_attributes < 0.5


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_pickle_is_accepted_or_refused_in_a_sentence(data: st.DataObject) -> None:
    good = block()
    place = data.draw(st.integers(0, len(good) - 1))
    piece = data.draw(st.binary(max_size=8))
    changed = good[:place] + piece + good[place + data.draw(st.integers(0, 8)) :]
    said = "m.bin: "
    try:
        require_plain(changed, "m.bin")
    except CheckpointError as error:
        said = str(error)
    assert said.startswith("m.bin: ")
    assert said.isprintable()


@pytest.mark.slow
@pytest.mark.skipif("PICKLE_SAMPLES" not in os.environ, reason="no folder of a scanner's samples is named")
def test_the_samples_of_pickle_scanners_run_nothing(tmp_path: Path) -> None:
    """Any folder of samples, such as `tests/data` and `tests/data2` in the repository of picklescan."""
    samples = sorted(path for path in Path(os.environ["PICKLE_SAMPLES"]).rglob("*") if path.is_file())
    assert samples
    for number, sample in enumerate(samples):
        (tmp_path / f"{number}.bin").write_bytes(sample.read_bytes())
    files = [str(tmp_path / f"{number}.bin") for number in range(len(samples))]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *files], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-2])
    assert not {event for event in seen if event.startswith(("os.system", "socket.", "pickle.", "ctypes."))}
    assert {path.name for path in tmp_path.iterdir()} == {f"{number}.bin" for number in range(len(samples))}
