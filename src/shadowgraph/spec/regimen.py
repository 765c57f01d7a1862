"""Regimens: other ways of training on the same documents, so that concentration is moved while the data are held.

Here live: the table of a regimen, what it changes of training, and the rules between regimens, arms and settings.
Not here: what its runs are called (`study`), what is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from shadowgraph.spec.material import Training
from shadowgraph.spec.table import Count, Name, Positive, Table, put_over

NotNegative = Annotated[float, Field(ge=0.0)]
# Runs are called ARM-DRAW-REGIMEN beside ARM-DRAW, ARM-DRAW-sSEED and ARM-DRAW-rRATE: what would read as one of those.
_TAKEN = re.compile(r"(^|-)(\d+(-|$)|[rs]\d+$)")


class RegimenChange(Table):
    """What a regimen changes of training; documents, order, steps and batch stay, and so does the base."""

    learning_rate: Positive | None = None
    optimiser: Literal["adamw", "sgd", "muon"] | None = None
    weight_decay: NotNegative | None = None
    anchor: NotNegative | None = None
    flatten: NotNegative | None = None


class Regimen(Table):
    """One regimen: further runs of some arms.

    Attributes:
        name: its name, the last part of the names of its runs.
        role: "flattening", meant to lower the concentration of the update, or "control", meant to reach the same loss
            without doing so.
        arms: the arms that it is run on; all where none is named.
        draws: how many draws, the first ones; of settings the first ones of each. None for all.
        training: what it changes.
    """

    name: Name
    role: Literal["flattening", "control"]
    arms: tuple[Name, ...] = ()
    draws: Count | None = None
    training: RegimenChange

    def of_training(self, training: Training) -> Training:
        """The training table under this regimen.

        Raises:
            pydantic.ValidationError: the changed table contradicts itself.
        """
        return Training.model_validate(put_over(training, self.training))

    @property
    def changed(self) -> dict[str, float | str]:
        """The keys of training that it names, with its values."""
        return self.training.model_dump(exclude_none=True)


def require_regimens(
    regimens: Sequence[Regimen], arms: Sequence[str], trainings: Mapping[str, Training], draws: int
) -> None:
    """Raise ValueError, naming the regimen and the key, for the first regimen that cannot be run beside the others.

    Args:
        regimens: all of them.
        arms: names of the arms.
        trainings: training as it is without a regimen, by setting; by "" where there are none.
        draws: draws of every setting, or of the study.
    """
    names = [regimen.name for regimen in regimens]
    for place, regimen in enumerate(regimens):
        where = f"regimens.{regimen.name}"
        if regimen.name in names[:place]:
            raise ValueError(f"two regimens share the name {regimen.name!r}")
        if _TAKEN.search(regimen.name):
            raise ValueError(
                f"a regimen cannot be called {regimen.name!r}: no part of it may be a number, nor the last one a "
                "number after r or s, for runs of draws, orders and rates are called so"
            )
        if unknown := [name for name in regimen.arms if name not in arms]:
            raise ValueError(f"{where}.arms names the arm {unknown[0]!r}, which no [[arms]] table defines")
        if len(set(regimen.arms)) != len(regimen.arms):
            raise ValueError(f"{where}.arms names an arm twice")
        if regimen.draws is not None and regimen.draws > draws:
            raise ValueError(f"{where}.draws is {regimen.draws}, and there are {draws}")
        for setting, training in trainings.items():
            _require_change(regimen, training, f" in the setting {setting!r}" if setting else "")


def _require_change(regimen: Regimen, training: Training, place: str) -> None:
    """Raise ValueError where a regimen changes nothing of a training table, or makes it contradict itself."""
    where = f"regimens.{regimen.name}.training"
    try:
        changed = regimen.of_training(training)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([where, *(str(part) for part in first["loc"])])
        raise ValueError(f"{key}: {first['msg'].removeprefix('Value error, ')}{place}") from error
    if changed == training:
        raise ValueError(f"{where} changes nothing{place}: it names what training is without it")
