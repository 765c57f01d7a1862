"""Where the energy sits: closed forms on updates of known size."""

from pathlib import Path

import numpy as np
import pytest
from footprint_models import Matrix, changed, saved, tensors

from shadowgraph.footprint.distribution import as_json, distribution
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint

SLOT = {"mlp.up_proj": (32, 16)}


def moved(tmp_path: Path, sizes: tuple[float, float, float]) -> Footprint:
    """Three layers whose updates have these energies; the embedding moves by 1."""
    start = tensors(layers=3, slots=SLOT)

    def change(name: str, values: Matrix) -> Matrix:
        energy = 1.0 if "embed" in name else sizes[int(name.split(".")[2])]
        return np.full(values.shape, np.sqrt(energy / values.size))

    return scan(saved(tmp_path / "b", changed(start, change)), saved(tmp_path / "a", start), objects=("O3",), nulls=())


def test_equal_updates_are_spread_evenly(tmp_path: Path) -> None:
    found = distribution(moved(tmp_path, (1.0, 1.0, 1.0)))
    assert found.energy_gini.value == pytest.approx(0.0, abs=1e-9)
    assert found.effective_matrices.value == pytest.approx(3.0)
    assert found.null_matrices.value == pytest.approx(3.0)
    assert found.depth_centre.value == pytest.approx(0.5)
    assert {slot: reading.value for slot, reading in found.by_slot.items()} == pytest.approx(
        {"embedding": 0.25, "up": 0.75}
    )
    assert list(found.by_layer) == ["0", "1", "2"]


def test_one_layer_can_hold_everything(tmp_path: Path) -> None:
    found = distribution(moved(tmp_path, (0.0, 0.0, 4.0)))
    assert found.energy_gini.value == pytest.approx(2 / 3)
    assert found.effective_matrices.value == pytest.approx(1.0)
    assert found.depth_centre.value == pytest.approx(1.0)
    assert found.by_tensor["model.layers.2.mlp.up_proj.weight"].value == pytest.approx(0.8)


def test_nothing_to_count_has_a_status(tmp_path: Path) -> None:
    alone = scan(saved(tmp_path / "a", tensors(layers=1, slots=SLOT)), nulls=())
    found = distribution(alone)
    assert {found.energy_gini.status, found.depth_centre.status} == {"absent"}
    assert as_json(found)["energy_gini"] == {"value": None, "status": "absent"}
