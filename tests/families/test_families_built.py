# pyright: reportUnknownParameterType=false, reportArgumentType=false
"""Every family that can be built: the saved model read back, each matrix compared with the live module's weight."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import family_decoders
import family_encoders
import family_gpt
import family_multimodal
import family_recurrent
import family_towers
import family_vision_language
import numpy as np
import pytest
from family_cases import Case
from numpy.typing import NDArray

from shadowgraph.seeds import derive
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.roles import families

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()

MODULES = (
    family_decoders,
    family_gpt,
    family_recurrent,
    family_encoders,
    family_towers,
    family_vision_language,
    family_multimodal,
)
CASES = [case for module in MODULES for case in module.CASES]
Label = tuple[str, str, str, int | None, int | None, tuple[int, int]]
Found = dict[Label, list[NDArray[np.float64]]]


def build(case: Case) -> Any:
    """The tiny module of a case, every weight random so that no two matrices are equal by their initial value."""
    config = transformers.AutoConfig.for_model(case.model, **case.config)
    names = [f"AutoModelFor{kind}" for kind in ("ImageTextToText", "Seq2SeqLM", "CausalLM", "MaskedLM")]
    loaders = [getattr(transformers, name) for name in names]
    known = [loader for loader in loaders if type(config) in loader._model_mapping]
    module = (known or [transformers.AutoModel])[0].from_config(config)
    source = torch.Generator().manual_seed(derive(0, "family", case.name))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=source)
    return module


def indices(text: str) -> list[int | None]:
    return [None] if text == "-" else [int(digit) for digit in text]


def planned(plan: str, module: Any) -> Found:
    """The plan with the values of the live module; see `family_cases` for its language."""
    found: Found = defaultdict(list)
    tower, layers, numbers, root = "", "", "", ""
    for line in filter(None, plan.splitlines()):
        if line.endswith(":"):
            tower, layers, numbers, root = line[:-1].split()
            continue
        role, size, expression = line.split(maxsplit=2)
        block, slot = role.split(".")
        shape = tuple(int(extent) for extent in size.split("x"))
        path = f"{root}.{expression}".removeprefix("-.")
        for layer in indices(layers):
            for expert in indices(numbers):
                live = eval(f"m.{path}", {"m": module, "L": layer, "E": expert})
                values = live.detach().to(torch.float64).numpy()
                assert values.shape == shape, path
                found[tower, block, slot, layer, expert, (shape[0], shape[1])].append(values)
    return found


def read(checkpoint: Checkpoint) -> Found:
    found: Found = defaultdict(list)
    for matrix in checkpoint.matrices():
        role = matrix.role
        found[role.tower, role.block, role.slot, matrix.layer, matrix.expert, matrix.shape].append(matrix.load())
    return found


def unmatched(expected: Found, found: Found) -> Iterator[Label]:
    """Labels whose matrices are not the same arrays, in any order."""
    for label, arrays in expected.items():
        rest = list(found[label])
        for values in arrays:
            same = next((place for place, other in enumerate(rest) if np.array_equal(values, other)), None)
            if same is None:
                yield label
            else:
                del rest[same]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_matrix_is_the_live_weight(case: Case, tmp_path: Path) -> None:
    module = build(case)
    module.save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.family == case.family
    expected, found = planned(case.plan, module), read(checkpoint)
    assert {label: len(arrays) for label, arrays in found.items()} == {
        label: len(arrays) for label, arrays in expected.items()
    }
    assert list(unmatched(expected, found)) == []
    held = {matrix.tensor for matrix in checkpoint.matrices()}
    left = {item.tensor for item in checkpoint.skipped}
    assert held | left == {entry.name for entry in checkpoint.entries}
    assert not held & left
    assert sum(m.parameters for m in checkpoint.matrices()) + sum(
        entry.parameters for entry in checkpoint.entries if entry.name in left
    ) == sum(entry.parameters for entry in checkpoint.entries)
    reasons = {item.reason for item in checkpoint.skipped}
    assert reasons <= {
        "vector (norm or bias)",
        "scalar",
        "single row or column",
        "vectors (norm or bias), stacked",
    }


NAMED_ALIKE = [case for case in CASES if case.model in {"qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe"}]


@pytest.mark.parametrize("case", NAMED_ALIKE, ids=lambda case: case.name)
def test_families_of_one_naming_are_told_apart_without_a_configuration(case: Case, tmp_path: Path) -> None:
    """Whether a query holds its gate is told by its rows."""
    build(case).save_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.family == case.family
    slots = {m.role.slot for m in checkpoint.matrices() if m.role.tower == "text" and m.role.block == "attention"}
    assert slots == {"q", "k", "v", "o"} if case.family == "qwen_vl" else "q" not in slots


def save_bare(module: Any, folder: Path) -> None:
    """Without the head, so that names lack the prefix of the model inside."""
    module.base_model.save_pretrained(folder)


WAYS: dict[str, Callable[[Any, Path], object]] = {
    "names of transformers 5": lambda module, folder: module.save_pretrained(folder, save_original_format=False),
    "many shards": lambda module, folder: module.save_pretrained(folder, max_shard_size="20KB"),
    "without the head": save_bare,
    "bf16": lambda module, folder: module.to(torch.bfloat16).save_pretrained(folder),
    "fp16": lambda module, folder: module.to(torch.float16).save_pretrained(folder),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_however_it_is_saved_it_is_the_same_model(case: Case, way: str, tmp_path: Path) -> None:
    """What a module without its head lacks is an unembedding, or a head of another kind."""
    module = build(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some buffers do not survive a change of type
        WAYS[way](module, tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.family == case.family
    expected, found = planned(case.plan, module), read(checkpoint)
    lost = {label for label in unmatched(expected, found)}
    bare = way == "without the head"
    assert {label for label in lost if not (bare and label[2] in {"unembedding", "head"})} == set()
    assert found.keys() <= expected.keys()


TASKS = "CausalLM MaskedLM PreTraining SequenceClassification TokenClassification QuestionAnswering MultipleChoice"
TEXT_ALONE = {"llama4": "llama4", "qwen3_5": "qwen3_next", "qwen3_5_moe": "qwen3_next"}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_with_any_head_and_no_configuration_every_name_is_known(case: Case, tmp_path: Path) -> None:
    config = transformers.AutoConfig.for_model(case.model, **case.config)
    for task in TASKS.split():
        loader = getattr(transformers, f"AutoModelFor{task}")
        if type(config) in loader._model_mapping:
            loader.from_config(config).save_pretrained(tmp_path / task)
            (tmp_path / task / "config.json").unlink()
            checkpoint = open_checkpoint(tmp_path / task)
            assert checkpoint.family in {case.family, TEXT_ALONE.get(case.model) if task == "CausalLM" else None}
            assert not [m.tensor for m in checkpoint.matrices() if m.role.block == "unknown"]


def test_every_model_called_built_is_built_here() -> None:
    promised = {(family.name, model) for family in families() for model in family.models if family.evidence == "built"}
    assert promised == {(case.family, case.model) for case in CASES}
