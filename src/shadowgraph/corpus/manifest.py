"""One arm on disk: token bins, document ids, the loss, the manifest, the balance sheet.

Here live: writing and reading an arm's folder. Not here: building the arm (`regime`) and its numbers (`balance`).

tokens.npy (N, L) uint16 or uint32; documents.npy (N, L) uint32, number of the training document of every token;
supervised.npy (N, L) bool, absent when every token counts; manifest.parquet, one row a span in training order;
arm.json with the balance sheet, written last.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import read_object, whole, write_json
from shadowgraph.corpus.budget import turns_of
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.regime import Regime


def manifest_rows(regime: Regime, ground: Ground) -> dict[str, list[Any]]:
    """The manifest by column: training document, id, source, span [start, stop) in tokens, repeat, and if it is cut.

    Where the pool knows images, "media" is the reference of the image that the span shows, else None.
    """
    chosen, labels = regime.chosen, ground.sources or ground.pool.families
    numbers = chosen.documents.tolist()
    stops = chosen.begins + chosen.taken
    rows: dict[str, list[Any]] = {
        "entry": chosen.owners.tolist(),
        "document": [ground.pool.ids[d] for d in numbers],
        "source": [labels[d] for d in numbers],
        "start": chosen.begins.tolist(),
        "stop": stops.tolist(),
        "repeat": turns_of(chosen.documents).tolist(),
        "cut": (stops < ground.pool.lengths[chosen.documents]).tolist(),
    }
    if ground.media is not None:
        shown = (chosen.begins == 0 if ground.pictures is None else ground.pictures.shown(chosen)).tolist()
        rows["media"] = [ground.media[d] if seen else None for d, seen in zip(numbers, shown, strict=True)]
    return rows


def manifest_digest(rows: Mapping[str, list[Any]]) -> str:
    """Fingerprint of a manifest: order, ids, spans, repeats, and references to images where there are any."""
    digest = hashlib.sha256()
    keys = ("entry", "document", "start", "stop", "repeat", *(("media",) if "media" in rows else ()))
    for row in zip(*(rows[key] for key in keys), strict=True):
        digest.update("\x1f".join(map(str, row)).encode() + b"\n")
    return digest.hexdigest()[:16]


def write_arm(folder: Path, regime: Regime, ground: Ground, balance: Mapping[str, float]) -> None:
    """Write an arm; `arm.json` last, so that its presence proves the rest.

    Args:
        folder: receives the files.
        regime: the arm.
        ground: what it was built on.
        balance: its balance sheet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    _save(folder / "tokens.npy", regime.sequences)
    _save(folder / "documents.npy", regime.document_ids)
    if regime.supervised is not None:
        _save(folder / "supervised.npy", regime.supervised)
    rows = manifest_rows(regime, ground)
    with whole(folder / "manifest.parquet") as temporary:
        known = {name: pa.array(values, pa.string()) if name == "media" else values for name, values in rows.items()}
        pq.write_table(pa.table(known), temporary, compression="zstd")
    record = {
        "arm": regime.arm,
        "draw": ground.draw,
        "tokens": int(regime.sequences.size),
        "supervised": regime.supervised_tokens,
        "sequences": list(regime.sequences.shape),
        "fingerprint": regime.fingerprint,
        "manifest": manifest_digest(rows),
        "balance": dict(balance),
    }
    write_json(folder / "arm.json", record)


def read_arm(folder: Path) -> dict[str, Any]:
    """The record of an arm.

    Raises:
        DataError: when the folder holds no finished arm.
    """
    return read_object(folder / "arm.json")


def _save(path: Path, array: NDArray[Any]) -> None:
    """Write an array, whole or not at all."""
    with whole(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
