"""What the rules reach on real text: coverage beside facility location, and no confound of length."""

# pyright: reportMissingTypeStubs=false, reportArgumentType=false
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from corpus_data import real_data
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from shadowgraph.corpus.benchmark import read_benchmark
from shadowgraph.corpus.clusters import CLUSTERS, pool_cells
from shadowgraph.corpus.features import Profile
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.readers.files import read_batches
from shadowgraph.corpus.regime import build_regime
from shadowgraph.corpus.rules.table import RULES
from shadowgraph.corpus.target import fit_target, score
from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.corpus.topics import SAMPLE, bags_of, join_bags, learn_topics
from shadowgraph.seeds import generator
from shadowgraph.spec.corpus import CorpusArm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
BUDGET = 12_000_000  # bytes stand for tokens here; a tokenizer would change lengths by one factor


def bare_ground(lengths: NDArray[np.int64], names: list[str], budget: int) -> Ground:
    """A ground whose tokens do not matter, only their number."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    labels = ("",) * len(names)
    tokens = np.zeros(int(offsets[-1]), np.uint16)
    return Ground(TokenPool(tokens, offsets, tuple(names), labels, labels), np.zeros(len(names)), budget, 64, 1, 0)


def test_covering_fills_cells_it_was_not_made_from_and_covers_like_facility_location() -> None:
    """The judge shares nothing with the choice: scikit-learn's words, axes and clusters of a held-out quarter."""
    texts, bags, lengths, names, keys = [], [], [], [], []
    for batch in read_batches([real_data("corpora")]):
        texts += [batch.text(d) for d in range(len(batch))]
        bags.append(bags_of(batch))
        lengths.append(np.diff(batch.offsets))
        names += [batch.name(d) for d in range(len(batch))]
        keys.append(batch.keys)
    sizes, key = np.concatenate(lengths), np.concatenate(keys)
    held = np.flatnonzero(key % np.uint64(4) == 0)
    own = np.flatnonzero(key % np.uint64(4) != 0)
    own = own[np.argsort(np.array(names)[own])]
    owned = join_bags(bags).take(own)
    drawn = generator(5, "sample").permutation(len(own))[:SAMPLE]
    vectors = learn_topics(owned.take(drawn)).vectors(owned)
    ground = replace(
        bare_ground(sizes[own], [names[d] for d in own.tolist()], BUDGET),
        cells=pool_cells(vectors, 7),
        vectors=vectors,
    )
    words = TfidfVectorizer(sublinear_tf=True, min_df=5, max_features=50_000, stop_words="english", dtype=np.float32)
    rows = [words.fit_transform([texts[d] for d in held]), words.transform([texts[d] for d in own])]
    axes = TruncatedSVD(64, random_state=99).fit(rows[0])
    judged = [unit(axes.transform(each)) for each in rows]
    judge = KMeans(CLUSTERS, n_init=1, random_state=99).fit(judged[0])
    cell = judge.predict(judged[1])
    anchors = judged[0][generator(0, "anchors").permutation(len(held))[:2000]]
    found: dict[str, tuple[float, float]] = {}
    for name, arm in (
        ("random", CorpusArm(name="r", regime="random")),
        ("covering", CorpusArm(name="c", regime="covering")),
        ("facility", CorpusArm(name="f", regime="covering", method="facility")),
    ):
        chosen = RULES[arm.regime](arm, ground)
        share = np.bincount(cell[chosen.documents], weights=chosen.taken, minlength=CLUSTERS) / BUDGET
        effective = float(np.exp(-(share[share > 0] * np.log(share[share > 0])).sum()))
        found[name] = effective, float((anchors @ judged[1][chosen.documents].T).max(axis=1).mean())
    assert found["covering"][0] >= 113.0, found  # knowing the judge's own clusters a choice reaches about 126
    assert found["covering"][0] > max(found["facility"][0], found["random"][0]) + 8, found
    assert found["covering"][1] >= found["facility"][1] - 0.01, found


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def test_choosing_by_summed_weights_takes_short_documents_and_ours_does_not() -> None:
    benchmark = read_benchmark("gsm8k", [real_data("benchmarks", "gsm8k", "train.jsonl.gz")])
    files = [real_data("corpora", f"{name}.jsonl.gz") for name in ("git_docs", "books", "gimp_help", "fortunes")]
    batches = list(islice(read_batches(files), 60))
    profile = Profile()
    for batch in batches:
        profile.update(batch)
    target = fit_target(benchmark, profile)
    scores = [score(target, batch) for batch in batches]
    content = np.concatenate([each.content for each in scores])
    words = np.concatenate([each.words for each in scores])
    sizes = np.concatenate([np.diff(batch.offsets) for batch in batches])
    names = [batch.name(d) for batch in batches for d in range(len(batch))]
    form = np.concatenate([each.format for each in scores])
    ground = replace(
        bare_ground(sizes, names, 640_000),
        columns={"content/gsm8k": content, "format/gsm8k": form},
        benchmarks=("gsm8k",),
        match_lengths=True,
    )
    plain = build_regime(CorpusArm(name="r", regime="random"), ground).chosen
    count = len(plain.documents)
    noise = -np.log(-np.log(ground.uniform("summed")))
    summed = np.argsort(-(content * words + noise))[:count]
    assert sizes[summed].sum() < 0.8 * plain.tokens
    ours = build_regime(CorpusArm(name="a", regime="content_only"), ground).chosen
    assert ours.tokens == plain.tokens
    assert abs(len(ours.documents) / count - 1) < 0.02
    assert content[ours.documents].mean() > content[plain.documents].mean() + 0.2
