"""The model that a study starts from, where it trains no base of its own: its files, and what they say beforehand.

Here live: where it lies, which of its files count, the models that are refused, facts from headers, its tokenizer.
Not here: making a base of it (`runs.start`), what an answer says of it (`answer`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shadowgraph.artifact import read_object, write_json
from shadowgraph.corpus.tokens import load_tokenizer
from shadowgraph.errors import CheckpointError, Defect, SpecError, printable
from shadowgraph.identity import Json
from shadowgraph.runs.start import GGUF, place_tokenizer
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.layout import Layout
from shadowgraph.study.sources import expand
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.readers.formats import read_any_headers
from shadowgraph.weights.roles import EMBEDDING

KEY = "model.start"
MOST_TOKENS = 1 << 16
"""Token ids of sequences are stored in 16 bits."""
NEEDED = ("config.json", "tokenizer.json")
READ = (*NEEDED, "tokenizer_config.json", "special_tokens_map.json", "model.safetensors.index.json")
WEIGHTS = "*.safetensors"
WHOLE = ("model.safetensors", "model.safetensors.index.json")
"""What the loader of transformers begins with: all weights in one file, else the index of those in shards."""
LENGTHS = ("max_position_embeddings", "n_positions")
"""Keys under which families with an end to their positions say how many tokens they read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the headers of a start model say.

    Attributes:
        name: name of the folder or file.
        kind: "folder" or "gguf".
        family: model type, as `config.json` would call it.
        vocabulary: number of token ids.
        parameters: number of weights.
        stored: how many tensors are stored in each type.
        quantised: whether any of them holds fewer bits than its values need; the base is then made of rounded values.
    """

    name: str
    kind: str
    family: str
    vocabulary: int
    parameters: int
    stored: dict[str, int]
    quantised: bool


def start_path(spec: StudySpec, folder: Path) -> Path:
    """Where the start model of a study lies.

    Raises:
        Defect: the study has none.
        SpecError: its path begins with a variable that is not set or not read.
    """
    if spec.model.start is None:
        raise Defect("a study that trains its base has no start model", where=KEY)
    return expand(spec.model.start, folder)


def start_files(spec: StudySpec, folder: Path) -> dict[str, Path]:
    """Every file that the base is made from, by the name written in the study file; none without a start model.

    Raises:
        SpecError: its path begins with a variable that is not set or not read.
        CheckpointError: no such model, or one that cannot be trained: an adapter, pickled or packed weights.
    """
    if spec.model.start is None:
        return {}
    name, path = spec.model.start, start_path(spec, folder)
    if path.is_file() and path.suffix.lower() == GGUF:
        return {name: path}
    if not path.is_dir():
        known = f"give a folder of a Hugging Face model or a {GGUF} file"
        raise CheckpointError("no such folder or file of a model", where=str(path), hint=f"named in {KEY}; {known}")
    _require_trainable(path)
    files = {path / own for own in READ if (path / own).is_file()}
    files |= {file for file in path.glob(WEIGHTS) if file.is_file()}
    files |= {entry.file.path for entry in open_checkpoint(path).entries}  # shards may lie below the folder
    return {f"{name}/{file.relative_to(path).as_posix()}": file for file in sorted(files)}


def _require_trainable(path: Path) -> None:
    """Refuse a folder that holds no plain weights with a tokenizer."""
    if (path / "adapter_config.json").is_file():
        raise CheckpointError("holds an adapter, not a model", where=str(path), hint="merge it into its base first")
    for own in NEEDED:
        if not (path / own).is_file():
            hint = f"named in {KEY}; save model and tokenizer there with save_pretrained"
            raise CheckpointError(f"no {own}", where=str(path), hint=hint)
    if not any((path / own).is_file() for own in WHOLE):
        found = (
            f"no weights in safetensors, neither {' nor '.join(WHOLE)} (pickled ones are not loaded: they may run code)"
        )
        raise CheckpointError(found, where=str(path), hint="save the model again as safetensors")
    if read_object(path / "config.json").get("quantization_config") is not None:
        found = "its weights are packed, and packed weights are not trained"
        raise CheckpointError(found, where=str(path), hint=f"give plain weights, or a {GGUF} file of the model")


def facts_of(spec: StudySpec, folder: Path) -> Facts:
    """What the headers of the start model say; no weight is read.

    Raises:
        SpecError: the vocabulary is too large, or the sequences are longer than the model reads; names the key.
        CheckpointError: the model cannot be read, or says wrongly how many token ids it has.
    """
    start_files(spec, folder)
    path = start_path(spec, folder)
    checkpoint = open_checkpoint(path)
    whole = checkpoint.config if path.is_dir() else next(iter(read_any_headers((path,)))).config
    text = whole.get("text_config")
    config = {**whole, **(text if isinstance(text, dict) else {})}
    size = config.get("vocab_size") or _rows(checkpoint)
    if type(size) is not int or size < 1:
        found = f"its number of token ids, vocab_size, is {printable(repr(size), 40)}"
        raise CheckpointError(found, where=str(path), hint="it must be the number of rows of the embedding")
    if size > MOST_TOKENS:
        found = f"the model has {size:,} token ids, and at most {MOST_TOKENS:,} can be stored"
        raise SpecError(found, where=KEY, hint="start from a model with a smaller vocabulary")
    reads = next((config[key] for key in LENGTHS if type(config.get(key)) is int), None)
    if reads is not None and spec.training.sequence_length > reads:
        found = f"the start model reads {reads} tokens, and sequences have {spec.training.sequence_length}"
        raise SpecError(found, where="training.sequence_length", hint="shorten them")
    entries = [entry for entry in checkpoint.entries if not entry.companion]
    return Facts(
        name=path.name,
        kind="folder" if path.is_dir() else GGUF.removeprefix("."),
        family=printable(str(config.get("model_type", "unknown"))),
        vocabulary=size,
        parameters=checkpoint.parameters,
        stored=dict(sorted(Counter(entry.dtype for entry in entries).items())),
        quantised=any(entry.packing is not None for entry in entries),
    )


def _rows(checkpoint: Checkpoint) -> int:
    """Rows of the embedding; 0 where it is not known."""
    return next((matrix.shape[0] for matrix in checkpoint.matrices() if matrix.role == EMBEDDING), 0)


def uniform_loss(spec: StudySpec, bases: Mapping[int, Mapping[str, Any]]) -> float:
    """Loss of a uniform guess, nats a token: of a start model over the vocabulary that records of its base tell."""
    return math.log(spec.model.vocabulary if spec.model.start is None else int(bases[0]["start"]["vocabulary"]))


def place_start(spec: StudySpec, layout: Layout, folder: Path) -> None:
    """Write what is known of the start model, and its tokenizer where a trained one would stand.

    Args:
        spec: the study.
        layout: its folder.
        folder: what the path of the start model is relative to.

    Raises:
        CheckpointError: it has no tokenizer, one that cannot be used, one with ids that the model does not have, or one
            that names no token for the end of a text.
    """
    facts, path = facts_of(spec, folder), start_path(spec, folder)
    placed = layout.base / "tokenizer"
    token = place_tokenizer(path, placed)
    tokenizer = load_tokenizer(placed)
    # Added tokens stay out: libraries add some that no document holds.
    largest = max(tokenizer.get_vocab(with_added_tokens=False).values(), default=0)
    if largest >= facts.vocabulary:
        found = f"its tokenizer has ids up to {largest:,}, and the model {facts.vocabulary:,} of them, from 0 on"
        raise CheckpointError(found, where=str(path), hint="give the tokenizer that belongs to the model")
    end = tokenizer.token_to_id(token) if token else None
    if end is None:
        found = "its tokenizer names no token for the end of a text" if not token else f"{printable(token)!r} has no id"
        raise CheckpointError(found, where=str(path), hint="set eos_token in tokenizer_config.json")
    if end >= facts.vocabulary:
        found = f"its end of a text has the id {end:,}, and the model {facts.vocabulary:,} of them, from 0 on"
        raise CheckpointError(found, where=str(path), hint="set eos_token in tokenizer_config.json to another token")
    known: dict[str, Json] = {**asdict(facts), "end": end, "end_token": token}
    write_json(layout.start, known)
