"""An engine for models that look at pictures.

Here live: log-likelihoods of continuations and greedy replies, each after a picture and a text, or a text alone.
Not here: loading (`vision_model`), opening pictures (`picture`), what becomes of the answers (`score`).

Context and continuation are encoded together and cut where the context alone ends; white space that ends a context
goes to the continuation, as in lm-eval, which scores no continuations after pictures.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from shadowgraph.errors import CheckpointError, DataError, printable, require
from shadowgraph.identity import Json, versions
from shadowgraph.scores.engine import Progress
from shadowgraph.scores.picture import read_picture
from shadowgraph.scores.row import Row, tokens_of, until_of

T = TypeVar("T")


@dataclass(slots=True)
class _Ask:
    """One prompt with a continuation, and the tails that its forward pass gives.

    A tail is (row, continuation, its tokens); those of one prompt differ in their last token only.
    """

    row: Row
    text: str
    length: int
    tails: list[tuple[int, int, list[int]]] = field(default_factory=list[tuple[int, int, list[int]]])


class VisionEngine:
    """A model for pictures and text, from a local folder.

    Args:
        folder: model, tokenizer and image processor.
        pictures: folder that the rows' `image` is relative to: the suite's.
        batch: prompts a forward pass; may change the last digits.
        threads: threads used.
        chat: show picture and context as one turn of the model's own chat.
        device: of torch; the arithmetic is float32 everywhere.

    Raises:
        CheckpointError: when the folder holds no such model, or a chat is wanted and it has no template.
        EnvironmentFault: when a package is missing.
    """

    def __init__(
        self,
        folder: Path | str,
        pictures: Path | str,
        *,
        batch: int = 8,
        threads: int = 1,
        chat: bool = False,
        device: str = "cpu",
    ) -> None:
        """Load the model."""
        for module, extra in (("torch", "eval"), ("transformers", "eval"), ("PIL", "worlds")):
            require(module, extra)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from shadowgraph.scores.vision_model import load, told

        self.folder, self.pictures = Path(folder), Path(pictures)
        self.batch, self.threads, self.chat, self.device = max(1, batch), threads, chat, device
        self.watch: Progress | None = None
        self._digest: Json = None
        with self._quiet():
            self._model, self._processor = load(self.folder)
            self._model.to(device)
            told(self._processor, "", picture=True, chat=chat)

    @property
    def name(self) -> str:
        """The folder's name."""
        return printable(self.folder.resolve().name)

    @property
    def identity(self) -> dict[str, Json]:
        """Digest of the folder's files, and everything else that can move the last digit of a score."""
        from shadowgraph.scores.loading import folder_identity

        if self._digest is None:
            self._digest = folder_identity(self.folder)
        options: dict[str, Json] = {"batch": self.batch, "threads": self.threads, "chat": self.chat}
        used: dict[str, Json] = {**versions("pillow", "torch", "transformers")}
        return {"model": self._digest, **options, "device": self.device, "versions": used}

    def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
        """Log-likelihood (nats) of every continuation of every row after its picture, if it has one, and context.

        Raises:
            DataError: when a picture is refused; names split and item.
            CheckpointError: when the processor or the model cannot take a prompt.
        """
        found = [[0.0] * len(row["continuations"]) for row in rows]
        asks = self._asks(rows)
        asks.sort(key=lambda ask: ("image" in ask.row, -ask.length))
        done = 0
        with self._quiet():
            for part in self._parts(asks, ["image" in ask.row for ask in asks]):
                for row, place, value in self._forward(split, part):
                    found[row][place] = value
                done += len(part)
                self._tell(done / len(asks))
        return [tuple(values) for values in found]

    def replies(self, split: str, rows: Sequence[Row]) -> list[str]:
        """What follows picture and context of every row, greedily, up to the first of its `until`.

        Raises:
            DataError: when a picture is refused; names split and item.
            CheckpointError: when the processor or the model cannot take a prompt.
        """
        found = [""] * len(rows)
        alike = [("image" in row, until_of(row), tokens_of(row)) for row in rows]
        order = sorted(range(len(rows)), key=lambda index: (alike[index], -len(rows[index]["context"])))
        done = 0
        with self._quiet():
            for part in self._parts(order, [alike[index] for index in order]):
                _, until, tokens = alike[part[0]]
                texts = self._generate(split, [rows[index] for index in part], until, tokens)
                for index, text in zip(part, texts, strict=True):
                    found[index] = text
                done += len(part)
                self._tell(done / len(rows))
        return found

    def _parts(self, ordered: Sequence[T], alike: Sequence[object]) -> Iterator[Sequence[T]]:
        """Batches of neighbours that are alike."""
        start = 0
        for stop in range(1, len(ordered) + 1):
            if stop == len(ordered) or stop - start == self.batch or alike[stop] != alike[start]:
                yield ordered[start:stop]
                start = stop

    def _asks(self, rows: Sequence[Row]) -> list[_Ask]:
        """The passes that a split needs: continuations that differ in their last token only share one."""
        passes: dict[tuple[Any, ...], _Ask] = {}
        for index, row in enumerate(rows):
            prompt = self._prompt(row)
            bare = prompt if self.chat else prompt.rstrip()
            head = len(self._encode(bare))
            for place, continuation in enumerate(row["continuations"]):
                text = bare + prompt[len(bare) :] + continuation
                if self.chat and prompt[-1:].isspace():
                    text = prompt + continuation.lstrip()
                tokens = self._encode(text)
                if len(tokens) <= head:
                    raise CheckpointError(
                        f"the tokenizer gives the continuation {printable(continuation)!r} no token of its own",
                        where=f"{self.name} item {printable(str(row['id']))!r}",
                    )
                key = row.get("image"), tuple(tokens[:-1]), len(tokens) - head
                ask = passes.setdefault(key, _Ask(row, text, len(tokens)))
                ask.tails.append((index, place, tokens[head:]))
        return list(passes.values())

    def _forward(self, split: str, asks: Sequence[_Ask]) -> list[tuple[int, int, float]]:
        """One forward pass, right-padded; (row, continuation, nats) of every tail."""
        import torch

        inputs = self._inputs(split, [ask.row for ask in asks], [ask.text for ask in asks], "right")
        ends = [int(length) for length in inputs["attention_mask"].sum(dim=1)]
        sizes = [len(ask.tails[0][2]) for ask in asks]
        for ask, ids, end, size in zip(asks, inputs["input_ids"].tolist(), ends, sizes, strict=True):
            if ids[end - size : end] != ask.tails[0][2]:
                raise CheckpointError("its processor changes the text after the picture", where=self.name)
        low, high = min(map(int.__sub__, ends, sizes)) - 1, max(ends)
        kept: dict[str, Any] = {}
        if "logits_to_keep" in signature(self._model.forward).parameters:
            kept["logits_to_keep"] = torch.arange(low, high, device=self.device)
        with self._taken("its model cannot take a prompt"):
            logits: Any = self._model(**inputs, **kept).logits
        offset = low if kept else 0
        found: list[tuple[int, int, float]] = []
        for number, (ask, end, size) in enumerate(zip(asks, ends, sizes, strict=True)):
            logs = logits[number, end - size - 1 - offset : end - 1 - offset].float().log_softmax(-1).cpu()
            for row, place, tokens in ask.tails:
                found.append((row, place, float(logs.gather(1, torch.tensor(tokens)[:, None]).sum())))
        return found

    def _generate(self, split: str, rows: Sequence[Row], until: Sequence[str], tokens: int) -> list[str]:
        """Greedy replies to some rows, left-padded, cut before the first stop."""
        from transformers import GenerationConfig, StoppingCriteriaList

        tokenizer = self._processor.tokenizer
        inputs = self._inputs(split, rows, [self._prompt(row) for row in rows], "left")
        width = inputs["input_ids"].shape[1]

        def ended(ids: Any, _scores: Any, **_: Any) -> Any:
            texts = tokenizer.batch_decode(ids[:, width:], skip_special_tokens=True)
            return ids.new_tensor([any(stop in text for stop in until) for text in texts]).bool()

        held = self._model.generation_config.eos_token_id
        settings = GenerationConfig(
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=tokenizer.eos_token_id if held is None else held,
            pad_token_id=tokenizer.pad_token_id,
        )
        with self._taken("its model cannot take a prompt"):
            made = self._model.generate(
                **inputs, generation_config=settings, stopping_criteria=StoppingCriteriaList([ended])
            )
        texts = tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)
        return [_cut(text, until) for text in texts]

    def _inputs(self, split: str, rows: Sequence[Row], texts: list[str], side: str) -> Any:
        """Pictures and texts as tensors, padded on one side."""
        self._processor.tokenizer.padding_side = side
        images = [[self._picture(split, row)] for row in rows] if "image" in rows[0] else None
        with self._taken("its processor cannot take a prompt"):
            inputs = self._processor(text=texts, images=images, padding=True, return_tensors="pt").to(self.device)
        inner = self._model.config.get_text_config()
        most = getattr(inner, "max_position_embeddings", None)
        if most is not None and inputs["input_ids"].shape[1] > most:
            raise CheckpointError(
                f"a prompt of {inputs['input_ids'].shape[1]} tokens, the model takes {most}",
                where=f"{self.name} split {split!r}",
                hint="draw smaller pictures",
            )
        return inputs

    def _picture(self, split: str, row: Row) -> Any:
        """The picture of a row."""
        try:
            return read_picture(self.pictures, row["image"])
        except DataError as error:
            where = f"split {split!r} item {printable(str(row['id']))!r}"
            raise DataError(f"{error.found} ({error.where})", where=where, hint=error.hint) from error

    @contextmanager
    def _taken(self, found: str) -> Generator[None]:
        """Turn what transformers and torch raise of a prompt into one line."""
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
            message = printable((str(error).strip().splitlines() or [type(error).__name__])[0])
            raise CheckpointError(f"{found} ({message})", where=self.name) from error

    def _prompt(self, row: Row) -> str:
        """The prompt of a row with its picture still a mark."""
        from shadowgraph.scores.vision_model import told

        return told(self._processor, row["context"], picture="image" in row, chat=self.chat)

    def _encode(self, text: str) -> list[int]:
        """Tokens of a text in which the picture is one mark."""
        return list(self._processor.tokenizer(text)["input_ids"])

    def _tell(self, share: float) -> None:
        """Tell a watcher how far this call is."""
        if self.watch is not None:
            self.watch(share)

    @contextmanager
    def _quiet(self) -> Generator[None]:
        """Run with the engine's threads, without gradients and chatter; restore the process on the way out."""
        import torch
        from transformers.utils import logging

        before, level, bars = torch.get_num_threads(), logging.get_verbosity(), logging.is_progress_bar_enabled()
        torch.set_num_threads(self.threads)
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(before)
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()


def _cut(text: str, until: Sequence[str]) -> str:
    """The text before the first stop."""
    return text[: min([place for stop in until if (place := text.find(stop)) >= 0], default=len(text))]
