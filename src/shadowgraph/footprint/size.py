"""Sizes of an update and how it lies to its base as a whole, from the sums of one pass.

Here lives: the one set of readings. Not here: the formulas (`measures.geometry`), the sums (`entries`).
"""

from __future__ import annotations

from shadowgraph.footprint.entries import Tally
from shadowgraph.measures.geometry import cosine, radial_share, relative_norm, row_share, variance_of_change
from shadowgraph.measures.null import storage_floor_share
from shadowgraph.measures.spectrum import Reading


def size_readings(sums: Tally, turned: bool) -> dict[str, Reading]:
    """Every measure of an update that needs sums over entries rather than a spectrum.

    Args:
        sums: of a pair with a base, finite.
        turned: whether rows of the sums are columns of the matrix.

    Returns:
        Measure key → reading; the three zero fractions are at 0, at 1e-5, and at one bfloat16 step of the base's entry.
    """
    energy, base = sums.update_energy, sums.before_energy
    noise = sums.before_noise + sums.after_noise
    share = Reading(storage_floor_share(energy, *sums.shape, noise)) if energy > 0.0 else Reading(None, "no_change")
    rows, columns = sums.row_energies, sums.column_energies
    if turned:
        rows, columns = columns, rows
    zero, small, step = (Reading(count / sums.size) for count in sums.zeros)
    return {
        "relative_norm": relative_norm(energy**0.5, base**0.5),
        "radial_share": radial_share(sums.inner, base, energy),
        "cosine": cosine(base + sums.inner, base, sums.after_energy),
        "variance_of_change": variance_of_change(sums.change_variance, sums.base_variance),
        "row_share": row_share(rows),
        "column_share": row_share(columns),
        "zero_fraction": zero,
        "zero_fraction_1e5": small,
        "zero_fraction_step": step,
        "floor_share": share,
    }
