"""The updates of an adapter: those of the merged model but for the null, which is that of its rank."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from adapter_models import ALPHA, RANK, factors, merged, saved_adapter
from footprint_models import Tensors, gpt2_shapes, saved, tensors
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from shadowgraph.errors import CheckpointError, SpecError
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.nulls import FACTOR_NULL, adapter_null_table
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint, Row
from shadowgraph.footprint.variants import variants
from shadowgraph.measures.catalogue import evaluate
from shadowgraph.measures.null import adapter_participation_ratio_null, participation_ratio_null
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.seeds import generator
from shadowgraph.spectra.exact import exact_spectrum

SLOTS = {"self_attn.q_proj": (72, 80), "self_attn.o_proj": (80, 72), "mlp.up_proj": (96, 80)}
SHAPES = {f"model.layers.{layer}.{slot}.weight": shape for layer in range(2) for slot, shape in SLOTS.items()}
NEEDS_A_SPECTRUM_OF_W = "spectral_drift"


def base_tensors() -> Tensors:
    return tensors(seed=1, slots=SLOTS)


def values(footprint: Footprint) -> dict[tuple[str, str], Row]:
    """Rows of O3 by tensor and measure."""
    return {(row.tensor, row.measure): row for row in footprint.rows if row.object == "O3"}


@pytest.mark.parametrize("turned", [False, True])
def test_factored_is_dense(turned: bool, tmp_path: Path) -> None:
    """Every measure of the update and of how it lies to its base, in float64, stored either way round."""
    shapes = gpt2_shapes(1, 66) if turned else SHAPES
    start = {name: 0.02 * generator(3, name).standard_normal(shape) for name, shape in shapes.items()}
    turned_round = {name: (n, m) if turned else (m, n) for name, (m, n) in shapes.items()}
    content = factors({name: shape for name, shape in turned_round.items() if "c_attn" not in name})
    whole = merged({name: values.T for name, values in start.items()} if turned else start, content)
    base = saved(tmp_path / "base", start)
    tuned = saved(tmp_path / "tuned", {name: values.T for name, values in whole.items()} if turned else whole)
    adapter = saved_adapter(tmp_path / "adapter", content)
    ours = values(scan(adapter, base, geometry=True, nulls=()))
    dense = values(scan(tuned, base, geometry=True, nulls=()))
    for key, row in ours.items():
        other = dense[key]
        if key[1] == NEEDS_A_SPECTRUM_OF_W:
            assert row.status == "factored"
        elif key[1] == "floor_share":  # of factors, not of two stored models
            assert row.value is not None
        elif other.value is None:
            assert row.status == other.status
        else:
            assert row.value == pytest.approx(other.value, rel=1e-6, abs=1e-9), key
    assert {key[0] for key in ours} == set(content)
    assert {row.method for row in ours.values()} == {"factored", "none"}


def test_k_differs_from_that_of_the_merged_model_by_the_nulls_alone(tmp_path: Path) -> None:
    content = factors(SHAPES)
    base, tuned = saved(tmp_path / "base", base_tensors()), saved(tmp_path / "tuned", merged(base_tensors(), content))
    adapter = saved_adapter(tmp_path / "adapter", content)
    ours, dense = endpoint(scan(adapter, base)), endpoint(scan(tuned, base, objects=("O3",)))
    alone = endpoint(scan(adapter))
    apart = [
        math.log(adapter_participation_ratio_null(RANK, *shape) / participation_ratio_null(*shape))
        for shape in SLOTS.values()
    ]
    assert ours.K.value is not None
    assert dense.K.value is not None
    assert ours.K.value - dense.K.value == pytest.approx(np.mean(apart), abs=1e-9)
    assert ours.log_norm.value == pytest.approx(dense.log_norm.value, abs=1e-12)
    assert alone.K == ours.K
    assert alone.log_norm.status == "no_base"
    assert dense.K.value > 1.5  # beside noise of full rank every adapter looks concentrated


@pytest.mark.parametrize(("rank", "m", "n"), [(8, 400, 300), (16, 256, 1024), (2, 512, 512)])
def test_gaussian_factors_read_as_noise(rank: int, m: int, n: int, tmp_path: Path) -> None:
    """Law: K of products of Gaussian factors is 0 within its scatter, whatever the rank."""
    shapes = {f"model.layers.{layer}.self_attn.q_proj.weight": (m, n) for layer in range(12)}
    found = scan(saved_adapter(tmp_path / "a", factors(shapes, rank), rank=rank))
    ks = np.array([k for cells in endpoint(found).per_slot.values() for _, k in cells])
    assert ks.size == 12
    assert abs(ks.mean()) < 4.0 * ks.std(ddof=1) / math.sqrt(12) + 0.02
    rows = [row for row in found.rows if row.null == FACTOR_NULL and row.value is not None]
    scores = [
        (row.value - row.null_mean) / row.null_sd
        for row in rows
        if row.value is not None and row.null_mean is not None and row.null_sd is not None and row.null_sd > 1e-9
    ]
    assert len(scores) > 80
    assert max(map(abs, scores)) < 6.0


@settings(max_examples=15, deadline=None)
@given(rank=st.integers(2, 12), kept=st.integers(1, 12), seed=st.integers(0, 99))
def test_fewer_directions_than_the_rank_are_concentration(rank: int, kept: int, seed: int) -> None:
    """A product whose factors use `kept` equal directions of `rank` reads ln PR0 − ln kept."""
    stream = generator(seed, "kept")
    kept = min(kept, rank)
    left = np.linalg.qr(stream.standard_normal((60, kept)))[0]
    right = np.linalg.qr(stream.standard_normal((50, kept)))[0].T
    reading = participation_ratio(exact_spectrum(left @ right))
    table = adapter_null_table((60, 50), rank)
    assert table["participation_ratio"].mean == adapter_participation_ratio_null(rank, 60, 50)
    assert reading.value == pytest.approx(kept)
    if kept < rank / 2:
        assert table["participation_ratio"].mean > kept


def test_the_null_is_that_of_whole_products() -> None:
    """Third way: 200 dense products of Gaussian factors, decomposed whole."""
    stream = generator(0, "whole")
    dense = [exact_spectrum(stream.standard_normal((40, 6)) @ stream.standard_normal((6, 30))) for _ in range(200)]
    table = adapter_null_table((30, 40), 6)
    for key in ("stable_rank", "erank_energy", "energy_top1"):
        direct = np.array([evaluate(key, spectrum).value for spectrum in dense], dtype=np.float64)
        error = math.hypot(table[key].sd / math.sqrt(table[key].draws), direct.std() / math.sqrt(200))
        assert table[key].mean == pytest.approx(direct.mean(), abs=4.5 * error)
    assert adapter_null_table((40, 30), 6) == table


def test_without_a_base_what_needs_one_says_so(tmp_path: Path) -> None:
    found = scan(saved_adapter(tmp_path / "a", factors(SHAPES)))
    statuses = {row.measure: row.status for row in found.rows}
    assert {key for key, status in statuses.items() if status == "no_base"} == {
        "relative_norm", "radial_share", "cosine", "variance_of_change", "zero_fraction_step", "spectral_drift"
    }  # fmt: skip
    assert {key for key, status in statuses.items() if status == "factored"} == {"zero_fraction", "zero_fraction_1e5"}
    assert {row.object for row in found.rows} == {"O3"}
    assert not [key for key in statuses if key.startswith(("alpha", "hill"))]  # no power law on r points
    assert {row.null for row in found.rows} == {FACTOR_NULL, "none"}
    assert {record.rank for record in found.matrices} == {RANK}
    assert found.parents.keys() == {"after"}
    assert any("merge" in note and "O1 and O2 of 6 updates" in note for note in found.notes)
    assert not [
        note for note in scan(saved_adapter(tmp_path / "b", factors(SHAPES)), objects=("O3",)).notes if "O1" in note
    ]
    assert found.coverage.block_share == 1.0
    readable = {key: reading for key, reading in variants(found).items() if reading.value is not None}
    assert {"erank_energy", "without_first", "rowcol_null", "median"} <= readable.keys()


def test_what_a_scan_of_an_adapter_cannot_give_is_told_or_refused(tmp_path: Path) -> None:
    adapter = saved_adapter(tmp_path / "a", factors(SHAPES))
    with pytest.raises(SpecError, match="only the object O3"):
        scan(adapter, objects=("O1", "O2"))
    notes = scan(adapter, nulls=("gaussian", "permuted", "floor"), heads=True, objects=("O3",)).notes
    assert any("permuted, floor" in note for note in notes)
    assert any(note.startswith("heads") for note in notes)
    geometry = [row for row in scan(adapter, geometry=True).rows if row.measure.startswith(("base_", "intruder"))]
    assert {row.status for row in geometry} == {"no_base"}
    assert len(geometry) == 6 * 23


def test_nothing_learnt_is_no_change(tmp_path: Path) -> None:
    """B as it is before training: every product vanishes."""
    content = {name: (0.0 * left, right) for name, (left, right) in factors(SHAPES).items()}
    base = saved(tmp_path / "base", base_tensors())
    for found in (scan(saved_adapter(tmp_path / "a", content)), scan(saved_adapter(tmp_path / "a", content), base)):
        assert {record.status for record in found.matrices} == {"no_change"}
        assert endpoint(found).K.status == "no_change"
        assert {row.status for row in found.rows if row.measure == "participation_ratio"} == {"no_change"}
        assert {row.null for row in found.rows} == {"none"}


@pytest.mark.parametrize(
    ("bad", "reason"), [(np.nan, "1 entries in the left factor, the first at [3, 1]"), (1e200, "range")]
)
def test_factors_that_are_no_numbers_are_left_out_with_the_reason(bad: float, reason: str, tmp_path: Path) -> None:
    content = factors(SHAPES)
    odd = "model.layers.1.mlp.up_proj.weight"
    content[odd][0][3, 1] = bad
    content[odd][1][1, 1] = max(1.0, 0.0 if np.isnan(bad) else bad)
    found = scan(saved_adapter(tmp_path / "a", content))
    assert {record.tensor: record.status for record in found.matrices}[odd] == "non_finite"
    assert [reason in item.reason for item in found.skipped if item.tensor == odd] == [True]
    assert endpoint(found).left_out == {"non_finite": 1}
    assert found.coverage.block_share == pytest.approx(1.0 - 96 * 80 / sum(m * n for m, n in SHAPES.values()))


def test_a_base_that_is_no_number_leaves_the_update_readable(tmp_path: Path) -> None:
    start = base_tensors()
    name = "model.layers.0.mlp.up_proj.weight"
    start[name][0, 0] = np.inf
    rows = values(scan(saved_adapter(tmp_path / "a", factors(SHAPES)), saved(tmp_path / "base", start), geometry=True))
    assert rows[name, "participation_ratio"].value is not None
    for key in ("relative_norm", "cosine", "base_overlap_left"):
        assert rows[name, key].status == "non_finite"


def test_rounding_of_the_factors_is_the_floor(tmp_path: Path) -> None:
    """The first-order estimate against the energy that rounding to bfloat16 really put there."""
    import ml_dtypes

    content = factors(SHAPES)
    exact = scan(saved_adapter(tmp_path / "a", content))
    rounded = scan(saved_adapter(tmp_path / "b", content, dtype="BF16"))
    for name, (left, right) in content.items():
        low = [each.astype(ml_dtypes.bfloat16).astype(np.float64) for each in (left, right)]
        energy = float(np.sum(np.square(low[0] @ low[1] - left @ right))) * (ALPHA / RANK) ** 2
        record = next(record for record in rounded.matrices if record.tensor == name)
        assert record.floor_energy == pytest.approx(energy, rel=0.25)
    assert endpoint(rounded).K.value == pytest.approx(endpoint(exact).K.value, abs=0.01)


def test_matrices_saved_whole_are_read_the_dense_way(tmp_path: Path) -> None:
    start = base_tensors()
    moved = start["model.embed_tokens.weight"] + 1e-3 * generator(9).standard_normal((40, 16))
    beside = {"base_model.model.model.embed_tokens.weight": moved}
    content = {name: pair for name, pair in factors(SHAPES).items() if "layers.0" in name}
    adapter = saved_adapter(tmp_path / "a", content, beside=beside)
    found = scan(adapter, saved(tmp_path / "base", start), objects=("O3",))
    assert {record.rank for record in found.matrices} == {RANK, None}
    assert endpoint(found).K_emb.value is not None
    assert {row.null for row in found.rows if "embed" in row.tensor} == {"gaussian", "none"}
    alone = scan(adapter, objects=("O3",))
    assert [item.tensor for item in alone.skipped if "without a base" in item.reason] == [*beside]


def test_magnitudes_need_the_base_and_lower_the_coverage_without_it(tmp_path: Path) -> None:
    """DoRA: the whole matrix is made anew; its base is no second rounding."""
    start = base_tensors()
    content = {name: pair for name, pair in factors(SHAPES).items() if "layers.0" in name}
    magnitudes = {
        f"base_model.model.{name.removesuffix('.weight')}.lora_magnitude_vector": 1.01
        * np.linalg.norm(start[name], axis=1)
        for name in content
    }
    adapter = saved_adapter(tmp_path / "a", content, beside=magnitudes, config={"use_dora": True})
    base = saved(tmp_path / "base", start, "BF16")
    found = scan(adapter, base, objects=("O3",))
    assert [record.rank for record in found.matrices] == [None] * 3
    assert all(0.0 <= record.floor_energy < 1e-9 for record in found.matrices)
    assert endpoint(found).K.value is not None
    assert found.coverage.block_share == 1.0
    with pytest.raises(CheckpointError, match="no matrix could be analysed"):
        scan(adapter)


def test_inputs_weigh_a_product_as_they_weigh_the_matrix(tmp_path: Path) -> None:
    content = factors({"model.layers.0.self_attn.q_proj.weight": (72, 80)})
    start = {name: value for name, value in base_tensors().items() if name in content}
    root = generator(4).standard_normal((80, 80)) @ np.diag(np.linspace(0.1, 2.0, 80))
    save_file(dict.fromkeys(content, root @ root.T), tmp_path / "moments.safetensors")
    base, tuned = saved(tmp_path / "base", start), saved(tmp_path / "tuned", merged(start, content))
    moments = tmp_path / "moments.safetensors"
    ours = values(scan(saved_adapter(tmp_path / "a", content), base, moments=moments))
    dense = values(scan(tuned, base, moments=moments, objects=("O3",)))
    (name,) = content
    key = name, "weighted_participation_ratio"
    assert ours[key].value == pytest.approx(dense[key].value, rel=1e-8)
    mine, theirs = ours[name, "weighted_concentration"].value, dense[name, "weighted_concentration"].value
    assert mine is not None
    assert theirs is not None
    assert mine < theirs - 1.0  # noise of its own rank is narrow already


def test_rounding_of_the_scale_is_seen(tmp_path: Path) -> None:
    """Another alpha is another update: larger by the ratio, of the same shape, and another fingerprint."""
    content = factors(SHAPES)
    one, other = (saved_adapter(tmp_path / str(alpha), content, alpha=alpha) for alpha in (ALPHA, 3.0 * ALPHA))
    first, second = scan(one), scan(other)
    assert first.parents != second.parents
    for ours, theirs in zip(first.matrices, second.matrices, strict=True):
        assert ours.spectrum is not None
        assert theirs.spectrum is not None
        assert theirs.spectrum.values == pytest.approx(3.0 * ours.spectrum.values, rel=1e-12)
    assert endpoint(first).K.value == pytest.approx(endpoint(second).K.value, rel=1e-12)
    assert dataclasses.asdict(first.coverage) == dataclasses.asdict(second.coverage)
