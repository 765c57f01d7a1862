"""Settings: each contrast inside each setting, and how far the settings agree.

Here live: the rows of a setting, the summary over settings, and its sentence.
Not here: the tests themselves (`contrasts`), which run over all settings that are not held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shadowgraph.identity import Json
from shadowgraph.spec.setting import Setting
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.contrasts import Row, asked, beside, readings
from shadowgraph.study.panels import endpoint_spreads
from shadowgraph.study.readings import Read, Runs


def seen(runs: Runs) -> Runs:
    """The runs that the tests of the plan see: all but those of settings that are held out."""
    spec = runs.spec
    if not spec.settings:
        return runs
    return runs.only([draw for kept in spec.settings if not kept.held_out for draw in spec.draws_of(kept)])


def first(runs: Runs) -> Runs:
    """The runs of the first setting that is not held out: pictures of slots and layers need one kind of model."""
    spec = runs.spec
    return runs.only(spec.draws_of(leading(spec))) if spec.settings else runs


def leading(spec: StudySpec) -> Setting:
    """The first setting that is not held out."""
    return next(setting for setting in spec.settings if not setting.held_out)


def with_endpoints(runs: Runs, arms: Sequence[Row]) -> list[Row]:
    """The tables of arms with the endpoints in every setting, held-out ones included; as they are without settings.

    Levels of K pooled over settings would say more of the settings than of the arm.
    """
    spec = runs.spec
    if not spec.settings:
        return list(arms)
    parts = [(setting, runs.only(spec.draws_of(setting))) for setting in spec.settings]
    told: list[Row] = []
    for arm in arms:
        inside: list[Json] = [
            {"setting": one.name, "held_out": one.held_out, "endpoint": endpoint_spreads(part.of(str(arm["name"])))}
            for one, part in parts
        ]
        levels: Row = {"endpoint_by_setting": inside}
        told.append(arm | levels)
    return told


def table(runs: Runs, mains: Sequence[Row], asymmetry: Read | None) -> dict[str, Json]:
    """Every contrast in every setting, the endpoints beside K with it, and a summary of each contrast.

    Args:
        runs: all runs, those of held-out settings included.
        mains: the rows of the contrasts over the settings that are not held out.
        asymmetry: how a record gives its asymmetry; None where it gives none.

    Returns:
        "settings": name, held_out, family, optimiser, weights of penalties above 0, rank of the adapter, learning rate,
        draws, parameters. "rows": as those of contrasts, with "setting", "held_out" and "role" = "setting". "summary":
        per contrast the number of settings seen, of those whose estimate of K has the sign of the whole, the lowest and
        highest estimate, and what the held-out settings say. "shown": the one setting that maps, spectra and measures
        are of, and its draws.
    """
    spec = runs.spec
    rows: list[Row] = []
    for contrast in spec.analysis.all_contrasts:
        for setting in spec.settings:
            part = runs.only(spec.draws_of(setting))
            test = asked(contrast, part)
            found = [test.on("K", "setting"), *readings(contrast, part), *beside(test, part)]
            found += [test.on("asymmetry", "setting", asymmetry)] if asymmetry is not None else []
            of: Row = {"setting": setting.name, "held_out": setting.held_out, "role": "setting"}
            rows += [row | of for row in found]
    named = {str(row["name"]): row for row in mains}
    one = leading(spec)
    return {
        "shown": {"setting": one.name, "draws": len(spec.draws_of(one))},
        "settings": [_facts(runs, setting) for setting in spec.settings],
        "rows": list(rows),
        "summary": [_summary(named[contrast.name], rows) for contrast in spec.analysis.all_contrasts],
    }


def _facts(runs: Runs, setting: Setting) -> Json:
    """What a setting is."""
    spec = runs.spec
    draws = spec.draws_of(setting)
    under = spec.under(draws[0])
    record = next(record for (_, draw), records in runs.main.items() for record in records if draw == draws[0])
    return {
        "name": setting.name,
        "held_out": setting.held_out,
        "family": under.model.family,
        "optimiser": under.training.optimiser,
        **under.training.penalties,
        "learning_rate": under.training.learning_rate,
        "adapter_rank": None if under.training.adapter is None else under.training.adapter.rank,
        "draws": len(draws),
        "parameters": record["parameters"],
    }


def _summary(main: Mapping[str, Json], rows: Sequence[Row]) -> dict[str, Json]:
    """How far the settings agree on one contrast."""
    own = [
        row for row in rows if row["name"] == main["name"] and row["endpoint"] == "K" and row["reading"] == "unmatched"
    ]
    known = {str(row["setting"]): float(str(row["estimate"])) for row in own if row["estimate"] is not None}
    held = {str(row["setting"]) for row in own if row["held_out"]}
    inside = [value for name, value in known.items() if name not in held]
    whole = main["estimate"]
    sign = None if not isinstance(whole, int | float) else float(whole)
    return {
        "name": main["name"],
        "estimate": whole,
        "settings": sum(1 for row in own if not row["held_out"]),
        "estimated": len(inside),
        "same_sign": None if sign is None else sum(1 for value in inside if value * sign > 0),
        "lowest": min(inside, default=None),
        "highest": max(inside, default=None),
        "held_out": [
            {
                "setting": row["setting"],
                "estimate": row["estimate"],
                "interval": row["interval"],
                "p": row["p"],
                "same_sign": None if sign is None or row["estimate"] is None else known[str(row["setting"])] * sign > 0,
            }
            for row in own
            if row["held_out"]
        ],
    }


def added(told: Mapping[str, Any], inside: Mapping[str, Any], primaries: Sequence[Row]) -> dict[str, Json]:
    """The sentences of an answer with one more a primary contrast, on its settings."""
    names = {str(row["name"]) for row in primaries if row["kind"] == "contrast"}
    return {"sentences": [*told["sentences"], *(_sentence(row) for row in inside["summary"] if row["name"] in names)]}


def against(inside: Mapping[str, Any] | None) -> list[str]:
    """Every setting of a table whose K has another sign than all of them together, a clause each; none without one."""
    if inside is None:
        return []
    whole = {str(row["name"]): row["estimate"] for row in inside["summary"]}
    found: list[str] = []
    for row in inside["rows"]:
        main, own = whole[str(row["name"])], row["estimate"]
        if (row["endpoint"], row["reading"]) != ("K", "unmatched") or None in (main, own) or main * own >= 0:
            continue
        ends = row["interval"]
        kind = "t interval" if str(row.get("interval_note") or "").startswith("leans on") else "interval"
        firm = f", and its {kind} leaves out 0" if ends is not None and ends[0] * ends[1] > 0 else ""
        found.append(f"{row['name']}: K in the setting {row['setting']} {own:+.3f}, against {main:+.3f}{firm}")
    return found


def _sentence(row: Mapping[str, Any]) -> str:
    if row["same_sign"] is None or not row["estimated"]:
        return f"{row['name']}: no estimate inside settings."
    text = (
        f"{row['name']}: {row['same_sign']} of {row['settings']} settings have the sign of all together, "
        f"from {row['lowest']:+.3f} to {row['highest']:+.3f}"
    )
    return f"{text}{''.join(_held(item) for item in row['held_out'])}."


def _held(item: Mapping[str, Any]) -> str:
    """What one held-out setting says."""
    if item["estimate"] is None:
        return f"; held out, {item['setting']}: not estimable"
    agrees = "the same sign" if item["same_sign"] else "not that sign"
    return f"; held out until then, {item['setting']}: {item['estimate']:+.3f}, {agrees}"
