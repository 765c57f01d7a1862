"""Models that look at pictures: equal to a direct computation, in any batch, of any family, and honest about faults."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from vision_models import FAMILIES, save

from shadowgraph.errors import CheckpointError, DataError, EnvironmentFault, SpecError
from shadowgraph.scores.engine import Engine, Seeing, Watched
from shadowgraph.scores.picture import picture_name, read_picture
from shadowgraph.scores.score import score
from shadowgraph.scores.suite import Suite, write_suite
from shadowgraph.scores.vision import VisionEngine
from shadowgraph.scores.vision_model import told
from shadowgraph.worlds.drawn.draw import draw_png
from shadowgraph.worlds.visual import visual_items

Open = Callable[..., VisionEngine]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder a family."""
    return {family: save(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Choice rows with letters and with texts, generate rows with two ends, rows without a picture."""
    letters: list[dict[str, Any]] = []
    pictures: dict[str, bytes] = {}
    for item in visual_items(2, 4):
        data = draw_png(item.scene)
        pictures[picture_name(data)] = data
        options = "".join(f"\n{letter}. {text}" for letter, text in zip("ABCD", item.choices, strict=False))
        letters.append(
            {
                "id": item.id,
                "family": item.family,
                "group": item.group,
                "context": f"Question: {item.question}{options}\nAnswer:",
                "continuations": [f" {letter}" for letter in "ABCD"[: len(item.choices)]],
                "gold": item.gold,
                "image": picture_name(data),
                "texts": [f" {text}" for text in item.choices],
                "answer": item.answer,
            }
        )
    texts = [{**row, "context": row["context"].partition("\nA.")[0], "continuations": row["texts"]} for row in letters]
    replies = [
        {**{key: row[key] for key in ("id", "family", "group", "context", "image")}, "answers": [row["answer"]]}
        | {"tokens": 5 + index % 2, "until": ["\n"] if index < 2 else ["e", "\n"]}
        for index, row in enumerate(letters)
    ]
    blind = [{key: value for key, value in row.items() if key != "image"} for row in texts]
    splits = {"letters": letters, "texts": texts, "replies": replies, "blind": blind}
    return write_suite(splits, tmp_path_factory.mktemp("suite"), pictures=pictures)


@pytest.fixture(scope="module")
def opened(models: dict[str, Path], suite: Suite) -> Open:
    """An engine of a family."""

    def opening(family: str, **options: Any) -> VisionEngine:
        return VisionEngine(models[family], suite.path, **options)

    return opening


def direct(engine: VisionEngine, suite: Suite, row: dict[str, Any], continuation: str) -> float:
    """log p(continuation | picture, context), nats: one text at a time, no padding, no batches."""
    model, processor = engine._model, engine._processor  # pyright: ignore[reportPrivateUsage]
    shown = {"images": [[read_picture(suite.path, row["image"])]]} if "image" in row else {}
    context = told(processor, row["context"], picture=bool(shown), chat=False)
    head = processor(text=[context], return_tensors="pt", **shown)["input_ids"].shape[1]
    inputs = processor(text=[context + continuation], return_tensors="pt", **shown)
    with torch.no_grad():
        logs = model(**inputs).logits[0].double().log_softmax(-1)
    ids = inputs["input_ids"][0]
    return sum(float(logs[place - 1, ids[place]]) for place in range(head, len(ids)))


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_to_a_direct_computation_in_any_batch(family: str, suite: Suite, opened: Open) -> None:
    # Oracle: the model by hand, float64 after the logits; 1e-4 nats covers float32 sums and padding.
    engines = [opened(family, batch=size) for size in (1, 5)]
    for split, count in (("letters", 1), ("texts", 1), ("blind", 1)):
        rows = suite.items(split)
        one, many = (engine.loglikelihoods(split, rows) for engine in engines)
        for few, several in zip(one, many, strict=True):
            assert few == pytest.approx(several, abs=1e-4)
        for row, values in zip(rows[:count], one, strict=False):
            wanted = [direct(engines[0], suite, row, text) for text in row["continuations"]]
            assert values == pytest.approx(wanted, abs=1e-4)
    assert isinstance(engines[0], Engine)
    assert isinstance(engines[0], Seeing)
    assert isinstance(engines[0], Watched)


@pytest.mark.parametrize("family", FAMILIES)
def test_replies_are_greedy_and_end_where_told(family: str, suite: Suite, opened: Open) -> None:
    rows, engine = suite.items("replies"), opened(family, batch=4)
    found = engine.replies("replies", rows)
    model, processor = engine._model, engine._processor  # pyright: ignore[reportPrivateUsage]
    for row, reply in zip(rows, found, strict=True):
        prompt = told(processor, row["context"], picture=True, chat=False)
        inputs = processor(text=[prompt], images=[[read_picture(suite.path, row["image"])]], return_tensors="pt")
        made = model.generate(**inputs, do_sample=False, max_new_tokens=row["tokens"], pad_token_id=0)
        text = processor.tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        ends = [text.find(stop) for stop in row["until"] if stop in text]
        assert reply == (text[: min(ends)] if ends else text)
    assert len(set(found)) > 1


def test_the_picture_counts_and_equal_calls_are_equal(suite: Suite, opened: Open) -> None:
    engine, rows = opened("llava", batch=3), suite.items("letters")
    shares: list[float] = []
    engine.watch = shares.append
    first = engine.loglikelihoods("letters", rows)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert engine.loglikelihoods("letters", rows) == first
    swapped = [{**row, "image": rows[index - 2]["image"]} for index, row in enumerate(rows)]
    assert all(a != b for a, b in zip(engine.loglikelihoods("letters", swapped), first, strict=True))


def test_letters_share_one_pass(suite: Suite, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, passes = opened("llava", batch=8), list[int]()
    forward = engine._model.forward  # pyright: ignore[reportPrivateUsage]

    def counted(*args: Any, **kwargs: Any) -> Any:
        passes.append(len(kwargs["input_ids"]))
        return forward(*args, **kwargs)

    counted.__signature__ = None  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    monkeypatch.setattr(engine._model, "forward", counted)  # pyright: ignore[reportPrivateUsage]
    rows, encode = suite.items("letters"), engine._processor.tokenizer  # pyright: ignore[reportPrivateUsage]
    engine.loglikelihoods("letters", rows)
    needed = {
        (row["id"], tuple(encode(row["context"] + text)["input_ids"][:-1]))
        for row in rows
        for text in row["continuations"]
    }
    assert sum(passes) == len(needed) < sum(len(row["continuations"]) for row in rows)


def test_a_suite_with_pictures_is_scored_by_folder(models: dict[str, Path], suite: Suite, tmp_path: Path) -> None:
    scores = score(models["llava"], suite.path, folder=tmp_path / "scores")
    assert [item.split for item in scores] == [
        split for split, size in sorted(suite.splits.items()) for _ in range(size)
    ]
    assert all(len(item.loglikelihoods) >= 1 for item in scores)
    (tmp_path / "scores" / "texts.parquet").unlink()
    assert score(models["llava"], suite.path, folder=tmp_path / "scores") == scores
    by_engine = score(VisionEngine(models["llava"], suite.path, batch=16), suite.path)
    assert by_engine == scores


def test_a_model_of_text_is_not_asked_about_pictures(model_dir: Path, suite: Suite) -> None:
    from shadowgraph.scores.harness import ModelEngine

    with pytest.raises(CheckpointError, match="pictures and text"):
        score(model_dir, suite.path)
    with pytest.raises(SpecError, match="about pictures"):
        score(ModelEngine.open(model_dir), suite.path)


def test_a_chat_is_told_as_its_template_says(models: dict[str, Path], suite: Suite, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no chat template"):
        VisionEngine(models["llava"], suite.path, chat=True)
    shutil.copytree(models["llava"], tmp_path / "chat")
    (tmp_path / "chat" / "chat_template.jinja").write_text(
        "{% for m in messages %}U:{% for part in m.content %}"
        "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}"
        "{{ '\\nA:\\n' }}{% endfor %}"
    )
    engine = VisionEngine(tmp_path / "chat", suite.path, chat=True)
    row = suite.items("texts")[0]
    model, processor = engine._model, engine._processor  # pyright: ignore[reportPrivateUsage]
    context = f"U:<image>{row['context']}\nA:\n"
    picture = {"images": [[read_picture(suite.path, row["image"])]]}
    wanted: list[float] = []
    for text in row["continuations"]:
        inputs = processor(text=[context + text.lstrip()], return_tensors="pt", **picture)
        head = processor(text=[context], return_tensors="pt", **picture)["input_ids"].shape[1]
        with torch.no_grad():
            logs = model(**inputs).logits[0].double().log_softmax(-1)
        ids = inputs["input_ids"][0]
        wanted.append(sum(float(logs[place - 1, ids[place]]) for place in range(head, len(ids))))
    assert engine.loglikelihoods("texts", [row])[0] == pytest.approx(wanted, abs=1e-4)
    assert engine.identity != VisionEngine(tmp_path / "chat", suite.path).identity


def test_faults_of_a_folder_say_why(models: dict[str, Path], suite: Suite, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        VisionEngine(tmp_path / "absent", suite.path)
    for name, fault in (
        ("processor_config.json", "cannot be loaded"),
        ("model.safetensors", "cannot be loaded"),
        ("tokenizer.json", "cannot be loaded"),
    ):
        folder = tmp_path / name
        shutil.copytree(models["llava"], folder)
        (folder / name).unlink()
        with pytest.raises(CheckpointError, match=fault):
            VisionEngine(folder, suite.path)
    folder = tmp_path / "broken"
    shutil.copytree(models["llava"], folder)
    (folder / "model.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        VisionEngine(folder, suite.path)


def test_a_missing_package_is_named(models: dict[str, Path], suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    def refuse(*_: Any, **__: Any) -> Any:
        raise ImportError("Package `num2words` is required")

    monkeypatch.setattr(transformers.AutoImageProcessor, "from_pretrained", refuse)
    with pytest.raises(EnvironmentFault, match="num2words"):
        VisionEngine(models["llava"], suite.path)


def test_faults_of_rows_name_the_item(models: dict[str, Path], suite: Suite, tmp_path: Path, opened: Open) -> None:
    row = suite.items("texts")[0]
    engine = opened("llava")
    with pytest.raises(DataError, match=r"split 'texts' item .*no such picture"):
        engine.loglikelihoods("texts", [{**row, "image": "pictures/none.png"}])
    with pytest.raises(DataError, match="leaves the suite's folder"):
        engine.loglikelihoods("texts", [{**row, "image": "../x.png"}])
    with pytest.raises(CheckpointError, match="tokens, the model takes 1024"):
        engine.loglikelihoods("texts", [{**row, "context": "a b " * 2000}])
    shutil.copytree(models["llava"], tmp_path / "few")
    config = json.loads((tmp_path / "few" / "processor_config.json").read_text())
    config["patch_size"] = 32  # fewer places for the picture than the model fills
    (tmp_path / "few" / "processor_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="cannot take"):
        VisionEngine(tmp_path / "few", suite.path).loglikelihoods("texts", [row])
