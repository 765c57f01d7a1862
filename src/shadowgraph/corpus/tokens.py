"""From texts to token ids: the tokenizer and the tokenised pool.

Here live: training and loading a byte-level BPE, and a pool as flat token arrays.
Not here: which documents an arm takes.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray

from shadowgraph.artifact import write_bytes, write_json
from shadowgraph.corpus.document import Document
from shadowgraph.errors import DataError

END = "<|end|>"  # closes every document; the only special token
END_ID = 0


def train_tokenizer(texts: Iterable[str], vocabulary: int, folder: Path) -> None:
    """Train a byte-level BPE and write it as a Hugging Face tokenizer folder.

    Args:
        texts: training texts.
        vocabulary: size, `END` included; at least 300.
        folder: receives `tokenizer.json` and `tokenizer_config.json`.

    Raises:
        DataError: when the texts are too few to fill the vocabulary.
    """
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != vocabulary:
        raise DataError(
            f"the texts give only {tokenizer.get_vocab_size()} of {vocabulary} tokens",
            where="model.vocabulary",
            hint="ask for a smaller vocabulary or give more text",
        )
    write_bytes(folder / "tokenizer.json", tokenizer.to_str(pretty=False).encode())
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": END, "model_max_length": 1 << 20},
    )


def load_tokenizer(folder: Path) -> tokenizers.Tokenizer:
    """Load `tokenizer.json` from a folder written by `train_tokenizer`, or from a model's; it cuts and pads nothing."""
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@dataclass(frozen=True, slots=True)
class TokenPool:
    """Tokenised documents; document i holds `tokens[offsets[i]:offsets[i+1]]`, its END token included.

    Attributes:
        tokens: (T,) uint16 or uint32 token ids.
        offsets: (n+1,) int64.
        ids: n document ids.
        families: n labels.
        formats: n labels.
    """

    tokens: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    ids: tuple[str, ...]
    families: tuple[str, ...]
    formats: tuple[str, ...]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of each document, END included."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.ids)


def tokenise(documents: Sequence[Document], tokenizer: tokenizers.Tokenizer, end: int = END_ID) -> TokenPool:
    """Encode documents, each closed by END.

    Args:
        documents: n documents.
        tokenizer: from `load_tokenizer`; its vocabulary must fit 16 bits.
        end: id of the token that closes a document.
    """
    arrays: list[NDArray[np.uint16]] = []
    lengths: list[int] = []
    for start in range(0, len(documents), 1024):
        batch = [document.text for document in documents[start : start + 1024]]
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            ids = [*encoding.ids, end]
            arrays.append(np.asarray(ids, dtype=np.uint16))
            lengths.append(len(ids))
    return TokenPool(
        tokens=np.concatenate(arrays) if arrays else np.zeros(0, np.uint16),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        ids=tuple(document.id for document in documents),
        families=tuple(document.family for document in documents),
        formats=tuple(document.format for document in documents),
    )
