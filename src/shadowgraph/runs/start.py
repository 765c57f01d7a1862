"""A base that was not trained here: a model that stands there already, made into the start of runs.

Here live: loading a Hugging Face folder or a GGUF file in float32, saving it as the model of a folder that says it was
brought in, and its tokenizer.
Not here: which models a study may start from (`study.start`), training (`train`). The functions import transformers.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tokenizers

from shadowgraph.artifact import read_object, write_json
from shadowgraph.corpus.tokens import load_tokenizer
from shadowgraph.errors import CheckpointError, DataError, SpecError, printable, require
from shadowgraph.identity import Json, file_digest, fingerprint
from shadowgraph.runs.families import known_keys, model_class, saved_configuration
from shadowgraph.runs.folder import TOKENIZER_FILES, whole_folder
from shadowgraph.runs.run import COMPLETE, MANIFEST
from shadowgraph.runs.session import offline, session
from shadowgraph.weights.checkpoint import open_checkpoint

GGUF = ".gguf"
CONFIG = "tokenizer_config.json"
_PROBE = "A text of 12 words: it is tried before anything is made of it."
_SAVE = "save the tokenizer of the model beside it"
_OTHER = "save the whole model again, with the configuration that belongs to its weights"
_FAULTS = (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, ImportError, RuntimeError)


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
        CheckpointError: the model cannot be loaded, tensors of it are missing or have no place in it, values of it are
            not finite, or tensors that it ties differ.
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
        CheckpointError: no tokenizer is there, it cannot be converted, or it cannot be read or used.
        DataError: its configuration is no JSON.
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
        raise CheckpointError("no tokenizer.json", where=str(source), hint=_SAVE)
    return _end_token(source, folder, _tried(source, folder))


def _convert_tokenizer(source: Path, folder: Path) -> None:
    """The tokenizer in a GGUF file as a Hugging Face one."""
    _require_gguf()
    from transformers import AutoTokenizer

    with session(1), _alone(source) as alone:
        try:
            made: Any = AutoTokenizer.from_pretrained(
                str(alone), gguf_file=source.name, local_files_only=True, trust_remote_code=False
            )
            made.save_pretrained(str(folder))
        except _FAULTS as error:
            raise _refusal("the tokenizer", source, error) from error


def _tried(source: Path, folder: Path) -> tokenizers.Tokenizer:
    """The tokenizer placed in a folder, once it has turned a text into tokens.

    Raises:
        CheckpointError: it cannot be read, fails, or gives no token.
    """
    try:
        tokenizer = load_tokenizer(folder)
        ids = tokenizer.encode(_PROBE, add_special_tokens=False).ids
    except Exception as error:  # the library raises nothing narrower
        raise _refusal("the tokenizer", source, error) from error
    if not ids:
        raise CheckpointError("its tokenizer makes no token of a text", where=str(source), hint=_SAVE)
    return tokenizer


def _end_token(source: Path, folder: Path, tokenizer: tokenizers.Tokenizer) -> str | None:
    """The token that ends a text, by the configuration of the tokenizer, else by that of the model."""
    path = (source if source.is_dir() else folder) / CONFIG  # the user's own file, where there is one, for the message
    named = read_object(path).get("eos_token") if path.is_file() else None
    named = named.get("content") if isinstance(named, dict) else named
    if isinstance(named, str):
        return named
    config = read_object(source / "config.json") if (source / "config.json").is_file() else {}
    ids = config.get("eos_token_id")
    first = ids[0] if isinstance(ids, list) and ids else ids
    known = {number: token for token, number in tokenizer.get_vocab().items()}
    return known.get(first) if type(first) is int else None


def _loaded(folder: Path) -> Any:
    """The model of a Hugging Face folder with plain float32 weights.

    What its configuration says beside its family's own keys is dropped before the weights are looked for: another file
    of weights, attention from a repository.
    """
    import torch
    from safetensors import SafetensorError

    try:
        config = _plain(saved_configuration(folder))
        kind = model_class(config)
    except SpecError as error:
        raise CheckpointError(f"the model cannot be loaded ({error.found})", where=str(folder)) from error
    try:
        found, report = kind.from_pretrained(
            str(folder),
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            attn_implementation="eager",  # nothing is computed with it
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # refused below, by name
            output_loading_info=True,
        )
    except (*_FAULTS, SafetensorError) as error:
        raise _refusal("the model", folder, error) from error
    _require_all(report, folder)
    return _plain_model(found, folder)


def _dequantised(source: Path) -> Any:
    """The model of a GGUF file with plain float32 weights."""
    _require_gguf()
    import torch
    from transformers import AutoModelForCausalLM

    loader: Any = AutoModelForCausalLM
    try:
        with redirect_stderr(StringIO()), _alone(source) as folder:  # a bar of its own
            found, report = loader.from_pretrained(
                str(folder),
                gguf_file=source.name,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except _FAULTS as error:
        raise _refusal("the model", source, error) from error
    _require_all(report, source)
    stored, taken = open_checkpoint(source).parameters, sum(weight.numel() for weight in found.parameters())
    if stored != taken:  # transformers passes over tensors that it has no name for
        told = f"{stored:,} numbers are stored, and {taken:,} of them have a place in the model"
        raise CheckpointError(f"the model cannot be loaded ({told})", where=str(source), hint=_OTHER)
    return _plain_model(found, source)


@contextmanager
def _alone(source: Path) -> Generator[Path]:
    """A folder with a link to a GGUF file and nothing else: what lies beside the file is no part of the model."""
    with TemporaryDirectory(prefix="shadowgraph-") as folder:
        (Path(folder) / source.name).symlink_to(source.resolve())
        yield Path(folder)


def _plain_model(found: Any, source: Path) -> Any:
    """A model of the same values in fresh memory, with a plain configuration and its family's way to generate.

    transformers holds what it widened for packed and refuses to save it.

    Raises:
        CheckpointError: a value is not finite, or two tensors that the configuration ties are stored apart.
    """
    import torch

    state = found.state_dict()
    for name in sorted(state):
        if not bool(torch.isfinite(state[name]).all()):
            what = f"the tensor {printable(name)!r} holds values that are not finite"
            raise CheckpointError(what, where=str(source), hint="start from a model without them")
    config = _plain(found.config)
    model: Any = type(found)._from_config(config, dtype=torch.float32, attn_implementation="eager")
    model.load_state_dict(state)
    for name, value in sorted(model.state_dict().items()):
        if not torch.equal(value, state[name]):
            what = f"its configuration ties {printable(name)!r} to another tensor, and both are stored and differ"
            raise CheckpointError(what, where=str(source), hint="set tie_word_embeddings to false in config.json")
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
    """Refuse a model of which tensors are missing or of a wrong shape, and would be drawn at random, or would be lost.

    What `transformers` knows to be worked out anew, such as frequencies of rotary positions, is no loss.
    """
    for key, told in (
        ("missing_keys", "missing"),
        ("unexpected_keys", "without a place in the model"),
        ("mismatched_keys", "of another shape than the configuration says"),
    ):
        if names := sorted(str(item[0] if isinstance(item, tuple) else item) for item in report[key]):
            found = f"tensors are {told}: {len(names)}, first {printable(names[0])!r}"
            raise CheckpointError(f"the model cannot be loaded ({found})", where=str(source), hint=_OTHER)


def _refusal(what: str, source: Path, error: BaseException) -> CheckpointError:
    """What transformers raised, in one line."""
    words = str(error).strip().splitlines()
    told = printable(words[0]) if words else type(error).__name__
    return CheckpointError(f"{what} cannot be loaded ({told})", where=str(source))
