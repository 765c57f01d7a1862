"""The same matrices through WeightWatcher and powerlaw; skipped where the optional group `crosscheck` is missing."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

import math
import warnings
from types import ModuleType

import numpy as np
import pytest

from shadowgraph.measures.catalogue import evaluate_all
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.measures.tail import power_law
from shadowgraph.seeds import generator

pytestmark = pytest.mark.slow


def peer(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed: pip install 'shadowgraph[crosscheck]'")


def matrix_of(kind: str) -> np.ndarray:
    stream = generator(71, kind)
    return stream.normal(size=(400, 600)) if kind == "noise" else stream.standard_t(2.5, size=(400, 600))


@pytest.mark.parametrize("kind", ["noise", "heavy"])
def test_exponent_distance_norms_and_ranks_agree_with_weightwatcher(kind: str) -> None:
    """Same data, same double precision: to 1e-9. Their norms are log10 of squares, their entropy is normalised."""
    fits, tools = peer("weightwatcher.WW_powerlaw"), peer("weightwatcher.RMT_Util")
    matrix = matrix_of(kind)
    values = np.linalg.svd(matrix, compute_uv=False)
    spectrum = Spectrum(values, matrix.shape, float(np.sum(matrix**2)), "exact", 0.0)
    theirs = fits.WWFit(values**2)
    ours = {key: reading.value or 0.0 for key, reading in evaluate_all(spectrum, "O1").items()}
    assert ours["alpha_tail"] == len(theirs.data) or ours["alpha"] == 0.0
    if len(theirs.data) >= 50:
        assert ours["alpha"] == pytest.approx(float(theirs.alpha), rel=1e-9)
        assert ours["alpha_ks"] == pytest.approx(float(theirs.D), rel=1e-9)
        assert ours["alpha_xmin"] == pytest.approx(float(theirs.xmin), rel=1e-9)
        assert ours["alpha_hat"] == pytest.approx(float(theirs.alpha) * math.log10(values[0] ** 2), rel=1e-9)
    assert ours["stable_rank"] == pytest.approx(float(tools.stable_rank(values**2)), rel=1e-9)
    assert ours["log_spectral_norm"] * 2 / math.log(10) == pytest.approx(math.log10(values[0] ** 2), rel=1e-9)
    assert ours["log_frobenius_norm"] * 2 / math.log(10) == pytest.approx(math.log10(np.sum(values**2)), rel=1e-9)
    entropy = math.log(ours["erank_energy"]) / math.log(400)
    assert entropy == pytest.approx(float(tools.matrix_entropy(values, 600)), rel=1e-6)


@pytest.mark.parametrize("law", ["pareto", "lognormal"])
def test_the_fit_agrees_with_powerlaw(law: str) -> None:
    """powerlaw 2.0 from our xmin: exponent and distance to 1e-6 (its exponent stays below 3); its rivals are numerical
    optima, so their log-likelihood ratios to .05."""
    package = peer("powerlaw")
    stream = generator(72, law)
    eigenvalues = (1.0 - stream.random(500)) ** (-1.0 / 1.6) if law == "pareto" else stream.lognormal(0.5, 1.8, 900)
    values = np.sqrt(np.sort(eigenvalues)[::-1])
    ours = power_law(Spectrum(values, (values.size, values.size), float(np.sum(values**2)), "exact", 0.0))
    assert ours.xmin is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = package.Fit(np.sort(eigenvalues), xmin=ours.xmin * (1 - 1e-12), verbose=False)
        exponential = theirs.distribution_compare("power_law", "exponential", normalized_ratio=True)
        lognormal = theirs.distribution_compare("power_law", "lognormal", normalized_ratio=law == "lognormal")
    assert ours.alpha == pytest.approx(float(theirs.power_law.alpha), rel=1e-6)
    assert ours.ks == pytest.approx(float(theirs.power_law.D), rel=1e-6)
    assert ours.lr_exponential == pytest.approx(float(exponential[0]), abs=0.05)
    # The Pareto tail has no best lognormal: theirs runs away along a ridge on which the ratio tends to 0, as ours is.
    assert ours.lr_lognormal == pytest.approx(float(lognormal[0]), abs=0.05)
