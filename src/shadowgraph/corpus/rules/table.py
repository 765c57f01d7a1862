"""The table of rules by the name of the regime, and the plainest of them.

Here live: the table and the random rule. Not here: the other rules, one file a family; the order of presentation.

The rules named "even" are for studies over sources; a file of `corpus build` has no regime of that name.
"""

from __future__ import annotations

from collections.abc import Callable

from shadowgraph.corpus.budget import Fill
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.rules import aligned, covering, even, narrow, repeated
from shadowgraph.spec.corpus import CorpusArm


def random(arm: CorpusArm, ground: Ground) -> Fill:
    """Follow the pool: documents in random order."""
    return ground.take(ground.random_order(), arm.name)


RULES: dict[str, Callable[[CorpusArm, Ground], Fill]] = {
    "random": random,
    "aligned": aligned.aligned,
    "content_only": aligned.content_only,
    "format_only": aligned.format_only,
    "aligned_many": aligned.aligned_many,
    "blend": aligned.blend,
    "mixture": aligned.mixture,
    "leak": aligned.leak,
    "covering": covering.covering,
    "covering_new": covering.covering_new,
    "concentrated": narrow.concentrated,
    "narrow_familiar": narrow.narrow_familiar,
    "repeated": repeated.repeated,
    "even": even.even,
    "even_repeated": even.even_repeated,
    "even_blend": even.even_blend,
}
