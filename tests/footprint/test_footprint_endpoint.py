"""K by its definition: computed again by hand, blind to what it must not see, refused where nothing can be read."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from footprint_models import SLOTS, Matrix, Tensors, changed, saved, tensors

from shadowgraph.errors import DataError
from shadowgraph.footprint.contrast import contrast
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.floor import rounding_variance
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint
from shadowgraph.seeds import generator

EXPERTS = {
    "self_attn.q_proj": (16, 16),
    "mlp.experts.0.up_proj": (24, 16),
    "mlp.experts.1.up_proj": (24, 16),
}


def low_rank(rank: int, size: float = 0.01, seed: int = 0) -> Callable[[str, Matrix], Matrix]:
    def change(name: str, values: Matrix) -> Matrix:
        stream = generator(seed, "low-rank", name)
        m, n = values.shape
        return size * stream.standard_normal((m, rank)) @ stream.standard_normal((rank, n))

    return change


def footprint_of(tmp_path: Path, start: Tensors, tuned: Tensors, dtype: str = "F64", name: str = "b") -> Footprint:
    return scan(saved(tmp_path / name, tuned, dtype), saved(tmp_path / "a", start, dtype))


def k_by_hand(update: Matrix) -> float:
    m, n = update.shape
    energies = np.square(np.linalg.svd(update, compute_uv=False))
    return math.log(m * n / (m + n + 1)) - math.log(energies.sum() ** 2 / (energies**2).sum())


def test_k_is_the_mean_over_slots_of_the_mean_over_layers(tmp_path: Path) -> None:
    start = tensors(layers=3)
    start = {name: values for name, values in start.items() if "layers.2.mlp" not in name}
    tuned = changed(start, low_rank(2))
    ends = endpoint(footprint_of(tmp_path, start, tuned))
    by_slot = {slot: [k_by_hand(tuned[name] - start[name]) for name in sorted(start) if slot in name] for slot in SLOTS}
    assert [len(values) for values in by_slot.values()] == [3, 3, 2, 2]
    assert ends.K.value == pytest.approx(fmean(fmean(values) for values in by_slot.values()), abs=1e-9)
    assert ends.K.value != pytest.approx(fmean(k for values in by_slot.values() for k in values), abs=1e-6)
    embedding = "model.embed_tokens.weight"
    assert ends.K_emb.value == pytest.approx(k_by_hand(tuned[embedding] - start[embedding]), abs=1e-9)
    blocks = [name for name in start if "layers" in name]
    update = math.sqrt(sum(float(np.sum((tuned[name] - start[name]) ** 2)) for name in blocks))
    base = math.sqrt(sum(float(np.sum(start[name] ** 2)) for name in blocks))
    assert ends.log_norm.value == pytest.approx(math.log(update / base), abs=1e-9)
    assert [layer for layer, _ in ends.per_slot["q"]] == [0, 1, 2]
    assert ends.left_out == {}


def test_experts_are_averaged_inside_their_slot(tmp_path: Path) -> None:
    start = tensors(layers=1, slots=EXPERTS)
    tuned = changed(start, low_rank(3))
    ends = endpoint(footprint_of(tmp_path, start, tuned))
    k = {name: k_by_hand(tuned[name] - start[name]) for name in start}
    experts = [value for name, value in k.items() if "experts" in name]
    query = next(value for name, value in k.items() if "q_proj" in name)
    assert ends.K.value == pytest.approx(fmean([query, fmean(experts)]), abs=1e-9)


def test_embeddings_do_not_move_k(tmp_path: Path) -> None:
    start = tensors()
    tuned = changed(start, low_rank(2))
    other = dict(tuned)
    other["model.embed_tokens.weight"] = start["model.embed_tokens.weight"] + 1.0
    a = endpoint(footprint_of(tmp_path, start, tuned))
    b = endpoint(footprint_of(tmp_path, start, other, name="c"))
    assert a.K == b.K
    assert a.log_norm == b.log_norm
    assert a.K_emb != b.K_emb


def test_a_more_concentrated_update_has_a_higher_k_at_any_size(tmp_path: Path) -> None:
    start = tensors()
    narrow = footprint_of(tmp_path, start, changed(start, low_rank(1, 1e-3)), name="n")
    broad = footprint_of(tmp_path, start, changed(start, low_rank(7, 1e-1)), name="w")
    found = contrast(narrow, broad)
    assert found.K.value is not None
    assert found.K.value > 1.0
    assert found.log_norm.value is not None
    assert found.log_norm.value < 0
    assert min(found.per_slot.values()) > 0
    assert found.dropped == ()
    assert contrast(broad, narrow).K.value == -found.K.value


def test_nothing_changed_gives_statuses(tmp_path: Path) -> None:
    start = tensors()
    ends = endpoint(footprint_of(tmp_path, start, start))
    assert {ends.K.status, ends.K_emb.status, ends.log_norm.status} == {"no_change"}
    assert ends.per_slot == {}
    assert ends.as_dict()["K"] is None
    assert ends.as_dict()["K_status"] == "no_change"


def test_a_few_frozen_matrices_are_left_out_and_many_refuse_k(tmp_path: Path) -> None:
    start = tensors(layers=2)
    tuned = changed(start, low_rank(2))
    some = tuned | {name: start[name] for name in start if "layers.0.mlp.up" in name}
    ends = endpoint(footprint_of(tmp_path, start, some, name="some"))
    assert ends.K.status == "ok"
    assert ends.left_out == {"no_change": 1}
    many = tuned | {name: start[name] for name in start if "mlp" in name or "k_proj" in name}
    assert endpoint(footprint_of(tmp_path, start, many, name="many")).K.status == "no_change"


def test_an_endpoint_needs_a_base_and_a_contrast_one_base(tmp_path: Path) -> None:
    start = tensors()
    with pytest.raises(DataError, match="no base"):
        endpoint(scan(saved(tmp_path / "x", start)))
    tuned = changed(start, low_rank(2))
    other = scan(saved(tmp_path / "c", tuned), saved(tmp_path / "d", tensors(seed=5)))
    with pytest.raises(DataError, match="same base"):
        contrast(footprint_of(tmp_path, start, tuned), other)


def test_a_contrast_uses_common_slots_only(tmp_path: Path) -> None:
    start = tensors()
    whole = changed(start, low_rank(2))
    frozen = whole | {name: start[name] for name in start if "q_proj" in name}
    found = contrast(footprint_of(tmp_path, start, whole, name="w"), footprint_of(tmp_path, start, frozen, name="f"))
    assert found.dropped == ("q",)
    assert found.K.value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("dtype", "bits"), [("BF16", 8), ("F16", 11), ("F32", 24), ("F64", 53)])
def test_rounding_variance_is_the_grid_step_squared_over_twelve(dtype: str, bits: int) -> None:
    """Closed form: in [1, 2) the step is 2**(1 - p); in [2, 4) twice that; a zero has the finest step."""
    step = 2.0 ** (1 - bits)
    assert rounding_variance(np.full((2, 3), 1.5), dtype) == pytest.approx(step**2 / 12)
    assert rounding_variance(np.array([[1.5, -3.0]]), dtype) == pytest.approx((step**2 + 4 * step**2) / 24)
    assert rounding_variance(np.array([[1.5, 0.0]]), dtype) == pytest.approx(step**2 / 24)


@pytest.mark.parametrize(("dtype", "rel"), [("BF16", 0.02), ("F16", 0.02)])
def test_rounding_variance_is_what_storing_does(dtype: str, rel: float, tmp_path: Path) -> None:
    """Simulation: 160 000 Gaussian entries stored and read back; the estimate is within 2 % of the error."""
    values = 0.02 * generator(3, "store").standard_normal((400, 400))
    checkpoint = saved(tmp_path / "a", {"model.layers.0.mlp.up_proj.weight": values}, dtype)
    stored = next(checkpoint.matrices()).load()
    assert rounding_variance(stored, dtype) == pytest.approx(float(np.mean((stored - values) ** 2)), rel=rel)


@pytest.mark.parametrize(
    ("rho", "truth_within"),
    [(3e-2, 0.01), (1e-2, 0.02), (5e-3, 0.06)],
)
def test_bf16_storage_is_corrected_until_it_is_refused(rho: float, truth_within: float, tmp_path: Path) -> None:
    """A rank-8 update on a bf16 base, stored in bf16: k is that of the true update, though the raw ratio is not."""
    shape = {"mlp.up_proj": (256, 256)}
    start = {name: values for name, values in tensors(layers=1, slots=shape).items() if "embed" not in name}
    (name,) = start
    stored = next(saved(tmp_path / "grid", start, "BF16").matrices()).load()
    update = low_rank(8)(name, stored)
    update *= rho * np.linalg.norm(stored) / np.linalg.norm(update)
    after = saved(tmp_path / "b", {name: stored + update}, "BF16")
    footprint = scan(after, saved(tmp_path / "a", {name: stored}, "BF16"))
    ends = endpoint(footprint)
    assert ends.K.value == pytest.approx(k_by_hand(update), abs=truth_within)
    raw = next(row.value for row in footprint.rows if row.object == "O3" and row.measure == "participation_ratio")
    assert raw is not None
    assert abs(math.log(256 * 256 / 513) - math.log(raw) - k_by_hand(update)) > abs(
        (ends.K.value or 0) - k_by_hand(update)
    )


def test_an_update_below_the_storage_floor_has_no_k(tmp_path: Path) -> None:
    start = tensors(layers=1, slots={"mlp.up_proj": (64, 64)})
    tuned = changed(start, low_rank(8, 1e-6))
    ends = endpoint(footprint_of(tmp_path, start, tuned, "BF16"))
    assert ends.K.status in {"floor", "no_change"}
    ends = endpoint(footprint_of(tmp_path, start, changed(start, low_rank(8, 2e-5)), "BF16", name="c"))
    assert ends.K.status == "floor"
    assert ends.left_out == {"floor": 1}
