"""Writes docs/counterparts.md from the table of rules, so that the page promises no more than the code.

Here lives: the text of the page, and the count of items that each rule takes. Not here: any rule; those stand in
`src/shadowgraph/scores/counterparts/`. Run it with `python docs/build_counterparts.py`; with `--count` it counts again
over the benchmarks in the folder $SHADOWGRAPH_DATA/benchmarks, otherwise it keeps the counts that the page has.
"""

import os
import re
import sys
from collections import Counter
from pathlib import Path

from shadowgraph.artifact import write_bytes
from shadowgraph.corpus.benchmark import read_benchmark
from shadowgraph.scores.counterparts.rule import Declined, dressed
from shadowgraph.scores.counterparts.text_rules import TEXT_RULES
from shadowgraph.scores.question import questions_of

PAGE = Path(__file__).resolve().parent / "counterparts.md"
NOTICE = "<!-- Written by docs/build_counterparts.py from the table of rules; change it there, then run the script. -->"
ADAPTERS = {"arc_challenge": "arc", "reasoning_gym": "question_answer"}
COUNTED = "## How many items each rule takes"
LEAD = """\
# Counterparts

A counterpart is the same question in another dress, its answer kept. What a model loses between the dress it was
trained in and another is format, not ability; so the two are scored side by side.

*near*: the benchmark's layout stays and one thing in it changes. *far*: the layout is gone. A probe has one of two
kinds: the likelihood of given continuations is compared (choice), or a free reply is read (generate). Which one depends
on the question, so the probes of one rule may hold both; a split of a suite holds one.

What a probe draws (an order, labels, a wording) comes from the seed, the rule and the question's id alone. Item and
counterpart share `source` and `group`, so that both are drawn together when items are resampled. Questions whose
prompts begin with the same twelve words share a group: a passage, or a template."""
LAWS = """\
## What tests hold every rule to

- The answer is kept: a reader that knows nothing of the rule finds in the probe the source's answer. For `negated` it
  is the choice beside the gold; for `true_false` it is the claim where that is right, another text where it is wrong.
- `permuted`, `labels`, `language`, `distractor` and `context_order` are undone: the source's telling comes back.
- No run of eight words is in probe and source, but inside the part a rule declares as shared.
- Where a place of the gold is drawn it is uniform; two choices are swapped, not drawn.
- Equal seed, rule and question give an equal probe, whatever else is dressed.

## When a rule declines

A rule that could change the answer declines, and says why. The signs are patterns over English wording, kept wide: one
found wrongly costs an item, one missed would cost a wrong answer. Two limits remain. A choice that is wrong among its
neighbours need not be wrong alone; `true_false` therefore shows the choices again, and free replies behind choices are
read for whole numbers only; a prompt that points to its choices keeps them. A wrong number in `true_false` has the
sign, the digits, the final zeros and the parity of the right one, so that its looks tell little.
And a question in another language than English passes the signs unseen.

Some questions carry their options inside the prompt, or are answered with yes or no; these are read as choices, told as
the source tells them, and changed in the source's own layout."""


def counts(folder: Path) -> tuple[int, dict[str, int], Counter[str]]:
    """Items of a benchmark, how many each rule takes, and why the others were declined."""
    files = sorted(folder.glob("*.jsonl.gz"))
    questions = questions_of(read_benchmark(ADAPTERS.get(folder.name, folder.name), files))
    taken = {rule.name: 0 for rule in TEXT_RULES}
    reasons: Counter[str] = Counter()
    for question in questions:
        for rule in TEXT_RULES:
            found = dressed(rule, question, 0)
            if isinstance(found, Declined):
                reasons[found.reason] += 1
            else:
                taken[rule.name] += 1
    return len(questions), taken, reasons


def counted(folders: list[Path]) -> str:
    """The section of counts: a row a rule, a column a benchmark, and all reasons with their number."""
    found = {folder.name: counts(folder) for folder in folders}
    total: Counter[str] = sum((reasons for _, _, reasons in found.values()), Counter())
    head = f"| rule | {' | '.join(found)} |"
    sizes = f"| *items* | {' | '.join(str(size) for size, _, _ in found.values())} |"
    rows = [
        f"| {rule.name} | {' | '.join(str(taken[rule.name]) for _, taken, _ in found.values())} |"
        for rule in TEXT_RULES
    ]
    why = [f"| {reason} | {number} |" for reason, number in sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))]
    lead = "Seed 0, all splits together. The second table counts why the others were declined, over all rules."
    table = [head, "|---" * (len(found) + 1) + "|", sizes, *rows]
    return "\n".join([COUNTED, "", lead, "", *table, "", "| declined because | times |", "|---|---|", *why, ""])


def page(section: str) -> str:
    """The whole page, with a section of counts."""
    rows = [f"| {r.name} | {r.distance} | {r.changes} | {r.keeps} | {r.shared} |" for r in TEXT_RULES]
    table = "\n".join(["| rule | distance | changes | keeps | may share |", "|---|---|---|---|---|", *rows])
    return "\n\n".join([NOTICE, LEAD, "## Rules", table, LAWS, section])


def kept() -> str:
    """The section of counts that the page has."""
    found = re.search(rf"{COUNTED}.*\Z", PAGE.read_text("utf-8"), re.DOTALL) if PAGE.exists() else None
    return found[0] if found else f"{COUNTED}\n"


if __name__ == "__main__":
    again = "--count" in sys.argv
    folders = sorted(Path(os.environ["SHADOWGRAPH_DATA"], "benchmarks").iterdir()) if again else []
    write_bytes(PAGE, page(counted(folders) if again else kept()).encode())
