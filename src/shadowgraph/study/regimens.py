"""Regimens: what each one is, as the plan, the proof and the result tell it.

Here live: the facts of regimens, and their line in a plan.
Not here: their training (`training`), and any comparison of their runs with others.
"""

from __future__ import annotations

from shadowgraph.identity import Json
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.layout import runs_of


def facts(spec: StudySpec) -> list[dict[str, Json]]:
    """What each regimen is.

    Returns:
        One object a regimen: name, role, "changes" (key of training → value), arms, number of draws and of runs.
    """
    keys = runs_of(spec)
    found: list[dict[str, Json]] = []
    for one in spec.regimens:
        own = [key for key in keys if key.regimen == one.name]
        arms = [arm.name for arm in spec.arms if any(key.arm == arm.name for key in own)]
        found.append(
            {
                "name": one.name,
                "role": one.role,
                "changes": {**one.changed},
                "arms": [*arms],
                "draws": len({key.draw for key in own}),
                "runs": len(own),
            }
        )
    return found


def lines(spec: StudySpec) -> list[str]:
    """What a plan says of its regimens; nothing where there are none."""
    told: list[str] = []
    for one in spec.regimens:
        draws = len(spec.draws_under(one))
        changed = ", ".join(
            f"{key} {value if isinstance(value, str) else f'{value:g}'}" for key, value in one.changed.items()
        )
        arms = ", ".join(one.arms) if one.arms else "every arm"
        told.append(f"regimen {one.name} ({one.role}): {changed}; {arms}, {draws} {'draw' if draws == 1 else 'draws'}")
    return [*told, "runs of regimens are trained on the same documents and enter no test of the plan"] if told else []
