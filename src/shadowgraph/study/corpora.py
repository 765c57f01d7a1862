"""Jobs that make the data of a study: the base's corpus, the pools, the regimes.

Here live: the job functions of the corpus stage, and what they do for procedural pools.
Not here: selection rules (`corpus`), procedural documents (`worlds`), what is made of sources (`blends`) and of
questions about pictures (`pictured`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from shadowgraph.artifact import write_json
from shadowgraph.corpus.balance import balance
from shadowgraph.corpus.benchmark import Benchmark
from shadowgraph.corpus.budget import fill, pack
from shadowgraph.corpus.document import Document, write_documents
from shadowgraph.corpus.readers.files import read_documents
from shadowgraph.corpus.regime import Ground, build_regime
from shadowgraph.corpus.token_target import fit_token_target, token_alignment
from shadowgraph.corpus.tokens import load_tokenizer, tokenise, train_tokenizer
from shadowgraph.errors import Defect
from shadowgraph.identity import Json
from shadowgraph.seeds import generator, keyed_uniform
from shadowgraph.spec.material import PoolTable
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array, read_spec, save_array
from shadowgraph.study.blends import make_bases, make_panels, make_regimes
from shadowgraph.study.holdings import make_holdings, open_holdings, tokenizer_characters
from shadowgraph.study.layout import Layout
from shadowgraph.study.pictured import make_pictured_base, make_pictured_regimes
from shadowgraph.study.sources import HELD, PARTS, gather, text_key
from shadowgraph.study.start import place_start
from shadowgraph.work.job import Progress
from shadowgraph.worlds.formats import render
from shadowgraph.worlds.panel import benchmark_items
from shadowgraph.worlds.pool import PoolRecipe, base_documents, pool_documents

TOKENS_A_DOCUMENT = 28  # of the base, a safe low figure; too few tokens are an error, never a repeat
OUTSIDE_SEQUENCES = 64


def pool_of(spec: StudySpec) -> PoolTable:
    """The pool table of a procedural study.

    Raises:
        Defect: when the study is one over sources.
    """
    if spec.pool is None:
        raise Defect("a study over sources has no pool", where="pool")
    return spec.pool


def recipe_of(spec: StudySpec) -> PoolRecipe:
    """The pool table in the terms of the procedural worlds."""
    pool = pool_of(spec)
    return PoolRecipe(zipf=pool.zipf, benchmark_format_share=pool.benchmark_format_share)


def base_corpus_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Make what all draws share: tokenizer, text outside every arm's data, and the training text of bases.

    Of a procedural pool the tokenizer is trained on the base's documents, which are no arm's. Of sources it is trained
    on documents that nothing is trained on, equal characters of each, and the tokenised sources are kept for all draws.
    Either way it favours no arm. With a start model it is that model's. `files` is the folder of the study file.
    """
    layout = Layout(Path(str(arguments["root"])))
    spec = read_spec(layout.root)
    if spec.sources:
        _source_corpora(spec, layout, Path(str(arguments["files"])), progress)
        return
    if spec.pictures is not None:
        make_pictured_base(spec, layout, progress)
        return
    recipe, training = recipe_of(spec), spec.training
    outside_tokens = OUTSIDE_SEQUENCES * training.sequence_length
    wanted = training.base_tokens + outside_tokens
    count = -(-wanted // TOKENS_A_DOCUMENT)
    documents = [Document(**row) for row in base_documents(recipe, count, spec.study.seed)]
    progress(0.5)
    train_tokenizer((document.text for document in documents), spec.model.vocabulary, layout.base / "tokenizer")
    pool = tokenise(documents, load_tokenizer(layout.base / "tokenizer"))
    progress(0.9)
    order = np.argsort(keyed_uniform(spec.study.seed, "base", pool.ids))
    packed = pack(pool, fill(order, pool.lengths, wanted, "base"), training.sequence_length)
    split = training.base_tokens // training.sequence_length
    save_array(layout.base / "outside.npy", packed[split:])
    counts = np.bincount(packed[:split].ravel(), minlength=spec.model.vocabulary)
    save_array(layout.base / "counts.npy", counts)
    for name in layout.bases(spec):
        save_array(layout.root / name / "sequences.npy", packed[:split])
    write_json(layout.base / "corpus.json", {"documents": len(documents), "tokens": int(packed[:split].size)})


def pool_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Make the pool behind one draw, score its alignment, and build every arm's regime from it."""
    layout, draw = Layout(Path(str(arguments["root"]))), int(str(arguments["draw"]))
    spec = read_spec(layout.root)
    if spec.sources:
        holdings = open_holdings(spec, layout.holdings)
        make_regimes(spec, layout, holdings, draw)
        write_json(layout.pool(draw) / "_COMPLETE", {"sources": holdings.held_tokens()})
        return
    if spec.pictures is not None:
        make_pictured_regimes(spec, layout, draw, progress)
        return
    recipe, folder = recipe_of(spec), layout.pool(draw)
    made = pool_documents(recipe, draw, pool_of(spec).documents, spec.study.seed)
    documents = [Document(**row) for row in made]
    documents.extend(_own_documents(spec, Path(str(arguments["files"])), draw))
    write_documents(folder / "documents.parquet", documents)
    progress(0.4)
    tokenizer = load_tokenizer(layout.base / "tokenizer")
    pool = tokenise(documents, tokenizer)
    progress(0.8)
    like = tokenise(_benchmark_documents(recipe, spec.study.seed), tokenizer)
    scores = token_alignment(fit_token_target(like, pool, spec.model.vocabulary), pool)
    training = spec.training
    ground = Ground(pool, scores, training.tokens, training.sequence_length, spec.study.seed, draw)
    _build_regimes(ground, spec, layout, documents)
    told = np.array([form == recipe.benchmark_format for form in pool.formats])
    facts = {
        "documents": len(documents),
        "tokens": int(pool.tokens.size),
        "benchmark_format_share": float(pool.lengths[told].sum() / pool.tokens.size),
    }
    write_json(folder / "_COMPLETE", facts)


def _benchmark_documents(recipe: PoolRecipe, seed: int) -> list[Document]:
    """The benchmark's training items, told as the benchmark tells them."""
    train, _ = benchmark_items(recipe, seed)
    told = recipe.benchmark_format
    return [
        Document(item.id, "benchmark", item.family, told, render(item, told, generator(seed, "benchmark", item.id)))
        for item in train
    ]


def _own_documents(spec: StudySpec, folder: Path, draw: int) -> Iterator[Document]:
    """Documents from the user's files that fall to this draw; every document falls to exactly one."""
    for name in pool_of(spec).files:
        documents = list(read_documents(folder / name))
        share = keyed_uniform(spec.study.seed, "own documents", [document.id for document in documents])
        for document, place in zip(documents, share, strict=True):
            if int(place * spec.study.draws) == draw:
                yield document


def _build_regimes(ground: Ground, spec: StudySpec, layout: Layout, documents: Sequence[Document]) -> None:
    """Build, measure and write the regime of every arm."""
    counts = load_array(layout.base / "counts.npy")
    texts = np.array([text_key(document.text) for document in documents], dtype=np.uint64)
    recipe = recipe_of(spec)
    for arm in (arm for arm in spec.arms if arm.draws is None or ground.draw < arm.draws):
        regime = build_regime(arm, ground)
        folder = layout.regime(arm.name, ground.draw)
        sheet = balance(
            regime,
            ground.pool,
            ground.alignment,
            counts,
            benchmark_format=recipe.benchmark_format,
            benchmark_families=recipe.benchmark_families,
        )
        save_array(folder / "sequences.npy", regime.sequences)
        save_array(folder / "documents.npy", np.stack([regime.chosen.documents, regime.chosen.taken]))
        save_array(folder / "texts.npy", texts[regime.chosen.documents])
        write_json(folder / "balance.json", sheet)


def _source_corpora(spec: StudySpec, layout: Layout, folder: Path, progress: Progress) -> None:
    """Read and tokenise the sources of a study, and write panels and the training text of its bases."""
    if spec.model.start is not None:
        place_start(spec, layout, folder)
    asked: list[Benchmark] = []
    if spec.scores.benchmarks:
        from shadowgraph.study.suites import test_items

        asked = test_items(spec, folder)
    material = gather(spec, folder, asked)
    progress(0.3)
    holdings = make_holdings(
        spec, material, layout.base / "tokenizer", layout.holdings, lambda done: progress(0.3 + 0.6 * done)
    )
    make_panels(spec, layout, holdings)
    make_bases(spec, layout, holdings)
    facts = {
        "documents": len(material.texts),
        "tokens": int(holdings.offsets[-1]),
        "dropped": material.dropped,
        "tokenizer": {"part": PARTS[HELD], "characters_a_source": tokenizer_characters(material, len(spec.sources))}
        if spec.model.start is None
        else {"of": "the start model"},
        "sources": holdings.held_tokens(),
    }
    write_json(layout.base / "corpus.json", facts)
