"""lm-eval in this process: rows in, log-likelihoods and replies out.

Here live: the engine over a local model, and the quiet it runs in.
Not here: opening a folder (`loading`), what a log-likelihood means (`outcome`). This module imports torch, transformers
and lm-eval.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import hashlib
import inspect
import logging
import random
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers.utils import logging as transformers_logging

from shadowgraph.errors import CheckpointError, DataError, SpecError, printable
from shadowgraph.identity import Json, versions
from shadowgraph.scores.batches import Batch, Request, planned
from shadowgraph.scores.engine import Progress
from shadowgraph.scores.loading import folder_identity, load
from shadowgraph.scores.prefix import shared_loglikelihoods
from shadowgraph.scores.row import Row, tokens_of, until_of

_HFLM: Any = HFLM  # its registering decorator hides the type
_SHARING = {"attention_mask", "position_ids", "past_key_values", "logits_to_keep"}  # arguments of a model that can


class QuietLM(_HFLM):
    """lm-eval's own Hugging Face model: no progress bar, each context encoded once, faults named by item.

    Attributes:
        places: the item behind each request of the next call, for messages.
        share: compute the context of an item's continuations once.
        watch: told the number of requests done in this call.
        cut: number of requests whose context was cut on the left to fit the model's window.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._encoded = lru_cache(maxsize=256)(super().tok_encode)
        self.places: Sequence[str] = ()
        self.share = False
        self.watch: Callable[[int], None] | None = None
        self.cut = 0
        self._done = 0
        self._planned: Iterator[Batch] = iter(())
        super().__init__(**kwargs)
        self.cache_hook = self

    def add_partial(self, *_: Any) -> None:
        """Called by the parent at every finished request, in place of its cache."""
        self._done += 1
        if self.watch is not None:
            self.watch(self._done)

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """Log-likelihoods as the parent computes them, silently."""
        self._done = 0
        return super().loglikelihood(requests, disable_tqdm=True)

    def generate_until(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """Replies as the parent generates them, silently; what it would only assert is said.

        Raises:
            CheckpointError: when the tokenizer knows no end of text, or ids that the model does not know.
            DataError: when a reply may be longer than the model's window.
        """
        self._done = 0
        if self.eot_token_id is None:
            raise CheckpointError("the tokenizer has no end of text, so a reply has no end", where=self._name())
        for place, request in zip(self.places, requests, strict=False):
            ids, room = self.tok_encode(request.args[0]), self.max_length - request.args[1]["max_gen_toks"]
            self._check(place, ids)
            if room < 1 and self.backend == "causal":
                found = (
                    f"asks for {request.args[1]['max_gen_toks']} tokens; the model has a window of {self.max_length}"
                )
                raise DataError(found, where=place)
            self.cut += self.backend == "causal" and len(ids) > room
        return super().generate_until(requests, disable_tqdm=True)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        """Encode as the parent does; the continuations of an item share one encoded context."""
        return list(self._encoded(string, add_special_tokens, **kwargs))

    def _loglikelihood_tokens(self, requests: list[Request], **kwargs: Any) -> Any:
        """What the parent would only assert is said; then the parent computes, or the shared way."""
        for place, (_, context, continuation) in zip(self.places, requests, strict=False):
            if not context or not continuation:
                found = "the tokenizer joins context and continuation, or leaves one of them empty"
                raise DataError(found, where=place, hint="end the context at a space or line break")
            self._check(place, context + continuation)
            if len(continuation) > self.max_length:
                raise DataError(f"a continuation exceeds the model's window of {self.max_length} tokens", where=place)
            self.cut += self.backend == "causal" and len(context) + len(continuation) > self.max_length + 1
        if self.share and self.backend == "causal":
            return shared_loglikelihoods(self, requests)
        if self.backend == "causal" and "logits_to_keep" in inspect.signature(self.model.forward).parameters:
            self._planned = planned(requests, self.batch_size, self.max_length)
        try:
            return super()._loglikelihood_tokens(requests, **kwargs)
        finally:
            self._planned = iter(())

    def _model_call(self, inps: Any, attn_mask: Any = None, labels: Any = None) -> Any:
        """Logits as the parent asks for them; of a batch that was foreseen only the positions it will read."""
        foreseen = next(self._planned, None)
        if foreseen is None or not torch.equal(foreseen.ids, inps.cpu()):
            return super()._model_call(inps, attn_mask, labels)
        with torch.no_grad():
            return self.model(inps, logits_to_keep=foreseen.keep).logits

    def _check(self, place: str, ids: list[int]) -> None:
        """Refuse ids beyond the model's embedding."""
        rows = self.model.get_input_embeddings().weight.shape[0]
        if ids and max(ids) >= rows:
            found = f"the tokenizer gives id {max(ids)}, but the model knows {rows} tokens"
            raise CheckpointError(found, where=f"{self._name()} {place}", hint="save the model's own tokenizer")

    def _name(self) -> str:
        return printable(str(getattr(self.model, "name_or_path", "") or "model"))


class ModelEngine:
    """An engine over a local model: lm-eval's own arithmetic, one call a split.

    Attributes:
        name: what to call it.
        model: the lm-eval model.
        threads: threads used.
        watch: told the share of a call that is done, 0 … 1.
    """

    def __init__(
        self, module: Any, tokenizer: Any, *, batch: int = 16, threads: int = 1, share: bool = False, name: str = ""
    ) -> None:
        """Wrap a live Hugging Face module; it is left in evaluation mode.

        Args:
            module: a causal or encoder-decoder language model.
            tokenizer: its tokenizer.
            batch: requests a forward pass; may change the last digits.
            threads: threads used.
            share: compute the context of an item's continuations once (see `prefix`).
            name: what to call it.

        Raises:
            SpecError: when the model cannot share a context.
        """
        backend = "seq2seq" if module.config.is_encoder_decoder else "causal"
        if share and (backend != "causal" or not set(inspect.signature(module.forward).parameters) >= _SHARING):
            raise SpecError("a model of this kind cannot share a context", where="share", hint="leave it out")
        with quiet(threads):
            model = QuietLM(pretrained=module, tokenizer=tokenizer, batch_size=batch, backend=backend)
        model.share = share
        self.name = name or printable(type(module).__name__)
        self.model: Any = model
        self.threads = threads
        self.watch: Progress | None = None
        self._folder: Path | None = None
        self._digest: Json = None

    @classmethod
    def open(cls, folder: Path, *, batch: int = 16, threads: int = 1, share: bool = False) -> ModelEngine:
        """Load a model from a local folder (see `loading.load`).

        Args:
            folder: the model with its tokenizer.
            batch: requests a forward pass.
            threads: threads used.
            share: compute the context of an item's continuations once.

        Raises:
            CheckpointError: when it cannot be loaded.
            SpecError: when the model cannot share a context.
        """
        with quiet(threads):
            module, tokenizer = load(folder)
        found = cls(module, tokenizer, batch=batch, threads=threads, share=share, name=printable(folder.name))
        found._folder = folder
        return found

    @property
    def identity(self) -> dict[str, Json]:
        """Digest of the model, and everything else that can move the last digit of a score."""
        if self._digest is None:
            self._digest = folder_identity(self._folder) if self._folder else _module_identity(self.model)
        options: dict[str, Json] = {"batch": self.model.batch_size, "threads": self.threads, "share": self.model.share}
        return {"model": self._digest, **options, "versions": dict(versions("lm-eval", "torch", "transformers"))}

    @property
    def cut(self) -> int:
        """Number of requests so far whose context was cut on the left to fit the model's window."""
        return self.model.cut

    def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
        """Log-likelihood (nats) of every continuation of every row after its context.

        Raises:
            DataError: names split and item whose texts the model cannot take.
            CheckpointError: when tokenizer and model do not belong together.
        """
        pairs = [(row, text) for row in rows for text in row["continuations"]]
        made = [Instance("loglikelihood", {}, (row["context"], text), n) for n, (row, text) in enumerate(pairs)]
        found = iter(self._ask("loglikelihood", split, [row for row, _ in pairs], made))
        return [tuple(float(next(found)[0]) for _ in row["continuations"]) for row in rows]

    def replies(self, split: str, rows: Sequence[Row]) -> list[str]:
        """Greedy reply to every row, up to the first of its `until`, which is cut off.

        Raises:
            DataError: names split and item whose texts the model cannot take.
            CheckpointError: when tokenizer and model do not belong together.
        """
        made = [
            Instance("generate_until", {}, (row["context"], _generation(row)), number)
            for number, row in enumerate(rows)
        ]
        return [str(reply) for reply in self._ask("generate_until", split, rows, made)]

    def _ask(self, method: str, split: str, rows: Sequence[Row], requests: list[Any]) -> list[Any]:
        """Put requests to lm-eval in quiet; row i stands behind request i."""
        self.model.places = [f"split {split!r} item {printable(str(row['id']))!r}" for row in rows]
        tell, total = self.watch, len(requests)

        def done(number: int) -> None:
            if tell is not None:
                tell(number / total)

        self.model.watch = done
        with quiet(self.threads):
            return list(getattr(self.model, method)(requests))


@contextmanager
def quiet(threads: int) -> Generator[None]:
    """Run with `threads` threads, without chatter and gradients; restore the process on the way out."""
    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    before, chatter = torch.get_num_threads(), logging.getLogger("lm_eval")
    level, bars = chatter.level, transformers_logging.is_progress_bar_enabled()
    verbosity = transformers_logging.get_verbosity()
    torch.set_num_threads(threads)
    chatter.setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with torch.inference_mode():
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
        chatter.setLevel(level)
        torch.set_num_threads(before)
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_rng_state(cpu)


def _generation(row: Row) -> dict[str, Any]:
    """lm-eval's generation arguments of a row."""
    return {"until": list(until_of(row)), "max_gen_toks": tokens_of(row), "do_sample": False}


def _module_identity(model: Any) -> str:
    """Digest of a live module's tensors and of its tokenizer."""
    digest = hashlib.sha256(str(model.tokenizer.backend_tokenizer.to_str()).encode())
    for name, tensor in sorted(model.model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
