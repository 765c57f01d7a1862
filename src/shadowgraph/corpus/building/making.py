"""From a pool to arms: the ground of a draw, the arm on disk, the answer over all arms.

Here live: the jobs arm and finish. Not here: rules (`corpus.rules`) and what an arm's folder holds (`manifest`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import read_object, write_json
from shadowgraph.corpus.balance import sheet
from shadowgraph.corpus.budget import BudgetRow, prove_budget
from shadowgraph.corpus.building.labels import LABELS, label_columns, read_column
from shadowgraph.corpus.building.plan import BuildPlan, Place, open_tokenizer, read_plan
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.manifest import read_arm, write_arm
from shadowgraph.corpus.match import match
from shadowgraph.corpus.nearness import nearness
from shadowgraph.corpus.pictures import Pictures
from shadowgraph.corpus.regime import build_regime
from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.errors import DataError
from shadowgraph.identity import Json
from shadowgraph.seeds import keyed_uniform
from shadowgraph.work.job import Progress

LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"


def arm_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Build one arm of one draw."""
    root = Path(str(arguments["root"]))
    plan, place = read_plan(root), Place(root)
    draw, name = int(str(arguments["draw"])), str(arguments["arm"])
    ground = open_ground(plan, place, draw)
    progress(0.3)
    regime = build_regime(plan.arms[name], ground, plan.arms)
    published = np.load(place.pool / "columns.npz", allow_pickle=False)["published"]
    write_arm(place.arm(name, draw), regime, ground, sheet(regime, ground, published))


def open_ground(plan: BuildPlan, place: Place, draw: int) -> Ground:
    """The ground of one draw; the pool's tokens stay on disk.

    Args:
        plan: the frozen plan.
        place: the output folder.
        draw: number of the draw.
    """
    path = place.pool / "labels.parquet"
    labels = {name: tuple(label or "" for label in read_column([path], name)) for name in LABELS}
    held = np.load(place.pool / "columns.npz", allow_pickle=False)
    spec, names, record = plan.spec, labels["name"], read_object(place.pool / "pool.json")
    pool = TokenPool(
        np.load(place.pool / "tokens.npy", mmap_mode="r"),
        np.concatenate([[0], np.cumsum(held["lengths"])]).astype(np.int64),
        names,
        labels["family"],
        labels["format"],
    )
    columns = {n: held[n] for n in held.files if n.startswith(("content/", "format/")) or n == "novelty"}
    eligible = np.ones(len(pool), bool)
    if spec.pool.disjoint_draws and spec.corpus.draws > 1:
        share = keyed_uniform(spec.corpus.seed, "draw of a document", names)
        eligible = (share * spec.corpus.draws).astype(np.int64) == draw
    near = any(arm.kind == "near" for arm in spec.arms)
    end, base = int(record["end"]), place.survey / "base_tokens.npy"
    return Ground(
        pool,
        np.zeros(len(pool)),
        spec.budget.tokens,
        spec.budget.sequence_length,
        spec.corpus.seed,
        draw,
        columns=columns,
        benchmarks=tuple(table.name for table in spec.benchmarks),
        cells=np.load(place.pool / "cells.npy", mmap_mode="r"),
        vectors=np.load(place.pool / "vectors.npy", mmap_mode="r"),
        eligible=eligible,
        leaked=held["leaked"],
        prompts=held["prompts"] if spec.tokens.answer_after is not None else None,
        sources=labels["source"],
        classes=token_kinds(plan.folder / spec.tokens.tokenizer, end, spec.tokens.image) if near else None,
        batch=spec.budget.batch,
        match_lengths=spec.budget.match_lengths,
        end=end,
        supervised=spec.budget.supervised,
        media=tuple(read_column([path], "media")) if "media" in label_columns(path) else None,
        pictures=_pictures(plan, held, record, len(pool.tokens)),
        base_counts=np.load(base) if spec.base is not None else None,
    )


def _pictures(
    plan: BuildPlan, held: Mapping[str, NDArray[Any]], record: Mapping[str, Any], tokens: int
) -> Pictures | None:
    """The images that count in the budget: as many as asked for, or the share that the pool has.

    Args:
        plan: the frozen plan.
        held: columns of the pool.
        record: what `pool.json` says.
        tokens: tokens of the pool.

    Raises:
        DataError: when images shall count and the pool has none.
    """
    if plan.spec.tokens.image is None:
        return None
    ends, budget = held["images"], plan.spec.budget
    count = int((ends > 0).sum())
    if not count:
        raise DataError("no record has an image", where="tokens.image", hint="name their key in pool.columns.media")
    own = tokens - int(held["lengths"][held["leaked"]].sum())
    images = budget.tokens * count // own if budget.images is None else budget.images
    return Pictures(ends, images, int(record["image"]))


def token_kinds(path: Path, end: int, image: str | None = None) -> NDArray[np.int64]:
    """(V,) kind of every token for near copies: 0 keep, 1 a digit run, else words by opening blank, case and length.

    Args:
        path: a tokenizer.json or its folder.
        end: id of END, which is kept.
        image: the image token, which is kept.

    Returns:
        (V,) kinds.
    """
    tokenizer = open_tokenizer(path)
    kinds = np.zeros(tokenizer.get_vocab_size(), np.int64)
    known: dict[tuple[bool, str, int], int] = {}
    texts = sorted((number, token) for token, number in tokenizer.get_vocab().items())
    for number, token in texts:
        bare = token.lstrip("Ġ▁ ")
        if number == end or token == image or not bare.isascii():
            continue
        if bare.isdigit():
            kinds[number] = 1
        elif bare.isalpha() and len(bare) > 2:
            kind = (len(bare) != len(token), "upper" if bare[0].isupper() else "lower", min(len(bare), 10))
            kinds[number] = known.setdefault(kind, len(known) + 2)
    return kinds


def finish_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Prove the budget over all arms, match draws, and write what was built."""
    root = Path(str(arguments["root"]))
    plan, place = read_plan(root), Place(root)
    names, draws = list(plan.arms), range(plan.spec.corpus.draws)
    arms = [read_arm(place.arm(name, draw)) for name in names for draw in draws]
    rows = [
        BudgetRow(a["arm"], a["draw"], a["tokens"], a["supervised"], int(a["balance"].get("images", 0))) for a in arms
    ]
    proof = prove_budget(rows)
    progress(0.5)
    asked, removed = plan.spec.match, read_object(place.survey / "removed.json")
    matched = None
    if asked is not None:
        table = [{"arm": arm["arm"], "draw": arm["draw"], **arm["balance"]} for arm in arms]
        matched = match(table, asked.calipers, reference=asked.reference, keep=asked.keep, relative=asked.relative)
    answer = {
        "schema_version": "1.0",
        "name": plan.spec.corpus.name,
        "plan": plan.identity,
        "budget": proof,
        "pool": read_object(place.pool / "pool.json"),
        "test_items": removed["benchmarks"],
        "arms": arms,
        "nearness": nearness(plan.spec, np.load(place.pool / "columns.npz", allow_pickle=False), arms),
        "match": matched,
    }
    if "missing_images" in removed:
        answer["missing_images"] = removed["missing_images"]
    write_json(place.built, answer)
