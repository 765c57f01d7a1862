"""Terms added to the loss that hold an update near its start, or make its spectrum flat, while the data stay the same.

Here live: both terms with their gradients, and a run's own penalty.
Not here: the loss on the data (the Trainer's own), optimisers that flatten by their steps (`optimisers`). This module
imports torch.

Legend: D (m, n) the update W − W₀ of one matrix so far, r = min(m, n).
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from shadowgraph.runs.optimisers import is_inner
from shadowgraph.runs.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Term:
    """Value of a term at an update, and its gradient there, of the update's shape."""

    value: float
    gradient: torch.Tensor


@dataclass(frozen=True, slots=True)
class _Held:
    """A parameter in training and what it was at the start."""

    weight: torch.Tensor
    start: torch.Tensor
    stack: bool
    inner: bool

    def update(self) -> torch.Tensor:
        return self.weight.detach() - self.start


class Penalty:
    """The penalty of one run: anchor · nearness of all parameters + flatten · unevenness of matrices in the layers.

    Gradients are added to those of the data after these were worked out, so that the loss of the data stays a number of
    its own; what clips gradients sees the sum. The start weights are held once, in memory.

    Args:
        recipe: gives both coefficients.
        model: at its start weights; a resume point is loaded into it later.
    """

    def __init__(self, recipe: Recipe, model: Any) -> None:
        self.anchor, self.flatten = recipe.anchor, recipe.flatten
        self.held: list[_Held] = []
        for name, weight in model.named_parameters():
            stack = is_stack(name, weight.ndim)
            inner = stack or is_inner(name, weight.ndim)
            if weight.requires_grad and (self.anchor > 0 or inner):
                self.held.append(_Held(weight, weight.detach().clone(), stack, inner))

    def add(self) -> float:
        """Add the gradient of the penalty to that of every parameter.

        Returns:
            The value of the penalty, nats as the loss it joins.
        """
        total = 0.0
        for one in self.held:
            update = one.update()
            if self.anchor > 0:
                total += self._join(one, self.anchor, nearness(update))
            if self.flatten > 0 and one.inner:
                total += self._join(one, self.flatten, _stacked(update) if one.stack else unevenness(update))
        return total

    def _join(self, one: _Held, coefficient: float, term: Term) -> float:
        """Add one term to the gradient of one parameter."""
        gradient = coefficient * term.gradient
        one.weight.grad = gradient if one.weight.grad is None else one.weight.grad.add_(gradient)
        return coefficient * term.value


def penalty_of(recipe: Recipe, model: Any) -> Penalty | None:
    """The penalty that a recipe asks for, None where it asks for none.

    Args:
        recipe: gives both coefficients.
        model: at its start weights.
    """
    return Penalty(recipe, model) if recipe.anchor > 0 or recipe.flatten > 0 else None


def is_stack(name: str, axes: int) -> bool:
    """Whether a parameter is the matrices of several experts, stacked along its first axis."""
    return axes == 3 and "experts" in name


def nearness(update: torch.Tensor) -> Term:
    """Half the squared distance from the start, ½ ‖D‖².

    Args:
        update: of any shape.

    Returns:
        The term; its gradient is D.

    Source:
        Li, Grandvalet and Davoine, Explicit inductive bias for transfer learning (2018), L2-SP, equation 2.
    """
    return Term(0.5 * float(update.square().sum()), update)


def unevenness(update: torch.Tensor) -> Term:
    """How far the spectrum of an update is from flat, P = √r ‖DᵀD‖_F − ‖D‖_F² = ‖D‖² (√(r / PR) − 1).

    PR is the participation ratio of the squared singular values. P is 0 for a flat spectrum and above 0 for every
    other, the same for D, its transpose and its products with orthogonal matrices, and P(cD) = c² P(D). A flat update
    of any norm costs nothing; an uneven one is drawn towards its start as well, for the gradient along D is 2 P / ‖D‖,
    so that runs with it belong beside others of equal norm.

    Args:
        update: (m, n).

    Returns:
        The term; its gradient is 2 (√r D DᵀD / ‖DᵀD‖_F − D), and 0 at D = 0, its limit there.
    """
    size = torch.linalg.vector_norm(update)
    if float(size) == 0.0:
        return Term(0.0, torch.zeros_like(update))
    unit = update / size
    rows, columns = update.shape
    gram = unit @ unit.mT if rows <= columns else unit.mT @ unit
    norm = torch.linalg.vector_norm(gram)
    root = min(rows, columns) ** 0.5
    turned = gram @ unit if rows <= columns else unit @ gram
    value = float(size) ** 2 * max(0.0, root * float(norm) - 1.0)
    return Term(value, 2.0 * size * (root / norm * turned - unit))


def _stacked(update: torch.Tensor) -> Term:
    """The sum of `unevenness` over the matrices of a stack."""
    terms = [unevenness(matrix) for matrix in update]
    return Term(sum(term.value for term in terms), torch.stack([term.gradient for term in terms]))
