"""Copies of benchmark items in a corpus: which items, which documents, how long, with the answer or without.

Here live: the item index, the measure over a corpus, and its findings.
Not here: n-grams (`ngrams`), how stretches go on (`stretch`), near-duplicates (`near`), nearness (`alignment`).

An item is its prompt followed by its answer, as words. A document touches it when 13 words in a row are equal, or at
least `EDITED_GRAMS` different 8-grams, a twentieth of the item's or more. What touches an item is
* exact, when the whole item stands there in a row;
* question, when its whole prompt does, of `EXACT` words or more, and the answer does not follow word for word;
* edited, when at least `LARGE` of the words of the item, or of such a prompt, stand there along the equal stretches;
* short, for items with fewer than `SHORT` words: when the whole prompt stands there and the answer follows it;
* passage, when it is less: a phrase that the item shares with the document. An item of which only passages were met
  does not count as found.
Grams that many documents of one source share (licences, menus) are left out, except where nearly the whole item or
prompt stands in the document: a leaked item repeated often is no boilerplate.
What is held in memory grows with the findings, not with the corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.benchmark import Benchmark
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.excerpt import excerpt
from shadowgraph.corpus.items import BenchmarkItem
from shadowgraph.corpus.ngrams import GramIndex, Runs, build_index
from shadowgraph.corpus.shards import SHARDS, Estimate, estimate, shard_of
from shadowgraph.corpus.stretch import shared_words
from shadowgraph.errors import Defect

EXACT = 13  # words in a row
N = 8
EDITED_GRAMS = 3
EDITED_SHARE = 0.05
SHORT = N + EDITED_GRAMS - 1  # words; a shorter item cannot hold enough 8-grams
ANCHOR = 3
ANSWER_REACH = 64  # words behind a short prompt in which its answer must stand
FREQUENT = 10  # documents of a source
NEARLY_WHOLE = 0.8
LARGE = 0.5  # of an item's words: what makes it found
PASSAGE = "passage"


@dataclass(frozen=True, eq=False)
class ItemIndex:
    """The items of one or more benchmarks, indexed.

    Attributes:
        names: benchmark of each item.
        items: all items.
        words: words of prompt and answer of each item.
        prompts: words of the prompt of each item.
        answers: words of the short answer of each item; empty when there is none.
        long: index of 8-grams of the items with `SHORT` words or more.
        short: index of one 3-gram of each shorter item.
        too_short: items with fewer than three words, which cannot be looked for.
    """

    names: tuple[str, ...]
    items: tuple[BenchmarkItem, ...]
    words: list[NDArray[np.uint64]]
    prompts: list[NDArray[np.uint64]]
    answers: list[NDArray[np.uint64]]
    long: GramIndex
    short: GramIndex
    too_short: int

    def __repr__(self) -> str:
        """One line: items and the index of 8-grams."""
        return f"ItemIndex({len(self.items)} items, {self.long!r})"


def index_items(benchmarks: Sequence[Benchmark], *, test_only: bool = True, path: str = "auto") -> ItemIndex:
    """Index the items of benchmarks.

    Args:
        benchmarks: the benchmarks.
        test_only: leave out items of a train split.
        path: kernels to use.
    """
    pairs = [
        (benchmark.name, item)
        for benchmark in benchmarks
        for item in benchmark.items
        if not (test_only and item.split == "train")
    ]
    prompts = _words([item.prompt or item.answer for _, item in pairs], path)
    answers = _words([item.final or (item.answer if item.prompt else "") for _, item in pairs], path)
    full = _words([f"{item.prompt}\n{item.answer}" for _, item in pairs], path)
    nothing = np.zeros(0, np.uint64)
    long = [words if len(words) >= SHORT else nothing for words in full]
    short = [p if len(words) < SHORT and len(p) >= ANCHOR else nothing for p, words in zip(prompts, full, strict=True)]
    return ItemIndex(
        tuple(name for name, _ in pairs),
        tuple(item for _, item in pairs),
        full,
        prompts,
        answers,
        build_index(long, N, path=path),
        build_index(short, ANCHOR, anchors=True, path=path),
        sum(len(a) == 0 and len(b) == 0 for a, b in zip(long, short, strict=True)),
    )


def _words(texts: Sequence[str], path: str) -> list[NDArray[np.uint64]]:
    """Word hashes of each text."""
    batch = batch_of((Document("", "", "", "", text) for text in texts), limit=None, path=path)
    words, ends = batch.words
    return [words[a:b] for a, b in pairwise(ends.tolist())]


@dataclass(frozen=True, slots=True)
class Finding:
    """One document that touches one item.

    Attributes:
        benchmark: name of the benchmark.
        item: id of the item.
        source: source of the document.
        document: id of the document, with the number of its piece.
        kind: "exact", "question", "edited" or "short", which find the item, or "passage".
        longest: words in a row that are equal.
        share: share of the item's words (short: of its prompt's) that stand in the document.
        answer: whether the item's short answer stands in the document behind the first equal word.
        excerpt: the longest equal stretch of the document and what stands around it.
        begin: first character of the stretch in the excerpt.
        end: behind its last.
    """

    benchmark: str
    item: str
    source: str
    document: str
    kind: str
    longest: int
    share: float
    answer: bool
    excerpt: str = ""
    begin: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Touched:
    """What one benchmark and one corpus share.

    Attributes:
        benchmark: name.
        items: items looked for.
        items_touched: items found, whole or in large part.
        items_exact: items found whole, word for word.
        items_question: items found whole, or with their whole prompt, word for word.
        items_with_answer: items found together with their answer.
        item_share: items_touched / items with its interval.
        documents_touched: documents that hold an item, whole or in large part.
        document_share: documents_touched / documents with its interval.
        longest: longest run of equal words, in passages too.
        items_passage: items that only share shorter passages.
        documents_passage: documents that only hold shorter passages.
    """

    benchmark: str
    items: int
    items_touched: int
    items_exact: int
    items_question: int
    items_with_answer: int
    item_share: Estimate
    documents_touched: int
    document_share: Estimate
    longest: int
    items_passage: int
    documents_passage: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What one document shares with one item, before rules: equal stretches as (place, grams), the longest shown.

    `words` and `asked` count the words of item and prompt that stand there; 0 where there are too few grams to matter.
    """

    source: str
    document: str
    item: int
    shard: int
    stretches: tuple[tuple[int, int], ...]
    answer: bool
    shown: tuple[str, int, int] = ("", 0, 0)
    words: int = 0
    asked: int = 0


@dataclass
class Contamination:
    """Traces of items in a corpus; `update` with batches, `merge` with others over the same index, then `finish`."""

    index: ItemIndex
    documents: NDArray[np.int64] = field(default_factory=lambda: np.zeros(SHARDS, np.int64))
    traces: list[Trace] = field(default_factory=list[Trace])

    def update(self, batch: Batch) -> None:
        """Look for items in a batch."""
        shards = shard_of(batch.keys)
        np.add.at(self.documents, shards, 1)
        self._collect(batch, shards, self.index.long.find(batch))
        anchors = self.index.short.find(batch)
        for row in range(len(anchors.document)):
            self._check_short(batch, shards, anchors, row)

    def merge(self, other: Contamination) -> None:
        """Add what another measure over the same index found.

        Raises:
            Defect: when the other looked for other items.
        """
        if other.index.items != self.index.items or other.index.names != self.index.names:
            raise Defect("two measures over different items cannot be merged", where="contamination")
        self.documents += other.documents
        self.traces.extend(other.traces)

    def finish(self) -> tuple[list[Touched], list[Finding]]:
        """Apply the rules: a row for each benchmark, and every finding, by benchmark, item and document."""
        common = self._frequent_places()
        judged = [(trace, found) for trace in self.traces if (found := self._judge(trace, common)) is not None]
        judged.sort(key=lambda pair: (pair[1].benchmark, pair[0].item, pair[1].source, pair[1].document))
        names = list(dict.fromkeys(self.index.names))
        return [self._touched(name, judged) for name in names], [found for _, found in judged]

    def _collect(self, batch: Batch, shards: NDArray[np.int64], runs: Runs) -> None:
        """Keep the runs of each document and item as a trace."""
        words, ends = batch.words
        pairs = np.flatnonzero((np.diff(runs.document, prepend=-1) != 0) | (np.diff(runs.text, prepend=-1) != 0))
        bounds = [*pairs.tolist(), len(runs.document)]
        for first, last in pairwise(bounds):
            item, d = int(runs.text[first]), int(runs.document[first])
            stretches = tuple(
                sorted(zip(runs.place[first:last].tolist(), runs.grams[first:last].tolist(), strict=True))
            )
            begin = int(runs.start[first:last].min())
            answer = self._holds(batch, d, begin, None, self.index.answers[item])
            best = first + int(runs.grams[first:last].argmax())
            shown, held = ("", 0, 0), np.zeros(0, bool)
            if runs.grams[first:last].sum() >= EDITED_GRAMS:  # fewer can be no finding
                shown = excerpt(batch.text(d), int(runs.start[best]), int(runs.grams[best]) + N - 1)
                own, text = self.index.words[item], words[ends[d] : ends[d + 1]]
                rows = slice(first, last)
                held = shared_words(own, text, runs.place[rows], runs.start[rows], runs.grams[rows] + N - 1)
            labels = (batch.sources[d], batch.name(d), item, int(shards[d]))
            asked = int(held[: len(self.index.prompts[item])].sum())
            self.traces.append(Trace(*labels, stretches, answer, shown, int(held.sum()), asked))

    def _check_short(self, batch: Batch, shards: NDArray[np.int64], anchors: Runs, row: int) -> None:
        """Keep a short item whose whole prompt stands around its anchor and whose answer follows."""
        words, ends = batch.words
        d, item = int(anchors.document[row]), int(anchors.text[row])
        prompt = self.index.prompts[item]
        begin = int(anchors.start[row] - anchors.place[row])
        stop = begin + len(prompt)
        inside = begin >= 0 and stop <= int(ends[d + 1] - ends[d])
        if not inside or not np.array_equal(words[ends[d] + begin : ends[d] + stop], prompt):
            return
        answer = self.index.answers[item]
        if len(answer) and not self._holds(batch, d, stop, stop + ANSWER_REACH, answer):
            return
        stretches, shown = ((0, -len(prompt)),), excerpt(batch.text(d), begin, len(prompt))
        labels = (batch.sources[d], batch.name(d), item, int(shards[d]))
        self.traces.append(Trace(*labels, stretches, len(answer) > 0, shown))

    def _holds(self, batch: Batch, d: int, begin: int, stop: int | None, wanted: NDArray[np.uint64]) -> bool:
        """Whether words stand in a row in a document between two places."""
        if not len(wanted):
            return False
        words, ends = batch.words
        last = ends[d + 1] if stop is None else min(ends[d + 1], ends[d] + stop)
        text = words[ends[d] + begin : last]
        starts = np.flatnonzero(text[: max(0, len(text) - len(wanted) + 1)] == wanted[0])
        return any(np.array_equal(text[at : at + len(wanted)], wanted) for at in starts.tolist())

    def _frequent_places(self) -> dict[tuple[str, int], NDArray[np.bool_]]:
        """For each source and item, the places whose gram stands in more than `FREQUENT` of the source's documents."""
        seen: dict[tuple[str, int], list[set[int]]] = {}
        for trace in self.traces:
            places = {p + k for p, grams in trace.stretches for k in range(grams)}
            seen.setdefault((trace.source, trace.item), []).append(places)
        common: dict[tuple[str, int], NDArray[np.bool_]] = {}
        for key, documents in seen.items():
            if len(documents) > FREQUENT:
                counts = np.zeros(max(1, len(self.index.words[key[1]])), np.int64)
                for places in documents:
                    counts[list(places)] += 1
                common[key] = counts > FREQUENT
        return common

    def _judge(self, trace: Trace, common: dict[tuple[str, int], NDArray[np.bool_]]) -> Finding | None:
        """The finding a trace amounts to, if any."""
        item = self.index.items[trace.item]
        head = (self.index.names[trace.item], item.id, trace.source, trace.document)
        if trace.stretches[0][1] < 0:
            return Finding(*head, "short", -trace.stretches[0][1], 1.0, trace.answer, *trace.shown)
        own, prompt = len(self.index.words[trace.item]), len(self.index.prompts[trace.item])
        total = own - N + 1
        hit = np.zeros(total, bool)
        for place, grams in trace.stretches:
            hit[place : place + grams] = True
        frequent = common.get((trace.source, trace.item))
        longest = max(grams for _, grams in trace.stretches)
        words, asked = trace.words, trace.asked
        nearly = hit.mean() >= NEARLY_WHOLE or (prompt >= EXACT and hit[: prompt - N + 1].mean() >= NEARLY_WHOLE)
        if frequent is not None and not nearly:
            hit &= ~frequent[:total]
            longest = max((_longest(hit[p : p + grams]) for p, grams in trace.stretches), default=0)
            covered = np.convolve(hit, np.ones(N, np.int64)) > 0
            words, asked = int(covered.sum()), int(covered[:prompt].sum())
        count = int(hit.sum())
        if longest + N - 1 < EXACT and not (count >= EDITED_GRAMS and count >= EDITED_SHARE * total):
            return None
        begun = max((grams + N - 1 for place, grams in trace.stretches if place == 0), default=0)
        large = words >= LARGE * own or (prompt >= EXACT and asked >= LARGE * prompt)
        if large and begun >= own:
            kind = "exact"
        elif large and begun >= prompt >= EXACT:
            kind = "question"
        else:
            kind = "edited" if large else PASSAGE
        return Finding(*head, kind, longest + N - 1, words / own, trace.answer, *trace.shown)

    def _touched(self, name: str, judged: Sequence[tuple[Trace, Finding]]) -> Touched:
        """The row of one benchmark."""
        own = [place for place, each in enumerate(self.index.names) if each == name]
        column = {item: place for place, item in enumerate(own)}
        every = [(trace, found) for trace, found in judged if trace.item in column]
        rows = [(trace, found) for trace, found in every if found.kind != PASSAGE]
        present = np.zeros((SHARDS, len(own)))
        documents: dict[tuple[str, str], int] = {}
        for trace, found in rows:
            present[trace.shard, column[trace.item]] = 1.0
            documents[found.source, found.document] = trace.shard
        touched = np.bincount(list(documents.values()), minlength=SHARDS).astype(np.float64)
        held = self.documents.astype(np.float64)
        items = {trace.item for trace, _ in rows}
        whole = {trace.item for trace, found in rows if found.kind in ("exact", "short")}
        return Touched(
            name,
            len(own),
            len(items),
            len(whole),
            len(whole | {trace.item for trace, found in rows if found.kind == "question"}),
            len({trace.item for trace, found in rows if found.answer}),
            estimate(self.documents, lambda w: (w @ present > 0).mean(axis=1), "items", (0.0, 1.0)),
            len(documents),
            estimate(self.documents, lambda w: (w @ touched) / np.maximum(w @ held, 1.0), "documents", (0.0, 1.0)),
            max((found.longest for _, found in every), default=0),
            len({trace.item for trace, _ in every} - items),
            len({(found.source, found.document) for _, found in every} - set(documents)),
        )


def _longest(hit: NDArray[np.bool_]) -> int:
    """Length of the longest row of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], hit, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
