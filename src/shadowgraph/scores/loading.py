"""A language model from a local folder.

Here live: opening model and tokenizer, and the words for every way in which that fails.
Not here: what is asked of them (`harness`). This module imports torch and transformers.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

from shadowgraph.artifact import read_object
from shadowgraph.errors import CheckpointError, DataError, printable
from shadowgraph.identity import Json, file_digest, fingerprint

_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ImportError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
)
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_READ = (".json", ".safetensors", ".txt", ".model")  # what can change a score


def load(folder: Path) -> tuple[Any, Any]:
    """Load model (float32, evaluation mode) and tokenizer from a local folder; no code of the folder is run.

    Parameters are copied into memory of torch's own alignment, since products may differ in the last bit between
    alignments.

    Raises:
        CheckpointError: when either cannot be loaded; says why.
    """
    config = _config(folder)
    seq2seq = config.get("model_type") in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    kind: Any = transformers.AutoModelForSeq2SeqLM if seq2seq else transformers.AutoModelForCausalLM
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        module, report = kind.from_pretrained(
            str(folder), dtype=torch.float32, use_safetensors=True, output_loading_info=True, **local
        )
    except _FAULTS as error:
        _refuse("the model", folder, error)
    if missing := sorted(report["missing_keys"]):
        named = f"{len(missing)} tensors are missing, first {printable(missing[0])!r}"
        raise CheckpointError(f"the model cannot be loaded ({named})", where=str(folder))
    try:
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(folder), **local)
    except _FAULTS as error:
        _refuse("the tokenizer", folder, error)
    for parameter in module.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return module.eval(), tokenizer


def folder_identity(folder: Path) -> Json:
    """Digest of the files of a model's folder that can change a score."""
    files = sorted(path for path in folder.iterdir() if path.suffix in _READ and path.is_file())
    return fingerprint({path.name: file_digest(path) for path in files})


def _config(folder: Path) -> dict[str, Any]:
    """The folder's configuration, once weights and tokenizer are known to be there."""
    if not folder.is_dir():
        raise CheckpointError("no such folder", where=str(folder), hint="give the folder of a model")
    names = {path.name for path in folder.iterdir()}
    if not names & set(_TOKENIZERS):
        raise CheckpointError("no tokenizer", where=str(folder), hint="save the tokenizer beside the model")
    if "config.json" not in names:
        raise CheckpointError("the model cannot be loaded (no config.json)", where=str(folder))
    if not any(name.endswith(".safetensors") for name in names):
        pickled = sorted(name for name in names if name.endswith(_PICKLED))
        if pickled:
            found = f"its weights are pickled ({printable(pickled[0])}), and a pickle may run code when it is read"
            hint = "save the model again as safetensors"
            raise CheckpointError(f"the model cannot be loaded ({found})", where=str(folder), hint=hint)
        raise CheckpointError("the model cannot be loaded (no weights in safetensors)", where=str(folder))
    try:
        return read_object(folder / "config.json")
    except DataError as error:
        raise CheckpointError(f"the model cannot be loaded ({error.found})", where=error.where) from error


def _refuse(what: str, folder: Path, error: BaseException) -> NoReturn:
    """Turn what transformers raised into one line."""
    text = str(error).strip()
    if "trust_remote_code" in text:
        text = "it needs code of its own, which is not run"
    first = printable(text.splitlines()[0]) if text else type(error).__name__
    raise CheckpointError(f"{what} cannot be loaded ({first})", where=str(folder)) from error
