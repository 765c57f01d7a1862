"""The benchmark of spectra runs from end to end at tiny sizes, and its page says what the figures say."""

import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The light modules of the benchmark, as a script beside them would import them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return SimpleNamespace(page=import_module("spectra_page"), peers=import_module("peers"))


def figures(bench: Any, **change: Any) -> Any:
    """Figures of two tools that both finished, ours four times as fast in half the memory."""
    ours = bench.peers.Run(5.0, 6.0, 240_000_000, {"ready": 1.0}, {"a": {"spikes": 4.0, "stable_rank": 2.0}})
    peer = bench.peers.Run(20.0, 22.0, 480_000_000, {"ready": 2.0}, {"a": {"erank_amplitude": 3.3}})
    known = {"a": {"kind": "noise", "shape": [4, 5], "spikes": 0, "norm": 0.0, "stable_rank": 2.0}}
    known["a"] |= {"erank_amplitude": 3.0, "participation_ratio": 2.5}
    times = {"ours": [1.0, 1.0, 3.0], "numpy": [2.4, 2.4, 2.4]}
    full = {"side": 2048, "shape": [2048, 2048], "times": times, "method": "gram32", "error": 1e-7, "bound": 1e-5}
    parts = {"gemm": [1.0], "gram": [0.7], "checked": [0.8], "roots": [1.8], "measures": [0.001]}
    stage = {"side": 2048, "shape": [2048, 2048], "single": True, "times": parts}
    given = bench.page.Figures(
        known=dict.fromkeys(("llama", "gpt2", "hard"), known),
        runs={pair: {"shadowgraph": [ours], "modeldelta": [peer]} for pair in ("llama", "gpt2", "hard")},
        absent={"weightwatcher": "installation failed: ERROR: no space", "diffract-core": "needs Python 3.12"},
        rows={"spectra": [full], "stages": [stage], "nulls": [], "device": []},
        failed={},
        machine="a processor, 2 cores",
        load=[0.1, 1.0, 1.0],
        rounds=3,
    )
    return replace(given, **change)


def test_the_page_weighs_every_target(bench: Any) -> None:
    text = bench.page.page(figures(bench))
    assert "**reached**: the fastest of the peers, modeldelta, takes 4.00× (wanted 3×, aim 5×)" in text
    assert "**aim reached**: the fastest of the peers, modeldelta, takes 4.00× (wanted 2×, aim 4×)" in text
    assert "**reached**: our peak memory is 0.50 of its" in text
    assert "**not reached**: d = 2048, all shapes: numpy takes 2.40× (wanted 2.5×, aim 3×)" in text
    assert "the Gram product takes 1.40× (wanted at most 1.5×, aim 1.2×)" in text


def test_what_did_not_run_says_so_and_has_no_figure(bench: Any) -> None:
    lines = bench.page.page(figures(bench)).splitlines()
    for reason in ("weightwatcher | not run: installation failed: ERROR: no space", "diffract-core | not run: needs"):
        assert sum(line.startswith(f"| {reason}") for line in lines) == 2
    assert "not run: no GPU here" in lines
    failed = bench.peers.Run(3.0, 3.0, 1, failure="stopped after 600 s")
    given = figures(bench)
    runs = given.runs | {"llama": {"shadowgraph": given.runs["llama"]["shadowgraph"], "modeldelta": [failed]}}
    text = bench.page.page(replace(given, runs=runs, failed={"stages": "MemoryError"}))
    assert "| modeldelta | not run: stopped after 600 s | " in text
    assert "No verdict: there is nothing to compare with." in text
    assert "not run: MemoryError" in text


def test_a_count_is_right_only_when_it_is_four(bench: Any) -> None:
    ours = bench.peers.Run(5.0, 6.0, 1, answers={"a": {"spikes": 4.0}, "b": {"spikes": 5.0}, "c": {"spikes": "floor"}})
    text = "\n".join(bench.page.spikes_table(figures(bench, runs={"llama": {"shadowgraph": [ours]}})))
    assert "| 1 of 3 | 4–5 |" in text


def test_a_rank_is_compared_with_the_truth(bench: Any) -> None:
    lines = bench.page.ranks_table(figures(bench))
    assert any(line.endswith("| modeldelta | 1e-01 | — | — |") for line in lines)


def test_a_child_is_measured_and_its_failure_told(bench: Any) -> None:
    code = "import time\nwhile time.process_time() < .2: pass\nblock = bytearray(120_000_000)"
    run, _ = bench.peers.child([sys.executable, "-c", code], 60.0, {})
    assert 0.2 <= run.cpu < 5.0
    assert run.peak > 120e6
    assert run.failure == ""
    run, _ = bench.peers.child([sys.executable, "-c", "raise ValueError('bad /a/path here')"], 60.0, {})
    assert run.failure == "ValueError: bad here"
    run, _ = bench.peers.child([sys.executable, "-c", "import time; time.sleep(60)"], 0.3, {})
    assert run.failure == "stopped after 0 s"


def test_a_missing_interpreter_is_a_reason(bench: Any, tmp_path: Path) -> None:
    peer = bench.peers.Peer("diffract-core", "0.3.1", python="3.99")
    assert bench.peers.environment_of(peer, tmp_path) == (None, "needs Python 3.99")
    assert list(tmp_path.iterdir()) == []


def test_it_runs_at_tiny_sizes(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "spectra.py"), "--quick", "--cache", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| shadowgraph | spike count above edge and floor | 7 of 7 | 4–4 |" in done.stdout
    assert done.stdout.count("not run: left out on request") == 7
    assert "| rank 4, bf16, 64×64, norm 0.03 | 4 | 4 |" in done.stdout
