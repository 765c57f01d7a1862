"""Intervention: edits of finished updates, held against interpolation with the base at equal benchmark loss.

Here live: the table `[intervention]` and its rules. Not here: the edits and what is made of them (`study`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from shadowgraph.spec.table import Count, Name, Positive, Share, Table


class Intervention(Table):
    """Which updates are edited, how strongly, and on what text the edited models are read.

    Attributes:
        arms: arms whose finished updates are edited; order 0 of every draw, at the study's own rate.
        benchmark: the source whose held-out loss is the benchmark loss; more of it is held out for that.
        ranks: how many singular components of a matrix an edit takes, growing.
        steps: steps of the interpolation from base to tuned model; flattened updates take as many up to twice the norm.
        sequences: held-out sequences of the benchmark, and of outside text, that every edited model is read on.
        support: least range of benchmark loss that two curves must share, as a share of the benchmark gain.
        bootstrap: resamples of an interval over draws.
        margin: what a difference of outside loss must stay within to count as none, nats a token; without one no two
            curves are ever called equal.
    """

    arms: Annotated[tuple[Name, ...], Field(min_length=1)]
    benchmark: Name
    ranks: Annotated[tuple[Count, ...], Field(min_length=1, max_length=20)] = (1, 2, 4, 8, 16, 32)
    steps: Annotated[int, Field(ge=2, le=100)] = 20
    sequences: Annotated[int, Field(ge=4, le=64)] = 32
    support: Share = 0.1
    bootstrap: Annotated[int, Field(ge=1000, le=100_000)] = 4000
    margin: Positive | None = None

    @model_validator(mode="after")
    def _grids_grow(self) -> Self:
        for earlier, later in pairwise(self.ranks):
            if later <= earlier:
                raise ValueError(f"intervention.ranks must grow, and {later} stands after {earlier}")
        for name in self.arms:
            if self.arms.count(name) > 1:
                raise ValueError(f"intervention.arms names the arm {name!r} twice; leave one out")
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        """Steps of interpolation: 0, 1/steps … 1."""
        return tuple(step / self.steps for step in range(self.steps + 1))

    @property
    def norms(self) -> tuple[float, ...]:
        """Norms of flattened updates, in units of the norm of the update: 0 … 2, as many steps as `shares`."""
        return tuple(2.0 * share for share in self.shares)
