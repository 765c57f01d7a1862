"""The scan: golden updates, agreement with independent libraries, odd values flagged, files that read back equal."""

import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from footprint_models import Matrix, changed, saved, tensors

from shadowgraph.errors import CheckpointError, DataError
from shadowgraph.footprint import single
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint, Row, read_footprint
from shadowgraph.measures.null import participation_ratio_null
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.seeds import generator
from shadowgraph.spectra.failure import DecompositionFailure

Q0 = "model.layers.0.self_attn.q_proj.weight"


def rows(footprint: Footprint, tensor: str, what: str) -> dict[str, Row]:
    return {row.measure: row for row in footprint.rows if row.tensor == tensor and row.object == what}


def rank_one(name: str, values: Matrix) -> Matrix:
    stream = generator(1, name)
    return 0.01 * np.outer(stream.standard_normal(values.shape[0]), stream.standard_normal(values.shape[1]))


def noise(name: str, values: Matrix) -> Matrix:
    return 0.002 * generator(2, name).standard_normal(values.shape)


def test_a_planted_rank_one_update_reads_one(tmp_path: Path) -> None:
    """Closed form: PR, both effective ranks, stable rank and nuclear ratio of rank one are 1; 1e-6 for the rounding."""
    start = tensors()
    footprint = scan(saved(tmp_path / "b", changed(start, rank_one)), saved(tmp_path / "a", start))
    found = rows(footprint, Q0, "O3")
    for key in ("participation_ratio", "erank_energy", "stable_rank", "energy_top1", "k90"):
        assert found[key].value == pytest.approx(1.0, abs=1e-6), key
    assert found["erank_amplitude"].value == pytest.approx(1.0, abs=1e-6)
    assert found["participation_ratio"].null_mean == pytest.approx(participation_ratio_null(24, 16))
    assert found["participation_ratio"].null == "gaussian"
    update = rank_one(Q0, start[Q0])
    assert found["relative_norm"].value == pytest.approx(np.linalg.norm(update) / np.linalg.norm(start[Q0]), rel=1e-9)
    assert found["zero_fraction"].value == 0.0
    assert found["relative_norm"].null == "none"


def test_the_three_objects_are_what_their_names_say(tmp_path: Path) -> None:
    start = tensors()
    tuned = changed(start, noise)
    footprint = scan(saved(tmp_path / "b", tuned), saved(tmp_path / "a", start))

    def ratio(matrix: Matrix) -> float:
        values = np.square(np.linalg.svd(matrix, compute_uv=False))
        return float(values.sum() ** 2 / (values**2).sum())

    for name, values in tuned.items():
        expected = {
            "O1": ratio(values),
            "O2": ratio(values) - ratio(start[name]),
            "O3": ratio(values - start[name]),
        }
        for what, number in expected.items():
            row = rows(footprint, name, what)["participation_ratio"]
            assert row.value == pytest.approx(number, abs=1e-9)
            assert row.null == ("none" if what == "O2" else "gaussian")


def test_spectra_agree_with_torch(tmp_path: Path) -> None:
    """Origin: torch.linalg.svdvals in float64; tolerance 1e-12 of the largest value."""
    torch = pytest.importorskip("torch")
    start = tensors()
    footprint = scan(saved(tmp_path / "b", changed(start, noise)), saved(tmp_path / "a", start), nulls=())
    for record in footprint.matrices:
        stored = (start[record.tensor] + noise(record.tensor, start[record.tensor])) - start[record.tensor]
        theirs = torch.linalg.svdvals(torch.from_numpy(stored)).numpy()
        assert record.spectrum is not None
        assert np.allclose(record.spectrum.values, theirs, rtol=0, atol=1e-12 * theirs[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_stable_rank_agrees_with_weightwatcher(tmp_path: Path) -> None:
    """Origin: WeightWatcher's `stable_rank` on the same matrices, in float32; tolerance 1e-4 relative."""
    torch = pytest.importorskip("torch")
    weightwatcher = pytest.importorskip("weightwatcher", reason="WeightWatcher is not installed")
    content = {name: values for name, values in tensors().items() if "embed" not in name}
    footprint = scan(saved(tmp_path / "a", content))
    for name, values in content.items():
        layer = torch.nn.Linear(values.shape[1], values.shape[0], bias=False)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(values))
        watcher = weightwatcher.WeightWatcher(model=torch.nn.Sequential(layer), log_level="ERROR")
        theirs = float(watcher.analyze(min_evals=1, plot=False)["stable_rank"].iloc[0])
        assert rows(footprint, name, "O1")["stable_rank"].value == pytest.approx(theirs, rel=1e-4)


def test_an_unchanged_pair_has_statuses_and_no_numbers(tmp_path: Path) -> None:
    start = tensors()
    footprint = scan(saved(tmp_path / "b", start), saved(tmp_path / "a", start))
    spectral = [row for row in footprint.rows if row.object == "O3" and row.method != "none"]
    assert spectral
    assert {row.status for row in spectral} == {"no_change"}
    assert all(row.value is None and row.null == "none" for row in spectral)
    assert {row.value for row in footprint.rows if row.object == "O3" and row.measure == "zero_fraction"} == {1.0}
    assert {row.value for row in footprint.rows if row.object == "O2" and row.status == "ok"} == {0.0}
    assert any("same to the last byte" in note for note in footprint.notes)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_tensors_are_flagged_and_left_out(bad: float, tmp_path: Path) -> None:
    start = tensors()
    tuned = changed(start, noise)
    tuned[Q0][3, 5] = bad
    tuned[Q0][4, 1] = bad
    footprint = scan(saved(tmp_path / "b", tuned), saved(tmp_path / "a", start))
    found = rows(footprint, Q0, "O3")
    assert found
    assert all(row.value is None and row.status == "non_finite" for row in found.values())
    reason = next(item.reason for item in footprint.skipped if item.tensor == Q0)
    assert reason == "non-finite: 2 entries in the model, the first at [3, 5]"
    assert footprint.coverage.block_analysed == footprint.coverage.block_parameters - 24 * 16
    assert found.keys() < rows(footprint, Q0.replace("0.self", "1.self"), "O3").keys()


def test_a_model_of_nothing_but_nan_is_refused(tmp_path: Path) -> None:
    nothing = {name: np.full_like(values, np.nan) for name, values in tensors().items()}
    with pytest.raises(CheckpointError, match="no matrix could be analysed"):
        scan(saved(tmp_path / "a", nothing))


def test_extreme_values_do_not_overflow(tmp_path: Path) -> None:
    start = {name: np.full_like(values, 6e4) for name, values in tensors().items()}
    tuned = {name: np.full_like(values, -6e4) for name, values in start.items()}
    footprint = scan(saved(tmp_path / "b", tuned, "F16"), saved(tmp_path / "a", start, "F16"))
    assert rows(footprint, Q0, "O3")["stable_rank"].value == pytest.approx(1.0, abs=1e-9)
    tiny = {name: np.full_like(values, 2.0**-24) for name, values in start.items()}
    footprint = scan(saved(tmp_path / "c", tiny, "F16"))
    assert rows(footprint, Q0, "O1")["participation_ratio"].value == pytest.approx(1.0, abs=1e-9)


def test_without_a_base_only_o1_is_read(tmp_path: Path) -> None:
    footprint = scan(saved(tmp_path / "a", tensors()))
    assert {row.object for row in footprint.rows} == {"O1"}
    assert set(footprint.parents) == {"after"}
    assert footprint.coverage.block_share == 1.0


def test_a_footprint_reads_back_equal(tmp_path: Path) -> None:
    start = tensors()
    tuned = changed(start, noise)
    tuned[Q0][0, 0] = np.nan
    footprint = scan(saved(tmp_path / "b", tuned), saved(tmp_path / "a", start))
    footprint.write(tmp_path / "out")
    again = read_footprint(tmp_path / "out")
    assert again.rows == footprint.rows
    assert again.fingerprint == footprint.fingerprint
    assert (again.coverage, again.skipped, again.parents) == (footprint.coverage, footprint.skipped, footprint.parents)
    for ours, theirs in zip(footprint.matrices, again.matrices, strict=True):
        assert (ours.spectrum and ours.spectrum.fingerprint) == (theirs.spectrum and theirs.spectrum.fingerprint)
        assert (ours.tensor, ours.role, ours.layer, ours.status) == (
            theirs.tensor,
            theirs.role,
            theirs.layer,
            theirs.status,
        )
    written = (tmp_path / "out" / "footprint.parquet").read_bytes()
    footprint.write(tmp_path / "twice")
    assert (tmp_path / "twice" / "footprint.parquet").read_bytes() == written


def test_broken_footprint_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_footprint(tmp_path)
    scan(saved(tmp_path / "a", tensors())).write(tmp_path)
    (tmp_path / "spectra.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"spectra\.parquet"):
        read_footprint(tmp_path)


def test_the_columns_are_the_promised_ones(tmp_path: Path) -> None:
    table = scan(saved(tmp_path / "a", tensors())).to_table()
    promised = (
        "tensor tower layer block slot expert object measure value status method error_bound null null_mean null_sd"
    )
    assert table.schema.names == promised.split()
    assert {column for column in ("tensor", "object", "measure", "status") if table[column].null_count} == set()


def test_progress_ends_at_one_and_never_goes_back(tmp_path: Path) -> None:
    seen: list[float] = []
    scan(saved(tmp_path / "a", tensors()), progress=seen.append)
    assert seen == sorted(seen)
    assert math.isclose(seen[-1], 1.0)


def test_a_toy_pair_is_scanned_within_bounds(tmp_path: Path) -> None:
    """A 4-layer, 128-wide Llama pair; measured .2 s of processor time after the first, the limit is ten times that."""
    shapes = {"self_attn.q_proj": (128, 128), "self_attn.k_proj": (64, 128), "self_attn.v_proj": (64, 128)}
    shapes |= {
        "self_attn.o_proj": (128, 128),
        "mlp.gate_proj": (352, 128),
        "mlp.up_proj": (352, 128),
        "mlp.down_proj": (128, 352),
    }
    start = tensors(layers=4, slots=shapes)
    before = saved(tmp_path / "a", start, "F32")
    scan(saved(tmp_path / "b", changed(start, noise), "F32"), before)
    after = saved(tmp_path / "c", changed(start, rank_one), "F32")
    started = time.process_time()
    scan(after, before)
    assert time.process_time() - started < 5.0


def test_a_matrix_that_does_not_converge_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = single.spectrum_of

    def stubborn(source: Matrix, plan: object = None) -> Spectrum:
        if source.shape == (24, 16):
            raise DecompositionFailure((24, 16), ("first", "second"))
        return real(source)

    monkeypatch.setattr(single, "spectrum_of", stubborn)
    start = tensors()
    footprint = scan(saved(tmp_path / "b", changed(start, noise)), saved(tmp_path / "a", start))
    assert {row.status for row in rows(footprint, Q0, "O3").values()} == {"not_converged"}
    assert "first, then second" in next(item.reason for item in footprint.skipped if item.tensor == Q0)
    assert footprint.coverage.matrices == 7


def test_numbers_below_the_storage_floor_are_withheld_and_sizes_are_not(tmp_path: Path) -> None:
    start = tensors(layers=1, slots={"mlp.up_proj": (64, 64)})
    tiny = changed(start, lambda name, values: 2e-3 * rank_one(name, values))
    footprint = scan(saved(tmp_path / "b", tiny, "BF16"), saved(tmp_path / "a", start, "BF16"))
    found = rows(footprint, "model.layers.0.mlp.up_proj.weight", "O3")
    share = found["floor_share"].value
    assert share is not None
    assert share > 0.3
    assert {found[key].status for key in ("participation_ratio", "erank_amplitude", "energy_top1")} == {"floor"}
    assert {found[key].status for key in ("relative_norm", "zero_fraction", "spike_count")} == {"ok"}


def test_every_null_asked_for_has_its_rows(tmp_path: Path) -> None:
    start = tensors(layers=1)
    after, before = saved(tmp_path / "b", changed(start, noise)), saved(tmp_path / "a", start)
    footprint = scan(after, before, nulls=("gaussian", "permuted", "rowcol", "floor", "change"))
    nulls = {
        what: {row.null for row in footprint.rows if row.object == what and row.measure == "participation_ratio"}
        for what in ("O1", "O2", "O3")
    }
    shapeless = {"gaussian", "permuted", "rowcol"}
    assert nulls == {"O1": shapeless, "O2": {"change"}, "O3": shapeless | {"floor"}}
    assert len({(row.tensor, row.object, row.measure, row.null) for row in footprint.rows}) == len(footprint.rows)
    assert scan(after, before, nulls=()).rows
    assert {row.null for row in scan(after, before, nulls=()).rows} == {"none"}


def test_sizes_are_what_the_entries_say(tmp_path: Path) -> None:
    start = tensors()
    tuned = changed(start, noise)
    tuned[Q0][:3] = start[Q0][:3]
    footprint = scan(saved(tmp_path / "b", tuned), saved(tmp_path / "a", start))
    found = {key: row.value for key, row in rows(footprint, Q0, "O3").items()}
    base, update = start[Q0], tuned[Q0] - start[Q0]
    energy, radial = np.sum(update**2), np.sum(update * base)
    assert found["zero_fraction"] == 3 / 24
    assert found["radial_share"] == pytest.approx(radial**2 / energy / np.sum(base**2))
    assert found["variance_of_change"] == pytest.approx(update.var() / base.var())
    assert found["row_share"] == pytest.approx(np.sum(update**2, axis=1).max() / energy)
    assert found["column_share"] == pytest.approx(np.sum(update**2, axis=0).max() / energy)
    assert found["cosine"] == pytest.approx(
        np.sum(base * tuned[Q0]) / np.linalg.norm(base) / np.linalg.norm(tuned[Q0]), rel=1e-12
    )
    before, after = np.linalg.svd(base, compute_uv=False), np.linalg.svd(tuned[Q0], compute_uv=False)
    assert found["spectral_drift"] == pytest.approx(np.linalg.norm(after - before) / np.linalg.norm(before))


def test_a_scan_loads_no_model_code(tmp_path: Path) -> None:
    saved(tmp_path / "a", tensors())
    code = (
        "import sys, pathlib\n"
        "from shadowgraph.weights.checkpoint import open_checkpoint\n"
        "from shadowgraph.footprint.scan import scan\n"
        f"scan(open_checkpoint(pathlib.Path({str(tmp_path / 'a')!r})))\n"
        "sys.exit(','.join({'torch', 'transformers', 'pyarrow', 'matplotlib'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_exponents_of_both_states_are_subtracted(tmp_path: Path) -> None:
    """Paper-compatibility: O2 of the tail exponents where both sides have one, with their sample sizes beside O1."""
    start = tensors(slots={"mlp.up_proj": (160, 140)}, layers=1)
    heavy = changed(start, lambda name, values: 0.02 * generator(4, name).standard_t(2.5, values.shape))
    models = saved(tmp_path / "b", heavy), saved(tmp_path / "a", start)
    found = scan(*models, nulls=())
    name = "model.layers.0.mlp.up_proj.weight"
    base = {row.measure: row for row in scan(models[1], nulls=()).rows if row.tensor == name}
    rows = {(row.object, row.measure): row for row in found.rows if row.tensor == name}
    for key in ("hill_alpha", "mp_softrank", "alpha", "alpha_hat"):
        change, state, old = rows["O2", key], rows["O1", key], base[key]
        if state.value is not None and old.value is not None:
            assert change.value == pytest.approx(state.value - old.value)
        else:
            assert change.status in {state.status, old.status}
    assert rows["O2", "hill_alpha"].value is not None
    assert ("O2", "alpha_tail") not in rows
    assert ("O3", "alpha") not in rows
    assert rows["O3", "variance_of_change"].value is not None
