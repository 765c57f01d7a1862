"""Scans of adapters: jobs, killed scans, names; contrasts, agreement and series of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from adapter_models import Factors, factors, merged, saved_adapter
from footprint_models import saved, tensors

from shadowgraph.errors import DataError
from shadowgraph.footprint.agreement import agreement
from shadowgraph.footprint.contrast import contrast
from shadowgraph.footprint.parts import part_path
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import PARTS, read_footprint
from shadowgraph.footprint.trajectory import trajectory
from shadowgraph.seeds import generator
from shadowgraph.spectra.factored import factored_leading
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.opened import open_model
from shadowgraph.weights.series import open_series

SLOTS = {"self_attn.q_proj": (72, 80), "mlp.up_proj": (96, 80)}
SHAPES = {f"model.layers.{layer}.{slot}.weight": shape for layer in range(2) for slot, shape in SLOTS.items()}


def halved(content: Factors) -> Factors:
    """The same products with only half of their inner directions."""
    return {name: (left * np.array([1.0, 1.0, 1e-3, 1e-3]), right) for name, (left, right) in content.items()}


def test_jobs_and_a_killed_scan_give_the_same_bytes(tmp_path: Path) -> None:
    """Two adapters in one folder: workers open the one that was chosen."""
    saved_adapter(tmp_path / "a", factors(SHAPES))
    adapter = saved_adapter(tmp_path / "a", factors(SHAPES, seed=5), name="other")
    base = saved(tmp_path / "base", tensors(slots=SLOTS))
    single = scan(adapter, base)
    assert single.parents != scan(open_adapter(tmp_path / "a"), base).parents
    assert scan(adapter, base, jobs=2).fingerprint == single.fingerprint
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        scan(adapter, base, folder=folder, progress=_stop_at_half)
    left = sorted(path.name for path in (folder / PARTS).glob("*.json"))
    assert 0 < len(left) < 4
    before = part_path(folder, 0).stat().st_mtime_ns
    resumed = scan(adapter, base, folder=folder, jobs=2)
    assert part_path(folder, 0).stat().st_mtime_ns == before
    assert resumed.fingerprint == single.fingerprint
    resumed.write(folder)
    assert read_footprint(folder).fingerprint == single.fingerprint
    assert {record.rank for record in read_footprint(folder).matrices} == {4}


def _stop_at_half(share: float) -> None:
    if share > 0.5:
        raise KeyboardInterrupt


def open_adapter(folder: Path, name: str | None = None) -> Adapter:
    found = open_model(folder, name)
    assert isinstance(found, Adapter)
    return found


def test_parts_of_another_scale_are_not_taken_over(tmp_path: Path) -> None:
    content = factors(SHAPES)
    folder = tmp_path / "out"
    scan(saved_adapter(tmp_path / "a", content), folder=folder)
    changed = saved_adapter(tmp_path / "a", content, alpha=60.0)
    assert scan(changed, folder=folder).fingerprint == scan(changed).fingerprint


def test_adapters_alone_are_compared_by_their_concentration(tmp_path: Path) -> None:
    content = factors(SHAPES)
    wide, narrow = saved_adapter(tmp_path / "a", content), saved_adapter(tmp_path / "b", halved(content))
    base = saved(tmp_path / "base", tensors(slots=SLOTS))
    alone = contrast(scan(narrow), scan(wide))
    beside = contrast(scan(narrow, base), scan(wide, base))
    assert alone.K == beside.K
    assert alone.K.value is not None
    assert 0.5 < alone.K.value < 0.9  # ln 2 and what the unequal sizes of two directions leave
    assert alone.log_norm.status == "no_base"
    assert beside.log_norm.value is not None
    assert alone.exceptions == ()
    assert any("no base was given" in note for note in alone.notes)
    assert beside.notes == ()
    with pytest.raises(DataError, match="same base"):
        contrast(scan(narrow), scan(wide, base))


def test_updates_of_two_ranks_are_not_compared_without_a_null(tmp_path: Path) -> None:
    content, wide = factors(SHAPES), factors(SHAPES, rank=12, seed=3)
    base_tensors = tensors(slots=SLOTS)
    base = saved(tmp_path / "base", base_tensors)
    low = scan(saved_adapter(tmp_path / "a", content), base)
    high = scan(saved_adapter(tmp_path / "b", wide, rank=12), base)
    full = scan(saved(tmp_path / "tuned", merged(base_tensors, content)), base, objects=("O3",))
    for found, told in ((contrast(low, high), "4 against 12"), (contrast(low, full), "4 against full")):
        readings = [found.K, found.K_emb, *found.variants.values()]
        assert {(reading.value, reading.status) for reading in readings} == {(None, "other_rank")}
        assert (found.per_slot, found.cells, found.exceptions) == ({}, {}, ())
        assert found.log_norm.value is not None
        assert any(told in note for note in found.notes)
    same = contrast(low, low)
    assert same.notes == ()
    assert same.variants["erank_energy"].value == 0.0


def test_adapters_of_other_shapes_are_no_pair(tmp_path: Path) -> None:
    one = scan(saved_adapter(tmp_path / "a", factors(SHAPES)))
    wider = {name: (m, n + 1) for name, (m, n) in SHAPES.items()}
    other = scan(saved_adapter(tmp_path / "b", factors(wider)))
    with pytest.raises(DataError, match="do not change one base"):
        contrast(one, other)
    strange = scan(saved_adapter(tmp_path / "c", factors({"model.layers.7.self_attn.q_proj.weight": (30, 20)})))
    with pytest.raises(DataError, match="no matrix of one name"):
        contrast(one, strange)


def test_shared_directions_of_factors_are_those_of_the_matrices(tmp_path: Path) -> None:
    start = tensors(slots=SLOTS)
    one, other = factors(SHAPES), factors(SHAPES, seed=2)
    mixed = {name: (one[name][0], 0.5 * one[name][1] + 0.5 * other[name][1]) for name in one}
    base = saved(tmp_path / "base", start)
    adapters = saved_adapter(tmp_path / "a", one), saved_adapter(tmp_path / "b", mixed)
    whole = saved(tmp_path / "wa", merged(start, one)), saved(tmp_path / "wb", merged(start, mixed))
    found, dense = agreement(None, *adapters), agreement(base, *whole)
    assert found.keys() == set(SHAPES)
    across = agreement(base, adapters[0], whole[1])
    for name, readings in found.items():
        assert readings["run_overlap_left"].value == pytest.approx(1.0, abs=1e-6)
        for key, reading in readings.items():
            assert reading.value == pytest.approx(dense[name][key].value, abs=1e-6)
            assert reading.value == pytest.approx(across[name][key].value, abs=1e-6)


@pytest.mark.parametrize(("shape", "rank", "scale"), [((30, 20), 5, 1.5), ((20, 30), 5, -2.0), ((6, 4), 9, 1.0)])
def test_leading_vectors_of_a_product(shape: tuple[int, int], rank: int, scale: float) -> None:
    stream = generator(0, "leading")
    left, right = stream.standard_normal((shape[0], rank)), stream.standard_normal((rank, shape[1]))
    dense = scale * left @ right
    found = factored_leading(left, right, 4, scale)
    exact = np.linalg.svd(dense)[1]
    assert found.values == pytest.approx(exact[:4], rel=1e-12)
    assert dense @ found.right == pytest.approx(found.left * found.values, abs=1e-10)
    for vectors in (found.left, found.right):
        assert vectors.T @ vectors == pytest.approx(np.eye(4), abs=1e-12)
    assert found.energy == pytest.approx(float(np.sum(dense * dense)), rel=1e-12)
    nothing = factored_leading(0.0 * left, right, 4)
    assert nothing.energy == 0.0
    assert nothing.left.shape == (shape[0], 4)
    assert factored_leading(left[:, :2], right[:2], 4).values.size == 2


def test_a_series_of_adapters_needs_no_base(tmp_path: Path) -> None:
    content = factors(SHAPES)
    for step, grown in ((10, 0.5), (20, 1.0)):
        saved_adapter(
            tmp_path / "run" / f"checkpoint-{step}",
            {name: (grown * each[0], each[1]) for name, each in content.items()},
        )
    base = saved(tmp_path / "base", tensors(slots=SLOTS))
    alone, against = trajectory(open_series(tmp_path / "run")), trajectory(tmp_path / "run", base)
    assert [moment.step for moment in alone.moments] == [10, 20]
    assert alone.base is None
    assert against.base == base.fingerprint
    assert alone.moments[0].K == against.moments[0].K
    assert alone.moments[0].K.value == pytest.approx(alone.moments[1].K.value, abs=1e-9)
    assert {moment.log_norm.status for moment in alone.moments} == {"no_base"}
    norms = [moment.log_norm.value for moment in against.moments]
    assert norms[0] is not None
    assert norms[1] == pytest.approx(norms[0] + np.log(2.0), abs=1e-9)
    assert {moment.drift.status for moment in alone.moments} == {"absent"}
    assert any("no base was given" in note for note in alone.notes)
    assert dataclasses.asdict(alone.moments[0])["ratios"].keys() == {"q", "up"}
