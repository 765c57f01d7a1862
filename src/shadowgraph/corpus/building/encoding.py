"""From a batch to tokens: the template, END, the mark of the answer, and the tokens that stand for an image.

Here live: encoding as a specification asks for it. Not here: training a tokenizer (`tokens`).

An image becomes `image_tokens` times the image token: where the text holds that token, and in front of the text where
it does not.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.errors import DataError, printable
from shadowgraph.spec.corpus import TokensTable


@dataclass(frozen=True, slots=True)
class Encoded:
    """Tokens of a batch.

    Attributes:
        tokens: one array a document, END included.
        lengths: (n,) their sizes.
        prompts: (n,) tokens before the answer; 0 without a mark.
        images: (n,) tokens up to the end of the image; 0 without one.
    """

    tokens: list[NDArray[Any]]
    lengths: NDArray[np.int64]
    prompts: NDArray[np.int64]
    images: NDArray[np.int64]


class Encoder:
    """A tokenizer under the rules of a specification."""

    def __init__(self, rule: TokensTable, tokenizer: Any) -> None:
        """Look up the tokens that the rules name.

        Raises:
            DataError: when the tokenizer lacks one.
        """
        self.rule, self.tokenizer = rule, tokenizer
        self.end = self._id(rule.end, "tokens.end")
        self.image = None if rule.image is None else self._id(rule.image, "tokens.image")
        self.size = int(tokenizer.get_vocab_size())
        self.kind: Any = np.uint32 if self.size > 1 << 16 else np.uint16

    def _id(self, token: str, where: str) -> int:
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise DataError(f"the tokenizer has no token {token!r}", where=where)
        return int(found)

    def encode(self, batch: Batch, names: list[str]) -> Encoded:
        """Tokens of every document of a batch.

        Args:
            batch: the documents; a reference to an image stands at the piece that shows it.
            names: their names, for messages.

        Raises:
            DataError: for an image token without an image, or one that the tokenizer does not keep whole; names the
                record.
        """
        rule = self.rule
        told = [rule.template.replace("{text}", self._shown(batch, d, names[d])) for d in range(len(batch))]
        lengths, prompts, images = (np.zeros(len(told), np.int64) for _ in range(3))
        tokens: list[NDArray[Any]] = []
        encode = self.tokenizer.encode_batch if rule.answer_after else self.tokenizer.encode_batch_fast
        for place, encoding in enumerate(encode(told, add_special_tokens=False)):
            ids = np.array([*encoding.ids, self.end], self.kind)
            tokens.append(ids)
            lengths[place] = len(ids)
            images[place] = self._image_end(ids, batch.media[place], names[place])
            at = told[place].rfind(rule.answer_after) if rule.answer_after else -1
            if at >= 0 and rule.answer_after is not None:
                begin = at + len(rule.answer_after)
                prompts[place] = sum(1 for _, stop in encoding.offsets if stop <= begin)
                if prompts[place] < images[place]:
                    raise DataError("the image stands behind the answer's mark", where=printable(names[place]))
        return Encoded(tokens, lengths, prompts, images)

    def count(self, batch: Batch) -> NDArray[np.int64]:
        """(V,) how often the texts of a batch hold each token, without template; END once a document, images never."""
        texts = [batch.text(d) for d in range(len(batch))]
        made = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ids = np.array([token for encoding in made for token in encoding.ids], np.int64)
        counts = np.bincount(ids, minlength=self.size).astype(np.int64)
        counts[self.end] += int((batch.parts <= 1).sum())
        if self.image is not None:
            counts[self.image] = 0
        return counts

    def _shown(self, batch: Batch, document: int, name: str) -> str:
        """A text with its image told in tokens."""
        text, token = batch.text(document), self.rule.image
        if token is None:
            return text
        count = text.count(token)
        if batch.media[document] is None and not count:
            return text
        if batch.media[document] is None or count > 1:
            raise DataError(
                f"the text holds the image token {token!r} {count} times and "
                + ("no image" if batch.media[document] is None else "one image"),
                where=printable(name),
                hint="one image a record, marked once or not at all",
            )
        shown = token * (self.rule.image_tokens or 1)
        return text.replace(token, shown) if count else shown + text

    def _image_end(self, ids: NDArray[Any], reference: str | None, name: str) -> int:
        """Tokens up to the end of the image."""
        if self.image is None:
            return 0
        places = np.flatnonzero(ids == self.image)
        wanted = 0 if reference is None else self.rule.image_tokens or 1
        if len(places) != wanted or (wanted and int(places[-1] - places[0]) != wanted - 1):
            raise DataError(
                f"{len(places)} image tokens, {wanted} are declared",
                where=printable(name),
                hint="tokens.image must be a token that the tokenizer neither splits nor merges",
            )
        return int(places[-1]) + 1 if wanted else 0
