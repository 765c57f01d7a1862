"""What the jobs of the corpus stage make of a study over pictures: base rows, panels, regimes with their balance.

Here live: those parts of the jobs.
Not here: which questions there are (`questions`), arrays and tokens (`shown`), the suite (`seen`), the jobs themselves
(`corpora`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import write_json
from shadowgraph.corpus.balance import divergence, entropy
from shadowgraph.errors import Defect
from shadowgraph.identity import Json
from shadowgraph.spec.pictures import PictureTable, VisionTable
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array, save_array
from shadowgraph.study.layout import Layout
from shadowgraph.study.questions import (
    Telling,
    arm_tellings,
    base_tellings,
    families_of,
    outside_tellings,
    sight_tellings,
)
from shadowgraph.study.shown import SIGHT, Writer, write_reader
from shadowgraph.study.sources import text_key
from shadowgraph.work.job import Progress

OWN_ROWS = 64  # rows like an arm's own that are kept out of it
OUTSIDE_ROWS = 128
SIGHT_ROWS = 64
DEALT = 4000  # rows of the base that the tokenizer is trained on


def tables_of(spec: StudySpec) -> tuple[PictureTable, VisionTable]:
    """The tables of a study over pictures.

    Raises:
        Defect: when the study is none.
    """
    if spec.pictures is None or spec.model.vision is None:
        raise Defect("a study without pictures", where="pictures")
    return spec.pictures, spec.model.vision


def make_pictured_base(spec: StudySpec, layout: Layout, progress: Progress) -> None:
    """Write tokenizer and processor, the rows of every base, and questions about pictures that nobody sees.

    The tokenizer is trained on the base's own rows, which no arm trains on, and on those outside, so that no word of a
    question is spelled out.

    Args:
        spec: the study.
        layout: its folder.
        progress: told the share done.

    Raises:
        SpecError: the base has too few pictures for every family, or a row is longer than training.sequence_length.
    """
    table, vision = tables_of(spec)
    training, reader = spec.training, layout.base / "tokenizer"
    rows = base_tellings(spec, table, training.base_steps * training.batch)
    outside = outside_tellings(spec, table, OUTSIDE_ROWS)
    write_reader([f"\n{row.context}{row.answer}" for row in [*rows[:DEALT], *outside]], spec, vision, reader)
    writer = Writer(spec, vision, reader)
    writer.write(outside, layout.base / "outside.npy")
    writer.write(sight_tellings(spec, table, SIGHT_ROWS), layout.base / SIGHT)
    save_array(layout.base / "counts.npy", _counts(writer.words(rows), spec.model.vocabulary))
    progress(0.1)
    for name in layout.bases(spec):
        writer.write(rows, layout.root / name / "sequences.npy", lambda done: progress(0.1 + 0.9 * done))
    tokens = training.base_tokens
    write_json(layout.base / "corpus.json", {"documents": len(rows), "tokens": tokens, "pictures": _pictures(rows)})


def drop_base_pictures(layout: Layout, name: str) -> None:
    """Delete the pictures that a finished base was trained on: the largest of all files, and nothing needs it."""
    (layout.root / name / "sequences.pictures.npy").unlink(missing_ok=True)


def make_pictured_regimes(spec: StudySpec, layout: Layout, draw: int, progress: Progress) -> None:
    """Write the rows of every arm of a draw, its own held-out rows, and its balance.

    Args:
        spec: the study.
        layout: its folder; the base's tokenizer and counts are there.
        draw: which draw.
        progress: told the share done.

    Raises:
        SpecError: a row is longer than training.sequence_length.
    """
    table, vision = tables_of(spec)
    writer = Writer(spec, vision, layout.base / "tokenizer")
    counts = load_array(layout.base / "counts.npy")
    arms = [arm for arm in spec.arms if arm.draws is None or draw < arm.draws]
    for place, arm in enumerate(arms):
        folder = layout.regime(arm.name, draw)
        rows = arm_tellings(spec, table, arm, draw, spec.training.steps * spec.training.batch, own=False)
        writer.write(arm_tellings(spec, table, arm, draw, OWN_ROWS, own=True), folder / "own.npy")
        words = writer.words(rows)
        texts = np.array([text_key(f"{row.group} {row.context}") for row in rows], np.uint64)
        save_array(folder / "texts.npy", texts)
        writer.write(rows, folder / "sequences.npy")
        marked = int(load_array(folder / "sequences.supervised.npy")[:, 1:].sum())
        write_json(folder / "taken.json", _taken(rows, words))
        write_json(folder / "balance.json", _balance(spec, rows, words, texts, counts) | {"supervised_tokens": marked})
        progress((place + 1) / len(arms))
    rows_a_draw = len(arms) * spec.training.steps * spec.training.batch
    write_json(layout.pool(draw) / "_COMPLETE", {"questions": rows_a_draw})


def _counts(words: Sequence[Sequence[int]], vocabulary: int) -> NDArray[np.int64]:
    """How often each token stands in rows, places of pictures and filling left out."""
    return np.bincount(np.fromiter(chain.from_iterable(words), np.int64), minlength=vocabulary)


def _pictures(rows: Sequence[Telling]) -> int:
    """How many different pictures rows show."""
    return len({row.scene for row in rows})


def _taken(rows: Sequence[Telling], words: Sequence[Sequence[int]]) -> dict[str, Json]:
    """Tokens of text of each family."""
    found: Counter[str] = Counter()
    for row, tokens in zip(rows, words, strict=True):
        found[row.family] += len(tokens)
    return dict(sorted(found.items()))


def _balance(
    spec: StudySpec,
    rows: Sequence[Telling],
    words: Sequence[Sequence[int]],
    texts: NDArray[np.uint64],
    base_counts: NDArray[np.int64],
) -> dict[str, Json]:
    """The balance sheet of one arm's rows; tokens are those of the text, places of pictures left out."""
    counts = _counts(words, base_counts.size)
    lengths = np.array([len(row) for row in words])
    first = np.unique(texts, return_index=True)[1]
    kinds = families_of(tables_of(spec)[0].scenes)
    families = np.array(list(Counter(row.family for row in rows).values()), np.int64)
    return {
        "documents": len(rows),
        "tokens": int(lengths.sum()),
        "unigram_entropy": entropy(counts),
        "kl_to_base": divergence(counts, base_counts),
        "document_length": float(lengths.mean()),
        "unique_token_share": float(lengths[first].sum() / lengths.sum()),
        "strata": math.exp(entropy(families)),
        "perception_share": sum(kinds[row.family] == "perception" for row in rows) / len(rows),
        "pictures": _pictures(rows),
    }
