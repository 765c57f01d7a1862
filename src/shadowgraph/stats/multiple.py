"""Many tests at once.

Here live: corrections of a family of p values. Not here: the choice of the family, which the plan makes.
"""

from collections.abc import Mapping

from shadowgraph.errors import Defect


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
