"""Rules that lean towards a benchmark: aligned in content, in format or both, towards many, mixed, leaked.

Here live: keys of alignment and the arms made of them.
Not here: scores of documents (`target`) and the covering part of a mixture (`covering`).

A document's key is score + temperature · Gumbel(hash(seed, id)), so the best keys are a sample without replacement
with log weights score / temperature (Gumbel top-k; Kool et al. 2019, arXiv 1903.06059). The score is in standard
deviations over the pool; temperature 0 takes the top. A key depends on nothing but its document.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, fill, join
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.rules.covering import covering
from shadowgraph.errors import DataError
from shadowgraph.spec.corpus import CorpusArm


def aligned(arm: CorpusArm, ground: Ground) -> Fill:
    """Resample towards the benchmark, in content and format with equal say."""
    return ground.take(aligned_order(arm, ground), arm.name)


def content_only(arm: CorpusArm, ground: Ground) -> Fill:
    """Resample towards the benchmark's content, its format kept at the pool's: the score is cleared of format."""
    return _cleared(arm, ground, "content", "format")


def format_only(arm: CorpusArm, ground: Ground) -> Fill:
    """Resample towards the benchmark's format, its content kept at the pool's: the score is cleared of content."""
    return _cleared(arm, ground, "format", "content")


def aligned_many(arm: CorpusArm, ground: Ground) -> Fill:
    """Resample towards several benchmarks at one pace; a document near to two counts for the first to reach it.

    Raises:
        DataError: when there is no benchmark.
    """
    names = arm.benchmarks or ground.benchmarks
    if not names:
        raise DataError("no benchmark to align with", where=arm.name)
    reached = np.full(len(ground.pool), np.inf)
    for name in names:
        order = _by_key(score_of(ground, name, arm.name), arm.temperature, ground, f"aligned/{name}")
        sizes = ground.pool.lengths[order]
        reached[order] = np.minimum(reached[order], np.cumsum(sizes) - sizes)
    candidates = ground.candidates
    key = ground.uniform("aligned many")[candidates]
    return ground.take(candidates[np.lexsort((key, reached[candidates]))], arm.name)


def blend(arm: CorpusArm, ground: Ground) -> Fill:
    """A share of aligned tokens, the rest random documents that are not among them."""
    near = round(share_of(arm) * ground.budget)
    first = ground.take(aligned_order(arm, ground), arm.name, near)
    order = ground.random_order()
    rest = order[~np.isin(order, first.documents)]
    return join([first, ground.take(rest, arm.name, ground.budget - near, begin=near)])


def mixture(arm: CorpusArm, ground: Ground) -> Fill:
    """A share of aligned tokens, the rest a covering set of the other documents, for series of doses."""
    near = round(share_of(arm) * ground.budget)
    first = ground.take(aligned_order(arm, ground), arm.name, near)
    rest = np.ones(len(ground.pool), bool)
    rest[first.documents] = False
    return join([first, covering(arm, ground.among(rest), ground.budget - near)])


def leak(arm: CorpusArm, ground: Ground) -> Fill:
    """A share of tokens that is the test items themselves, again and again if need be, the rest random documents.

    Where lengths are matched, the rest are so many documents that the arm has as many as the random one: where items
    are short, they are a little longer.

    Raises:
        DataError: when the pool holds no test items.
    """
    if ground.leaked is None or not ground.leaked.any():
        raise DataError("the pool holds no test items", where=arm.name, hint="build the pool with a benchmark")
    share = round(share_of(arm) * ground.budget)
    items = np.flatnonzero(ground.leaked)
    if arm.benchmark is not None:
        items = items[[ground.pool.families[item] == arm.benchmark for item in items.tolist()]]
    order = items[np.argsort(ground.uniform("leak")[items], kind="stable")]
    cycles = -(-share // max(1, int(ground.pool.lengths[order].sum())))
    leaked = fill(np.tile(order, cycles), ground.pool.lengths, share, arm.name)
    rest, others = ground.random_order(), ground.documents(arm.name)
    if others is not None:
        documents = others - len(leaked.documents)
        return join([leaked, ground.take_counted(rest, arm.name, ground.budget - share, documents)])
    images = ground.images(0, ground.budget)  # test items have none
    return join([leaked, ground.take(rest, arm.name, ground.budget - share, images=images)])


def share_of(arm: CorpusArm) -> float:
    """The arm's share.

    Raises:
        DataError: when it has none.
    """
    if arm.share is None:
        raise DataError(f'regime "{arm.regime}" needs share', where=arm.name)
    return arm.share


def aligned_order(arm: CorpusArm, ground: Ground) -> NDArray[np.int64]:
    """The candidates by key of alignment, best first."""
    name = arm.benchmark or (ground.benchmarks[0] if ground.benchmarks else "")
    label = f"aligned/{name}" if name else "aligned"
    return _by_key(score_of(ground, name, arm.name), arm.temperature, ground, label)


def score_of(ground: Ground, benchmark: str, where: str) -> NDArray[np.float64]:
    """(n,) nearness to a benchmark: content and format in standard deviations, added.

    Args:
        ground: the ground.
        benchmark: its name; empty for the ground's own alignment.
        where: name of the arm.

    Returns:
        (n,) scores, higher is nearer.
    """
    if not benchmark:
        return ground.alignment
    parts = [ground.column(f"{kind}/{benchmark}", where) for kind in ("content", "format")]
    return sum((_unit(part, ground) for part in parts), np.zeros(len(ground.pool)))


def _unit(score: NDArray[np.float64], ground: Ground) -> NDArray[np.float64]:
    """A score in standard deviations over the candidates."""
    spread = float(score[ground.candidates].std())
    return score / spread if spread > 0 else np.zeros_like(score)


def _by_key(score: NDArray[np.float64], temperature: float, ground: Ground, label: str) -> NDArray[np.int64]:
    """The candidates by score plus noise."""
    noise = -np.log(-np.log(ground.uniform(label)))
    candidates = ground.candidates
    return candidates[np.argsort(-(_unit(score, ground) + temperature * noise)[candidates], kind="stable")]


def _cleared(arm: CorpusArm, ground: Ground, wanted: str, other: str) -> Fill:
    """Choose by one score less its regression on the other, over the candidates."""
    name = arm.benchmark or (ground.benchmarks[0] if ground.benchmarks else "")
    y = ground.column(f"{wanted}/{name}", arm.name)
    x = ground.column(f"{other}/{name}", arm.name)
    own = ground.candidates
    middle = x[own] - x[own].mean()
    spread = float((middle * middle).sum())
    slope = float((middle * (y[own] - y[own].mean())).sum()) / spread if spread > 0 else 0.0
    return ground.take(_by_key(y - slope * x, arm.temperature, ground, f"{wanted}/{name}"), arm.name)
