"""A synthetic ground on which every rule of a regime can stand."""

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.seeds import generator
from shadowgraph.spec.corpus import CorpusArm

TOPICS, FORMATS, ITEMS = 12, 3, 20
TOPIC_WORDS = 20


def make_ground(
    count: int = 1500, *, draw: int = 0, budget: int = 6400, order: int | None = None, answers: bool = True
) -> Ground:
    """Zipf-skewed topics with words of their own, three formats, known answers, twenty test items at the end."""
    stream = generator(0, "ground")
    weights = 1.0 / np.arange(1, TOPICS + 1)
    topics = stream.choice(TOPICS, count, p=weights / weights.sum())
    formats = stream.choice(FORMATS, count)
    topics[-ITEMS:], formats[-ITEMS:] = TOPICS - 1, FORMATS - 1
    documents: list[NDArray[np.uint16]] = []
    for topic, form in zip(topics.tolist(), formats.tolist(), strict=True):
        body = 20 + TOPIC_WORDS * topic + stream.integers(0, TOPIC_WORDS, int(stream.integers(8, 40)))
        documents.append(np.concatenate([[10 + form], body, [0]]).astype(np.uint16))
    cells = np.stack([topics, (topics + formats) % TOPICS, topics % 4])
    place = np.arange(count) if order is None else generator(order, "order").permutation(count)
    lengths = np.array([len(document) for document in documents])
    near = np.array([np.isclose(topics, TOPICS - 2) + 0.2 * stream.standard_normal(count)]).ravel()
    told = (formats == 2) + 0.2 * stream.standard_normal(count) + 0.3 * near
    vectors = np.eye(TOPICS, dtype=np.float32)[topics] + 0.1 * stream.standard_normal((count, TOPICS)).astype(
        np.float32
    )
    columns = {"content/quiz": near, "format/quiz": told, "novelty": topics / TOPICS + 0.0}
    columns |= {"content/other": np.isclose(topics, 0) + 0.0, "format/other": (formats == 0) + 0.0}
    labels = [f"topic-{topic:02d}" for topic in topics[place].tolist()]
    pool = TokenPool(
        np.concatenate([documents[d] for d in place.tolist()]),
        np.concatenate([[0], np.cumsum(lengths[place])]).astype(np.int64),
        tuple(f"doc-{d}" for d in place.tolist()),
        tuple("quiz" if d >= count - ITEMS else label for d, label in zip(place.tolist(), labels, strict=True)),
        tuple(f"format-{form}" for form in formats[place].tolist()),
    )
    return Ground(
        pool,
        np.zeros(count),
        budget,
        64,
        7,
        draw,
        columns={name: column[place] for name, column in columns.items()},
        benchmarks=("quiz", "other"),
        cells=cells[:, place],
        vectors=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))[place],
        leaked=place >= count - ITEMS,
        prompts=(lengths[place] // 2) if answers else None,
        sources=tuple(labels),
        classes=np.concatenate([np.zeros(20, np.int64), np.repeat(np.arange(2, TOPICS + 2), TOPIC_WORDS)]),
        batch=8,
        match_lengths=True,
    )


ARMS = {
    arm.name: arm
    for arm in (
        CorpusArm(name="random", regime="random"),
        CorpusArm(name="aligned", regime="aligned"),
        CorpusArm(name="content", regime="content_only"),
        CorpusArm(name="format", regime="format_only"),
        CorpusArm(name="many", regime="aligned_many"),
        CorpusArm(name="covering", regime="covering"),
        CorpusArm(name="facility", regime="covering", method="facility"),
        CorpusArm(name="center", regime="covering", method="k-center"),
        CorpusArm(name="new", regime="covering_new"),
        CorpusArm(name="concentrated", regime="concentrated", patterns=5),
        CorpusArm(name="familiar", regime="narrow_familiar", patterns=3),
        CorpusArm(name="repeated", regime="repeated", share=0.1, repeats=4),
        CorpusArm(name="answers", regime="repeated", share=0.1, repeats=4, kind="answers"),
        CorpusArm(name="near", regime="repeated", share=0.1, repeats=4, kind="near", spacing="batch"),
        CorpusArm(name="close", regime="repeated", share=0.1, repeats=4, spacing="sequence"),
        CorpusArm(name="mixture", regime="mixture", share=0.5),
        CorpusArm(name="blend", regime="blend", share=0.5),
        CorpusArm(name="leak", regime="leak", share=0.05, benchmark="quiz"),
        CorpusArm(name="blocked", regime="blocked", of="covering"),
        CorpusArm(name="reversed", regime="reversed", of="covering"),
        CorpusArm(name="permuted", regime="permuted", of="covering"),
        CorpusArm(name="shuffled", regime="shuffled_answers", of="covering"),
    )
}
