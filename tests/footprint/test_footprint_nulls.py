"""The simulated Gaussian null against an independent table, dense simulation and closed forms."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from shadowgraph.errors import Defect
from shadowgraph.footprint.nulls import draws_for, gaussian_spectra, null_table
from shadowgraph.measures.catalogue import CATALOGUE, evaluate_all
from shadowgraph.measures.null import participation_ratio_null, stable_rank_limit
from shadowgraph.seeds import generator
from shadowgraph.spectra.exact import exact_spectrum

# One dense Gaussian draw a shape, printed to three digits, from an independent computation:
# erank_amplitude/m, erank_energy/m, PR/m, stable rank/m, C_8, k90/m.
TABLE = {
    (512, 512): (0.805, 0.606, 0.500, 0.256, 0.058, 0.51),
    (512, 1024): (0.926, 0.778, 0.666, 0.347, 0.043, 0.66),
    (512, 2048): (0.966, 0.882, 0.800, 0.448, 0.034, 0.76),
    (128, 1024): (0.984, 0.939, 0.888, 0.549, 0.107, 0.82),
    (1024, 1024): (0.805, 0.606, 0.499, 0.253, 0.030, 0.51),
}


@pytest.mark.parametrize("shape", list(TABLE))
def test_published_table(shape: tuple[int, int]) -> None:
    """Tolerance: the printed digits plus four standard deviations of one draw (of ours: a mean of 8)."""
    table, m = null_table(shape, draws=8), min(shape)
    keys = ["erank_amplitude", "erank_energy", "participation_ratio", "stable_rank", "energy_top8", "k90"]
    for key, stated in zip(keys, TABLE[shape], strict=True):
        unit = 1 if key == "energy_top8" else m
        printed = 0.005 if key == "k90" else 0.0005
        assert table[key].mean / unit == pytest.approx(stated, abs=printed + 4 * table[key].sd / unit), key


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(40, 40), (30, 90), (2, 5)])
def test_law_equals_that_of_dense_matrices(shape: tuple[int, int]) -> None:
    """Two-sample Kolmogorov-Smirnov on every measure, 400 draws each; p > 1e-4 (11 measures, fixed seeds)."""
    stream = generator(21, "dense")
    dense = [evaluate_all(exact_spectrum(stream.normal(size=shape))) for _ in range(400)]
    ours = [evaluate_all(spectrum) for spectrum in gaussian_spectra(shape, 400, generator(22, "bidiagonal"))]
    for key in dense[0]:
        if dense[0][key].status != "ok":
            continue
        first, second = ([row[key].value or 0.0 for row in rows] for rows in (dense, ours))
        result = scipy.stats.ks_2samp(first, second, method="asymp")
        assert np.asarray(result)[1] > 1e-4, key


def test_mean_equals_that_of_dense_matrices() -> None:
    """40×60, 200 dense draws against 200 of ours; the largest and smallest value too; 4 standard errors."""
    stream = generator(23, "dense")
    dense = np.array([exact_spectrum(stream.normal(size=(40, 60))).values for _ in range(200)])
    ours = np.array([spectrum.values for spectrum in gaussian_spectra((40, 60), 200, generator(24, "ours"))])
    error = np.sqrt(dense.var(axis=0, ddof=1) / 200 + ours.var(axis=0, ddof=1) / 200)
    assert np.all(np.abs(dense.mean(axis=0) - ours.mean(axis=0)) < 4 * error)


def test_participation_ratio_is_the_closed_form_and_simulation_agrees() -> None:
    table = null_table((128, 352))
    value = table["participation_ratio"]
    assert (value.mean, value.method) == (participation_ratio_null(128, 352), "closed_form")
    spectra = gaussian_spectra((128, 352), 64, generator(25, "check"))
    ratios = [evaluate_all(spectrum)["participation_ratio"].value or 0.0 for spectrum in spectra]
    assert np.mean(ratios) == pytest.approx(value.mean, abs=5 * value.sd / 8)
    assert table["stable_rank"].method == "simulated"
    assert table["stable_rank"].mean == pytest.approx(stable_rank_limit(128, 352), rel=0.05)


def test_table_is_deterministic_and_ignores_transposition_and_call_order() -> None:
    first = null_table((20, 50), draws=4, seed=1)
    null_table((9, 9), draws=4, seed=1)
    assert null_table((50, 20), draws=4, seed=1) == first
    assert null_table((20, 50), draws=4, seed=2) != first
    first.clear()
    assert null_table((20, 50), draws=4, seed=1)


def test_table_holds_the_scale_free_measures_that_exist() -> None:
    scale_free = {
        key
        for key, entry in CATALOGUE.items()
        if entry.scale_free and entry.function is not None and "O3" in entry.objects
    }
    assert set(null_table((64, 64), draws=2)) == scale_free
    assert set(null_table((8, 64), draws=2)) == scale_free - {"energy_top8", "energy_top32"}
    assert {key for key, value in null_table((1, 5), draws=2).items() if value.sd > 0} <= {"participation_ratio"}


def test_bad_arguments() -> None:
    for shape, draws in [((0, 4), 4), ((4, 4), 1)]:
        with pytest.raises(Defect):
            null_table(shape, draws=draws)


def test_tables_are_kept_between_processes(tmp_path: Path) -> None:
    """The file gives back every digit; broken, foreign or unwritable ones only cost another simulation."""
    table = null_table((12, 34), draws=4, seed=3, folder=tmp_path / "kept")
    (path,) = (tmp_path / "kept").iterdir()
    assert table == null_table((12, 34), draws=4, seed=3)
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["table"]["stable_rank"]["mean"] = 5.5
    for number, text in enumerate([json.dumps(stored), "{", '{"table": 3}', json.dumps(stored | {"keys": []})]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / path.name).write_text(text, encoding="utf-8")
        found = null_table((12, 34), draws=4, seed=3, folder=folder)
        assert (found["stable_rank"].mean == 5.5) is (number == 0)
        assert number == 0 or found == table
        assert number == 0 or (folder / path.name).read_bytes() == path.read_bytes()
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert null_table((12, 34), draws=4, seed=3, folder=blocked) == table


def test_a_table_of_broken_values_is_simulated_again(tmp_path: Path) -> None:
    table = null_table((11, 13), draws=3, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["table"]["stable_rank"]["mean"] = "5"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / path.name).write_text(json.dumps(stored), encoding="utf-8")
    assert null_table((11, 13), draws=3, folder=tmp_path / "other") == table


def test_fewer_draws_for_larger_shapes_and_tail_fits_for_states_only() -> None:
    sizes = [(8, 10_000), (768, 3072), (2048, 2048), (4096, 11008), (8200, 8200)]
    assert [draws_for(shape) for shape in sizes] == [64, 32, 16, 16, 8]
    assert {value.draws for value in null_table((20, 50)).values()} == {64}
    state, update = null_table((64, 80), draws=3, object="O1"), null_table((64, 80), draws=3)
    assert "spike_count" in state.keys() & update.keys()
    assert "alpha" not in update
    assert all(state[key] == update[key] for key in state.keys() & update.keys())


def test_few_draws_still_place_the_mean() -> None:
    """The reason for few: at 1,024 rows measures of a whole spectrum spread by less than .2 %, the top by 1 %."""
    table = null_table((1024, 1024), draws=8)
    for key, share in (("participation_ratio", 2e-3), ("erank_energy", 2e-3), ("nuclear_ratio", 2e-3)):
        assert table[key].sd < share * table[key].mean
    assert table["stable_rank"].sd < 0.015 * table["stable_rank"].mean
