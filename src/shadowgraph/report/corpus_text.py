"""The terminal's page of a corpus: the same numbers as the HTML, in plain text.

Here live: `corpus_table`. Not here: printing (the caller's), and any number the HTML would show otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shadowgraph.report.corpus_parts import ALIGNMENT, estimate_text, groups_of
from shadowgraph.report.numerals import fixed
from shadowgraph.report.record import open_result
from shadowgraph.report.text import WIDTH, grid, safe_line, wrapped


def corpus_table(result: Mapping[str, Any], *, width: int = WIDTH) -> str:
    """Render a measured corpus for the terminal.

    Args:
        result: the parsed `result.json` of kind "corpus".
        width: columns of the terminal.

    Returns:
        Plain text: the answer, nearness, shared items, other readings, limits.

    Raises:
        DataError: when the result is of another kind or a value has the wrong type; names the place.
        SpecError: when the schema is newer than this version.
    """
    corpus = open_result(result, "corpus")
    answer = corpus.record("answer")
    blocks = ["\n".join(safe_line(sentence) for sentence in answer.texts("sentences"))]
    near = [[row.text("benchmark"), *(estimate_text(row.record(key)) for key, *_ in ALIGNMENT)]
            for row in corpus.records("alignment")]  # fmt: skip
    if near:
        names = ["benchmark", *(short for _, short, *_ in ALIGNMENT)]
        blocks.append("\n".join(grid(names, near, numeric=len(ALIGNMENT), width=max(width, 120))))
    shared = [[row.text("benchmark"), *(fixed(row.number(key).value or 0, 0) for key in _COUNTS)]
              for row in corpus.records("overlap")]  # fmt: skip
    if shared:
        blocks.append("\n".join(grid(["benchmark", *_COUNTS.values()], shared, numeric=len(_COUNTS), width=width)))
    for title, rows in groups_of(corpus):
        lines = [[name, text] for name, text, _, _ in rows]
        blocks.append("\n".join(grid([title, "value"], lines, numeric=1, width=width)))
    limits = answer.texts("limits")
    if limits:
        blocks.append("\n".join(["Limits:", *(f"  - {safe_line(item)}" for item in limits)]))
    text = "\n\n".join(block for block in blocks if block)
    return "\n".join(line if "  " in line.strip() else wrapped(line, width) for line in text.splitlines()) + "\n"


_COUNTS = {
    "items": "items",
    "items_touched": "found",
    "items_exact": "whole",
    "items_question": "question",
    "items_with_answer": "with answer",
    "documents_touched": "documents",
    "items_passage": "passage only",
    "longest": "longest, words",
}
