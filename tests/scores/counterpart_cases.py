"""Questions for the tests of counterparts, and a reader of probes that knows nothing of how they were made."""

import re
from collections.abc import Sequence
from functools import lru_cache

from shadowgraph.corpus.items import LETTERS, BenchmarkItem
from shadowgraph.scores.counterparts.rule import Probe, Rule, dressed
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.question import Question
from shadowgraph.seeds import generator

SHOWN_RULES = ("original", "permuted", "labels", "distractor", "language", "context_order", "negated", "lettered")
TEXT_RULES = ("open", "cloze", "dialogue", "list", "table")


def question(
    prompt: str = "Which colour has a ripe lemon in this garden?",
    choices: Sequence[str] = ("yellow", "purple", "black", "silver"),
    gold: int = 0,
    style: str = "question",
    name: str = "q1",
) -> Question:
    """A question with choices."""
    return Question(name, "made", name, "colours", prompt, choices[gold], tuple(choices), gold, style=style)


def free(prompt: str = "Ida has 3 red apples. How many has she?", answer: str = "3", name: str = "f1") -> Question:
    """A question without choices."""
    return Question(name, "made", name, "sums", prompt, answer)


def taken(name: str, asked: Question, seed: int = 0) -> Probe:
    """The probe of a rule that must apply."""
    found = dressed(RULES[name], asked, seed)
    assert isinstance(found, Probe), found
    return found


def told(asked: Question) -> str:
    """The context as the benchmark itself writes it: the item's telling without the answer behind it."""
    item = BenchmarkItem(asked.id, asked.prompt, asked.answer, asked.choices, style=asked.style)
    if asked.style == "continuation":
        return asked.prompt
    return item.told().rpartition("\nAnswer:")[0] + "\nAnswer:"


def labelled(context: str, labels: Sequence[str]) -> list[str]:
    """The texts behind labels that stand at the beginning of lines, in the order of the labels."""
    rest, texts = context, list[str]()
    for label in labels:
        head, found, rest = rest.partition(f"\n{label} ")
        assert found, (label, context)
        texts.append(head)
    return [*texts[1:], re.split(r"\n(?=[^\n]*\Z)", rest)[0]]


def read(probe: Probe) -> str:
    """The answer a careful reader takes from a probe that is answered rightly."""
    if probe.kind == "generate":
        return probe.answers[0]
    chosen = probe.continuations[probe.gold].strip()
    if probe.form == "true_false":
        words = r"\n(?:Claimed to be it|Somebody replied): (.*)\n(?:True or false\?|Is the reply right)"
        claims = re.findall(words, probe.context, re.DOTALL)
        return claims[-1] if probe.gold == 0 else f"not {claims[-1]}"
    if probe.form not in SHOWN_RULES:
        return chosen
    labels = [text.strip() for text in probe.continuations]
    marks = labels if probe.form == "labels" else [f"{label}." for label in labels]
    texts = labelled(probe.context, marks)
    assert probe.form in ("labels", "negated") or labels == list(LETTERS[: len(labels)])
    return texts[1 - probe.gold] if probe.form == "negated" else texts[probe.gold]


def grams(text: str, size: int = 8) -> set[tuple[str, ...]]:
    """All runs of words of a length."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}


def declared(rule: Rule, asked: Question) -> list[str]:
    """The parts in which a rule may share runs of words with its source, from its declaration."""
    whole = f"{told(asked)} {LETTERS[max(asked.gold, 0)] if asked.choices else asked.answer}"
    lines = whole.split("\n")
    pairs = zip(lines[:-1], lines[1:], [*(line.split()[0] for line in lines[2:]), ""], strict=True) if lines[1:] else ()
    body, _, ask = asked.prompt.rpartition(". ")
    return {
        "the question as told, its choices included": [whole],
        "single lines of the telling, and the step from one line to the next": [" ".join(pair) for pair in pairs],
        "each sentence of the prompt, the choices as told": [body, ask, "\n".join(lines[1:])],
        "the prompt and the text of each choice": [asked.prompt, *asked.choices],
    }[rule.shared]


@lru_cache
def random_questions(count: int, seed: int = 0) -> list[Question]:
    """Questions of words that occur once each: 2 to 10 choices, free answers, texts to be continued."""
    stream = generator(seed, "random questions")
    found: list[Question] = []
    for number in range(count):
        words = [f"w{word}x" for word in stream.permutation(400)]

        def sentence(low: int, high: int, words: list[str] = words) -> str:
            size = int(stream.integers(low, high))
            taken, words[:] = words[:size], words[size:]
            return " ".join(taken)

        prompt = f"{sentence(4, 12).capitalize()}. {sentence(4, 14).capitalize()}?"
        kind = number % 4
        if kind == 3:
            found.append(free(prompt, str(stream.integers(2, 900)), f"i{number}"))
            continue
        long = 2 if number % 3 else 10
        choices = [sentence(1, long) for _ in range(int(stream.integers(2, 11)))]
        style = "continuation" if kind == 2 else "question"
        asked = sentence(9, 20) if kind == 2 else prompt
        found.append(question(asked, choices, int(stream.integers(len(choices))), style, f"i{number}"))
    return found
