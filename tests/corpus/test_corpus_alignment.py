"""Alignment: documents and corpora like a benchmark score above others, content and format apart, in any order."""

import numpy as np
import pytest
from corpus_data import real_data

from shadowgraph.corpus.alignment import align, jensen_shannon, two_sample
from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.features import BLOCKS, Profile, format_shares
from shadowgraph.corpus.items import BenchmarkItem
from shadowgraph.corpus.passages import KEPT, Passages
from shadowgraph.corpus.readers.files import read_batches
from shadowgraph.corpus.shards import SHARDS, Estimate, estimate
from shadowgraph.corpus.target import fit_target, render_batches, score
from shadowgraph.errors import DataError, Defect
from shadowgraph.seeds import generator

ITEMS = tuple(
    BenchmarkItem(f"i{n}", f"Tom has {n} apples and buys {n % 7} more, how many apples?", str(n + n % 7))
    for n in range(300)
)
SUMS = Benchmark("sums", ITEMS)


def batch(texts: list[str], label: str = "d", path: str = "auto") -> Batch:
    return batch_of([Document(f"{label}{k}", "s", "f", "plain", text) for k, text in enumerate(texts)], path=path)


def prose(count: int, seed: int = 0) -> list[str]:
    stream = generator(seed, "prose")
    vocabulary = [f"term{n}" for n in range(500)]
    return [" ".join(stream.choice(vocabulary, int(stream.integers(20, 60)))) + "." for _ in range(count)]


def count(*batches: Batch) -> tuple[Profile, Passages]:
    profile, passages = Profile(), Passages()
    for each in batches:
        profile.update(each)
        passages.update(each)
    return profile, passages


def test_content_and_format_are_scored_apart() -> None:
    target = fit_target(SUMS, count(batch(prose(400)))[0])
    told = "Question: what is term3 term4 term5?\nAnswer: term9"
    scores = score(target, batch(["Tom buys apples and has many more apples.", told, prose(1, 5)[0], "..."]))
    assert scores.content[0] > scores.content[1]
    assert scores.format[1] > scores.format[0]
    assert scores.content[3] == 0.0
    assert scores.words.tolist()[3] == 0
    assert scores.both.tolist() == (scores.content + scores.format).tolist()
    alone = score(target, batch([told]), content=False)
    assert alone.content.tolist() == [0.0]
    assert alone.format[0] == scores.format[1]


def test_a_score_is_a_mean_so_length_does_not_pay() -> None:
    target = fit_target(SUMS, count(batch(prose(400)))[0])
    text = "Tom has apples and buys more apples, "
    short, long = score(target, batch([text, text * 20]), form=False).content
    assert long == pytest.approx(short, abs=0.5)


def test_both_paths_score_alike() -> None:
    pytest.importorskip("numba", reason="the extra `corpus` is not installed")
    texts = [*prose(30), "Question: Tom?\nAnswer: 4"]
    made = []
    for path in ("numba", "numpy"):
        target = fit_target(SUMS, count(batch(prose(100), path=path))[0], path=path)
        scores = score(target, batch(texts, path=path))
        made.append((target.content.tobytes(), target.format.tobytes(), scores.both.tobytes()))
    assert made[0] == made[1]


def test_a_corpus_of_its_own_items_is_nearest() -> None:
    reference = count(batch(prose(400)))[0]
    target = fit_target(SUMS, reference)
    own = align(*count(render_batches(SUMS, fit=True)[1]), target)
    other = align(*count(batch(prose(400, seed=3), "o")), target)
    for reading in ("log_ratio", "kl_reduction"):
        assert getattr(own, reading).low > getattr(other, reading).high
    assert own.format_distance.value == pytest.approx(0.0, abs=0.02)
    assert (other.format_distance.low or 0.0) > 0.2
    assert (own.auc.value or 1.0) < 0.65
    assert (other.auc.value or 0.0) > 0.95
    for each in (own, other):
        for found in (each.log_ratio, each.kl_reduction, each.format_distance, each.auc):
            assert found.low is not None
            assert found.high is not None
            assert found.low <= (found.value or 0.0) <= found.high


def test_passages_are_the_same_in_any_order() -> None:
    texts = prose(700)
    whole = count(batch(texts))[1]
    pieces = [batch(texts).take(np.arange(a, b)) for a, b in ((500, 700), (0, 250), (250, 500))]
    merged = Passages()
    for piece in pieces:
        merged.merge(Passages.of(piece))
    assert len(whole) == KEPT
    for name in ("order", "words", "lengths", "shards"):
        assert np.array_equal(getattr(whole, name), getattr(merged, name)), name
    assert two_sample(whole, Passages()).status == "empty"


def test_jensen_shannon_against_closed_forms() -> None:
    one, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert jensen_shannon(one, other) == pytest.approx(1.0)
    assert jensen_shannon(one, one) == 0.0
    assert jensen_shannon(one, np.array([0.5, 0.5])) == pytest.approx(0.311278, abs=1e-6)  # H(3/4) − H(1/2)/2, bits
    shares = format_shares(np.zeros((len(BLOCKS), 9)))
    assert shares.sum(axis=-1).tolist() == pytest.approx([1.0] * len(BLOCKS))


def test_intervals_of_the_shard_bootstrap() -> None:
    sizes = np.full(SHARDS, 10)
    values = generator(1, "shards").normal(size=SHARDS)
    found = estimate(sizes, lambda w: (w @ values) / w.sum(axis=1), "mean")
    assert found.value == pytest.approx(values.mean())
    width = (found.high or 0.0) - (found.low or 0.0)
    assert width == pytest.approx(2 * 1.96 * values.std() / SHARDS**0.5, rel=0.25)
    few = estimate(np.array([3] + [0] * 31), lambda w: w[:, 0], "few")
    assert (few.value, few.status, few.low) == (1.0, "few_shards", None)
    assert estimate(np.zeros(SHARDS, np.int64), lambda w: w[:, 0], "none").status == "empty"
    with pytest.raises(Defect):
        Estimate(None, "ok")


def test_targets_without_material_are_refused() -> None:
    with pytest.raises(DataError, match="no words"):
        fit_target(SUMS, Profile())
    with pytest.raises(DataError, match="no items"):
        fit_target(Benchmark("none", ()), count(batch(prose(3)))[0])


def test_gsm8k_train_is_nearest_to_gsm8k_test_and_wikitext_is_not() -> None:
    benchmark = read_benchmark("gsm8k", sorted(real_data("benchmarks", "gsm8k").glob("*.gz")))
    names = ("wikitext2_5k", "books", "fortunes")
    paths = {name: real_data("corpora", f"{name}.jsonl.gz") for name in names}
    sources = {name: count(*read_batches([path])) for name, path in paths.items()}
    reference = Profile()
    for profile, _ in sources.values():
        reference.merge(profile)
    target = fit_target(benchmark, reference)
    own = align(*count(render_batches(benchmark, fit=True)[1]), target)
    for name in names:
        other = align(*sources[name], target)
        assert (own.log_ratio.low or 0.0) > (other.log_ratio.high or 0.0) + 1.0
        assert (own.kl_reduction.low or 0.0) > (other.kl_reduction.high or 0.0)
        assert (own.format_distance.high or 1.0) < 0.05 < (other.format_distance.low or 0.0)
        assert (own.auc.value or 1.0) < 0.75 < 0.95 < (other.auc.value or 0.0)
