"""Executors: order, resumption, lost workers, and an honest clock."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from shadowgraph.errors import DataError, Defect, EnvironmentFault
from shadowgraph.identity import Json
from shadowgraph.work.account import Account, State
from shadowgraph.work.executor import execute
from shadowgraph.work.job import Job, Progress


def write(arguments: Mapping[str, Json], progress: Progress) -> None:
    folder = Path(str(arguments["folder"]))
    with (folder / "log").open("a") as stream:
        stream.write(f"{arguments['name']}\n")
    progress(0.5)
    (folder / str(arguments["name"])).write_text(os.environ.get("OMP_NUM_THREADS", "unset"))


def fail(arguments: Mapping[str, Json], progress: Progress) -> None:
    raise DataError("a bad row", where="x.jsonl:3", hint="mend it")


def die(arguments: Mapping[str, Json], progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def forget(arguments: Mapping[str, Json], progress: Progress) -> None:
    progress(1.0)


def job(folder: Path, name: str, needs: tuple[str, ...] = (), function: str = "write", cost: float = 1.0) -> Job:
    arguments: dict[str, Json] = {"folder": str(folder), "name": name}
    return Job(name, f"{__name__}:{function}", arguments, folder / name, needs, cost)


def log(folder: Path) -> list[str]:
    return (folder / "log").read_text().split() if (folder / "log").exists() else []


@pytest.mark.parametrize("workers", [1, 2])
def test_needs_come_first_and_done_jobs_rest(tmp_path: Path, workers: int) -> None:
    jobs = [job(tmp_path, "c", ("a", "b")), job(tmp_path, "a"), job(tmp_path, "b", ("a",)), job(tmp_path, "d")]
    (tmp_path / "d").write_text("done before")
    states: list[State] = []
    execute(jobs, workers=workers, display=states.append)
    assert log(tmp_path) == ["a", "b", "c"]
    assert states[-1].share == 1.0
    assert states[-1].done == 4
    execute(jobs, workers=workers)
    assert log(tmp_path) == ["a", "b", "c"]


def test_workers_have_one_thread_and_our_environment_is_kept(tmp_path: Path) -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    execute([job(tmp_path, "a")], workers=2)
    assert (tmp_path / "a").read_text() == "1"
    assert os.environ.get("OMP_NUM_THREADS") == before


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_crosses_with_all_its_parts(tmp_path: Path, workers: int) -> None:
    with pytest.raises(DataError) as caught:
        execute([job(tmp_path, "a"), job(tmp_path, "b", ("a",), "fail")], workers=workers)
    assert (caught.value.found, caught.value.where, caught.value.hint) == ("a bad row", "x.jsonl:3", "mend it")
    assert (tmp_path / "a").exists()


def test_a_lost_worker_is_an_environment_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="worker process was lost"):
        execute([job(tmp_path, "a", (), "die")], workers=2)


def test_a_job_without_its_mark_is_a_defect(tmp_path: Path) -> None:
    with pytest.raises(Defect, match="without its mark"):
        execute([job(tmp_path, "a", (), "forget")], workers=1)


def test_wrong_graphs_are_defects(tmp_path: Path) -> None:
    for jobs in (
        [job(tmp_path, "a"), job(tmp_path, "a")],
        [job(tmp_path, "a", ("b",)), job(tmp_path, "b", ("a",))],
        [job(tmp_path, "a", ("z",))],
    ):
        with pytest.raises(Defect):
            execute(jobs, workers=1)


def test_time_left_counts_only_what_this_start_has_done(tmp_path: Path) -> None:
    now = [0.0]
    jobs = [job(tmp_path, name, cost=10.0) for name in "abcd"]
    (tmp_path / "a").write_text("from an earlier start")
    account = Account(jobs, workers=1, clock=lambda: now[0])
    assert account.state([]).left is None
    now[0] = 20.0
    account.tell("b", 1.0)
    state = account.state(["c"])
    assert state.share == 0.5
    assert state.left == pytest.approx(40.0)
    account.tell("c", 0.5)
    account.tell("c", 0.2)
    assert account.fractions["c"] == 0.5


def test_time_left_respects_the_longest_chain(tmp_path: Path) -> None:
    now = [0.0]
    jobs = [job(tmp_path, "a", cost=10.0), job(tmp_path, "b", cost=50.0), job(tmp_path, "c", ("b",), cost=50.0)]
    account = Account(jobs, workers=2, clock=lambda: now[0])
    now[0] = 10.0
    account.tell("a", 1.0)
    account.tell("b", 0.2)
    left = account.state(["a", "b"]).left
    assert left is not None
    assert left >= 90.0


def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from shadowgraph.work.executor import execute\n"
        "from shadowgraph.work.job import Job\n"
        "if __name__ == '__main__':\n"
        f"    at = Path({str(tmp_path)!r})\n"
        "    jobs = [Job(n, 'test_work_executor:sleep', {'folder': str(at), 'name': n}, at / n) for n in 'ab']\n"
        "    execute(jobs, workers=2)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("pid-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    children = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
    assert len(children) == 2
    parent.kill()
    parent.wait()
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in children)


def sleep(arguments: Mapping[str, Json], progress: Progress) -> None:
    (Path(str(arguments["folder"])) / f"pid-{os.getpid()}").write_text("")
    time.sleep(120)


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1]
    except OSError:
        return False
    return not status.startswith("Z")
