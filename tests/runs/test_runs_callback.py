"""The callback for anybody's Trainer: the numbers of a scan, no harm to the training, its cost said."""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from shadowgraph.errors import SpecError
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.scan import scan
from shadowgraph.runs import callback as callback_module
from shadowgraph.runs.callback import ShadowgraphCallback
from shadowgraph.runs.live import copy_weights, read_update, store, unreadable
from shadowgraph.runs.model import initial_model, state_digest
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.session import session
from shadowgraph.weights.checkpoint import open_checkpoint

SLOTS = ("q", "k", "v", "o", "gate", "up", "down")


class Listener(TrainerCallback):
    """A logger like any other: remembers what reaches it before the end."""

    def __init__(self) -> None:
        self.heard: list[dict[str, float]] = []
        self.closed = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Remember."""
        if not self.closed:
            self.heard.append(dict(logs))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close."""
        self.closed = True


Make = Callable[..., Trainer]


@pytest.fixture
def make(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> Make:
    """A bare Trainer of six steps with some callbacks."""

    def build(*callbacks: TrainerCallback, model: Any = None, steps: int = 6) -> Trainer:
        rows = torch.from_numpy(np.load(stream(0)).astype(np.int64))
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "trainer"),
            max_steps=steps,
            per_device_train_batch_size=4,
            learning_rate=1e-2,
            logging_steps=2,
            save_strategy="steps",
            save_steps=3,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            dataloader_pin_memory=False,
            log_level="error",
        )
        data: Any = [{"input_ids": row, "labels": row} for row in rows]
        return Trainer(
            model=initial_model(recipe, None) if model is None else model,
            args=arguments,
            train_dataset=data,
            callbacks=list(callbacks),
        )

    return build


def test_it_reads_what_a_scan_reads(make: Make, recipe: Recipe, tmp_path: Path) -> None:
    initial_model(recipe, None).save_pretrained(tmp_path / "start")
    listener, reader = Listener(), ShadowgraphCallback([3, 6])
    with session(1):
        bare = make()
        bare.train()
        trainer = make(listener, reader)
        reader.attach(trainer)
        trainer.train()
    model: Any = trainer.model
    assert state_digest(model) == state_digest(bare.model)  # reading does not touch the training
    model.save_pretrained(tmp_path / "end")
    wanted = endpoint(scan(open_checkpoint(tmp_path / "end"), open_checkpoint(tmp_path / "start"))).as_dict()
    assert [reading["step"] for reading in reader.readings] == [3, 6]
    last = reader.readings[-1]
    for key in ("K", "K_emb", "log_norm"):
        assert last[key] == pytest.approx(wanted[key], abs=1e-9)
    assert {key for key in last if key.startswith("pr/")} == {f"pr/{slot}" for slot in SLOTS}
    # The numbers are where every other scalar of the training is, before the loggers close.
    heard = [logs["shadowgraph/K"] for logs in listener.heard if "shadowgraph/K" in logs]
    history = [logs["shadowgraph/K"] for logs in trainer.state.log_history if "shadowgraph/K" in logs]
    assert heard == history == [reading["K"] for reading in reader.readings]
    assert 0.0 < listener.heard[-1]["shadowgraph/overhead_share"] < 1.0
    assert not reader.faults
    assert not reader.skipped
    assert not reader._place.exists()  # pyright: ignore[reportPrivateUsage]


def test_without_attachment_the_history_alone_has_them(make: Make) -> None:
    reader = ShadowgraphCallback(every=4)
    with session(1):
        trainer = make(reader)
        trainer.train()
    assert [logs["shadowgraph/step"] for logs in trainer.state.log_history if "shadowgraph/K" in logs] == [4.0]


def test_a_resumed_training_is_read_from_its_true_start(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    readings: list[Any] = []
    for folder in (tmp_path / "kept", None):
        shutil.rmtree(tmp_path / "trainer", ignore_errors=True)
        with session(1):
            first = ShadowgraphCallback([6], folder=folder)
            make(first).train()
            second = ShadowgraphCallback([6], folder=folder)
            make(second).train(resume_from_checkpoint=str(tmp_path / "trainer" / "checkpoint-3"))
        readings.append((first.readings, second.readings))
    (whole, resumed), (_, lost) = readings
    assert resumed[0]["K"] == pytest.approx(whole[0]["K"], abs=1e-6)
    assert lost == []
    assert "its start was not kept" in caplog.text


def test_faults_stay_out_of_the_training(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError("disk full")

    with session(1):
        bare = make()
        bare.train()
        monkeypatch.setattr(callback_module, "read_update", fail)
        background = ShadowgraphCallback([2, 4])
        trainer = make(background)
        trainer.train()
        monkeypatch.setattr(callback_module, "copy_weights", fail)
        copying = ShadowgraphCallback([2])
        make(copying).train()
    assert state_digest(trainer.model) == state_digest(bare.model)
    assert [str(fault) for fault in background.faults] == ["disk full"] * 2
    assert len(copying.faults) == 1
    assert "disk full" in caplog.text


def test_a_slow_reading_costs_readings_not_steps(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    gate = threading.Event()

    def wait(*_: Any) -> Any:
        gate.wait(30)
        return {"K": 1.0}

    class Opener(TrainerCallback):
        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            gate.set()

    monkeypatch.setattr(callback_module, "read_update", wait)
    reader = ShadowgraphCallback(every=1)
    with session(1):
        make(Opener(), reader).train()
    assert len(reader.readings) + len(reader.skipped) == 6
    assert len(reader.skipped) >= 3


def test_only_rank_zero_reads(make: Make) -> None:
    reader = ShadowgraphCallback([2])

    class Elsewhere(TrainerCallback):
        def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            state.is_world_process_zero = False

    with session(1):
        trainer = make(Elsewhere(), reader)
        model: Any = trainer.model
        reader.on_train_begin(trainer.args, trainer.state, trainer.control, model=model)
        trainer.state.global_step = 2
        reader.on_step_end(trainer.args, trainer.state, trainer.control, model=model)
    assert reader.readings == []
    assert reader._pool is None  # pyright: ignore[reportPrivateUsage]


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_an_adapter_is_read_against_its_own_null(recipe: Recipe, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="the extra for adapters is not installed")
    # A product of Gaussian factors is what the null of rank 2 describes: k is about 0, not log(PR0 / 2).
    model: Any = peft.get_peft_model(initial_model(recipe, None), peft.LoraConfig(r=2, target_modules=["q_proj"]))
    start = copy_weights(model)
    store(start, model, tmp_path / "start")
    assert open_checkpoint(tmp_path / "start").config["model_type"] == "llama"
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    now = copy_weights(model)
    store(now, model, tmp_path / "now")
    assert set(now.ranks.values()) == {2}
    read, dense = (read_update(tmp_path / "start", tmp_path / "now", ranks) for ranks in (now.ranks, {}))
    assert dense["K_status"] == "no_change"  # all matrices counted, most of which cannot change
    assert read["pr/q"] == dense["pr/q"]
    assert 1.0 <= float(read["pr/q"]) <= 2.0
    assert abs(float(read["K"])) < 0.5 < np.log(16 * 16 / 33 / float(read["pr/q"]))


def test_distributed_tensors_are_gathered(recipe: Recipe) -> None:
    from torch import distributed
    from torch.distributed.fsdp import fully_shard

    model: Any = initial_model(recipe, None)
    wanted = copy_weights(model)
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        fully_shard(model)
        assert unreadable(model) == ""
        found = copy_weights(model)
    finally:
        distributed.destroy_process_group()
    assert set(found.tensors) == set(wanted.tensors)
    assert all(torch.equal(value, wanted.tensors[name]) for name, value in found.tensors.items())


def test_what_cannot_be_whole_is_said_once(make: Make, recipe: Recipe, caplog: pytest.LogCaptureFixture) -> None:
    model: Any = initial_model(recipe, None)
    next(iter(model.parameters())).ds_id = 0
    reader = ShadowgraphCallback(every=1)
    with session(1), caplog.at_level(logging.WARNING):
        make(reader, model=model, steps=3).train()
    assert caplog.text.count("ZeRO stage 3") == 1
    assert reader.readings == reader.faults == []


def test_steps_must_be_said() -> None:
    for arguments in ({}, {"steps": [1], "every": 2}, {"steps": [0]}, {"every": 0}):
        with pytest.raises(SpecError):
            ShadowgraphCallback(**arguments)  # pyright: ignore[reportArgumentType]
