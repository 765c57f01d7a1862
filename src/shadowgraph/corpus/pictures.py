"""Images beside texts: which piece of a record shows its image, whether the file is there, as many in every arm.

Here live: references to images, the count of images on a ground, filling a budget with a number of images.
Not here: the bytes of images, which stay where they are; the tokens that stand for one (`building.encoding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.budget import Fill, fill, join
from shadowgraph.errors import DataError, printable

NAMED = 5  # records with missing images that a message names
SWAPS = 1024  # documents with images among which a longer one is looked for


@dataclass(frozen=True, slots=True)
class Pictures:
    """Images that count in the budget.

    Attributes:
        ends: (n,) tokens of each document up to the end of its image; 0 without one.
        images: images of every arm.
        token: id of the token that stands for a part of an image.
    """

    ends: NDArray[np.int64]
    images: int
    token: int

    def due(self, begin: int, stop: int, budget: int) -> int:
        """Images that fall to the tokens from `begin` to `stop` of a budget; the parts of a budget sum to `images`."""
        return self.images * stop // budget - self.images * begin // budget

    def shown(self, chosen: Fill) -> NDArray[np.bool_]:
        """(k,) whether a span holds the image of its document."""
        ends = self.ends[chosen.documents]
        return (ends > 0) & (chosen.begins < ends) & (chosen.begins + chosen.taken >= ends)


def show_once(batch: Batch, token: str | None) -> Batch:
    """Leave the reference of a cut document to one piece: the one that holds the image token, or else the first.

    Args:
        batch: documents and pieces, the pieces of a document side by side.
        token: the text that marks an image; None when there is none.
    """
    if not any(batch.media):
        return batch
    media: list[str | None] = [None] * len(batch)
    first = 0
    for d in range(len(batch)):
        if batch.parts[d] <= 1:
            first = d
            media[d] = batch.media[d]
        elif media[first] is not None and token and token in batch.text(d) and token not in batch.text(first):
            media[first], media[d] = None, batch.media[d]
            first = d
    return replace(batch, media=media)


def missing_images(batch: Batch, folder: Path) -> list[int]:
    """Documents whose image is a path to no file; addresses (with ://) are not looked up.

    Args:
        batch: the documents.
        folder: what relative paths are relative to.

    Returns:
        Their numbers in the batch.
    """
    return [d for d, reference in enumerate(batch.media) if reference is not None and not _found(reference, folder)]


def _found(reference: str, folder: Path) -> bool:
    if "://" in reference:
        return True
    try:
        return (folder / reference).is_file()
    except OSError:  # for example a name too long for any file system
        return False


def refuse_missing(records: Sequence[tuple[str, str]]) -> None:
    """Refuse records whose images are missing.

    Args:
        records: id and reference of each.

    Raises:
        DataError: naming the first of them.
    """
    if records:
        named = ", ".join(f"{printable(name)} ({printable(path)})" for name, path in records[:NAMED])
        more = f" and {len(records) - NAMED} more" if len(records) > NAMED else ""
        raise DataError(
            f"no image file for {named}{more}",
            where="pool.files",
            hint='set pool.images to their folder, or pool.missing_images to "leave_out"',
        )


def fill_pictured(
    order: NDArray[np.int64],
    lengths: NDArray[np.int64],
    ends: NDArray[np.int64],
    budget: int,
    *,
    images: int,
    where: str,
) -> Fill:
    """Take documents in `order` until exactly `budget` tokens and exactly `images` images are taken.

    Documents with images are taken first, then documents without; the last one is cut, an image never. Where texts
    alone cannot fill what is left, some documents with images give way to longer ones.

    Args:
        order: (j,) documents, best first.
        lengths: (n,) tokens of every document, its image's among them.
        ends: (n,) tokens up to the end of its image; 0 without one.
        budget: tokens wanted.
        images: images wanted.
        where: name of the arm.

    Raises:
        DataError: when there are too few images or tokens, or the images alone are more than the budget.
    """
    pictured = ends[order] > 0
    shown, plain = order[pictured], order[~pictured]
    if len(shown) < images:
        raise DataError(
            f"{len(shown)} images for this arm, and {images} are due", where=where, hint="set budget.images to fewer"
        )
    texts = int(lengths[plain].sum())
    first = _longer(shown[:images], shown[images:], lengths, budget - texts)
    left = budget - int(lengths[first].sum())
    taken = lengths[first]
    if left > texts:
        raise DataError(
            f"{images} images bring {budget - left} of {budget} tokens, and the documents without one hold {texts} "
            f"of the {left} left",
            where=where,
            hint="set budget.images to more or budget.tokens to fewer, or give the pool documents without an image",
        )
    if left > 0:
        return join([Fill(first, taken), fill(plain, lengths, left, where)])
    spare = (taken - ends[first])[::-1]
    if int(spare.sum()) < -left:
        raise DataError(
            f"{images} images alone are more than {budget} tokens", where=where, hint="set budget.images to fewer"
        )
    cut = np.clip(-left - (np.cumsum(spare) - spare), 0, spare)[::-1]
    return Fill(first, taken - cut)


def _longer(
    chosen: NDArray[np.int64], others: NDArray[np.int64], lengths: NDArray[np.int64], wanted: int
) -> NDArray[np.int64]:
    """Exchange documents, the last first, for longer ones until they hold `wanted` tokens or nothing longer is left."""
    held = int(lengths[chosen].sum())
    if held >= wanted:
        return chosen
    made = chosen.copy()
    free = others[:SWAPS][np.argsort(lengths[others[:SWAPS]], kind="stable")]
    for place in range(len(made) - 1, -1, -1):
        if held >= wanted or not len(free):
            break
        own = int(lengths[made[place]])
        at = min(int(np.searchsorted(lengths[free], own + wanted - held)), len(free) - 1)
        if int(lengths[free[at]]) > own:
            held += int(lengths[free[at]]) - own
            made[place] = free[at]
            free = np.delete(free, at)
    return made
