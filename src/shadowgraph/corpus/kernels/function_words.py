"""English function words: what neither tells a text's subject nor is a name.

Here live: the list and its table of hashes. Not here: who asks (`described`, `described_arrays`).

The list is part of every published number that rests on it (`sketch.VERSION`, templates); it never changes in place.
Texts in other languages are measured without such a list: their numbers compare among themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.constants import SPREAD, hash_word

_LIST = """
a an the and or but nor so yet if then else than that this these those there here it its he him his she her they
them their theirs we us our ours you your yours i me my mine who whom whose which what when where why how is are was
were be been being am do does did doing done has have had having can could may might must shall should will would
not no yes of in on at by for with from to into onto over under about above below between through during before
after as out up down off again further also only just very too more most much many some any all each every both few
other another such same own s t d ll m re ve don one two because while until upon within without against among per
via etc get gets got make made use used using
"""
FUNCTION_WORDS = tuple(_LIST.split())


def _table() -> NDArray[np.uint64]:
    """(1024,) open-addressed table of the hashes, 0 = free."""
    table = np.zeros(1024, np.uint64)
    for word in FUNCTION_WORDS:
        value = hash_word(word.encode())
        slot = ((value * int(SPREAD)) % (1 << 64)) >> 54
        while table[slot]:
            slot = (slot + 1) % len(table)
        table[slot] = value
    table.setflags(write=False)
    return table


TABLE = _table()
