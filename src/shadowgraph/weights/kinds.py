"""Kinds of weight files: how each is named, alone, in shards, and by its index; and which files are never weights.

Here live: `Kind`, the kinds in the order of preference, and the names of training files.
Not here: which files of a folder are read (see `directory`), parsing (see `readers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shadowgraph.errors import SpecError, printable
from shadowgraph.weights.adapter import is_adapter_file


@dataclass(frozen=True, slots=True)
class Kind:
    """One format as folders hold it.

    Attributes:
        name: as it is written on the command line.
        label: as it is written in a sentence.
        endings: of its files, in lower case.
        usual: names of a single file that is read although others lie beside it.
        index: usual name of the index of its shards, "" without one.
        index_ending: of an index under another name, "" without one.
        below: the folder it may lie in below the model's own, "" for none.
    """

    name: str
    label: str
    endings: tuple[str, ...]
    usual: tuple[str, ...]
    index: str = ""
    index_ending: str = ""
    below: str = ""

    def files(self, names: Iterable[str]) -> list[str]:
        """The names of this kind in order, without adapters and files of the training."""
        return sorted(name for name in names if self.names(name) and not is_adapter_file(name))

    def names(self, name: str) -> bool:
        """Whether a name is that of a file of this kind, in capitals or not."""
        return name.lower().endswith(self.endings) and not is_never_weights(name)

    def indexes(self, names: Iterable[str]) -> list[str]:
        """The names of its indexes, in order."""
        return sorted(name for name in names if self.index_ending and name.endswith(self.index_ending))

    def stem(self, name: str) -> str:
        """A file name in lower case without its ending."""
        lower = name.lower()
        return next((lower.removesuffix(ending) for ending in self.endings if lower.endswith(ending)), lower)


SAFETENSORS = Kind(
    "safetensors",
    "safetensors",
    (".safetensors",),
    ("model.safetensors",),
    "model.safetensors.index.json",
    ".safetensors.index.json",
)
TORCH = Kind(
    "torch",
    "torch",
    (".bin", ".pt", ".pth", ".ckpt"),
    ("pytorch_model.bin", "model.bin", "model.pt", "model.pth"),
    "pytorch_model.bin.index.json",
    ".bin.index.json",
)
GGUF = Kind("gguf", "GGUF", (".gguf",), ())
ONNX = Kind("onnx", "ONNX", (".onnx",), ("model.onnx",), below="onnx")
KINDS = (SAFETENSORS, TORCH, GGUF, ONNX)
"""All kinds that can be read, the preferred first."""

SHARD = re.compile(r"-([0-9]{1,6})-of-([0-9]{1,6})$", re.ASCII)
_TRAINING = re.compile(
    r"(?:optimizer|optimizers|optim|scheduler|lr_scheduler|scaler|grad_scaler|rng_state|rng_states|random_states"
    r"|training_args|train_args|trainer_state|sampler|dataloader|dl_state_dict|custom_checkpoint)[._-].*"
    r"|.*_optim_states\.pt|.*zero_pp_rank_.*",
    re.ASCII,
)
_OTHER_TOOLS = re.compile(r"(?:openvino_|ggml-|tokenizer|vocab|sentencepiece).*\.bin", re.ASCII)


def kind_of(name: str) -> Kind | None:
    """The kind of a file by its name, None for a name that none of them has."""
    return next((kind for kind in KINDS if name.lower().endswith(kind.endings)), None)


def preferred(name: str) -> Kind | None:
    """The kind that a caller asks for, None for none.

    Raises:
        SpecError: no kind has this name.
    """
    found = next((kind for kind in KINDS if kind.name == name), None)
    if name and found is None:
        known = ", ".join(kind.name for kind in KINDS)
        raise SpecError(f"unknown format {printable(name, 60)}", hint=f"choose from {known}")
    return found


def is_training_file(name: str) -> bool:
    """Whether a name is that of an optimiser, a scheduler or another state of a training run."""
    return _TRAINING.fullmatch(name.lower()) is not None


def is_never_weights(name: str) -> bool:
    """Whether a name ends as weights do and is known for something else."""
    return is_training_file(name) or _OTHER_TOOLS.fullmatch(name.lower()) is not None
