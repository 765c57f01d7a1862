"""Known truth: updates whose answer is given by how they were made, through files and without.

Noise is noise at any shape; planted directions are counted one by one; a low-rank update stays visible through
bfloat16; a factored update is measured without its product.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from footprint_models import Tensors, gpt2_shapes, llama_shapes, planted, saved
from numpy.typing import NDArray

from shadowgraph.footprint.endpoint import concentration_of, endpoint
from shadowgraph.footprint.floor import rounding_variance
from shadowgraph.footprint.nulls import gaussian_spectra, null_table
from shadowgraph.footprint.randomised import rounded
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint
from shadowgraph.measures.null import adapter_participation_ratio_null, participation_ratio_null
from shadowgraph.measures.rank import concentration, erank_amplitude, erank_energy, participation_ratio, stable_rank
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.measures.spikes import FALSE_ALARM, spikes
from shadowgraph.seeds import generator
from shadowgraph.spectra.factored import factored_spectrum
from shadowgraph.spectra.plan import spectrum_of

Matrix = NDArray[np.float64]


def value(reading: Reading) -> float:
    assert reading.value is not None, reading.status
    return reading.value


def column(footprint: Footprint, measure: str) -> dict[str, float | None]:
    """One measure of the update of every matrix."""
    return {row.tensor: row.value for row in footprint.rows if (row.object, row.measure) == ("O3", measure)}


# --- noise -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "draws"), [((2048, 128), 200), ((512, 3072), 40), ((2048, 2048), 6), ((8200, 8200), 1)]
)
def test_noise_is_not_concentrated_and_has_no_spikes(shape: tuple[int, int], draws: int) -> None:
    """Exact simulation; |k| within 6 sd of one matrix and .02 nats; false alarms within their binomial interval."""
    spectra = gaussian_spectra(shape, draws, generator(1, "truth", str(shape)))
    levels = np.array([value(concentration(spectrum)) for spectrum in spectra])
    assert np.abs(levels).max() < 0.02
    if draws > 1:
        assert np.abs(levels).max() < 6.0 * levels.std(ddof=1) + 1e-4
    alarms = sum((spikes(spectrum).count or 0) > 0 for spectrum in spectra)
    assert alarms <= scipy.stats.binom.ppf(0.999, draws, FALSE_ALARM)


def test_noise_in_a_file_is_not_concentrated(tmp_path: Path) -> None:
    """A model of the two slim shapes; K within .01 nats of 0 and no spike."""
    shapes = {"model.layers.0.self_attn.k_proj.weight": (128, 2048), "model.layers.0.mlp.up_proj.weight": (3072, 512)}
    stream = generator(2, "noise")
    base: Tensors = {name: 0.02 * stream.standard_normal(shape) for name, shape in shapes.items()}
    moved = {name: values + 1e-4 * stream.standard_normal(values.shape) for name, values in base.items()}
    found = scan(saved(tmp_path / "a", moved, "F32"), saved(tmp_path / "b", base, "F32"), objects=("O3",))
    assert abs(value(endpoint(found).K)) < 0.01
    assert set(column(found, "spike_count").values()) == {0.0}


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2048, 2048), (8200, 8200)])
def test_large_dense_noise(shape: tuple[int, int]) -> None:
    """The decomposition itself, up to a size at which others sample: PR0 to one part in 500."""
    matrix = generator(3, "large").standard_normal(shape, dtype=np.float32)
    spectrum = spectrum_of(matrix)
    assert value(participation_ratio(spectrum)) == pytest.approx(participation_ratio_null(*shape), rel=2e-3)
    assert spikes(spectrum).count == 0
    table = null_table(shape, draws=2)
    assert value(erank_energy(spectrum)) == pytest.approx(table["erank_energy"].mean, rel=2e-3)
    share = float(np.sum(spectrum.values[:20] ** 2)) / spectrum.energy
    assert share < 2.0 * 20.0 * (2.0**2) / shape[0]


# --- four directions in noise ----------------------------------------------------------------------------------------


def four_in_every_matrix(tmp_path: Path, shapes: Mapping[str, tuple[int, int]]) -> int:
    """Plant four directions in noise in every matrix, scan the pair, and return how many matrices were read.

    Their energy is that of four values √((θ² + m)(θ² + n))/θ, θ the planted size, within a tenth; the parts of a fused
    matrix hold a part of each direction and are left out of this.
    """
    base, moved = planted(shapes, directions=4)
    found = scan(saved(tmp_path / "after", moved, "F32"), saved(tmp_path / "before", base, "F32"), objects=("O3",))
    counts = column(found, "spike_count")
    assert {name: count for name, count in counts.items() if count != 4.0} == {}
    shares = column(found, "spike_energy")
    for name in shapes.keys() & shares.keys():
        m, n = shapes[name]
        squared = (4.0 * (m**0.5 + n**0.5)) ** 2
        four = 4.0 * (squared + m) * (squared + n) / squared
        assert shares[name] == pytest.approx(four / (m * n + 4.0 * squared), rel=0.1), name
    return len(counts)


@pytest.mark.parametrize(
    ("shapes", "matrices"),
    [(gpt2_shapes(2, 96), 12), (llama_shapes(2, 128, 352, 32), 14)],
    ids=["gpt2", "llama"],
)
def test_four_directions_are_four_spikes(tmp_path: Path, shapes: Mapping[str, tuple[int, int]], matrices: int) -> None:
    assert four_in_every_matrix(tmp_path, shapes) == matrices


@pytest.mark.slow
def test_four_directions_in_a_model_of_gpt2_shape(tmp_path: Path) -> None:
    """12 layers of width 768: 48 stored matrices, 72 linear maps."""
    for layer in range(12):
        assert four_in_every_matrix(tmp_path / str(layer), gpt2_shapes(1, 768, first=layer)) == 6


@pytest.mark.slow
def test_four_directions_in_a_model_of_llama_shape(tmp_path: Path) -> None:
    """4 layers of width 2,048 and 5,632 hidden units with 4 key heads of 128: 28 matrices."""
    for layer in range(4):
        assert four_in_every_matrix(tmp_path / str(layer), llama_shapes(1, 2048, 5632, 512, first=layer)) == 7
        for path in (tmp_path / str(layer)).rglob("*.safetensors"):
            path.unlink()


# --- storage in bfloat16 ---------------------------------------------------------------------------------------------

SIZE = 1024


def stored_update(rho: float, amplitudes: Matrix, *, base_is_stored: bool) -> tuple[Spectrum, float, float, float]:
    """A low-rank update of relative norm `rho`, both sides stored in bfloat16.

    Returns:
        Its spectrum, the share of entries unchanged, the ratio of norms, and the noise variance of both sides.
    """
    stream = generator(6, "storage", str(amplitudes.size))
    fine = 0.02 * stream.standard_normal((SIZE, SIZE))
    left, _ = np.linalg.qr(stream.standard_normal((SIZE, amplitudes.size)))
    right, _ = np.linalg.qr(stream.standard_normal((SIZE, amplitudes.size)))
    base = rounded(fine, "BF16")
    norm = rho * float(np.linalg.norm(base))
    update = (left * amplitudes) @ right.T * (norm / float(np.linalg.norm(amplitudes)))
    after = rounded((base if base_is_stored else fine) + update, "BF16")
    noise = rounding_variance(base, "BF16") + rounding_variance(after, "BF16")
    difference = after - base
    spectrum = spectrum_of(difference)
    return spectrum, float(np.mean(difference == 0.0)), math.sqrt(spectrum.energy) / norm, noise


# Relative norm of the change: effective rank of amplitudes and of energies, stable rank, energy of the four leading
# values, unchanged share. From an independent computation, one draw, both sides rounded from finer weights; true values
# 3.9, 3.5, 2.25, 1.
FOUR = {
    3e-2: (127, 3.8, 2.26, 0.994, 0.08),
    1e-2: (402, 5.6, 2.37, 0.949, 0.21),
    3e-3: (676, 36, 3.36, 0.669, 0.47),
    1e-3: (757, 238, 7.70, 0.293, 0.71),
}
AMPLITUDES = np.array([1.0, 0.8, 0.6, 0.5])


@pytest.mark.parametrize("rho", list(FOUR))
def test_rank_four_in_bfloat16_is_four_spikes(rho: float) -> None:
    """The table within 12 % (another draw, amplitudes chosen to give its true values), unchanged share within .03."""
    spectrum, zeros, _, noise = stored_update(rho, AMPLITUDES, base_is_stored=False)
    amplitude, energy, stable, four, unchanged = FOUR[rho]
    assert value(erank_amplitude(spectrum)) == pytest.approx(amplitude, rel=0.12)
    assert value(erank_energy(spectrum)) == pytest.approx(energy, rel=0.12)
    assert value(stable_rank(spectrum)) == pytest.approx(stable, rel=0.12)
    assert float(np.sum(spectrum.values[:4] ** 2)) / spectrum.energy == pytest.approx(four, rel=0.12)
    assert zeros == pytest.approx(unchanged, abs=0.03)
    found = spikes(spectrum, floor_variance=noise)
    assert found.count == 4
    assert found.energy_share == pytest.approx(four, rel=0.12)


@pytest.mark.parametrize("rho", list(FOUR))
def test_rank_four_on_a_stored_base_is_four_spikes(rho: float) -> None:
    """The usual fine-tune: the start is the stored base, only the end is rounded."""
    spectrum, _, _, noise = stored_update(rho, AMPLITUDES, base_is_stored=True)
    assert spikes(spectrum, floor_variance=noise).count == 4


# The same for rank 8 on a stored base: unchanged share, ratio of norms, the two effective ranks, PR, stable rank; true
# values 8.0, 7.9, 7.9, 6.8.
EIGHT = {
    3e-2: (0.06, 1.00, 75, 8.2, 7.9, 6.8),
    1e-2: (0.19, 1.01, 264, 10, 8.3, 6.9),
    3e-3: (0.49, 1.04, 569, 30, 12, 8.3),
    1e-3: (0.78, 0.84, 677, 150, 36, 14),
    3e-4: (0.93, 0.50, 706, 352, 159, 33),
}


@pytest.mark.parametrize("rho", list(EIGHT))
def test_rank_eight_in_bfloat16_looks_flat_and_sparse(rho: float) -> None:
    """The table within 12 %, at 3e-4 within 30 % (the amplitudes of its one draw are not stated there)."""
    amplitudes = np.sqrt(np.linspace(1.18, 0.82, 8))
    spectrum, zeros, ratio, _ = stored_update(rho, amplitudes, base_is_stored=True)
    unchanged, norm, amplitude, energy, participation, stable = EIGHT[rho]
    slack = 0.3 if rho < 1e-3 else 0.12
    assert zeros == pytest.approx(unchanged, abs=0.03)
    assert ratio == pytest.approx(norm, rel=slack)
    assert value(erank_amplitude(spectrum)) == pytest.approx(amplitude, rel=slack)
    assert value(erank_energy(spectrum)) == pytest.approx(energy, rel=slack)
    assert value(participation_ratio(spectrum)) == pytest.approx(participation, rel=slack)
    assert value(stable_rank(spectrum)) == pytest.approx(stable, rel=slack)


def test_a_stored_pair_says_how_much_is_storage(tmp_path: Path) -> None:
    """Four spikes at every norm, with the share of storage; k corrected where it can be and withheld where not."""
    name = "model.layers.0.self_attn.q_proj.weight"
    stream = generator(7, "pair")
    base = rounded(0.02 * stream.standard_normal((SIZE, SIZE)), "BF16")
    left, _ = np.linalg.qr(stream.standard_normal((SIZE, 4)))
    right, _ = np.linalg.qr(stream.standard_normal((SIZE, 4)))
    shape = left * AMPLITUDES @ right.T / float(np.linalg.norm(AMPLITUDES))
    truth = float(np.sum(AMPLITUDES**2)) ** 2 / float(np.sum(AMPLITUDES**4))
    before = saved(tmp_path / "base", {name: base}, "BF16")
    for rho, readable in ((1e-2, True), (3e-3, False), (1e-3, False)):
        change = shape * (rho * float(np.linalg.norm(base)))
        after = saved(tmp_path / str(rho), {name: rounded(base + change, "BF16")}, "BF16")
        found = scan(after, before, objects=("O3",))
        assert column(found, "spike_count") == {name: 4.0}
        share = column(found, "floor_share")[name]
        assert share is not None
        assert (share < 0.3) is readable
        k = concentration_of(found.matrices[0])
        if readable:
            assert value(k) == pytest.approx(math.log(participation_ratio_null(SIZE, SIZE) / truth), abs=0.02)
        else:
            assert (k.value, k.status) == (None, "floor")


# --- factored updates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(512, 512), (300, 1100)])
def test_factored_rank_sixteen(shape: tuple[int, int]) -> None:
    """Values to 1e-10 of the dense product's; k near 0 under the adapter's null, 2.8 nats under the dense one."""
    stream, (m, n) = generator(8, "adapter", str(shape)), shape
    left, right = stream.standard_normal((m, 16)), stream.standard_normal((16, n))
    spectrum = factored_spectrum(left, right, 2.0)
    dense = np.linalg.svd(2.0 * left @ right, compute_uv=False)[:16]
    assert spectrum.values[:16] == pytest.approx(dense, rel=1e-10)
    measured = value(participation_ratio(spectrum))
    assert abs(math.log(adapter_participation_ratio_null(16, m, n) / measured)) < 0.05
    wrong = math.log(participation_ratio_null(m, n) / measured)
    assert wrong == pytest.approx(math.log(participation_ratio_null(m, n) / 15.0), abs=0.1)
    assert shape != (512, 512) or wrong == pytest.approx(2.8, abs=0.1)
