"""A model behind an address: the completions protocol with log-probabilities of the prompt.

Here live: the engine that asks a server, and where in its answer the continuation begins.
Not here: sending and retrying (`server`), what a log-likelihood means (`score`).

A continuation's log-likelihood comes from a completion that repeats its prompt (`echo`) with the log-probability of
each token. As for the local engine, blanks at the end of a context belong to the continuation. A token that reaches
over the border counts for the continuation; the local engine replaces it by the context's own tokens, which no server
can be asked for in text, so numbers agree where a token begins at the border, as it does before a blank or a line
break. A server may put its own beginning-of-text token first; the local engine does so only where the context is empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shadowgraph.errors import CheckpointError, SpecError
from shadowgraph.identity import Json
from shadowgraph.scores.engine import Progress
from shadowgraph.scores.row import Row, tokens_of, until_of
from shadowgraph.scores.server import Server

STOPS = 4  # stop strings the protocol takes; the rest is cut here
_HIGHEST = 1e-3  # a log-probability may exceed 0 by rounding, not by more


@dataclass(frozen=True, slots=True)
class _Asked:
    """One text to score: what stands before the border (its length in characters), and whose it is."""

    text: str
    border: int
    where: str


class Endpoint:
    """An engine over the OpenAI completions protocol.

    Attributes:
        name: the model's name at the server.
        identity: address and name, which stand for weights that cannot be seen.
        watch: told the share of a call that is done, 0 … 1.
    """

    def __init__(self, server: Server, model: str, *, batch: int = 16, prefix: str = "") -> None:
        """An engine; nothing is sent yet.

        Args:
            server: whom to ask.
            model: the model's name there.
            batch: prompts in one question; 1 for servers that take one at a time.
            prefix: text that stands in for an empty context, such as the model's beginning-of-text token.

        Raises:
            SpecError: no name, or a batch below 1.
        """
        if not model or batch < 1:
            raise SpecError("needs the model's name there, and a batch of 1 or more", where="endpoint")
        self.name = model
        self.watch: Progress | None = None
        self.identity: dict[str, Json] = {"kind": "endpoint", "address": server.address, "model": model}
        if prefix:
            self.identity["prefix"] = prefix
        self._server, self._batch, self._prefix = server, batch, prefix

    def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
        """Log-likelihood of every continuation of every row, nats.

        Args:
            split: the rows' split, for messages.
            rows: with `id`, `context` and `continuations`.

        Returns:
            One tuple a row, in the order of its continuations.

        Raises:
            CheckpointError: the server gives no log-probabilities of prompts, or nothing to find the border by.
            EnvironmentFault: the server cannot be reached.
        """
        asked = [
            self._asked(str(row["context"]), text, f"split {split!r} item {row['id']!r}")
            for row in rows
            for text in row["continuations"]
        ]
        distinct = list({(each.text, each.border): each for each in asked}.values())
        known: dict[tuple[str, int], float] = {}
        for start in range(0, len(distinct), self._batch):
            chunk = distinct[start : start + self._batch]
            answers = self._complete([each.text for each in chunk], max_tokens=1, echo=True, logprobs=1)
            for each, answer in zip(chunk, answers, strict=True):
                known[each.text, each.border] = self._value(each, answer)
            self._tell((start + len(chunk)) / len(distinct))
        values = iter(known[each.text, each.border] for each in asked)
        return [tuple(islice(values, len(row["continuations"]))) for row in rows]

    def replies(self, split: str, rows: Sequence[Row]) -> list[str]:
        """What the model writes after every context, up to the first of the row's stop strings.

        Args:
            split: the rows' split, for messages.
            rows: with `context` and, where they have any, `until` and `tokens`.

        Returns:
            One text a row.

        Raises:
            CheckpointError: the server's answer is not a completion.
            EnvironmentFault: the server cannot be reached.
        """
        found: dict[int, str] = {}
        groups: dict[tuple[tuple[str, ...], int], list[int]] = {}
        for number, row in enumerate(rows):
            groups.setdefault((until_of(row), tokens_of(row)), []).append(number)
        for (until, tokens), numbers in groups.items():
            for start in range(0, len(numbers), self._batch):
                chunk = numbers[start : start + self._batch]
                texts = [str(rows[number]["context"]) for number in chunk]
                answers = self._complete(texts, max_tokens=tokens, stop=list(until[:STOPS]))
                for number, answer in zip(chunk, answers, strict=True):
                    text = answer.get("text")
                    if not isinstance(text, str):
                        where = f"{self._where} split {split!r} item {rows[number]['id']!r}"
                        raise CheckpointError("a completion without text", where=where)
                    found[number] = _cut(text, until)
                self._tell(len(found) / len(rows))
        return [found[number] for number in range(len(rows))]

    def _tell(self, share: float) -> None:
        """Tell how far a call is."""
        if self.watch is not None:
            self.watch(share)

    @property
    def _where(self) -> str:
        return f"{self._server.address} model {self.name!r}"

    def _asked(self, context: str, continuation: str, where: str) -> _Asked:
        """The text to send and the border in it: blanks at a context's end go to the continuation."""
        head = context or self._prefix
        whole = head + continuation
        border = len(head) if not context else len(context.rstrip())
        return _Asked(whole, border, where)

    def _complete(self, texts: Sequence[str], **more: Any) -> list[dict[str, Any]]:
        """One question, an answer for each text, in their order."""
        prompt = list(texts) if len(texts) > 1 else texts[0]
        answer = self._server.post("completions", {"model": self.name, "prompt": prompt, "temperature": 0, **more})
        choices = answer.get("choices")
        found: dict[int, dict[str, Any]] = {}
        for place, choice in enumerate(choices if isinstance(choices, list) else []):
            number = choice.get("index", place) if isinstance(choice, dict) else None
            if type(number) is int:
                found[number] = {"usage": answer.get("usage"), **choice}
        if sorted(found) != list(range(len(texts))):
            hint = "the server may take one prompt at a time: set the batch to 1" if len(texts) > 1 else ""
            raise CheckpointError(f"{len(found)} completions for {len(texts)} prompts", where=self._where, hint=hint)
        return [found[number] for number in range(len(texts))]

    def _value(self, asked: _Asked, answer: Mapping[str, Any]) -> float:
        """Log-likelihood of what follows the border."""
        where = f"{self._where} {asked.where}"
        told = answer.get("logprobs")
        told = told if isinstance(told, dict) else {}
        tokens, logs, offsets = (told.get(key) for key in ("tokens", "token_logprobs", "text_offset"))
        if not isinstance(logs, list) or not logs:
            raise CheckpointError(
                "the server returns no log-probabilities", where=where, hint="it must take `logprobs` and `echo`"
            )
        if not str(answer.get("text") or "").startswith(asked.text):
            raise CheckpointError(
                "the server does not repeat the prompt, so its log-probabilities are not the prompt's",
                where=where,
                hint="it must take `echo`",
            )
        place = _place(asked, tokens, logs, offsets)
        start, stop = place if place is not None else self._counted(asked, where)
        scored = logs[start:stop]
        if start == 0 and scored and scored[0] is None:
            raise CheckpointError(
                "the context is empty and the first token has no log-probability",
                where=where,
                hint="give the model's beginning-of-text token with --prefix",
            )
        if not scored or not all(_sound(value) for value in scored):
            raise CheckpointError(
                "the continuation has no token of its own" if not scored else "a token without a log-probability",
                where=where,
            )
        return math.fsum(scored)

    def _counted(self, asked: _Asked, where: str) -> tuple[int, int]:
        """First and last token of the continuation, from how many tokens the server counts with and without it."""
        counts: list[int] = []
        for text in (asked.text[: asked.border], asked.text):
            if not text:
                counts.append(0)
                continue
            usage = self._complete([text], max_tokens=1, echo=True, logprobs=1)[0]["usage"]
            count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
            if isinstance(count, bool) or not isinstance(count, int):
                raise CheckpointError(
                    "nothing tells where the continuation begins: no tokens as text, no offsets, no count",
                    where=where,
                    hint="the server must give `text_offset` or `usage`",
                )
            counts.append(count)
        return counts[0], counts[1]


def _place(asked: _Asked, tokens: Any, logs: list[Any], offsets: Any) -> tuple[int, int] | None:
    """First and one past the last token of the continuation; None where the answer does not tell.

    Where the tokens in a row are the text that was sent, but for one put before it, they tell; where they are written
    in another alphabet, their offsets do if they begin at 0 and the one token more begins at the text's end.
    """
    places: list[int] = []
    before = 0  # tokens of the server's own
    if isinstance(tokens, list) and len(tokens) == len(logs) and all(isinstance(token, str) for token in tokens):
        extra = next((n for n in (0, 1) if "".join(tokens[n:]).startswith(asked.text)), None)
        if extra is not None:
            before = max(extra, int(tokens[0] == ""))
            places = [0] * extra + list(_starts(tokens[extra:]))
    if not places and isinstance(offsets, list) and len(offsets) == len(logs):
        told = all(type(offset) is int for offset in offsets)
        if told and offsets[0] == 0 and offsets[-1] == len(asked.text) and sorted(offsets) == offsets:
            places = offsets
    if not places:
        return None
    stop = next((n for n, place in enumerate(places) if place >= len(asked.text)), len(places))
    start = next((n for n in range(before, stop) if places[n] == asked.border), None)
    if start is None:
        start = max(n for n, place in enumerate(places) if place <= asked.border)
    return start, stop


def _starts(tokens: Sequence[str]) -> Iterator[int]:
    """Where each token begins."""
    place = 0
    for token in tokens:
        yield place
        place += len(token)


def _sound(value: Any) -> bool:
    """Whether a value is a log-probability."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value <= _HIGHEST


def _cut(text: str, until: Sequence[str]) -> str:
    """The text up to the first stop string in it."""
    ends = [place for stop in until if stop and (place := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text
