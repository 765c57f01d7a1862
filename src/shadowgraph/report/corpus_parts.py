"""The tables of a corpus page: the words and numbers, without markup.

Here live: names of readings, tables, and excerpts cut into before, match and after.
Not here: pictures (`corpus_figures`) and the page (`corpus`).
"""

from __future__ import annotations

from dataclasses import dataclass

from shadowgraph.report.numerals import fixed, percent, shown, with_interval
from shadowgraph.report.record import Record
from shadowgraph.report.tables import Cell, Table, value, words

# key, short name, name with unit, value of no likeness to start a bar from, limits (None: from the data)
ALIGNMENT: tuple[tuple[str, str, str, float, tuple[float, float] | None], ...] = (
    ("kl_reduction", "KL reduction", "words: KL reduction against the base, nats", 0.0, None),
    ("log_ratio", "log ratio", "words: mean log ratio, nats a word", 0.0, None),
    ("format_distance", "format distance", "format: Jensen-Shannon distance, bits", 0.0, (0.0, 1.0)),
    ("auc", "classifier AUC", "passages: AUC of a classifier", 0.5, (0.5, 1.0)),
)
STATUS = {
    "no_reference": "no base given",
    "no_target": "no held-out items",
    "no_base": "no base given",
    "no_anchors": "no base with held-out documents",
    "no_zstandard": "zstandard is not installed",
    "no_repeats": "nothing occurs twice",
    "few_words": "too few words",
    "empty": "nothing to measure",
    "one_source": "one source only",
}
BLOCKS = {
    "option_lines": "lines that open with a choice (A. B. C.)",
    "labels": "lines that open with a label (Question:, Answer:)",
    "blanks": "blanks to fill (___)",
    "final_answers": "final-answer marks",
    "steps": "numbered steps",
    "equation_share": "equations per 10,000 bytes",
    "digit_share": "digits per 10,000 bytes",
    "questions": "question marks",
    "lines": "lines",
    "open_end": "ends in mid-sentence",
    "length": "length, bytes",
}
GROUPS = {
    "coverage": "Coverage",
    "variety": "Variety of words",
    "compression": "Compression",
    "novelty": "Novelty to the base",
    "concentration": "Concentration",
    "repeats": "Repeats",
    "mixing": "Mixing in batches",
}
MEANING = {
    "effective_clusters": "exp of the entropy over the 128 cells of the published codebook",
    "vendi": "effective number of directions of the documents' sketches, of at most 256",
    "vendi_inf": "one over the largest share of a single direction: small when much of the corpus says one thing",
    "anchor_coverage": "mean, over held-out documents of the base, of the cosine with the nearest document",
    "distinct_1": "share of distinct words at 32,768 words",
    "distinct_2": "share of distinct word pairs at equal length",
    "distinct_3": "share of distinct word triples at equal length",
    "entropy_1": "entropy of words at 32,768 words, nats",
    "entropy_2": "entropy of word pairs at equal length, nats",
    "entropy_3": "entropy of word triples at equal length, nats",
    "compressed_share": "compressed bytes over bytes, seen far back",
    "word_kl": "divergence of the words from the base's, nats",
    "gram_kl": "divergence of words and pairs from the base's, nats",
    "word_entropy": "entropy of hashed words, nats",
    "gram_entropy": "entropy of hashed words and pairs, nats",
    "effective_prompts": "effective number of different texts",
    "exact_duplicate_rate": "share of documents that repeat another's words",
    "near_duplicate_rate": "the same with near copies (0.8 of word 5-shingles) counted as copies",
    "effective_patterns": "effective number of sentence templates",
    "median_distance": "documents from one occurrence of a text to the next, in the order of the files",
    "mean_distance": "the same, mean",
    "repeated_share": "share of occurrences that are not the first",
    "sources_per_batch": "mean number of sources with a word in a batch",
    "effective_sources": "exp of the mean entropy of sources inside a batch",
    "total_effective_sources": "exp of the entropy of sources in the whole corpus",
    "separation": "0: every batch is the corpus in small; 1: one source a batch",
    "boundary_share": "documents begun for each word",
    "crossing_share": "share of words behind a border inside their sequence",
}


def estimate_text(record: Record) -> str:
    """An estimate with its interval, or its reason."""
    quantity = record.number("value")
    if quantity.value is None:
        return reason(record)
    bounds = record.interval()
    if bounds is not None and bounds[1] - bounds[0] <= 1e-9 * abs(bounds[1]):
        return shown(quantity)
    return with_interval(quantity, bounds, sign=False)


def reason(record: Record) -> str:
    """Why an estimate has no number."""
    status = record.text("status")
    return STATUS.get(status, status.replace("_", " ")) or "not measured"


def estimate_cell(record: Record) -> Cell:
    """An estimate as a cell."""
    return Cell(estimate_text(record), "" if record.number("value").value is not None else "missing")


def alignment_table(corpus: Record) -> Table:
    """All readings of nearness."""
    sizes = {row.text("name"): row for row in corpus.records("benchmarks")}
    rows: list[list[Cell]] = []
    for row in corpus.records("alignment"):
        name = row.text("benchmark")
        size = sizes.get(name, Record({}))
        rows.append([
            words(name), *(estimate_cell(row.record(key)) for key, *_ in ALIGNMENT),
            value(size.number("fitted"), fixed(size.number("fitted").value or 0, 0)),
            value(size.number("held_out"), fixed(size.number("held_out").value or 0, 0)),
        ])  # fmt: skip
    names = [f">{short}" for _, short, *_ in ALIGNMENT]
    return Table(["benchmark", *names, ">items fitted on", ">items held out"], rows, "95 % intervals over 32 shards.")


def overlap_table(corpus: Record) -> Table:
    """Items found whole or in large part, and items that only share a passage."""
    rows: list[list[Cell]] = []
    for row in corpus.records("overlap"):
        counts = (_count(row, key) for key in _FOUND)
        rows.append([words(row.text("benchmark")), *counts, _share(row.record("item_share")),
                     _count(row, "documents_touched"), _share(row.record("document_share")),
                     _count(row, "items_passage"), _count(row, "documents_passage"), _count(row, "longest"),
                     _count(row, "too_short")])  # fmt: skip
    return Table(
        ["benchmark", ">items", ">found", ">whole, word for word", ">question, word for word", ">with answer",
         ">share of items", ">documents", ">share of documents", ">items with a passage only",
         ">documents with passages only", ">longest, words", ">too short to look for"],
        rows,
    )  # fmt: skip


_FOUND = ("items", "items_touched", "items_exact", "items_question", "items_with_answer")


def _count(row: Record, key: str) -> Cell:
    found = row.number(key)
    return value(found, fixed(found.value, 0) if found.value is not None else None)


def _share(record: Record) -> Cell:
    """A share in per cent with its interval."""
    found, bounds = record.number("value").value, record.interval()
    if found is None:
        return Cell(reason(record), "missing")
    if bounds is None:
        return Cell(percent(found))
    return Cell(f"{percent(found)} [{100 * bounds[0]:.3g}, {100 * bounds[1]:.3g}]")


def format_table(corpus: Record) -> Table:
    """Shares of every bin of the fingerprint, and the distance of each benchmark."""
    names = [row.text("name") for row in corpus.records("benchmarks")]
    rows: list[list[Cell]] = []
    for block in corpus.record("format").records("blocks"):
        labels = bin_labels([item or 0.0 for item in block.numbers("bounds")])
        own, others = block.numbers("corpus"), block.record("benchmarks")
        for place, label in enumerate(labels):
            shares = (others.numbers(name) for name in names)
            cells = [_per_cent(_at(own, place)), *(_per_cent(_at(each, place)) for each in shares)]
            rows.append([words(block_name(block)), Cell(label), *cells])
        apart = (block.record("distance").number(name) for name in names)
        rows.append([words(block_name(block)), Cell("distance, bits"), Cell(""), *(value(each) for each in apart)])
    return Table(["feature", "bin", ">corpus", *(f">{name}" for name in names)], rows).cut()


def block_name(block: Record) -> str:
    """A block of the fingerprint in words."""
    key = block.text("block")
    return BLOCKS.get(key, key.replace("_", " "))


def bin_labels(bounds: list[float]) -> list[str]:
    """Bins by their lower and upper bounds: "0", "1–2", "6 and more"."""
    labels: list[str] = []
    for place, low in enumerate(bounds):
        high = bounds[place + 1] - 1 if place + 1 < len(bounds) else None
        text = f"{low:g} and more" if high is None else f"{low:g}" if high == low else f"{low:g}–{high:g}"
        labels.append(text)
    return labels


def _at(values: list[float | None], place: int) -> float | None:
    return values[place] if place < len(values) else None


def _per_cent(share: float | None) -> Cell:
    return Cell("—", "missing") if share is None else Cell(f"{100 * share:.1f} %")


def source_table(corpus: Record) -> Table:
    """The largest sources."""
    rows = [
        [words(row.text("source")), _count(row, "documents"), _count(row, "words"), _count(row, "bytes")]
        for row in corpus.record("corpus").records("sources")
    ]
    return Table(["source", ">documents", ">words", ">bytes of text"], rows)


def file_table(corpus: Record) -> Table:
    """The files read, by role."""
    rows = [
        [Cell(role), words(row.text("name")), _count(row, "bytes")]
        for role in ("corpus", "base") for row in corpus.record(role).records("files")
    ]  # fmt: skip
    return Table(["role", "file", ">bytes on disk"], rows).cut()


def groups_of(corpus: Record) -> list[tuple[str, list[tuple[str, str, str, bool]]]]:
    """Other readings by group: name, number or reason, what it is, whether it is a number."""
    readings = corpus.record("readings")
    found: list[tuple[str, list[tuple[str, str, str, bool]]]] = []
    for group in [*(key for key in GROUPS if key in readings.data), *sorted(set(readings.data) - set(GROUPS))]:
        rows: list[tuple[str, str, str, bool]] = []
        for item in readings.records(group):
            known = item.number("value").value is not None
            name = item.text("name")
            rows.append((name.replace("_", " "), estimate_text(item), MEANING.get(name, ""), known))
        if rows:
            found.append((GROUPS.get(group, group.replace("_", " ")), rows))
    return found


def group_table(rows: list[tuple[str, str, str, bool]]) -> Table:
    """One group of readings."""
    cells = [
        [words(name), Cell(text, "" if known else "missing"), words(meaning)] for name, text, meaning, known in rows
    ]
    return Table(["reading", ">value [interval]", "what it is"], cells)


def spectrum_table(corpus: Record) -> Table:
    """How many lines and sentences have a template that occurs how often."""
    rows = [[Cell(row.text("times")), _share(row)] for row in corpus.records("repetition")]
    return Table([">the template occurs", ">share of sentences and lines"], rows)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A finding in its surroundings."""

    head: str
    place: str
    before: str
    match: str
    after: str
    item: str
    gold: str


def excerpts(corpus: Record) -> list[Excerpt]:
    """The findings that the result shows."""
    found: list[Excerpt] = []
    kinds = {"exact": "whole, word for word", "question": "whole question, word for word",
             "edited": "in large part", "short": "short item, whole", "passage": "passage only"}  # fmt: skip
    for row in corpus.records("findings"):
        text = row.text("excerpt")
        begin, end = (int(row.number(key).value or 0) for key in ("begin", "end"))
        longest, share = row.number("longest"), row.number("share")
        parts = [row.text("benchmark"), row.text("item"), kinds.get(row.text("kind"), row.text("kind")),
                 f"{fixed(longest.value or 0, 0)} words in a row", f"{percent(share.value or 0)} of the item",
                 "answer follows" if row.flag("answer") else "no answer"]  # fmt: skip
        place = f"{row.text('source')}, document {row.text('document')}"
        found.append(
            Excerpt(
                " · ".join(parts), place, text[:begin], text[begin:end], text[end:],
                row.text("prompt"), row.text("gold"),
            )
        )  # fmt: skip
    return found
