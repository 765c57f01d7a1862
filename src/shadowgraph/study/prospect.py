"""What a plan can show and what it will cost, worked out before anything runs.

Here live: every test with its units, smallest p, power and smallest effect it can be trusted to find; tokens, hours,
disk.
Not here: the tests themselves (`stats`, `analyse`), the plan (`plan`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shadowgraph.spec.analysis import Contrast, Equivalence, Label, Trend
from shadowgraph.spec.pictures import VisionTable
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.equivalence import tost_power
from shadowgraph.stats.power import Design, minimal_detectable_effect, power
from shadowgraph.stats.trend import smallest_p
from shadowgraph.study.edited import is_edited, points_asked
from shadowgraph.study.layout import Layout, runs_of
from shadowgraph.study.sharing import inside_draws, strata_of, uncorrelated
from shadowgraph.study.sources import OUTSIDE_SEQUENCES, PANEL_SEQUENCES
from shadowgraph.work.threads import one_thread

FLOPS_A_PARAMETER = 6  # forward and backward, a token
FLOPS_UNDER_ADAPTERS = 4  # the same where weights are frozen and have no gradient of their own
BYTES = 4  # a stored parameter
OWN_SEQUENCES, LOSS_ROWS = 16, 64  # held-out rows of an arm, and those that a base's loss is read on
ITEM_TOKENS = 200  # of an item with its continuations
KEPT = 300_000  # bytes of a run that keeps its record: footprint, spectra, scores, ledger
SIDE = 512  # of the product that the speed is read from
REACHED, REACHED_LARGE = 0.45, 0.65
"""Share of a product's speed that models reach: .41 to .47 where ones of a million parameters were timed, at 135
million .55 under adapters, .64 trained in full and .74 read.

Products of their shapes are as fast as square ones; the rest of a step (norms, attention, losses, the optimiser) is
what costs, and the larger the model the less."""
SMALL, LARGE = 4e6, 1e8  # parameters up to which the one and from which the other holds
READ_SECONDS = 3.0  # to read the footprints and losses of a run
TOKENS_READ = 20_000.0  # a second, forward alone, of models of a million parameters
DRAW_SECONDS = 0.006  # to draw a picture and bring it to size
SAMPLED = 20_000  # exchanges where not all are gone through
POWER = 0.8
APART = "sd of a draw's difference taken as {factor:.3g} sd, as if its arms had nothing in common"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What one test of a plan can show.

    Attributes:
        name: its name.
        role: "primary", "secondary" or "equivalence".
        units: what is exchanged, and how many.
        smallest_p: smallest two-sided p it can give; None for a claim of no difference.
        power: chance to find the smallest effect of interest (of a claim of no difference: to show it where there is
            none), None without a spread to work it out from.
        detectable: smallest effect found with power .8, in K; None without a spread, or where no effect could be.
        fewest: the fewest units that one of its sides has: draws, arms of a group, or matched sets.
    """

    name: str
    role: str
    units: str
    smallest_p: float | None
    power: float | None
    detectable: float | None
    fewest: int = 0

    @property
    def line(self) -> str:
        """The prospect in one line."""
        parts = [f"{self.role} {self.name}: {self.units}"]
        parts += [f"smallest attainable p {self.smallest_p:.2g}"] if self.smallest_p is not None else []
        parts += [f"power {self.power:.2f}"] if self.power is not None else []
        parts += [f"found with power {POWER}: {self.detectable:.3g}"] if self.detectable is not None else []
        return "; ".join(parts)


def prospects(spec: StudySpec) -> list[Prospect]:
    """Every test of a plan, primary ones first, then claims of equivalence."""
    analysis = spec.analysis
    tests = [_contrast(spec, contrast) for contrast in analysis.all_contrasts]
    tests += [_trend(spec, trend) for trend in analysis.trends]
    tests += [_label(spec, analysis.label)] if analysis.label is not None else []
    tests.sort(key=lambda test: test.role != "primary")
    return tests + [_equivalence(spec, claim) for claim in analysis.claims]


def _units(spec: StudySpec, name: str) -> int:
    """Units of an arm (its draws) or of a group (its arms)."""
    group = spec.analysis.groups.get(name)
    return len(group) if group is not None else _draws(spec, name)


def _all_units(spec: StudySpec, names: Sequence[str]) -> int:
    """Units of members that are pooled."""
    return sum(_units(spec, name) for name in names)


def _draws(spec: StudySpec, arm: str) -> int:
    """Draws of an arm that the tests see: not those of a setting that is held out."""
    held = {draw for setting in spec.settings if setting.held_out for draw in spec.draws_of(setting)}
    return sum(name == arm and draw not in held for name, draw in spec.runs)


def _contrast(spec: StudySpec, contrast: Contrast) -> Prospect:
    """A contrast: labels exchanged inside pairs of arms, or signs of the differences inside draws."""
    if inside_draws(spec.analysis, contrast.pairs):
        count = min(_draws(spec, arm) for pair in contrast.pairs for arm in pair)
        factor = uncorrelated(contrast.pairs)
        told = f"{count} draws, differences inside them; {APART.format(factor=factor)}"
        return _prospect(spec, contrast, told, Design.paired(count), factor)
    found = strata_of(contrast.pairs, spec.analysis.groups)
    if found.reason:
        return Prospect(contrast.name, contrast.role, f"not estimable ({found.reason})", 1.0, None, None)
    sizes = tuple((_all_units(spec, part.first), _all_units(spec, part.second)) for part in found.parts)
    told = ", ".join(f"{a} against {b}" for a, b in sizes)
    weights = tuple(float(part.pairs) for part in found.parts)
    return _prospect(spec, contrast, f"draws or corpora, {told}", Design.stratified(sizes, weights))


def _trend(spec: StudySpec, trend: Trend) -> Prospect:
    """A trend: doses exchanged; its power is no less than that of its two ends alone, which is what is given."""
    draws = [_draws(spec, arm) for arm in trend.arms]
    blocked = spec.analysis.design == "blocked"
    told = f"{sum(draws)} draws over {len(draws)} doses; power of the two ends alone"
    ends, factor = Design.independent(draws[0], draws[-1]), 1.0
    if blocked:
        ends, factor = Design.paired(min(draws)), math.sqrt(2)
        told += f", {APART.format(factor=factor)}"
    smallest = max(smallest_p(trend.doses, draws, blocked), 1 / SAMPLED)
    return _prospect(spec, trend, told, ends, factor, smallest=smallest)


def _label(spec: StudySpec, label: Label) -> Prospect:
    """The test of a label: corpora exchanged inside matched sets, were every positive one matched."""
    groups = spec.analysis.groups
    positive, negative = (len(groups.get(name, (name,))) for name in (label.positive, label.negative))
    sets = min(positive, negative)
    design = Design.stratified(((1, max(1, negative // positive)),) * sets)
    return _prospect(spec, label, f"{positive} corpora against {negative}, in at most {sets} matched sets", design)


def _prospect(
    spec: StudySpec,
    test: Contrast | Trend | Label,
    units: str,
    design: Design,
    factor: float = 1.0,
    *,
    smallest: float | None = None,
) -> Prospect:
    """A test with its power, where the plan gives a spread."""
    analysis = spec.analysis
    least = design.smallest_p if smallest is None else smallest
    sets = design.differences or isinstance(test, Label)
    fewest = len(design.sizes) if sets else min(min(pair) for pair in design.sizes)
    if analysis.power is None or factor <= 0:
        return Prospect(test.name, test.role, units, least, None, None, fewest)
    sd = factor * analysis.power.sd
    found = power(design, sd, analysis.smallest_effect, analysis.alpha)
    detectable = minimal_detectable_effect(design, sd, analysis.alpha)
    return Prospect(test.name, test.role, units, least, found, detectable, fewest)


def _equivalence(spec: StudySpec, claim: Equivalence) -> Prospect:
    """A claim of no difference: chance to show it where there is none."""
    draws = min(_draws(spec, arm) for arm in claim.arms)
    given, inside = spec.analysis.power, inside_draws(spec.analysis, [claim.arms])
    factor = uncorrelated([claim.arms]) if inside else 1.0
    found = None
    if given is not None and draws >= 2 and factor > 0:
        sd = factor * given.sd
        found = tost_power(sd, 0.0, claim.margin, draws, spec.analysis.alpha, paired=inside)
    told = f"{draws} draws an arm, within {claim.margin} in K and {claim.outside_margin} nats outside"
    if inside:
        told += f"; differences inside draws, {APART.format(factor=factor)}"
    return Prospect(f"{claim.arms[0]} and {claim.arms[1]} alike", "equivalence", told, None, found, None)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs.

    Attributes:
        runs: runs to train, bases left out.
        bases: bases to train.
        tokens: of all training.
        parameters: of the model, as its table says.
        flops: floating-point operations of all training, 6 a parameter and token, 4 under adapters.
        disk: bytes that stay, as `study.keep` says.
        disk_other: bytes that would stay with the other value.
    """

    runs: int
    bases: int
    tokens: int
    parameters: int
    flops: float
    disk: int
    disk_other: int


def cost_of(spec: StudySpec, parameters: int = 0) -> Cost:
    """What a plan costs; `parameters` are those of a start model."""
    training, runs = spec.training, len(runs_of(spec))
    bases = len(Layout(Path()).bases(spec))
    tokens = bases * training.base_tokens + runs * training.tokens
    parameters = parameters or parameters_of(spec)
    each = BYTES * parameters
    kept = KEPT + (0 if spec.model.vision is None else training.steps * training.batch * 3 * spec.model.vision.side**2)
    weights = bases * each + runs * (each * len(training.snapshot_steps) + kept)
    records = bases * each + runs * kept
    disk, other = (weights, records) if spec.study.keep == "weights" else (records, weights)
    adapted = [spec.under(draw).training.adapter is not None for draw in range(spec.study.draws)]
    saved = (
        (FLOPS_A_PARAMETER - FLOPS_UNDER_ADAPTERS) * training.tokens * sum(adapted[key.draw] for key in runs_of(spec))
    )
    flops = float(parameters * (FLOPS_A_PARAMETER * tokens - saved))
    return Cost(runs, bases, tokens, parameters, flops, disk, other)


def reached(parameters: int) -> float:
    """Share of a product's speed that a model of this size reaches; between two sizes it grows with the logarithm."""
    way = math.log(max(parameters, 1) / SMALL) / math.log(LARGE / SMALL)
    return REACHED + (REACHED_LARGE - REACHED) * min(1.0, max(0.0, way))


def parameters_of(spec: StudySpec) -> int:
    """Parameters of the model as its table says: tied embeddings, gated layers, a norm before each half of a block.

    0 with a start model, of which the table says nothing.
    """
    model = spec.model
    if model.start is not None:
        return 0
    head = model.hidden // model.heads
    attention = 2 * model.hidden * head * (model.heads + model.key_value_heads)
    block = attention + 3 * model.hidden * model.intermediate + 2 * model.hidden
    eye = 0 if model.vision is None else _seeing(model.vision, model.hidden)
    return model.vocabulary * model.hidden + model.layers * block + model.hidden + eye


def _seeing(vision: VisionTable, hidden: int) -> int:
    """Parameters of a tower that looks and of the projector behind it, biases and norms included."""
    block = 4 * vision.hidden**2 + 2 * vision.hidden * vision.intermediate + 9 * vision.hidden + vision.intermediate
    ends = vision.hidden * (3 * vision.patch**2 + vision.places + 2) + 4 * vision.hidden
    return vision.layers * block + ends + hidden * (vision.hidden + hidden) + 2 * hidden


def score_seconds(spec: StudySpec) -> float:
    """Seconds to score one model."""
    splits = 6 if spec.pool is not None else sum(1 + len(source.dresses) for source in spec.scores.benchmarks)
    splits = 10 if spec.pictures is not None else splits
    return 2.0 + splits * spec.scores.items / 36


def edit_seconds(spec: StudySpec) -> float:
    """Seconds to edit the update of one run in every way, and to read the losses; 0 where no edit is asked for.

    An edited model is read on two texts, forward only: a third of a training step a token.
    """
    if spec.intervention is None:
        return 0.0
    tokens = 2 * spec.intervention.sequences * spec.training.sequence_length
    return 2.0 * len(points_asked(spec.intervention)) * tokens / TOKENS_READ


def path_seconds(spec: StudySpec) -> float:
    """Seconds to read the losses along the path of one run."""
    if spec.intervention is None:
        return 0.0
    tokens = 2 * spec.intervention.sequences * spec.training.sequence_length
    return (1 + len(spec.training.snapshot_steps)) * (1.0 + tokens / TOKENS_READ)


def pool_seconds(spec: StudySpec) -> float:
    """Seconds to make the documents of all arms of one draw."""
    if spec.pictures is not None:
        return len(spec.arms) * spec.training.steps * spec.training.batch * DRAW_SECONDS
    return 3.0 + (spec.pool.documents / 2_000 if spec.pool is not None else 3.0 * len(spec.arms))


def balance_seconds(spec: StudySpec) -> float:
    """Seconds to read the loss of a base on the data of all arms of one draw."""
    return 2.0 + 0.3 * len(spec.arms)


@dataclass(frozen=True, slots=True)
class Hours:
    """Core-hours that are expected on a machine that does nothing else.

    Attributes:
        training: of all training.
        beside: of documents, readings and scores.
        speed: floating-point operations a second of a product.
        reached: share of it that models are taken to reach.
    """

    training: float
    beside: float
    speed: float
    reached: float

    @property
    def line(self) -> str:
        """The expectation in words."""
        return (
            f"time: about {self.training + self.beside:.2g} core-hours on a machine that does nothing else: "
            f"{self.training:.2g} of training, which is taken to reach {self.reached:.0%} of the "
            f"{self.speed / 1e9:.0f} GFLOP/s that a matrix product reaches here on one core now, and {self.beside:.2g} "
            "of documents, readings and scores"
        )


def read_tokens(spec: StudySpec) -> int:
    """Tokens that models read beside training: losses on panels and on an arm's own text, and scored items."""
    training, arms, draws = spec.training, len(spec.arms), spec.study.draws
    panel = PANEL_SEQUENCES * len(spec.sources)
    own = OUTSIDE_SEQUENCES + OWN_SEQUENCES * (len(training.snapshot_steps) + 1)
    rows = len(runs_of(spec)) * (panel + own) + panel + arms * draws * min(training.steps * training.batch, LOSS_ROWS)
    splits = sum(1 + len(source.dresses) for source in spec.scores.benchmarks)
    return rows * training.sequence_length + (len(runs_of(spec)) + 1) * splits * spec.scores.items * ITEM_TOKENS


def hours_of(spec: StudySpec, speed: float, parameters: int = 0) -> Hours:
    """Expected core-hours of a plan.

    Args:
        spec: the study.
        speed: floating-point operations a second of a product, see `core_speed`.
        parameters: of a start model, which is too large for what it reads beside training to cost next to nothing.
    """
    cost, draws = cost_of(spec, parameters), spec.study.draws
    seconds = draws * (pool_seconds(spec) + balance_seconds(spec))
    seconds += (cost.bases + cost.runs) * (READ_SECONDS + score_seconds(spec))
    seconds += cost.runs * path_seconds(spec) + sum(is_edited(key, spec) for key in runs_of(spec)) * edit_seconds(spec)
    share = reached(cost.parameters)
    seconds += FLOPS_A_PARAMETER / 3 * parameters * read_tokens(spec) / (share * speed)
    return Hours(cost.flops / (share * speed) / 3600, seconds / 3600, speed, share)


def core_speed() -> float:
    """Floating-point operations a second of one core, in products of float32 matrices, timed now."""
    one = np.ones((SIDE, SIDE), np.float32)
    into = np.empty_like(one)
    seconds: list[float] = []
    with one_thread():
        for _ in range(4):
            began = time.perf_counter()
            np.matmul(one, one, out=into)
            seconds.append(time.perf_counter() - began)
    return 2.0 * SIDE**3 / min(seconds)


def smallest_of(found: Sequence[Prospect]) -> float:
    """The largest of the smallest p values of the primary tests: below it no level can be reached by all."""
    return max(test.smallest_p for test in found if test.role == "primary" and test.smallest_p is not None)


def holm_lines(found: Sequence[Prospect], alpha: float) -> list[str]:
    """Of every role with several tests: the smallest p that a single one of them can have after Holm's correction."""
    lines: list[str] = []
    for role in ("primary", "secondary"):
        family = [test for test in found if test.role == role and test.smallest_p is not None]
        if len(family) < 2:
            continue
        least = min(1.0, len(family) * min(test.smallest_p or 0.0 for test in family))
        line = f"Holm over {len(family)} {role} tests: the smallest p that a single one can have is {least:.2g}"
        far = least > alpha + 1e-12
        lines.append(f"{line}, above alpha {alpha}: no test of this family can reach alpha" if far else line)
    return lines


def uncompared(spec: StudySpec) -> list[str]:
    """Arms of the rate grid that no contrast and no label compares at its rates, in the order of the grid."""
    if spec.rate_grid is None:
        return []
    grid, groups, label = set(spec.rate_grid.arms), spec.analysis.groups, spec.analysis.label
    compared: set[str] = set()
    for contrast in spec.analysis.all_contrasts:
        sides = [set(groups.get(name, (name,))) & grid for pair in contrast.pairs for name in pair]
        if all(sides):
            compared |= set().union(*sides)
    if label is not None and grid & set(groups.get(label.positive, (label.positive,))):
        compared |= {arm for name in (label.positive, label.negative) for arm in groups.get(name, (name,))}
    return [arm for arm in spec.rate_grid.arms if arm not in compared]
