"""The page of a corpus from its result.

Here live: `render_corpus` and the facts under the answer. Not here: figures and tables (their own files).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shadowgraph.report import corpus_parts, tables
from shadowgraph.report.corpus_figures import plates_of
from shadowgraph.report.numerals import fixed, missing
from shadowgraph.report.record import Record, open_result
from shadowgraph.report.report import page


def render_corpus(result: Mapping[str, Any]) -> str:
    """Render the page of a measured corpus.

    Args:
        result: the parsed `result.json` of kind "corpus".

    Returns:
        A complete HTML document; equal results give equal text.

    Raises:
        DataError: when the result is of another kind or a value has the wrong type; names the place.
        SpecError: when the schema is newer than this version.
    """
    corpus = open_result(result, "corpus")
    groups = [(title, corpus_parts.group_table(rows)) for title, rows in corpus_parts.groups_of(corpus)]
    return page(
        "corpus.html.j2",
        {},
        corpus=corpus,
        answer=corpus.record("answer"),
        title=_title(corpus),
        facts=_facts(corpus),
        plates=plates_of(corpus),
        excerpts=corpus_parts.excerpts(corpus),
        groups=groups,
        parts_of=corpus_parts,
        tables=tables,
    )


def _title(corpus: Record) -> str:
    """The name of the corpus, or its files."""
    names = [row.text("name") for row in corpus.record("corpus").records("files")]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return corpus.text("name") or f"{names[0] if names else 'unnamed'}{more}"


def _facts(corpus: Record) -> list[tuple[str, str, str, bool]]:
    """Sizes, and how many items were found: name, number, small print, whether it is a number."""
    facts: list[tuple[str, str, str, bool]] = []
    sizes = corpus.record("corpus")
    for key, name in (("documents", "Documents"), ("words", "Words"), ("bytes", "Bytes of text")):
        found = sizes.number(key)
        text = missing(found) if found.value is None else fixed(found.value, 0)
        small = "pieces of long ones counted one by one" if key == "documents" else ""
        facts.append((name, text, small, found.value is not None))
    rows = corpus.records("overlap")
    if rows:
        found = sum(row.number("items_touched").value or 0 for row in rows)
        total = sum(row.number("items").value or 0 for row in rows)
        small = f"of {fixed(total, 0)} looked for, whole or in large part"
        facts.append(("Benchmark items found in it", fixed(found, 0), small, True))
    return facts
