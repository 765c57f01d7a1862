"""Planted items are found at the stated recall, others are not, and findings do not depend on order or path."""

import numpy as np
import pytest

from shadowgraph.corpus.batch import batch_of
from shadowgraph.corpus.benchmark import Benchmark
from shadowgraph.corpus.candidates import candidates
from shadowgraph.corpus.contamination import FREQUENT, Contamination, index_items
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.items import BenchmarkItem
from shadowgraph.corpus.stretch import shared_words
from shadowgraph.errors import DataError, Defect
from shadowgraph.seeds import generator

STREAM = generator(0, "contamination")
VOCABULARY = [f"{a}{b}{c}" for a in "bdfgkl" for b in "aeiou" for c in ("n", "r", "st", "x")]


def sentence(words: int) -> str:
    return " ".join(STREAM.choice(VOCABULARY, words))


LONG = tuple(BenchmarkItem(f"l{k}", sentence(40), f"answer{k} {sentence(3)}") for k in range(60))
SHORT = (BenchmarkItem("s0", "who wrote bandar lost", "korix"), BenchmarkItem("s1", "so it is fine then", ""))
BENCHMARK = Benchmark("b", (*LONG, *SHORT, BenchmarkItem("tiny", "two", "x")))
INDEX = index_items([BENCHMARK])


def scan(texts: list[str], source: str = "s", path: str = "auto") -> Contamination:
    measure = Contamination(INDEX)
    documents = [Document(f"{source}{k}", source, "f", "plain", text) for k, text in enumerate(texts)]
    measure.update(batch_of(documents, path=path))
    return measure


def edited(text: str, share: float = 0.1) -> str:
    words = text.split()
    for place in STREAM.choice(len(words), round(share * len(words)), replace=False):
        words[place] = "changed"
    return " ".join(words)


def test_planted_items_are_found() -> None:
    around = sentence(50)
    verbatim = [f"{around} {item.prompt} {item.answer} {around}" for item in LONG]
    recased = [f"{around} -- {item.prompt.upper().replace(' ', ', ')}" for item in LONG]
    changed = [f"{around} {edited(item.prompt)} {around}" for item in LONG]
    for texts, kinds, least in (
        (verbatim, {"exact"}, 60),
        (recased, {"question"}, 60),
        (changed, {"edited"}, 57),
    ):
        rows, findings = scan(texts).finish()
        own = [f for f in findings if f.document == f"s{f.item[1:]}"]
        assert sum(f.kind != "passage" for f in own) >= least
        assert {f.kind for f in findings} <= kinds | {"passage"}
        assert rows[0].items_touched >= least
    _, findings = scan(verbatim).finish()
    assert all(f.answer and f.share == 1.0 and f.longest >= 44 for f in findings)
    assert not any(f.answer for f in scan(recased).finish()[1])


def test_clean_text_is_left_alone() -> None:
    rows, findings = scan([sentence(300) for _ in range(100)]).finish()
    assert findings == []
    assert rows[0].item_share.value == 0.0
    assert rows[0].items == 63
    assert INDEX.too_short == 1


def test_short_items_need_question_and_answer() -> None:
    texts = [
        "Who wrote Bandar lost? Korix.",
        "Who wrote Bandar lost? Nobody.",
        "wrote bandar lost",
        "So it is fine, then",
    ]
    _, findings = scan(texts).finish()
    assert [(f.item, f.document, f.kind, f.answer) for f in findings] == [
        ("s0", "s0", "short", True),
        ("s1", "s3", "short", False),
    ]


def test_what_a_source_repeats_is_boilerplate_but_a_leak_is_not() -> None:
    piece = " ".join(LONG[0].prompt.split()[:15])
    licence = [f"{sentence(30)} {piece} {sentence(30)}" for _ in range(FREQUENT + 5)]
    assert scan(licence).finish()[1] == []
    assert len(scan(licence[:3]).finish()[1]) == 3
    leak = [f"{LONG[1].prompt} {LONG[1].answer}"] * (FREQUENT + 5)
    rows, findings = scan(leak).finish()
    assert len(findings) == FREQUENT + 5
    assert (rows[0].items_touched, rows[0].documents_touched) == (1, FREQUENT + 5)


def test_a_shared_phrase_is_a_passage_and_no_found_item() -> None:
    long = BenchmarkItem("long", sentence(45), f"{sentence(300)} 7")
    index = index_items([Benchmark("b", (long, LONG[0]))])
    words = long.answer.split()
    phrases = [" ".join(words[40:53]), f"{' '.join(words[80:89])} and {' '.join(words[90:98])}"]
    measure = Contamination(index)
    texts = [f"{sentence(30)} {phrase} {sentence(30)}" for phrase in phrases]
    measure.update(batch_of([Document(f"d{k}", "s", "f", "p", text) for k, text in enumerate(texts)]))
    rows, findings = measure.finish()
    assert [f.kind for f in findings] == ["passage"] * len(findings)
    assert 13 <= findings[0].longest < 16  # its neighbours may agree by chance
    assert findings[0].share < 0.05
    assert (rows[0].items_touched, rows[0].items_exact, rows[0].items_passage) == (0, 0, 1)
    assert (rows[0].documents_touched, rows[0].documents_passage) == (0, len(findings))
    assert rows[0].item_share.value == 0.0
    measure.update(batch_of([Document("q", "s", "f", "p", f"{sentence(9)} {long.prompt} {sentence(9)}")]))
    rows, findings = measure.finish()
    assert {f.kind for f in findings} == {"passage", "question"}
    assert (rows[0].items_touched, rows[0].items_exact, rows[0].items_question) == (1, 0, 1)
    assert (rows[0].items_passage, rows[0].documents_touched) == (0, 1)


def test_a_question_leaked_often_without_its_solution_is_no_boilerplate() -> None:
    item = BenchmarkItem("q", sentence(30), sentence(90))
    measure = Contamination(index_items([Benchmark("b", (item,))]))
    texts = [f"{item.prompt} {sentence(10)}"] * (FREQUENT + 5)
    measure.update(batch_of([Document(f"d{k}", "s", "f", "p", text) for k, text in enumerate(texts)]))
    assert {f.kind for f in measure.finish()[1]} == {"question"}


def test_a_stretch_goes_on_over_changed_words_and_stops_at_foreign_ones() -> None:
    item = np.arange(100, 140, dtype=np.uint64)
    document = np.concatenate([np.arange(20), item, np.arange(20)]).astype(np.uint64)
    document[20 + np.array([5, 16, 27, 38])] = 1
    row = tuple(np.array([value], np.int64) for value in (6, 26, 10))
    assert np.flatnonzero(~shared_words(item, document, *row)).tolist() == [5, 16, 27, 38, 39]
    document[20 + np.arange(17, 24)] = 1
    assert np.flatnonzero(shared_words(item, document, *row)).tolist() == [0, 1, 2, 3, 4, *range(6, 16)]


def test_order_and_path_do_not_matter() -> None:
    texts = [edited(item.prompt) + " " + sentence(20) for item in LONG[:20]] + ["Who wrote bandar lost: korix"]
    whole, pieces = scan(texts), Contamination(INDEX)
    for order in (slice(10, None), slice(0, 10)):
        part = Contamination(INDEX)
        documents = [Document(f"s{k}", "s", "f", "plain", text) for k, text in enumerate(texts)][order]
        part.update(batch_of(documents))
        pieces.merge(part)
    assert pieces.finish() == whole.finish()
    pytest.importorskip("numba", reason="the extra `corpus` is not installed")
    assert scan(texts, path="numpy").finish() == scan(texts, path="numba").finish()
    with pytest.raises(Defect):
        pieces.merge(Contamination(index_items([Benchmark("other", LONG)])))


def test_train_items_are_not_looked_for() -> None:
    items = (BenchmarkItem("t", sentence(20), "a", split="train"), BenchmarkItem("h", sentence(20), "a"))
    assert index_items([Benchmark("b", items)]).items == items[1:]


def test_candidates_are_held_against_a_control_set() -> None:
    stream = generator(1, "embeddings")
    documents, control, items = (stream.normal(size=(count, 16)) for count in (200, 199, 20))
    items[3] = documents[17] * 2.0
    found = candidates(items, documents, control, level=0.01)
    assert (found[0].item, found[0].document, found[0].p) == (3, 17, 1 / 200)
    assert found[0].cosine == pytest.approx(1.0)
    assert len(found) <= 3
    with pytest.raises(DataError, match="cannot give a p"):
        candidates(items, documents, control[:50])
    assert np.isfinite(found[0].cosine)
