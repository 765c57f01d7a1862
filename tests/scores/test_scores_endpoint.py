"""Endpoints: numbers equal to the local engine's, and servers that misbehave are refused or asked again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import torch
from scores_loopback import Act, Completions, says, serving

from shadowgraph.errors import CheckpointError, EnvironmentFault, SpecError
from shadowgraph.scores import server as wire
from shadowgraph.scores.endpoint import Endpoint
from shadowgraph.scores.harness import load
from shadowgraph.scores.server import Server

KEY = "sk-very-secret-93"
ROW: dict[str, Any] = {"id": "a", "family": "f", "group": "g", "context": "one two", "continuations": [" red", " blue"],
                       "gold": 0}  # fmt: skip


@pytest.fixture(scope="module")
def live(model_dir: Path) -> tuple[Any, Any]:
    """The tiny model in float64, so that sums in another order agree far below the tolerance."""
    model, tokenizer = load(model_dir)
    return model.double(), tokenizer


def local(live: tuple[Any, Any], rows: list[dict[str, Any]]) -> list[tuple[float, ...]]:
    """What lm-eval's own model class gives in this process, its habits at the border included."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    engine: Any = HFLM
    pairs = [(row["context"], text) for row in rows for text in row["continuations"]]
    asked = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
    model = engine(pretrained=live[0], tokenizer=live[1], backend="causal", batch_size=1)
    values = iter(value for value, _ in model.loglikelihood(asked, disable_tqdm=True))
    return [tuple(next(values) for _ in row["continuations"]) for row in rows]


def fixed(question: dict[str, Any]) -> dict[str, Any]:
    """A server without a model: every word of the prompt is a token of log-probability −1."""
    prompts = question["prompt"] if isinstance(question["prompt"], list) else [question["prompt"]]
    choices: list[dict[str, Any]] = []
    for number, text in enumerate(prompts):
        tokens = [word if not place else f" {word}" for place, word in enumerate(text.split(" "))]
        offsets = [sum(map(len, tokens[:place])) for place in range(len(tokens) + 1)]
        logs: list[float | None] = [None, *([-1.0] * len(tokens))]
        told = {"tokens": [*tokens, " end"], "token_logprobs": logs, "text_offset": offsets}
        choices.append({"index": number, "text": f"{text} end", "logprobs": told})
    return {"choices": choices}


def rows() -> list[dict[str, Any]]:
    """Hard borders: letters of several bytes, blanks and breaks at the end, equal texts; a token begins at each."""
    parts = [
        ("question: river stone\nanswer:", [" apple é1.", " town", " é2. seven é"]),
        ("question: river stone\nanswer: ", ["apple", "older green"]),
        ("count gives\n\n", ["takes north", "letter é"]),
        ("éé", ["é river", " river"]),
        ("riv", ["al", "ulet older"]),
        ("question: river stone\nanswer:", [" town", " apple é1."]),
        ("日本", ["語 é", "🙂"]),
    ]
    return [
        {"id": f"r{n}", "family": "f", "group": "g", "context": context, "continuations": texts, "gold": 0}
        for n, (context, texts) in enumerate(parts)
    ]


@pytest.mark.parametrize(("tokens", "offsets"), [("decoded", True), ("raw", True), ("decoded", False)])
@pytest.mark.parametrize("batch", [1, 5])
def test_equal_to_the_local_engine(live: tuple[Any, Any], tokens: str, offsets: bool, batch: int) -> None:
    with serving(Completions(*live, tokens=tokens, offsets=offsets)) as address:
        found = Endpoint(Server(address), "tiny", batch=batch).loglikelihoods("hard", rows())
    for ours, wanted in zip(found, local(live, rows()), strict=True):
        assert ours == pytest.approx(wanted, abs=1e-6)


def test_an_empty_context_needs_a_token_to_stand_for_it(live: tuple[Any, Any]) -> None:
    empty = [{**row, "context": ""} for row in rows()]
    answers = Completions(*live)
    with serving(answers) as address:
        with pytest.raises(CheckpointError, match=r"context is empty .* --prefix"):
            Endpoint(Server(address), "tiny").loglikelihoods("empty", empty)
        given = Endpoint(Server(address), "tiny", prefix="<|end|>").loglikelihoods("empty", empty)
        answers.opens = live[1].eos_token_id
        plain = [{**empty[4], "continuations": ["river stone", " town"]}]
        opened = Endpoint(Server(address), "tiny").loglikelihoods("empty", plain)
    for ours, wanted in zip([*given, *opened], local(live, [*empty, *plain]), strict=True):
        assert ours == pytest.approx(wanted, abs=1e-6)


def test_a_token_over_the_border_counts_for_the_continuation(live: tuple[Any, Any]) -> None:
    model, tokenizer = live
    text = "the stone apple"
    pieces = tokenizer(text)["input_ids"]
    assert [tokenizer.decode([piece]) for piece in pieces] == ["t", "h", "e", " ", "stone", " ", "apple"]
    with torch.no_grad():
        logs = model(input_ids=torch.tensor([pieces])).logits[0].log_softmax(-1)
    wanted = sum(float(logs[place - 1, pieces[place]]) for place in (4, 5, 6))
    row = {**ROW, "context": "the st", "continuations": ["one apple"]}
    for tokens in ("decoded", "raw"):
        with serving(Completions(*live, tokens=tokens)) as address:
            found = Endpoint(Server(address), "tiny").loglikelihoods("s", [row])
        assert found[0][0] == pytest.approx(wanted, abs=1e-9)


def test_a_token_the_server_puts_first_moves_no_border(live: tuple[Any, Any]) -> None:
    for tokens, offsets in (("decoded", True), ("decoded", False), ("raw", True)):
        answers = Completions(*live, tokens=tokens, offsets=offsets)
        answers.opens = live[1].eos_token_id
        with serving(answers) as address:
            found = Endpoint(Server(address), "tiny", batch=3).loglikelihoods("hard", rows())
        with serving(Completions(*live)) as address:
            opened = [{**row, "context": "<|end|>" + row["context"]} for row in rows()]
            wanted = Endpoint(Server(address), "tiny").loglikelihoods("hard", opened)
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-6)


def test_replies_end_where_the_row_says(live: tuple[Any, Any]) -> None:
    model, tokenizer = live
    asked: list[dict[str, Any]] = [
        {**ROW, "id": "1", "context": "question: river stone\nanswer:", "tokens": 12},
        {**ROW, "id": "2", "context": "north", "until": ["zzz"], "tokens": 7},
        {**ROW, "id": "3", "context": "apple town", "until": ["a", "b", "c", "d", "e", "o"], "tokens": 12},
    ]
    with serving(Completions(*live)) as address:
        found = Endpoint(Server(address), "tiny").replies("free", asked)
    for row, reply in zip(asked, found, strict=True):
        ids = tokenizer(row["context"], return_tensors="pt")
        size = ids["input_ids"].shape[1]
        full: Any = model.generate(**ids, max_new_tokens=row["tokens"], do_sample=False, pad_token_id=0)[0, size:]
        wanted: str = tokenizer.decode(full).removesuffix(tokenizer.eos_token)
        stops: list[str] = row.get("until", ["\n"])
        for stop in stops:
            wanted = wanted.partition(stop)[0]
        assert reply == wanted


def test_equal_requests_are_sent_once_and_all_are_told(live: tuple[Any, Any]) -> None:
    answers, told = Completions(*live), list[float]()
    with serving(answers) as address:
        engine = Endpoint(Server(address), "tiny", batch=4)
        engine.watch = told.append
        engine.loglikelihoods("twice", [*rows()[:2], *rows()[:2]])
    assert [question["prompt"] if isinstance(question["prompt"], str) else len(question["prompt"])
            for question in answers.asked] == [4, rows()[1]["context"] + "older green"]  # fmt: skip
    assert told == [0.8, 1.0]
    assert engine.identity == {"kind": "endpoint", "address": address, "model": "tiny"}


def changed(**new: Any) -> Act:
    """An answer of which parts of the first completion are exchanged."""

    def act(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> None:
        answer = fixed(question)
        answer["choices"][0] |= new
        says(handler, json.dumps(answer).encode())

    return act


def states(status: int, body: bytes = b"busy", **headers: str) -> Act:
    """A state and its body."""
    return lambda handler, _: says(handler, body, status, **headers)


def cuts(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> None:
    """Promise more bytes than come."""
    says(handler, json.dumps(fixed(question)).encode()[:40], Content_Length="4000")
    handler.close_connection = True


def ends_early(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> None:
    """Half an object, with an honest length."""
    says(handler, json.dumps(fixed(question)).encode()[:40])


def hangs_up(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> None:
    """Close without a word."""
    handler.close_connection = True


def logs(*values: float | None) -> Act:
    """Other log-probabilities for "one two red" and one token more."""
    return changed(logprobs={"tokens": ["one", " two", " red", " end"], "token_logprobs": list(values),
                             "text_offset": [0, 3, 7, 11]})  # fmt: skip


@pytest.mark.parametrize(
    "misdeed", [states(429, Retry_After="7"), states(503), states(500), cuts, ends_early, hangs_up, states(408)]
)
def test_what_may_pass_is_asked_again(misdeed: Act) -> None:
    waited: list[float] = []
    with serving(fixed, misdeed, misdeed) as address:
        found = Endpoint(Server(address, pause=waited.append), "m").loglikelihoods("s", [ROW])
    assert found == [(-1.0, -1.0)]
    assert waited == ([7.0, 7.0] if waited[0] == 7 else [0.5, 1.0])


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        (changed(logprobs=None), "returns no log-probabilities"),
        (changed(logprobs={"content": [{"token": " red", "logprob": -1.0}]}), "returns no log-probabilities"),
        (changed(text=" end"), "does not repeat the prompt"),
        (logs(None, -1.0, None, -1.0), "without a log-probability"),
        (logs(None, -1.0, 2.5, -1.0), "without a log-probability"),
        (logs(-1.0, -1.0), "nothing tells where"),
        (changed(index=1), "1 completions for 2 prompts; .*batch to 1"),
        (changed(index=[0]), "1 completions for 2 prompts"),
        (states(200, b"<html>welcome</html>"), r"not JSON \(a page for a browser\); check the address"),
        (
            states(404, b"<!doctype html><title>Hello</title>"),
            r"HTTP 404 \(a page for a browser titled 'Hello'\); check",
        ),
        (states(200, b"[1]"), "no JSON object"),
        (states(200, b'{"choices": [NaN]}'), "the answer holds NaN, which is no number; the model itself may overflow"),
        (states(200, b"[" * 100_000), "not JSON"),
        (states(200, b'{"choices": 3}'), "0 completions"),
        (states(302, Location="http://127.0.0.1:1/"), "HTTP 302, the server sends elsewhere"),
        (states(400, b'{"error": {"message": "too\\u001b[31m long"}}'), r"HTTP 400 \(too\\x1b\[31m long\)"),
    ],
)
def test_what_cannot_be_scored_is_refused_at_once(misdeed: Act, words: str) -> None:
    waited: list[float] = []
    with serving(fixed, misdeed) as address, pytest.raises(CheckpointError, match=words):
        Endpoint(Server(address, pause=waited.append), "m").loglikelihoods("s", [ROW])
    assert not waited


def test_given_up_after_so_many_tries() -> None:
    waited: list[float] = []
    loading = states(503, b'{"detail": "loading"}')
    words = r"no answer in 6 tries, the last said: HTTP 503 \(loading\)"
    with serving(fixed, *[loading] * 9) as address, pytest.raises(EnvironmentFault, match=words):
        Endpoint(Server(address, pause=waited.append), "m").loglikelihoods("s", [ROW])
    assert waited == [0.5, 1.0, 2.0, 4.0, 8.0]
    with pytest.raises(EnvironmentFault, match="refused"):  # the port is free again: nobody listens
        Server(address, tries=2, pause=waited.append).post("completions", {})


def test_a_slow_or_endless_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def drips(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> None:
        says(handler, b"{", Content_Length="9999")
        for _ in range(20):
            time.sleep(0.02)
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    with serving(fixed, drips) as address:
        server = Server(address, timeout=0.1, pause=lambda _: None)
        assert Endpoint(server, "m").loglikelihoods("s", [ROW]) == [(-1.0, -1.0)]
    monkeypatch.setattr(wire, "LARGEST", 100)
    with serving(fixed) as address, pytest.raises(CheckpointError, match="more than 100 bytes"):
        Endpoint(Server(address), "m").loglikelihoods("s", [ROW])


def test_the_key_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def repeats(status: int) -> Act:
        def act(handler: BaseHTTPRequestHandler, question: dict[str, Any]) -> None:
            seen.append(handler.headers["Authorization"])
            says(handler, f"bad key {KEY}".encode(), status)

        return act

    monkeypatch.setenv("MY_KEY", KEY)
    for status, kind in (
        (401, EnvironmentFault),
        (403, EnvironmentFault),
        (422, CheckpointError),
        (503, EnvironmentFault),
    ):
        with serving(fixed, *[repeats(status)] * 2) as address:
            server = Server(address, key_from="MY_KEY", tries=2, pause=lambda _: None)
            with pytest.raises(kind, match=r"bad key \*\*\*") as caught:
                Endpoint(server, "m").loglikelihoods("s", [ROW])
        assert KEY not in str(caught.value) + repr(server) + json.dumps(Endpoint(server, "m").identity)
    assert set(seen) == {f"Bearer {KEY}"}
    for value, words in (("", "not set"), ("a\nb", "no header can")):
        monkeypatch.setenv("MY_KEY", value)
        with pytest.raises(EnvironmentFault, match=words):
            server.post("completions", {})


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://host/v1", "host:8000/v1", "http://", "http://h:99999/v1", "http://[x/v1",
     "http://a b/", "http://key:word@host/v1", "http://host/v1?key=word", "http://host/v1#word", "", "http://h\n/v1"],
)  # fmt: skip
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(SpecError, match="endpoint") as caught:
        Server(address)
    assert "word" not in str(caught.value)


def test_wrong_paths_and_names() -> None:
    with serving(fixed) as address:
        with pytest.raises(CheckpointError, match=r"HTTP 404 \(nothing here\); check the address"):
            Endpoint(Server(address.removesuffix("/v1")), "m").loglikelihoods("s", [ROW])
        assert Endpoint(Server(f"{address}/"), "m").loglikelihoods("s", [ROW]) == [(-1.0, -1.0)]
    wrong: tuple[Callable[[], Endpoint], ...] = (
        lambda: Endpoint(Server("http://h/v1"), ""),
        lambda: Endpoint(Server("http://h/v1"), "m", batch=0),
    )
    for make in wrong:
        with pytest.raises(SpecError, match="needs the model's name"):
            make()
