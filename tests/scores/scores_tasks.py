"""Small tasks of seven kinds, made from a seed, and a model trained on their likes in a few seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shadowgraph.corpus.tokens import train_tokenizer
from shadowgraph.seeds import generator

NAMES = ("Mira", "Tovo", "Selin", "Bram", "Odile", "Kesh")
THINGS = ("stones", "shells", "long red ribbons", "nuts", "small blue cups", "keys")
PLACES = ("the mill", "the old harbour", "a town beyond the river", "the well", "the north gate")
Rows = dict[str, list[dict[str, Any]]]


def tasks(count: int, seed: int = 0) -> Rows:
    """So many rows of each kind."""
    makers = {
        "letters": _letters,
        "endings": _endings,
        "pairs": _pairs,
        "yesno": _yesno,
        "unequal": _unequal,
        "numbers": _numbers,
        "lines": _lines,
    }
    return {
        name: [_named(name, n, maker(generator(seed, name, str(n)))) for n in range(count)]
        for name, maker in makers.items()
    }


def train(folder: Path, steps: int = 150) -> None:
    """Train a Llama of 60 thousand parameters on rows of another seed, and save it with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    texts = [_told(row) for rows in tasks(80, seed=9).values() for row in rows]
    train_tokenizer(texts, 400, folder)
    from transformers import PreTrainedTokenizerFast

    tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(str(folder))
    config = LlamaConfig(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=400,
        max_position_embeddings=160,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = LlamaForCausalLM(config)
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        rng = generator(0, "train")
        ids = [[*tokenizer(text)["input_ids"], 0] for text in texts]
        for _ in range(steps):
            some = [ids[int(pick)] for pick in rng.integers(len(ids), size=16)]
            width = max(len(one) for one in some)
            padded = torch.tensor([one + [0] * (width - len(one)) for one in some])
            kept = torch.tensor([one + [-100] * (width - len(one)) for one in some])
            loss = model(input_ids=padded, labels=kept).loss
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    logging.enable_progress_bar()


def _told(row: dict[str, Any]) -> str:
    """A row with its gold, as training text."""
    if "answers" in row:
        return f"{row['context']} {row['answers'][0]}\n"
    return row["context"] + row["continuations"][row["gold"]] + "\n"


def _named(split: str, number: int, row: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{split}-{number}", "family": split, "group": f"{split}-{number // 3}", **row}


def _sum(rng: Any) -> tuple[str, int]:
    a, b = (int(value) for value in rng.integers(1, 9, size=2))
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    return f"{name} has {a} {thing} and finds {b} more.", a + b


def _letters(rng: Any) -> dict[str, Any]:
    told, total = _sum(rng)
    options = rng.permutation([total, total + 1, total + 2, total + 4])
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True))
    gold = int(list(options).index(total))
    return {"context": f"{told} How many?\n{lines}\nAnswer:", "continuations": [f" {x}" for x in "ABCD"], "gold": gold}


def _endings(rng: Any) -> dict[str, Any]:
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    endings = [f" carries the {thing} to {place}." for place in rng.permutation(PLACES)[:4]]
    # The right place follows from the name; the wrong ones are of other lengths.
    place = PLACES[NAMES.index(str(name)) % len(PLACES)]
    right = f" carries the {thing} to {place}."
    others = [ending for ending in endings if ending != right][:3]
    gold = int(rng.integers(4))
    return {"context": f"{name}", "continuations": [*others[:gold], right, *others[gold:]], "gold": gold}


def _pairs(rng: Any) -> dict[str, Any]:
    name, thing, number = rng.choice(NAMES), rng.choice(THINGS), int(rng.integers(2, 9))
    right, wrong = f"{name} has {number} {thing}.", f"{name} have {number} {thing}."
    gold = int(rng.integers(2))
    return {"context": "", "continuations": [wrong, right] if gold else [right, wrong], "gold": gold}


def _yesno(rng: Any) -> dict[str, Any]:
    told, total = _sum(rng)
    true = bool(rng.integers(2))
    claim = total if true else total + int(rng.integers(1, 4))
    return {"context": f"{told} Is it {claim}?", "continuations": [" yes", " no"], "gold": 0 if true else 1}


def _unequal(rng: Any) -> dict[str, Any]:
    name = str(rng.choice(NAMES))
    others = [other for other in PLACES if other != PLACES[NAMES.index(name) % len(PLACES)]]
    wrong = [f" {place}" for place in rng.permutation(others)[: int(rng.integers(1, 5))]]
    gold = int(rng.integers(len(wrong) + 1))
    right = f" {PLACES[NAMES.index(name) % len(PLACES)]}"
    context = f"Question: where does {name} go?\nAnswer: "  # the final space moves to the continuation
    texts = [text.strip() for text in [*wrong[:gold], right, *wrong[gold:]]]
    return {"context": context, "continuations": texts, "gold": gold}


def _numbers(rng: Any) -> dict[str, Any]:
    told, total = _sum(rng)
    return {"context": f"{told} In all", "answers": [str(total), f"{total}.0"], "extract": "number", "tokens": 6}


def _lines(rng: Any) -> dict[str, Any]:
    name = str(rng.choice(NAMES))
    place = PLACES[NAMES.index(name) % len(PLACES)]
    return {"context": f"Place of {name}:", "answers": [place, place.removeprefix("the ")], "tokens": 12}
