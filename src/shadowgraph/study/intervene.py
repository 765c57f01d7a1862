"""Edits of one update: its leading, trailing or random components taken out, scaled, interpolated, flattened.

Here live: what each edit makes of the singular values of one matrix, and what it took.
Not here: models and losses (`edited`), what edits are compared by (`frontiers`).

Legend: D = W1 − W0 one matrix of the update, `r` its singular values s, descending; energy is s², E its sum. Edits
change values alone: D' = U diag(s') V. Removed components are set to 0.

| edit | s' at strength k | energy lost | components changed |
|---|---|---|---|
| top | s_1 … s_k removed | E_top(k) | k |
| random | k components of a given order removed | E_random(k) | k |
| top_shrunk | s_1 … s_k times one factor | E_random(k) | k |
| random_energy | components of the order removed, the last one shrunk | E_top(k) | as many as it takes |
| bottom_energy | the same from the trailing end | E_top(k) | as many as it takes |
| scaled | all of s times one factor | E_top(k) | r |

and at strength λ: `interpolated` λ s; `flattened` and `half_flattened` s^(1 − t), t = 1 and ½, rescaled to the norm
λ‖D‖, so that energy and norm are those of `interpolated` at λ. Values that are 0 stay 0.

No k random or trailing components hold the energy of the k leading ones, so equal energy at equal rank is reached from
above: `top_shrunk` loses with its k leading components what `random` loses with k others. At the energy of `top`
itself, more components than k have to go (`random_energy`, `bottom_energy`), and how many is reported.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Edit = Literal[
    "top",
    "random",
    "top_shrunk",
    "random_energy",
    "bottom_energy",
    "scaled",
    "interpolated",
    "flattened",
    "half_flattened",
]
EDITS: tuple[Edit, ...] = get_args(Edit)
BY_RANK: tuple[Edit, ...] = EDITS[:6]
BY_NORM: tuple[Edit, ...] = EDITS[6:]
"""Edits whose strength is a share of the norm, 0 the base; of those before it, a number of components, 0 the update."""
PLAIN: Edit = "interpolated"
_TILT = {"flattened": 1.0, "half_flattened": 0.5}
ROUNDING = 1e-12
"""Values below this share of the largest are rounding, which no flattening raises; changes below it are none."""

Values = NDArray[np.float64]


def edited_values(edit: Edit, values: Values, strength: float, order: NDArray[np.int64]) -> Values:
    """The singular values of an edited update.

    Args:
        edit: which edit.
        values: (r,) singular values, descending, not negative.
        strength: number of components, cut to r, or share of the norm.
        order: (r,) in which order `random` and `random_energy` take components; one order gives nested edits.

    Returns:
        (r,) in the places of `values`; all 0 where the update is.
    """
    if edit == PLAIN:
        return strength * values
    if edit in _TILT:
        return _flattened(values, strength, _TILT[edit])
    count = min(int(strength), values.size)
    energy = values**2
    if edit == "random":
        return _without(values, order[:count])
    if edit == "top":
        return _without(values, np.arange(count))
    if edit == "top_shrunk":
        held = float(energy[:count].sum())
        lost = min(float(energy[order[:count]].sum()), held)
        found = values.copy()
        found[:count] *= np.sqrt(1.0 - lost / held) if held > 0.0 else 1.0
        return found
    total, lost = float(energy.sum()), float(energy[:count].sum())
    if edit == "scaled":
        return values * np.sqrt(max(0.0, 1.0 - lost / total)) if total > 0.0 else values.copy()
    taken = order if edit == "random_energy" else np.arange(values.size)[::-1]
    return _drained(values, lost, taken)


def energy_of(values: Values) -> float:
    """Energy Σ s² of (r,) singular values, not negative."""
    return float(np.sum(values**2))


def changed(before: Values, after: Values) -> int:
    """Number of components that an edit changed, 0 … r, of values (r,) before and after."""
    return int(np.count_nonzero(np.abs(after - before) > ROUNDING * before.max(initial=0.0)))


def _without(values: Values, gone: NDArray[np.int64]) -> Values:
    found = values.copy()
    found[gone] = 0.0
    return found


def _drained(values: Values, lost: float, taken: NDArray[np.int64]) -> Values:
    """Components removed in an order until an energy is gone; the last one keeps what is left of it."""
    found = values.copy()
    energy = values[taken] ** 2
    gone = np.cumsum(energy)
    whole = int(np.searchsorted(gone, lost * (1.0 + ROUNDING), side="right"))
    found[taken[:whole]] = 0.0
    rest = lost - (float(gone[whole - 1]) if whole else 0.0)
    if whole < values.size and rest > ROUNDING * float(gone[-1]):
        found[taken[whole]] = np.sqrt(max(0.0, float(energy[whole]) - rest))
    return found


def _flattened(values: Values, norm: float, tilt: float) -> Values:
    """s^(1 − tilt) at `norm` times the norm of s."""
    largest = float(values.max(initial=0.0))
    if largest == 0.0:
        return values.copy()
    alive = values > ROUNDING * largest
    shaped = np.where(alive, np.where(alive, values / largest, 1.0) ** (1.0 - tilt), 0.0)
    return shaped * (norm * np.sqrt(energy_of(values) / energy_of(shaped)))
