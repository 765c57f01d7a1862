"""The runs of a study as its result lists them.

Here live: their order and what the result keeps of one run.
Not here: what is worked out from them (`analyse`).
"""

from __future__ import annotations

from shadowgraph.identity import Json
from shadowgraph.study.readings import Record, Runs


def run_rows(runs: Runs) -> list[Json]:
    """All runs, arm by arm; after them those of the rate grid, then those of regimens."""
    main = [record for arm in runs.arms for record in runs.of(arm)]
    grid = [record for rows in runs.grid.values() for record in rows if record.get("rate") is not None]
    regimens = [record for rows in runs.regimens.values() for record in rows]
    return [_run_row(record) for record in (*main, *grid, *regimens)]


def _run_row(row: Record) -> Json:
    """What the result keeps of one run."""
    keys = ("arm", "draw", "seed", "K", "K_emb", "log_norm", "final_loss", "base_loss", "outside_loss", "tokens")
    later: dict[str, Json] = {key: row.get(key) for key in ("seed_index", "rate", "own_loss")}
    later |= {"regimen": row["regimen"]} if "regimen" in row else {}
    status: dict[str, Json] = {key: row[key] for key in ("K_status", "K_emb_status", "log_norm_status") if key in row}
    points: list[Json] = [
        {key: value for key, value in point.items() if key != "variants"} for point in row["snapshots"]
    ]
    found: dict[str, Json] = {key: row[key] for key in keys}
    return {**found, **later, **status, "snapshots": points, "fingerprint": row["run"]}
