"""Many tests at once.

Here live: corrections of a family of p values, by themselves (Holm) or with the data (Westfall and Young).
Not here: the choice of the family, which the plan makes.

Legend: `a b` numbers of independent units in the two arms, `m` tests (modules, slots), `p` exchanges.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float64

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked
from shadowgraph.stats.exchange import flips, orders


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment: controls the chance of any false rejection, whatever the dependence.

    With p_(1) ≤ … ≤ p_(h): adjusted p_(i) = max over j ≤ i of min(1, (h − j + 1) p_(j)).

    Args:
        p: name of the test → p value, 0 … 1.

    Returns:
        Name → adjusted p, in the order given; never below the raw one, never above 1.

    Raises:
        Defect: a p outside 0 … 1.

    Source:
        Holm, A simple sequentially rejective multiple test procedure (1979), section 3.
    """
    if any(not 0 <= value <= 1 for value in p.values()):
        raise Defect("a p value lies outside 0 … 1", where="holm")
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda key: p[key])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p}


def westfall_young(
    a: Float[np.ndarray, "a m"],
    b: Float[np.ndarray, "b m"] | None = None,
    generator: np.random.Generator | None = None,
    *,
    samples: int = 19_999,
) -> Float64[np.ndarray, " m"]:
    """Step-down max-T: p of many columns at once, adjusted for the chance of any false rejection.

    t_j is the pooled two-sample t of column j, or its one-sample t. Columns are ordered by |t| as observed; for every
    exchange of labels (signs, for differences), the same for all columns, u_j is the largest |t| among column j and
    those after it. Adjusted p_j is the share of exchanges with u_j ≥ |t_j| observed, never below that of the column
    before. As the columns are exchanged together, their dependence is kept: columns that say the same cost nothing,
    unlike with `holm`. Exchanges are listed up to 200,000, else sampled.

    Args:
        a: first arm (a, m), one row a unit; differences (n, m) when there is no second arm.
        b: second arm (b, m), or None.
        generator: random stream, needed only for Monte Carlo.
        samples: Monte Carlo exchanges.

    Returns:
        Adjusted p (m,), in the order of the columns; 1 for a column without any spread.

    Raises:
        Defect: no unit, no column, a number that is not finite, arms with other columns, too many exchanges without a
            generator.

    Source:
        Westfall and Young, Resampling-Based Multiple Testing (1993), algorithm 4.1; Ge, Dudoit and Speed,
        Resampling-based multiple testing for microarray data analysis (2003), box 2.
    """
    if b is not None and a.shape[1] != b.shape[1]:
        raise Defect(f"{a.shape[1]} columns in one arm, {b.shape[1]} in the other", where="westfall_young")
    held = np.array(a if b is None else np.concatenate([a, b]), dtype=np.float64)
    checked(held.ravel(), "westfall_young")
    largest = np.abs(held).max(axis=0)
    if b is None:
        first = np.ones(held.shape[0])
        signs, exact = flips(held.shape[0], generator, samples=samples, where="westfall_young")
    else:
        first = np.repeat([1.0, 0.0], [a.shape[0], b.shape[0]])
        held -= held.mean(axis=0)  # then the sum of one arm says that of the other
        codes, exact = orders([(first == 0) * 1], generator, samples=samples, where="westfall_young")
        signs = (codes == 0) * 1.0
    norms = np.linalg.norm(held, axis=0)
    blank = norms <= 1e-15 * largest * np.sqrt(held.shape[0])
    standard = np.where(blank, 0.0, held / np.where(blank, 1.0, norms))
    return _stepped(signs, standard, np.abs(first @ standard), exact=exact)


def _stepped(
    signs: Float64[np.ndarray, "p n"],
    standard: Float64[np.ndarray, "n m"],
    observed: Float64[np.ndarray, " m"],
    *,
    exact: bool,
) -> Float64[np.ndarray, " m"]:
    """Step-down p from columns of norm 1, whose |sums| rise with |t|: the sum of squares stays under exchanges."""
    order = np.argsort(-observed, kind="stable")
    hits = np.zeros(order.size, dtype=np.int64)
    step = max(1, 4_000_000 // order.size)
    for first in range(0, signs.shape[0], step):
        sums = np.abs(signs[first : first + step] @ standard[:, order])
        largest = np.maximum.accumulate(sums[:, ::-1], axis=1)[:, ::-1]
        hits += np.count_nonzero(largest >= observed[order] - 1e-12, axis=0)
    p = hits / signs.shape[0] if exact else (1 + hits) / (1 + signs.shape[0])
    adjusted = np.empty(order.size)
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted
