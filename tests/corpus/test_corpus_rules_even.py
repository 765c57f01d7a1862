"""Equal tokens of every source, and texts cut and joined to documents of one length."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from corpus_ground import make_ground
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.corpus.budget import Fill
from shadowgraph.corpus.entries import cut, join_short, tell_item, tell_text
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.items import BenchmarkItem
from shadowgraph.corpus.rules.even import even, even_blend, even_repeated
from shadowgraph.errors import DataError, SpecError
from shadowgraph.spec.corpus import CorpusArm

TOPICS = tuple(f"topic-{number:02d}" for number in range(4))


def ground_of(*, budget: int = 3203, draw: int = 0) -> Ground:
    ground = make_ground(draw=draw, budget=budget)
    return ground.among(np.isin(np.array(ground.sources), TOPICS))


def arm(regime: str, **options: Any) -> CorpusArm:
    return CorpusArm.model_construct(name="arm", regime=regime, **options)


def by_source(chosen: Fill, ground: Ground) -> dict[str, int]:
    assert ground.sources is not None
    found = dict.fromkeys(TOPICS, 0)
    for document, taken in zip(chosen.documents.tolist(), chosen.taken.tolist(), strict=True):
        found[ground.sources[document]] += taken
    return found


def test_every_source_gives_equal_tokens_to_the_token() -> None:
    ground = ground_of()
    shares = by_source(even(arm("even"), ground), ground)
    assert sum(shares.values()) == ground.budget
    assert max(shares.values()) - min(shares.values()) <= 1


def test_a_source_that_holds_too_little_is_named_with_what_it_holds_and_what_is_needed() -> None:
    ground = ground_of(budget=13_000)
    assert ground.sources is not None
    own = np.array(ground.sources) == "topic-03"
    held = int(ground.pool.lengths[ground.candidates[own[ground.candidates]]].sum())
    with pytest.raises(DataError) as caught:
        even(arm("even"), ground)
    assert f"'topic-03' holds {held} tokens for this arm and 3250 are needed" in str(caught.value)


@pytest.mark.parametrize("options", [{"repeats": 8}, {"documents": 3}])
def test_repeats_are_whole_documents_of_turning_sources_over_an_even_background(options: dict[str, int]) -> None:
    ground = ground_of()
    chosen = even_repeated(arm("repeated", share=0.5, **options), ground)
    assert chosen.tokens == ground.budget
    documents, counts = np.unique(chosen.documents, return_counts=True)
    again = documents[counts > 1]
    tokens = chosen.taken[np.isin(chosen.documents, again)].sum() / ground.budget
    assert tokens == pytest.approx(0.5, abs=0.01)
    if "repeats" in options:
        assert set(counts.tolist()) == {1, 8}
    else:
        assert len(again) == 3
    assert ground.sources is not None
    assert len({ground.sources[document] for document in again.tolist()}) >= 3
    background = chosen.documents[np.isin(chosen.documents, again, invert=True)]
    first = Fill(background, chosen.taken[np.isin(chosen.documents, again, invert=True)])
    shares = by_source(first, ground)
    assert max(shares.values()) - min(shares.values()) <= 1
    other = even_repeated(arm("repeated", share=0.5, **options), replace(ground, draw=1))
    elsewhere, turns = np.unique(other.documents, return_counts=True)
    assert not set(elsewhere[turns > 1].tolist()) & set(again.tolist())


def test_a_blend_gives_the_named_sources_their_share_and_the_others_the_rest() -> None:
    ground = ground_of()
    shares = by_source(even_blend(arm("blend", share=0.4, benchmarks=("topic-01",)), ground), ground)
    assert shares["topic-01"] == round(0.4 * ground.budget)
    rest = [tokens for name, tokens in shares.items() if name != "topic-01"]
    assert sum(rest) == ground.budget - round(0.4 * ground.budget)
    assert max(rest) - min(rest) <= 1


def test_a_blend_towards_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="no source"):
        even_blend(arm("blend", share=0.4, benchmarks=()), ground_of())


WORDS = st.lists(st.sampled_from(["a", "word", "longer-word", "End.", "Is", "it?", "\n\n", "\n"]), max_size=120)


@settings(max_examples=60, deadline=None)
@given(words=WORDS, shortest=st.integers(0, 40), more=st.integers(20, 60))
def test_cut_and_joined_texts_lose_nothing_but_white_space_and_keep_their_bounds(
    words: list[str], shortest: int, more: int
) -> None:
    text, longest = " ".join(words), shortest + more
    pieces = cut(text, shortest, longest)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= longest for piece in pieces)
    joined = join_short(pieces, shortest, longest)
    assert "".join("".join(joined).split()) == "".join(text.split())
    assert all(len(piece) <= longest for piece in joined)


def test_cuts_prefer_paragraphs_then_sentences_then_words() -> None:
    assert cut("One one.\n\nTwo two. Three\n\nFour", 5, 16) == ["One one.", "Two two. Three", "Four"]
    assert cut("One one. Two two. Three three. Four", 5, 20) == ["One one. Two two.", "Three three. Four"]
    assert cut("one two three four five", 5, 12) == ["one two", "three four", "five"]
    assert cut("x" * 25, 5, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert cut("  \n ", 5, 10) == []


def test_short_neighbours_are_joined_and_long_items_stay_whole() -> None:
    assert join_short(["ab", "cd", "efghij", "k"], 4, 8) == ["ab\n\ncd", "efghij", "k"]
    assert join_short(["x" * 30], 4, 8) == ["x" * 30]


ITEM = BenchmarkItem("1", "What {x}?", "two", ("one", "two"))
FREE = BenchmarkItem("2", "How many?", "2 + 1 = 3\n#### 3", final="3")


def test_templates_tell_items_and_texts() -> None:
    form = "Q: {question}\n{choices}\nA: {answer}"
    assert tell_item(ITEM, form) == "Q: What {x}?\nA. one\nB. two\nA: B"
    assert tell_item(FREE, form) == "Q: How many?\nA: 3"
    assert tell_item(FREE, "{worked}") == FREE.answer
    assert tell_item(ITEM, None) == ITEM.told()
    assert tell_text("First one. Then {rest}.", "{rest}\n{head}") == "Then {rest}.\nFirst one."
    assert tell_text("as it is", None) == "as it is"
    with pytest.raises(SpecError, match="'prompt'"):
        tell_item(ITEM, "{prompt}")
