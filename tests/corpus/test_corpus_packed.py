"""Mixing measured over a corpus as it would be packed: the same in any division, and what the measure itself says."""

import json
from pathlib import Path

import numpy as np
import pytest

from shadowgraph.corpus.batch import batch_of
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.mixing import Mixing
from shadowgraph.corpus.packed import Packed, Packing
from shadowgraph.corpus.survey.jobs import survey
from shadowgraph.corpus.survey.plan import Order, freeze
from shadowgraph.errors import SpecError
from shadowgraph.seeds import generator


def documents(count: int) -> list[Document]:
    """Blocks of ten documents of one source after another, of 5 to 60 words."""
    stream = generator(0, "packed")
    return [
        Document(f"d{n}", f"s{n // 10 % 4}", "f", "plain", " ".join(["word"] * int(stream.integers(5, 60))))
        for n in range(count)
    ]


def packed(pieces: list[list[Document]], packing: Packing) -> Packed:
    whole = Packed(packing)
    for piece in pieces:
        part = Packed(packing)
        for start in range(0, len(piece), 7):
            part.update(batch_of(piece[start : start + 7], limit=80))
        whole.merge(part)
    return whole


@pytest.mark.parametrize("order", ["files", "shuffled"])
def test_any_division_gives_the_same_readings(order: str) -> None:
    every = documents(300)
    packing = Packing(32, 4, "files" if order == "files" else "shuffled")
    cuts = ([every], [every[:90], every[90:]], [every[:1], every[1:50], [], every[50:299], every[299:]])
    found = [packed(list(cut), packing).finish() for cut in cuts]
    assert found[0] == found[1] == found[2]
    whole = Packed(packing)
    for start in range(0, 300, 13):
        whole.update(batch_of(every[start : start + 13], limit=None))
    assert whole.finish() == found[0]  # nor do pieces of long documents count as documents


def test_in_the_order_of_the_files_it_is_the_measure_over_the_stream_of_words() -> None:
    every = documents(200)
    sizes = np.array([len(document.text.split()) for document in every], np.int64)
    own = Mixing(32, 4)
    own.update(np.cumsum(sizes) - sizes, sizes, [document.source for document in every])
    assert packed([every], Packing(32, 4)).finish() == own.finish()


def test_shuffling_mixes_what_stands_in_blocks() -> None:
    every = documents(600)
    blocked, shuffled = (packed([every], Packing(64, 8, order)).finish() for order in ("files", "shuffled"))
    assert blocked.separation.value is not None
    assert shuffled.separation.value is not None
    assert shuffled.separation.value < 0.5 * blocked.separation.value
    assert blocked.total_effective_sources.value == pytest.approx(shuffled.total_effective_sources.value, rel=1e-9)
    assert blocked.boundary_share.value == pytest.approx(shuffled.boundary_share.value, rel=1e-9)


def test_a_survey_measures_mixing_when_a_packing_is_declared_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    rows = [{"id": d.id, "source": d.source, "text": d.text} for d in documents(200)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    plain = survey(Order([path]))
    declared = survey(Order([path], packing=Packing(32, 4)))
    assert "mixing" not in plain["readings"]
    assert declared["packing"] == {"length": 32, "batch": 4, "order": "files"}
    names = [row["name"] for row in declared["readings"].pop("mixing")]
    assert names == ["sources_per_batch", "effective_sources", "total_effective_sources", "separation",
                     "boundary_share", "crossing_share"]  # fmt: skip
    declared.pop("packing")
    plain["provenance"].pop("plan_hash")
    declared["provenance"].pop("plan_hash")
    assert declared == plain
    with pytest.raises(SpecError, match="at least one"):
        freeze(Order([path], packing=Packing(32, 0)))
