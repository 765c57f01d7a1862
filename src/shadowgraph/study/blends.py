"""What a study over sources trains on: the bases, the panels, and every arm of a draw.

Here live: base corpora, held-out panels, regimes of arms over sources, what is held out for an arm, its balance sheet.
Not here: documents and tokens (`sources`, `holdings`), which sources are taken (`rotation`), rules (`corpus.rules`).

All choices go through keys of document ids under labels of the draw, so arms of a draw that follow the same rule over
the same sources hold the same documents: a reversed, permuted or blocked arm differs in its presentation alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import write_json
from shadowgraph.corpus.balance import divergence, entropy
from shadowgraph.corpus.budget import fill, pack
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.regime import Regime, build_regime
from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.errors import DataError
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.sequences import consumption_order
from shadowgraph.seeds import keyed_uniform
from shadowgraph.spec.corpus import CorpusArm
from shadowgraph.spec.material import Arm
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array, save_array, save_arrays
from shadowgraph.study.holdings import Holdings, load_documents, save_documents
from shadowgraph.study.layout import Layout
from shadowgraph.study.rotation import known_sources, new_sources, sources_of
from shadowgraph.study.sources import ARM, BASE, HELD, OUTSIDE, OUTSIDE_SEQUENCES, PANEL_SEQUENCES, held_sequences
from shadowgraph.study.training import order_seed

OWN_SEQUENCES = 16
_RULES = {"repeated": "even_repeated", "blend": "even_blend"}


def make_panels(spec: StudySpec, layout: Layout, holdings: Holdings) -> None:
    """Write held-out sequences of every source, those outside all data, and where asked those that gradients are of.

    Raises:
        DataError: naming a source that holds too little.
    """
    length, affinity = spec.training.sequence_length, spec.analysis.affinity
    panel: dict[str, NDArray[np.uint16]] = {}
    gradients: dict[str, NDArray[np.uint16]] = {}
    for source in spec.sources:
        documents = holdings.documents([source.name], HELD)
        pool = holdings.pool(documents)
        order = np.argsort(keyed_uniform(spec.study.seed, "held out", pool.ids), kind="stable")
        rows = int(pool.lengths.sum()) // length
        needed = held_sequences(spec, source)
        if rows < needed:
            raise DataError(
                f"the source {source.name!r} holds {rows * length} tokens for the panel and "
                f"{needed * length} are needed",
                where="sources",
                hint="give the source more text",
            )
        packed = pack(pool, fill(order, pool.lengths, rows * length, source.name), length)
        panel[source.name] = packed[:PANEL_SEQUENCES]
        if spec.intervention is not None and source.name == spec.intervention.benchmark:
            save_array(layout.benchmark, packed[: spec.intervention.sequences])
        if affinity is not None:
            gradients[source.name] = packed[needed:][: affinity.batches * spec.training.batch]
    save_arrays(layout.base / "panel.npz", panel)
    if affinity is not None:
        save_arrays(layout.base / "gradients.npz", gradients)
    names = [source.name for source in spec.sources if source.role == "outside"]
    pool = holdings.pool(holdings.documents(names, OUTSIDE))
    ground = _ground(spec, pool, 0, OUTSIDE_SEQUENCES * length)
    save_array(layout.base / "outside.npy", build_regime(_rule("outside", "even"), ground).sequences)


def make_bases(spec: StudySpec, layout: Layout, holdings: Holdings) -> None:
    """Write the training text of every base: equal tokens of every source that it knows; of a start model nothing.

    Raises:
        DataError: naming a source that holds too little.
    """
    if spec.model.start is not None:
        return
    shared = spec.study.base == "shared"  # bases of several settings differ in the model, not in a document
    for draw in layout.bases(spec).values():
        folder, known = layout.base_of(spec, draw), known_sources(spec, draw)
        documents = holdings.documents(known, BASE)
        ground = _ground(spec, holdings.pool(documents), 0 if shared else draw, spec.training.base_tokens)
        regime = build_regime(_rule("base", "even"), ground)
        save_array(folder / "sequences.npy", regime.sequences)
        save_array(folder / "counts.npy", np.bincount(regime.sequences.ravel(), minlength=spec.model.vocabulary))
        save_documents(folder / "documents.npy", documents[regime.chosen.documents], regime.chosen.taken)
        write_json(folder / "sources.json", {"known": list(known), "new": list(new_sources(spec, draw))})


def make_regimes(spec: StudySpec, layout: Layout, holdings: Holdings, draw: int) -> None:
    """Build, measure and write the regime of every arm that has this draw.

    Args:
        spec: the study.
        layout: its folder, which holds the draw's base corpus.
        holdings: the tokenised sources.
        draw: number of the draw.

    Raises:
        DataError: naming the arm, and the source that holds too little for it.
        SpecError: when an arm picks more sources than there are.
    """
    base = layout.base_of(spec, draw)
    counts = load_array(base / "counts.npy") if spec.model.start is None else None
    order = consumption_order(_order_recipe(spec, draw))
    grounds: dict[tuple[str, ...], tuple[Ground, NDArray[np.int64]]] = {}
    for arm in (arm for arm in spec.arms if arm.draws is None or draw < arm.draws):
        names = sources_of(spec, arm, draw)
        if names not in grounds:
            grounds[names] = _arm_ground(spec, holdings, names, draw)
        ground, documents = grounds[names]
        if arm.regime in {"covering", "covering_new"} and ground.cells is None:
            ground = replace(ground, cells=holdings.cells(documents))
            grounds[names] = (ground, documents)
        if arm.regime == "covering_new":
            heard = load_documents(base / "documents.npy")
            ground = replace(ground, columns={"novelty": holdings.novelty(documents, heard)})
        regime, own = built(arm, ground)
        stored = regime.sequences
        if arm.presented == "blocked":
            stored = np.empty_like(regime.sequences)
            stored[order] = regime.sequences
        folder = layout.regime(arm.name, draw)
        chosen = regime.chosen
        save_array(folder / "sequences.npy", stored)
        save_array(folder / "own.npy", own.sequences)
        save_documents(folder / "documents.npy", documents[chosen.documents], chosen.taken)
        save_array(folder / "texts.npy", holdings.keys[documents[chosen.documents]])
        write_json(folder / "taken.json", taken_of(regime, ground))
        consumed = np.arange(len(order)) if arm.presented == "blocked" else order
        size = holdings.vocabulary
        sheet = sheet_of(spec, regime, ground, size=size, base_counts=counts, consumed=consumed)
        write_json(folder / "balance.json", sheet)


def built(arm: Arm, ground: Ground) -> tuple[Regime, Regime]:
    """The regime of an arm, and what is held out for it: the same rule on the documents that it did not take.

    What an arm repeats is not repeated in what is held out; it is presented as the arm is.
    """
    regime = _present(arm, _rule_of(arm), ground)
    left = np.ones(len(ground.pool), bool)
    left[regime.chosen.documents] = False
    rule = _rule(arm.name, "even") if arm.regime == "repeated" else _rule_of(arm)
    rest = replace(ground.among(left), budget=OWN_SEQUENCES * ground.length)
    return regime, _present(arm, rule, rest)


def taken_of(regime: Regime, ground: Ground) -> dict[str, int]:
    """Tokens taken of every source."""
    labels = np.array(ground.pool.families)[regime.chosen.documents]
    names, own = np.unique(labels, return_inverse=True)
    sums = np.bincount(own, regime.chosen.taken).astype(np.int64)
    return {str(name): int(tokens) for name, tokens in zip(names.tolist(), sums.tolist(), strict=True)}


def sheet_of(
    spec: StudySpec,
    regime: Regime,
    ground: Ground,
    *,
    size: int,
    base_counts: NDArray[np.int64] | None,
    consumed: NDArray[np.int64],
) -> dict[str, float]:
    """The balance sheet of an arm over sources.

    Args:
        spec: the study.
        regime: the arm.
        ground: what it was built on.
        size: V, the number of token ids.
        base_counts: (V,) token counts of the base's training text; None where it is not known.
        consumed: (N,) rows of the regime in the order in which training consumes them.

    Returns:
        `documents`, `tokens`, `unigram_entropy` and, where the base's text is known, `kl_to_base` (nats, see
        `corpus.balance`), `conditional_entropy`
        (nats: of a token given the one before it in its sequence, by counted pairs, and so too low by an amount that
        goes with the number of tokens, which all arms share), `document_length`, `boundary_share` (documents by
        tokens), `unique_token_share` and `unique_tokens` (in first occurrences of a document), `types` (distinct token
        ids), `sources`, `effective_sources` (exp of the entropy of token shares), `sources_per_batch` (mean number of
        distinct sources in a batch as consumed in the first order), `benchmark_share` (tokens of benchmarks).
    """
    chosen = regime.chosen
    documents, taken, total = chosen.documents, chosen.taken, float(chosen.tokens)
    flat = regime.sequences.astype(np.int64)
    counts = np.bincount(flat.ravel(), minlength=size).astype(np.int64)
    pairs = np.unique(flat[:, :-1] * size + flat[:, 1:], return_counts=True)[1].astype(np.int64)
    firsts = np.bincount(flat[:, :-1].ravel(), minlength=size).astype(np.int64)
    first = float(taken[np.unique(documents, return_index=True)[1]].sum())
    names, own = np.unique(np.array(ground.pool.families)[documents], return_inverse=True)
    shares = np.bincount(own, taken).astype(np.int64)
    rows = np.repeat(own, taken).reshape(regime.sequences.shape)[consumed]
    batches = rows.reshape(-1, spec.training.batch * ground.length)
    benchmarks = {source.name for source in spec.sources if source.benchmark}
    marked = np.array([name in benchmarks for name in names.tolist()])
    return {
        "documents": float(len(documents)),
        "tokens": total,
        "unigram_entropy": entropy(counts),
        "conditional_entropy": entropy(pairs) - entropy(firsts),
        **({} if base_counts is None else {"kl_to_base": divergence(counts, base_counts)}),
        "document_length": total / len(documents),
        "boundary_share": len(documents) / total,
        "unique_token_share": first / total,
        "unique_tokens": first,
        "types": float((counts > 0).sum()),
        "sources": float(len(names)),
        "effective_sources": float(np.exp(entropy(shares))),
        "sources_per_batch": float(np.mean([len(np.unique(batch)) for batch in batches])),
        "benchmark_share": float(shares[marked].sum()) / total,
    }


def _rule(name: str, regime: str) -> CorpusArm:
    """An arm of `corpus` by the name of its rule alone."""
    return CorpusArm.model_construct(name=name, regime=regime)


def _rule_of(arm: Arm) -> CorpusArm:
    """How an arm over sources chooses its documents, in the terms of `corpus`."""
    return CorpusArm.model_construct(
        name=arm.name,
        regime=_RULES.get(arm.regime, arm.regime),
        share=arm.share,
        documents=arm.documents,
        repeats=arm.repeats,
        benchmarks=arm.toward,
    )


def _present(arm: Arm, rule: CorpusArm, ground: Ground) -> Regime:
    """Choose by a rule and present as the arm asks."""
    if arm.presented == "mixed":
        return build_regime(rule, ground)
    told = CorpusArm.model_construct(name=arm.name, regime=arm.presented, of="whole")
    return build_regime(told, ground, {"whole": rule})


def _ground(spec: StudySpec, pool: TokenPool, draw: int, budget: int) -> Ground:
    """The ground of one draw made of some documents."""
    length = spec.training.sequence_length
    return Ground(pool, np.zeros(len(pool)), budget, length, spec.study.seed, draw, batch=spec.training.batch)


def _arm_ground(
    spec: StudySpec, holdings: Holdings, names: tuple[str, ...], draw: int
) -> tuple[Ground, NDArray[np.int64]]:
    """The ground of arms over some sources, and the documents of the holdings that its pool is made of."""
    documents = holdings.documents(names, ARM)
    ground = replace(_ground(spec, holdings.pool(documents), draw, spec.training.tokens), end=holdings.end)
    if spec.study.disjoint_draws:
        share = keyed_uniform(spec.study.seed, "draw of a document", ground.pool.ids)
        ground = ground.among((share * spec.study.draws).astype(np.int64) == draw)
    return ground, documents


def _order_recipe(spec: StudySpec, draw: int) -> Recipe:
    """As much of an arm's recipe as decides the order of its sequences."""
    training = spec.training
    return Recipe(
        steps=training.steps,
        learning_rate=training.learning_rate,
        architecture={"max_position_embeddings": training.sequence_length},
        batch=training.batch,
        sequence_length=training.sequence_length,
        order_seed=order_seed(spec, draw),
    )
