"""Lab and auditor for benchmark shadows.

Here live: the public names (docs/api.md), each fetched from its room when first asked for, so that importing the
package loads nothing. Not here: any code of a room. Rooms never import this file.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shadowgraph.audit.verdict import Verdict
    from shadowgraph.audit.verdict import audit as audit_model
    from shadowgraph.corpus.build import build_regimes
    from shadowgraph.corpus.regime import build_regime
    from shadowgraph.errors import ShadowgraphError
    from shadowgraph.footprint.contrast import contrast
    from shadowgraph.footprint.endpoint import endpoint
    from shadowgraph.footprint.merge import merge
    from shadowgraph.footprint.scan import scan
    from shadowgraph.footprint.table import Footprint, read_footprint
    from shadowgraph.footprint.trajectory import trajectory
    from shadowgraph.measures.catalogue import CATALOGUE, evaluate
    from shadowgraph.measures.spectrum import Reading, Spectrum
    from shadowgraph.report.report import render_audit, render_study
    from shadowgraph.runs.callback import ShadowgraphCallback
    from shadowgraph.runs.matched import prove_matched
    from shadowgraph.runs.recipe import Recipe
    from shadowgraph.runs.train import train
    from shadowgraph.scores.score import score
    from shadowgraph.scores.suite import write_suite
    from shadowgraph.spectra.plan import spectrum_of
    from shadowgraph.weights.adapters.opened import open_model
    from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
    from shadowgraph.weights.pairing import pair

__version__ = "0.1.0"

__all__ = [
    "CATALOGUE",
    "Checkpoint",
    "Footprint",
    "Reading",
    "Recipe",
    "ShadowgraphCallback",
    "ShadowgraphError",
    "Spectrum",
    "Verdict",
    "audit_model",
    "build_regime",
    "build_regimes",
    "contrast",
    "endpoint",
    "evaluate",
    "merge",
    "open_checkpoint",
    "open_model",
    "pair",
    "prove_matched",
    "read_footprint",
    "render_audit",
    "render_study",
    "scan",
    "score",
    "spectrum_of",
    "train",
    "trajectory",
    "write_suite",
]

# Where each name lives; ":" gives the name it has there, where a room (here `audit`) already bears that name.
_HOMES = {
    "CATALOGUE": "measures.catalogue",
    "Checkpoint": "weights.checkpoint",
    "Footprint": "footprint.table",
    "Reading": "measures.spectrum",
    "Recipe": "runs.recipe",
    "ShadowgraphCallback": "runs.callback",
    "ShadowgraphError": "errors",
    "Spectrum": "measures.spectrum",
    "Verdict": "audit.verdict",
    "audit_model": "audit.verdict:audit",
    "build_regime": "corpus.regime",
    "build_regimes": "corpus.build",
    "contrast": "footprint.contrast",
    "endpoint": "footprint.endpoint",
    "evaluate": "measures.catalogue",
    "merge": "footprint.merge",
    "open_checkpoint": "weights.checkpoint",
    "open_model": "weights.adapters.opened",
    "pair": "weights.pairing",
    "prove_matched": "runs.matched",
    "read_footprint": "footprint.table",
    "render_audit": "report.report",
    "render_study": "report.report",
    "scan": "footprint.scan",
    "score": "scores.score",
    "spectrum_of": "spectra.plan",
    "train": "runs.train",
    "trajectory": "footprint.trajectory",
    "write_suite": "scores.suite",
}


def __getattr__(name: str) -> object:
    """Fetch a public name from its room on first use; a missing extra is reported by the room itself."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room, _, given = _HOMES[name].partition(":")
    value: object = getattr(import_module(f"{__name__}.{room}"), given or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
