"""The transfer panel: splits that no arm was trained on, by proof and not by promise.

Here live: the panel and the only way to make one, which refuses any source that an arm names.
Not here: the index that needs it (`asymmetry`), and text overlap between corpora and benchmarks (`corpus`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shadowgraph.errors import DataError, printable


@dataclass(frozen=True, slots=True)
class TransferPanel:
    """Splits free of everything that any arm was trained on; made by `transfer_panel`, the same for all arms.

    Attributes:
        splits: their names.
        sources: what they are made of.
        arms: the arms that were asked for.
    """

    splits: tuple[str, ...]
    sources: frozenset[str]
    arms: tuple[str, ...]


def transfer_panel(sources: Mapping[str, Collection[str]], trained: Mapping[str, Collection[str]]) -> TransferPanel:
    """Prove a panel free of every source that an arm was trained on.

    Names are compared by their letters and digits alone, so that "GSM8K", "gsm-8k" and "gsm8k" are one source. The
    proof is as good as the lists: a source under another name, or a paraphrase, is not found by it.

    Args:
        sources: for each split the sources it is made of (benchmarks, families, files).
        trained: for each arm the sources of its documents, all of them.

    Returns:
        The panel, one for all arms.

    Raises:
        DataError: an arm was trained on a source of a split, or a list is empty and so proves nothing; names both.
    """
    if not sources or not trained:
        raise DataError("needs at least one split and one arm", where="transfer panel")
    for split, names in sources.items():
        if not any(map(_key, names)):
            raise DataError("names no source, so nothing can be proven of it", where=f"transfer split {split!r}")
    for arm, names in trained.items():
        if not any(map(_key, names)):
            raise DataError(
                "names no source, so no panel can be proven free of it",
                where=f"arm {printable(arm)!r}",
                hint="list every source its documents come from",
            )
        told = {_key(name) for name in names}
        for split, made_of in sources.items():
            for source in sorted(made_of):
                if _key(source) in told:
                    raise DataError(
                        f"the arm {printable(arm)!r} was trained on {printable(source)!r}",
                        where=f"transfer split {split!r}",
                        hint="a transfer panel holds only what no arm has seen; take another split for all arms",
                    )
    return TransferPanel(
        tuple(sources), frozenset(name for names in sources.values() for name in names), tuple(trained)
    )


def _key(name: str) -> str:
    """Letters and digits of a name, in lower case."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
