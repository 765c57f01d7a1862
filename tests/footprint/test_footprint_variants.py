"""Variants of K: they agree in sign on a planted difference, and each does what its name says."""

import math
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.table import Coverage, Footprint, MatrixRecord
from shadowgraph.footprint.variants import variants
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.seeds import generator
from shadowgraph.spectra.plan import spectrum_of
from shadowgraph.weights.roles import Role

SLOTS = {"q": "attention", "k": "attention", "up": "ffn"}


def footprint(decay: float, seed: int = 0, scale: float = 1.0) -> Footprint:
    """Two layers of three slots and an embedding; singular values fall like exp(-decay·i)."""
    records: list[MatrixRecord] = []
    for layer in (0, 1, None):
        for slot, block in SLOTS.items() if layer is not None else {"embedding": "embedding"}.items():
            stream = generator(seed, slot, str(layer))
            left, _ = np.linalg.qr(stream.standard_normal((24, 16)))
            right, _ = np.linalg.qr(stream.standard_normal((16, 16)))
            matrix = scale * (left * np.exp(-decay * np.arange(16))) @ right.T
            role = Role(block, slot, "text")
            name = f"{layer}.{slot}"
            records.append(
                MatrixRecord(
                    name, role, layer, None, "O3", (24, 16), "ok", spectrum_of(matrix), 9.0, 9.0, 0.0, rowcol_ratio=9.0
                )
            )
    coverage = Coverage(7, 7, 0, 7 * 384, 6 * 384, 6 * 384)
    return Footprint((), tuple(records), coverage, (), {"before": "a", "after": "b"}, "test", ())


def values(foot: Footprint) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, reading in variants(foot).items():
        if key == "input_weighted":
            assert reading.status == "not_asked"
            continue
        assert reading.value is not None, key
        found[key] = reading.value
    return found


def test_every_variant_sees_a_steeper_spectrum_and_no_scale() -> None:
    flat, steep, scaled = values(footprint(0.1)), values(footprint(0.5)), values(footprint(0.5, scale=100.0))
    assert len(flat) == 8 + len(SLOTS)
    for key in flat:
        assert steep[key] > flat[key], key
        assert scaled[key] == pytest.approx(steep[key]), key


def test_without_first_ignores_one_spike() -> None:
    record = footprint(0.3).matrices[0]
    assert record.spectrum is not None
    tail = record.spectrum.values[1:]
    expected = -math.log(float(np.sum(tail**2) ** 2 / np.sum(tail**4)))
    assert values(footprint(0.3))["without_first"] == pytest.approx(expected)


def test_leave_one_out_and_embedding_are_means_over_slots() -> None:
    foot = footprint(0.3)
    main = endpoint(foot)
    slots = {slot: fmean(k for _, k in layers) for slot, layers in main.per_slot.items()}
    found = values(foot)
    assert found["without_q"] == pytest.approx(fmean([slots["k"], slots["up"]]))
    assert main.K_emb.value is not None
    assert found["with_embedding"] == pytest.approx(fmean([*slots.values(), main.K_emb.value]))


def test_block_pooling_of_equal_matrices_counts_them_all() -> None:
    foot = footprint(0.3)
    spectrum = foot.matrices[0].spectrum
    assert spectrum is not None
    ratio = participation_ratio(spectrum).value
    assert ratio is not None
    assert values(foot)["block_pooled"] == pytest.approx(-math.log(3 * ratio))


def test_an_unchanged_model_has_no_variants() -> None:
    foot = footprint(0.3, scale=0.0)
    records = tuple(
        MatrixRecord(r.tensor, r.role, r.layer, None, "O3", r.shape, "no_change", r.spectrum, 9.0, 9.0, 0.0)
        for r in foot.matrices
    )
    empty = Footprint((), records, foot.coverage, (), foot.parents, "test", ())
    assert {key: reading.status for key, reading in variants(empty).items()} == {"K": "no_change"}


def test_towers_and_kinds_of_attention_stay_apart() -> None:
    foot = footprint(0.3)
    roles = [Role("attention", "q", "text"), Role("attention", "q", "vision"), Role("cross_attention", "q", "text")]
    records = tuple(replace(record, role=role) for record, role in zip(foot.matrices, roles, strict=False))
    mixed = Footprint((), records, foot.coverage, (), foot.parents, "test", ())
    assert sorted(endpoint(mixed).per_slot) == ["cross_attention.q", "q", "vision.q"]
