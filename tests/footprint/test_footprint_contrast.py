"""Contrasts: signs, variants, cells by slot and layer, and the agreement of two runs."""

from pathlib import Path

import numpy as np
import pytest
from footprint_models import Matrix, Tensors, changed, saved, tensors

from shadowgraph.errors import DataError
from shadowgraph.footprint.agreement import agreement
from shadowgraph.footprint.contrast import contrast
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint
from shadowgraph.footprint.variants import variants
from shadowgraph.seeds import generator


def low_rank(start: Tensors, rank: int, seed: int = 0) -> Tensors:
    def change(name: str, values: Matrix) -> Matrix:
        stream = generator(seed, name)
        return 1e-3 * stream.standard_normal((values.shape[0], rank)) @ stream.standard_normal((rank, values.shape[1]))

    return changed(start, change)


def footprints(tmp_path: Path) -> tuple[Footprint, Footprint]:
    start = tensors()
    base = saved(tmp_path / "a", start)
    narrow, broad = low_rank(start, 2), low_rank(start, 7)
    del narrow["model.embed_tokens.weight"]
    sides = (saved(tmp_path / "n", narrow), saved(tmp_path / "w", broad))
    return scan(sides[0], base, objects=("O3",), nulls=()), scan(sides[1], base, objects=("O3",), nulls=())


def test_every_cell_and_variant_has_the_sign_of_k(tmp_path: Path) -> None:
    narrow, broad = footprints(tmp_path)
    found = contrast(narrow, broad)
    assert found.K.value is not None
    assert found.K.value > 0.5
    assert found.exceptions == ()
    assert {key for key, reading in found.variants.items() if reading.value is None} == {
        "input_weighted",
        "with_embedding",
    }
    left, right = endpoint(narrow), endpoint(broad)
    for slot, layers in found.cells.items():
        for layer, value in layers.items():
            assert value == pytest.approx(dict(left.per_slot[slot])[layer] - dict(right.per_slot[slot])[layer])
        assert found.per_slot[slot] == pytest.approx(np.mean(list(layers.values())))
    back = contrast(broad, narrow)
    assert back.variants["stable_rank"].value == pytest.approx(-(found.variants["stable_rank"].value or 0.0))


def test_nothing_is_left_of_rank_one_without_its_first(tmp_path: Path) -> None:
    start = tensors()
    one = scan(saved(tmp_path / "b", low_rank(start, 1)), saved(tmp_path / "a", start), objects=("O3",), nulls=())
    assert variants(one)["without_first"].status == "no_change"


def test_an_exception_is_named(tmp_path: Path) -> None:
    """One slot far more concentrated, the others slightly less: the mean has the sign of the one, the median not."""
    start = tensors()
    base = saved(tmp_path / "a", start)
    plain, odd = low_rank(start, 6), low_rank(start, 7)
    single = low_rank(start, 1)
    odd |= {name: single[name] for name in odd if "up_proj" in name}
    sides = [
        scan(saved(tmp_path / name, side), base, objects=("O3",), nulls=()) for name, side in (("p", plain), ("o", odd))
    ]
    found = contrast(sides[1], sides[0])
    assert found.K.value is not None
    assert found.K.value > 0
    assert {"median", "without_up", "without_any"} <= set(found.exceptions)


def test_a_footprint_without_updates_has_no_k(tmp_path: Path) -> None:
    start = tensors(layers=1)
    footprint = scan(saved(tmp_path / "b", low_rank(start, 2)), saved(tmp_path / "a", start), objects=("O1",), nulls=())
    with pytest.raises(DataError, match="holds no updates"):
        endpoint(footprint)


def test_runs_of_one_direction_agree_and_others_do_not(tmp_path: Path) -> None:
    slots = {"mlp.up_proj": (96, 80), "self_attn.k_proj": (8, 80)}
    start = tensors(layers=1, slots=slots)
    base = saved(tmp_path / "a", start)
    one, same = saved(tmp_path / "b", low_rank(start, 2)), saved(tmp_path / "c", low_rank(start, 2))
    other = saved(tmp_path / "d", low_rank(start, 2, seed=5))
    up, k = "model.layers.0.mlp.up_proj.weight", "model.layers.0.self_attn.k_proj.weight"
    shared, apart = agreement(base, one, same), agreement(base, one, other)
    assert set(shared) == {up, k}
    assert shared[up]["run_overlap_left"].value == pytest.approx(1.0, abs=1e-9)
    assert abs(apart[up]["run_overlap_right"].value or 0.0) < 0.15
    assert shared[k]["run_overlap_left"].status == "too_small"
