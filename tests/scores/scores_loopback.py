"""A server on the loopback address that completes prompts with a live model, and can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

Answer = Callable[[dict[str, Any]], Any]
Act = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


class Completions:
    """The completions protocol over one model.

    `tokens`: "decoded" each token as text (pieces of a letter are no text of their own), "raw" as in the vocabulary.
    `offsets`: whether the answer tells where tokens begin. `opens`: token id the server puts before every prompt.
    """

    def __init__(self, model: Any, tokenizer: Any, *, tokens: str = "decoded", offsets: bool = True) -> None:
        self.model, self.tokenizer, self.tokens, self.offsets = model, tokenizer, tokens, offsets
        self.opens: int | None = None
        self.asked: list[dict[str, Any]] = []

    def __call__(self, question: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(question)
        prompts = question["prompt"] if isinstance(question["prompt"], list) else [question["prompt"]]
        done = [self._one(text, question) for text in prompts]
        choices = [{"index": n, **choice} for n, (choice, _) in enumerate(done)]
        return {"choices": choices[::-1], "usage": {"prompt_tokens": sum(count for _, count in done)}}

    def _one(self, text: str, question: dict[str, Any]) -> tuple[dict[str, Any], int]:
        encoded = self.tokenizer(text, return_offsets_mapping=True)
        ids, starts = list(encoded["input_ids"]), [a for a, _ in encoded["offset_mapping"]]
        if self.opens is not None:
            opened = len(self.tokenizer.decode([self.opens]))
            ids, starts = [self.opens, *ids], [0, *(start + opened for start in starts)]
        count = len(ids)
        reply = ""
        for _ in range(question["max_tokens"]):
            ids.append(int(self._logs(ids)[-1].argmax()))
            starts.append(len(text) + (starts[1] if self.opens is not None else 0) + len(reply))
            reply = self.tokenizer.decode(ids[count:])
            if ids[-1] == self.tokenizer.eos_token_id or any(stop in reply for stop in question.get("stop", ())):
                break
        for stop in question.get("stop", ()):
            reply = reply.partition(stop)[0]
        if not question.get("echo"):
            return {"text": reply.removesuffix(self.tokenizer.eos_token), "logprobs": None}, count
        logs = self._logs(ids)
        values = [None, *(float(logs[place - 1, ids[place]]) for place in range(1, len(ids)))]
        tokens = self.tokenizer.convert_ids_to_tokens(ids)
        if self.tokens == "decoded":
            tokens = [self.tokenizer.decode([token]) for token in ids]
        told = {"tokens": tokens, "token_logprobs": values, **({"text_offset": starts} if self.offsets else {})}
        return {"text": text + reply, "logprobs": told}, count

    def _logs(self, ids: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return self.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)


def says(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Send an answer."""
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(answer: Answer, *misdeeds: Act) -> Generator[str]:
    """Serve on a free port until the block ends; each misdeed takes the place of one answer, in order.

    Yields:
        The address.
    """
    left = list(misdeeds)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/completions":
                return says(self, b'{"error": {"message": "nothing here"}}', 404)
            if left:
                return left.pop(0)(self, question)
            return says(self, json.dumps(answer(question)).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
