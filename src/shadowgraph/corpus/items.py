"""One item of a benchmark and the two ways to write it as text.

Here live: the item and its renderings. Not here: where items come from (`adapters`, `benchmark`).
"""

from __future__ import annotations

from dataclasses import dataclass

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """A question with its answer.

    Attributes:
        id: unique in its benchmark.
        prompt: what is asked, or the text to be continued.
        answer: the right answer in full: a text, a worked solution, or the text of the right choice.
        choices: all choices, the right one among them; empty for free answers.
        group: subject, task or paradigm.
        split: "train", "dev", "test", ….
        style: how it is told: "question" (labels, lettered choices) or "continuation" (prompt and answer run on).
        final: the short answer where `answer` is a worked solution, else empty.
        equation: the arithmetic that gives the answer, where the source has it.
    """

    id: str
    prompt: str
    answer: str
    choices: tuple[str, ...] = ()
    group: str = ""
    split: str = "test"
    style: str = "question"
    final: str = ""
    equation: str = ""

    def bare(self) -> str:
        """The item's words without any layout: prompt, choices, and the answer where no choice holds it."""
        rest = self.choices if self.answer in self.choices else (*self.choices, self.answer)
        return "\n".join(part for part in (self.prompt, *rest) if part)

    def told(self) -> str:
        """The item as its benchmark tells it: with labels and letters, or as running text."""
        if self.style == "continuation":
            gap = "" if not self.answer or self.prompt[-1:].isspace() or not self.prompt else " "
            return f"{self.prompt}{gap}{self.answer}"
        lines = [f"Question: {self.prompt}"]
        lines += [f"{letter}. {choice}" for letter, choice in zip(LETTERS, self.choices, strict=False)]
        answer = self.answer
        if self.choices and self.answer in self.choices:
            answer = LETTERS[self.choices.index(self.answer) % len(LETTERS)]
        return "\n".join([*lines, f"Answer: {answer}"])
