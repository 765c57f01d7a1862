"""The Gram route on a torch device: CUDA, or the CPU to check it against.

Here live: Gram matrices in float64, float32 or on bfloat16 matrix units, batched where shapes agree, and their
eigenvalues in float64. Not here: the route through LAPACK (`gram`, `reduce`), which needs no torch.

Legend: `m n` rows and columns, `k` the short side, `p` probes, `b` matrices of one batch.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from shadowgraph.errors import EnvironmentFault, require
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.seeds import generator
from shadowgraph.spectra.exact import zero_spectrum
from shadowgraph.spectra.failure import DecompositionFailure
from shadowgraph.spectra.gram import PROBES
from shadowgraph.spectra.plan import TOTAL_SHARE, Plan, plan_spectrum
from shadowgraph.spectra.reduce import EPS, Roots, bound_from_probes
from shadowgraph.spectra.source import AnySource, RowSource, Scaler, as_source, upright

if TYPE_CHECKING:
    import torch

_BATCH = 1 << 24  # elements of the Gram matrices of one batch


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """One Gram matrix on the device, and what bounds its error."""

    matrix: "torch.Tensor"
    scaler: Scaler
    error: Float64[np.ndarray, "k p"]
    terms: int


def spectra_batch(sources: Sequence[AnySource], plan: Plan | None = None, *, split: bool = False) -> list[Spectrum]:
    """Spectra of many matrices on one device, in the order given.

    Products run in the plan's precision, eigenvalues always in float64, whole batches of equal shapes at once. The
    error of a float32 product is measured by random probes as in `reduce`; so is that of the split product, whose
    matrices are three bfloat16 parts each, of which the six largest products of parts are summed in float32.

    Args:
        sources: arrays or row sources, finite entries.
        plan: how; None plans each shape for "cuda". Its precision and device hold for all sources.
        split: float32 products through bfloat16 matrix units.

    Returns:
        Complete spectra, methods "gram64", "gram32" or "zero"; a float32 result that does not resolve what the
        measures need is made anew in float64 where the plan has that fallback.

    Raises:
        EnvironmentFault: torch or the device is missing.
        Defect: an empty matrix or an entry that is not finite.
        DataError: the energy exceeds the float64 range.
        DecompositionFailure: the device's solver did not converge.
    """
    found = [as_source(source) for source in sources]
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, source in enumerate(found):
        groups[source.shape].append(index)
    spectra: dict[int, Spectrum] = {}
    for shape, members in groups.items():
        chosen = plan_spectrum(shape, device="cuda") if plan is None else plan
        device = _device(chosen.device)
        size = max(1, _BATCH // min(shape) ** 2)
        for first in range(0, len(members), size):
            batch = members[first : first + size]
            made = _batch([found[index] for index in batch], chosen, device, split)
            spectra.update(zip(batch, made, strict=True))
    return [spectra[index] for index in range(len(found))]


def _device(name: str) -> "torch.device":
    require("torch", "torch")
    import torch

    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("no CUDA device was found", hint="plan for the device cpu")
    return device


def _batch(sources: list[RowSource], plan: Plan, device: "torch.device", split: bool) -> list[Spectrum]:
    """Spectra of equal shapes; those that float32 does not resolve once more in float64."""
    import torch

    single = plan.method == "gram32"
    made = [_gram(upright(source), plan, device, split) for source in sources]
    live = [item for item in made if item.scaler.scale > 0.0]
    try:
        stacked = torch.linalg.eigvalsh(torch.stack([item.matrix for item in live])).cpu().numpy() if live else []
    except torch.linalg.LinAlgError as fault:  # pyright: ignore[reportPrivateImportUsage]
        raise DecompositionFailure(sources[0].shape, ("torch eigvalsh",)) from fault
    eigenvalues = iter(stacked)
    spectra: list[Spectrum] = []
    for source, item in zip(sources, made, strict=True):
        if item.scaler.scale == 0.0:
            spectra.append(zero_spectrum(source.shape))
            continue
        squares = np.maximum(np.asarray(next(eigenvalues), dtype=np.float64)[::-1], 0.0)
        k = squares.size
        floor = EPS * ((item.terms + 2) * item.scaler.scaled_energy + k * float(squares[0]))
        roots = Roots(np.sqrt(squares), floor, math.sqrt(k) * floor)
        if single:
            roots = bound_from_probes(np.sqrt(squares), item.error, floor)
        if single and plan.fallback == "gram64" and roots.total_share > TOTAL_SHARE["gram32"]:
            spectra.extend(_batch([source], replace(plan, method="gram64"), device, split=False))
            continue
        scale = item.scaler.scale
        method = "gram32" if single else "gram64"
        spectra.append(Spectrum(roots.values * scale, source.shape, item.scaler.energy, method, roots.bound * scale))
    return spectra


def _gram(source: RowSource, plan: Plan, device: "torch.device", split: bool) -> _Made:
    """AᵀA or AAᵀ in float64, of products in the plan's precision, and its error on the probes."""
    import torch

    m, n = source.shape
    k, single = min(m, n), plan.method == "gram32"
    scaler = Scaler()
    matrix = torch.zeros((k, k), dtype=torch.float64, device=device)
    probes = torch.from_numpy(generator(0, "gram-probes", str(k)).standard_normal((k, PROBES))).to(device)
    images = torch.zeros_like(probes)
    rows = m if m < n else max(plan.block_rows, min(m, (1 << 26) // n))  # a wide source must be held whole
    for block in source.blocks(rows):
        scaled, factor = scaler.take(block)
        if factor != 1.0:
            matrix *= factor * factor
            images *= factor * factor
        if scaled is None:
            continue
        wide = torch.from_numpy(np.ascontiguousarray(scaled)).to(device)
        wide = wide if m < n else wide.T
        images += wide @ (wide.T @ probes)
        matrix += _product(wide, single, split)
    error = (matrix @ probes - images).cpu().numpy() if single else np.zeros((k, 0))
    return _Made(matrix, scaler, error, min(rows, max(m, n)) + -(-m // rows))


def _product(wide: "torch.Tensor", single: bool, split: bool) -> "torch.Tensor":
    """X Xᵀ of a float64 X, returned in float64."""
    import torch

    if not single:
        return wide @ wide.T
    narrow = wide.to(torch.float32)
    if not split:
        return (narrow @ narrow.T).to(torch.float64)
    parts: list[torch.Tensor] = []
    for _ in range(3):
        parts.append(narrow.to(torch.bfloat16))
        narrow = narrow - parts[-1].to(torch.float32)
    total = _half(parts[0], parts[0]) + _half(parts[1], parts[1])
    for first, second in ((0, 1), (0, 2)):
        cross = _half(parts[first], parts[second])
        total += cross + cross.T
    return total


def _half(left: "torch.Tensor", right: "torch.Tensor") -> "torch.Tensor":
    """Product left · rightᵀ of bfloat16 matrices, summed in float32, in float64; emulated away from CUDA."""
    import torch

    if left.device.type == "cuda":
        return torch.mm(left, right.T, out_dtype=torch.float32).to(torch.float64)
    return (left.to(torch.float32) @ right.to(torch.float32).T).to(torch.float64)
