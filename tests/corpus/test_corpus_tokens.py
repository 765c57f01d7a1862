"""The tokenizer: same text, same bytes; the pool gives every document back."""

from pathlib import Path

import pytest

from shadowgraph.corpus.document import Document
from shadowgraph.corpus.tokens import END_ID, load_tokenizer, tokenise, train_tokenizer
from shadowgraph.errors import DataError

PAIRS = list(enumerate(zip("abcdefgh" * 50, "xyz" * 134, strict=False)))
TEXTS = [f"The {a} of {b} is {n}, and {b} knows it.\n" for n, (a, b) in PAIRS]


def test_training_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        train_tokenizer(TEXTS, 320, tmp_path / name)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_documents_come_back_and_close_with_end(tmp_path: Path) -> None:
    train_tokenizer(TEXTS, 320, tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    texts = ["The a of x is 1", "naïve — ☃ <|end|> text", "\n\ttabs  and   spaces "]
    pool = tokenise([Document(str(i), "s", "f", "plain", text) for i, text in enumerate(texts)], tokenizer)
    for index, text in enumerate(texts):
        ids = pool.tokens[pool.offsets[index] : pool.offsets[index + 1]].tolist()
        assert ids[-1] == END_ID
        if "<|end|>" not in text:
            assert tokenizer.decode(ids[:-1]) == text


def test_a_vocabulary_the_text_cannot_fill_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"model\.vocabulary"):
        train_tokenizer(["short text"], 5000, tmp_path)
