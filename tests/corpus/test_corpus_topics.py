"""Vectors of topics: documents of one topic lie together, and nothing but the documents decides."""

import numpy as np
import pytest

from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.topics import AXES, bags_of, join_bags, learn_topics
from shadowgraph.seeds import generator

TOPICS = 6
COMMON = [f"common{k}" for k in range(40)]


def corpus(count: int, seed: int) -> tuple[Batch, np.ndarray]:
    """Documents of words all share and a tenth of words of their topic alone."""
    stream = generator(seed, "topics")
    topic = stream.integers(TOPICS, size=count)
    documents = []
    for d in range(count):
        words = [COMMON[k] for k in stream.integers(len(COMMON), size=72)]
        words += [f"topic{topic[d]}word{k}" for k in stream.integers(12, size=8)]
        documents.append(Document(str(d), "", "", "", " ".join(words[k] for k in stream.permutation(len(words)))))
    return batch_of(documents, limit=None), topic


@pytest.mark.parametrize("count", [200, 900])  # full decomposition, and the leading directions alone
def test_documents_of_one_topic_lie_together(count: int) -> None:
    batch, topic = corpus(count, 3)
    bags = bags_of(batch)
    vectors = learn_topics(bags).vectors(bags)
    assert vectors.shape[0] == count
    assert vectors.shape[1] <= AXES
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    products = vectors @ vectors.T
    np.fill_diagonal(products, -1.0)
    assert (topic[products.argmax(axis=1)] == topic).mean() > 0.95


def test_bags_count_what_stands_in_the_text() -> None:
    batch = batch_of([Document("a", "", "", "", "one two two Two"), Document("b", "", "", "", "!")], limit=None)
    bags = bags_of(batch)
    assert bags.sizes.tolist() == [2, 0]
    assert sorted(bags.counts.tolist()) == [1, 3]


def test_documents_may_be_read_in_any_order_and_any_parts() -> None:
    batch, _ = corpus(300, 4)
    bags = bags_of(batch)
    topics = learn_topics(bags.take(np.arange(200)))
    order = generator(1, "order").permutation(300)
    shuffled = topics.vectors(bags.take(order))
    np.testing.assert_array_equal(shuffled, topics.vectors(bags)[order])
    joined = join_bags([bags.rows(0, 120), bags.rows(120, 300)])
    np.testing.assert_array_equal(joined.buckets, bags.buckets)
    np.testing.assert_array_equal(topics.vectors(joined), topics.vectors(bags))


def test_a_document_without_known_words_is_no_direction() -> None:
    batch, _ = corpus(100, 5)
    topics = learn_topics(bags_of(batch))
    strange = bags_of(batch_of([Document("s", "", "", "", "entirely unheard sayings")], limit=None))
    np.testing.assert_array_equal(topics.vectors(strange), np.zeros((1, topics.axes.shape[1]), np.float32))


def test_axes_are_orthonormal_and_a_sample_of_copies_has_few() -> None:
    batch, _ = corpus(700, 6)
    axes = learn_topics(bags_of(batch)).axes.astype(np.float64)
    np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=1e-4)
    copies = batch_of([Document(str(d), "", "", "", f"same words {d % 2}") for d in range(9)], limit=None)
    assert learn_topics(bags_of(copies)).axes.shape[1] <= 2
