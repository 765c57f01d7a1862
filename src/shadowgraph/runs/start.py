"""A base that was not trained here: a model that stands there already, made into the start of runs.

Here live: loading a Hugging Face folder or a GGUF file in float32, saving it as the model of a folder that says it was
brought in, and its tokenizer.
Not here: which models a study may start from (`study.start`), training (`train`). The functions import transformers.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import shutil
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from shadowgraph.artifact import read_object, write_json
from shadowgraph.errors import CheckpointError, DataError, printable, require
from shadowgraph.identity import Json, file_digest, fingerprint
from shadowgraph.runs.families import known_keys, model_class, saved_configuration
from shadowgraph.runs.folder import TOKENIZER_FILES, whole_folder
from shadowgraph.runs.run import COMPLETE, MANIFEST
from shadowgraph.runs.session import offline, session

GGUF = ".gguf"
CONFIG = "tokenizer_config.json"
_FAULTS = (OSError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Imported:
    """A base that was brought in.

    Attributes:
        path: its folder; the weights lie in `model`.
        statement: digest of its weights, family, architecture and tokenizer.
    """

    path: Path
    statement: dict[str, Any]

    @property
    def model(self) -> Path:
        """Folder of the model, in float32."""
        return self.path / "model"

    @property
    def fingerprint(self) -> str:
        """Identity: that of the statement."""
        return fingerprint(self.statement)


def bring_in(source: Path, out: Path, tokenizer: Path) -> Imported:
    """Load a model in float32 and save it as the base of runs; what is finished already stays.

    Values of a GGUF file that are stored in fewer bits are widened as they stand: the base is the rounded model, and
    updates are exact against it.

    Args:
        source: a Hugging Face folder of safetensors, or a GGUF file.
        out: the folder: `run.json`, `model`, `_COMPLETE` (written last). It has no ledger: nothing was trained.
        tokenizer: folder of the tokenizer saved with the model.

    Raises:
        CheckpointError: the model cannot be loaded, or tensors of it are missing.
        EnvironmentFault: transformers, or gguf for a GGUF file, is not installed.
    """
    if (out / COMPLETE).is_file():
        return read_imported(out)
    require("torch", "train")
    require("transformers", "train")
    offline()
    from shadowgraph.runs.model import state_digest
    from shadowgraph.runs.recipe import Recipe
    from shadowgraph.runs.snapshots import save_model

    with session(1):
        model = _dequantised(source) if source.suffix.lower() == GGUF else _loaded(source)
        save_model(model, out / "model", tokenizer)
        init = state_digest(model)
    made = Recipe.of_model(out / "model", steps=1, learning_rate=1.0)  # for its family and architecture alone
    statement: dict[str, Json] = {
        "init": init,
        "family": made.family,
        "architecture": {**made.architecture},
        "tokenizer": file_digest(tokenizer / "tokenizer.json"),
        "precision": made.precision,
    }
    write_json(out / MANIFEST, {"schema_version": "1.0", "trained": False, "statement": statement})
    files = sorted((out / "model").glob("*.safetensors"))
    write_json(out / COMPLETE, {f"model/{file.name}": file_digest(file) for file in files})
    return read_imported(out)


def read_imported(folder: Path) -> Imported:
    """Read back what `bring_in` made.

    Raises:
        DataError: the folder holds something else.
    """
    manifest = read_object(folder / MANIFEST)
    if manifest.get("trained") is not False or not isinstance(manifest.get("statement"), dict):
        raise DataError("holds no model that was brought in", where=str(folder / MANIFEST))
    return Imported(folder, dict(manifest["statement"]))


def place_tokenizer(source: Path, folder: Path) -> str | None:
    """Write the tokenizer of a model into a folder: a Hugging Face folder's as it is, a GGUF file's converted.

    Args:
        source: the model.
        folder: receives `tokenizer.json` and its configuration.

    Returns:
        The token that ends a text, None where the tokenizer names none.

    Raises:
        CheckpointError: no tokenizer is there, or it cannot be converted.
        EnvironmentFault: gguf or transformers is missing for a GGUF file.
    """
    with whole_folder(folder) as temporary:
        kept = temporary / "converted" if source.suffix.lower() == GGUF else source
        if kept != source:
            _convert_tokenizer(source, kept)
        for name in TOKENIZER_FILES:
            if (kept / name).is_file():
                shutil.copyfile(kept / name, temporary / name)
        shutil.rmtree(temporary / "converted", ignore_errors=True)
    if not (folder / "tokenizer.json").is_file():
        raise CheckpointError("no tokenizer.json", where=str(source), hint="save the tokenizer beside the model")
    return _end_token(source, folder)


def _convert_tokenizer(source: Path, folder: Path) -> None:
    """The tokenizer in a GGUF file as a Hugging Face one."""
    _require_gguf()
    from transformers import AutoTokenizer

    with session(1):
        try:
            made: Any = AutoTokenizer.from_pretrained(
                str(source.parent), gguf_file=source.name, local_files_only=True, trust_remote_code=False
            )
            made.save_pretrained(str(folder))
        except _FAULTS as error:
            raise _refusal("the tokenizer", source, error) from error


def _end_token(source: Path, folder: Path) -> str | None:
    """The token that ends a text, by the configuration of the tokenizer, else by that of the model."""
    named = read_object(folder / CONFIG).get("eos_token") if (folder / CONFIG).is_file() else None
    named = named.get("content") if isinstance(named, dict) else named
    if isinstance(named, str):
        return named
    config = read_object(source / "config.json") if (source / "config.json").is_file() else {}
    ids = config.get("eos_token_id")
    first = ids[0] if isinstance(ids, list) and ids else ids
    if not isinstance(first, int):
        return None
    import tokenizers

    return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).id_to_token(first)


def _loaded(folder: Path) -> Any:
    """A whole model of a Hugging Face folder."""
    import torch

    from shadowgraph.runs.model import load_model

    kind = model_class(saved_configuration(folder))
    try:
        _, report = kind.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except _FAULTS as error:
        raise _refusal("the model", folder, error) from error
    _require_all(report, folder)
    model = load_model(folder)
    model.config = _plain(model.config)
    return model


def _dequantised(source: Path) -> Any:
    """The model of a GGUF file with plain float32 weights."""
    _require_gguf()
    import torch
    from transformers import AutoModelForCausalLM

    loader: Any = AutoModelForCausalLM
    try:
        with redirect_stderr(StringIO()):  # a bar of its own
            found, report = loader.from_pretrained(
                str(source.parent),
                gguf_file=source.name,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except _FAULTS as error:
        raise _refusal("the model", source, error) from error
    _require_all(report, source)
    # transformers holds what it widened for packed and refuses to save it, so a plain model is given its values
    model: Any = type(found)._from_config(_plain(found.config), dtype=torch.float32)
    model.load_state_dict(found.state_dict())
    return model.eval()


def _plain(config: Any) -> Any:
    """A configuration without keys that its family does not have: what others left there says nothing of the model."""
    known = known_keys(config.model_type)
    return type(config).from_dict({key: value for key, value in config.to_dict().items() if key in known})


def _require_gguf() -> None:
    require("gguf", "gguf")
    require("torch", "train")
    require("transformers", "train")
    offline()


def _require_all(report: Any, source: Path) -> None:
    """Refuse a model of which tensors are missing: they would be drawn at random."""
    if missing := sorted(report["missing_keys"]):
        found = f"{len(missing)} tensors are missing, first {printable(missing[0])!r}"
        raise CheckpointError(f"the model cannot be loaded ({found})", where=str(source))


def _refusal(what: str, source: Path, error: BaseException) -> CheckpointError:
    """What transformers raised, in one line."""
    words = str(error).strip().splitlines()
    told = printable(words[0]) if words else type(error).__name__
    return CheckpointError(f"{what} cannot be loaded ({told})", where=str(source))
