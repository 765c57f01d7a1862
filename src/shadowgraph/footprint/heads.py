"""Products of one attention head that no change of basis inside the head can move.

Here live: which products an architecture allows, their cut into heads, and their spectra, for weights and for updates.
Not here: spectra of factored matrices (`spectra.factored`), single matrices (`scan`).

A head may turn its values by any invertible A (W_V → A W_V, W_O → W_O A⁻¹) and its keys and queries likewise, and
computes the same. W_Oʰ W_Vʰ and (W_Qʰ)ᵀ W_Kʰ stay; the spectra of the four matrices do not. Products are never formed:
each is two thin factors.

Legend: `d` width of the residual stream, `h` width of a head, `H` query heads, `G` heads of keys and values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError, Defect
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.spectra.factored import factored_difference, factored_spectrum
from shadowgraph.weights.fused import HEADS, KEY_HEADS, count, section

Matrix = NDArray[np.float64]

# Learned or absolute positions, a bias on the logits or none at all: nothing stands between query and key. A model type
# that is not listed may turn (rotary positions), normalise or gate them, and then the product is not what it computes.
PLAIN_QUERY_KEY = frozenset(
    {
        *("gpt2", "gpt_bigcode", "gpt_neo", "opt", "bloom", "mpt", "bert", "roberta", "xlm-roberta", "electra"),
        *("mpnet", "distilbert", "albert", "t5", "mt5", "umt5", "bart", "mbart", "clip", "siglip"),
        *("clip_text_model", "clip_vision_model", "siglip_text_model", "siglip_vision_model", "idefics2_vision"),
        *("idefics3_vision", "smolvlm_vision", "vit"),
    }
)
# A gate, a norm or a latent between value and output.
BROKEN_OUTPUT_VALUE = frozenset(
    {
        *("qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "minicpmv4_6", "bitnet", "diffllama"),
        *("deepseek_v2", "deepseek_v3", "minicpm3", "gemma3n", "gemma3n_text", "rwkv"),
    }
)
SLOTS = {"ov": ("o", "v"), "qk": ("q", "k")}


@dataclass(frozen=True, slots=True)
class HeadLayout:
    """How many heads a layer has.

    Attributes:
        heads: query heads H.
        groups: heads of keys and values G; H is a multiple of it.
    """

    heads: int
    groups: int


def applicable(product: str, model_type: str) -> str:
    """Whether a product is what a model type computes: "ok" or "not_applicable".

    "ov" (W_O W_V) holds unless a gate, a norm or a latent lies between the two. "qk" (W_Qᵀ W_K) holds only where
    neither rotary positions nor a norm of queries and keys lie between them, so only for the types listed here.

    Raises:
        Defect: another product.
    """
    if product not in SLOTS:
        raise Defect(f"no product {product!r} of a head", where="applicable")
    fine = model_type not in BROKEN_OUTPUT_VALUE if product == "ov" else model_type in PLAIN_QUERY_KEY
    return "ok" if fine and model_type else "not_applicable"


def model_type_of(config: Mapping[str, Any], tower: str = "text") -> str:
    """The `model_type` that speaks of a tower, "" when the configuration does not say."""
    declared: Any = section(config, tower).get("model_type") or config.get("model_type")
    return declared if isinstance(declared, str) else ""


def head_layout(config: Mapping[str, Any], tower: str = "text") -> HeadLayout | None:
    """Heads of a tower from its configuration, None when it does not say or the numbers do not divide."""
    inner = section(config, tower)
    heads = count(inner, *HEADS)
    groups = count(inner, *KEY_HEADS) or (1 if inner.get("multi_query") is True else heads)
    return HeadLayout(heads, groups) if heads and heads % groups == 0 else None


def head_factors(product: str, left: Matrix, right: Matrix, layout: HeadLayout) -> list[tuple[Matrix, Matrix]]:
    """Two thin factors (d × h, h × d) of every head's product.

    "ov": columns of W_O times rows of W_V. "qk": rows of W_Q, transposed, times rows of W_K. Where queries share keys
    and values, head i uses group ⌊i G / H⌋.

    Args:
        product: "ov" or "qk".
        left: W_O (d, H·h), or W_Q (H·h, d).
        right: W_V or W_K (G·h, d).
        layout: number of heads.

    Returns:
        H pairs of views.

    Raises:
        Defect: an unknown product.
        DataError: extents that do not divide into the heads.
    """
    if product not in SLOTS:
        raise Defect(f"no product {product!r} of a head", where="head_factors")
    turned = left if product == "ov" else left.T
    width, rest = divmod(right.shape[0], layout.groups)
    if rest or turned.shape[1] != width * layout.heads:
        raise DataError(
            f"{turned.shape[1]} and {right.shape[0]} do not divide into {layout.heads} and {layout.groups} heads",
            where=f"head products of {SLOTS[product]}",
            hint="check the numbers of heads in config.json",
        )
    share = layout.heads // layout.groups
    return [
        (
            turned[:, head * width : (head + 1) * width],
            right[(head // share) * width : (head // share + 1) * width],
        )
        for head in range(layout.heads)
    ]


def head_spectra(product: str, left: Matrix, right: Matrix, layout: HeadLayout) -> list[Spectrum]:
    """Spectra of every head's product of one model (O1).

    Args:
        product: "ov" or "qk".
        left: W_O or W_Q, see `head_factors`.
        right: W_V or W_K.
        layout: number of heads.

    Returns:
        H spectra of at most h values that are not 0; the factor 1/√h of attention is left out.

    Raises:
        DataError: extents that do not divide into the heads.

    Source:
        Elhage et al., A mathematical framework for transformer circuits (2021), QK and OV circuits.
    """
    return [factored_spectrum(one, other) for one, other in head_factors(product, left, right, layout)]


def head_change_spectra(
    product: str, before: tuple[Matrix, Matrix], after: tuple[Matrix, Matrix], layout: HeadLayout
) -> list[Spectrum]:
    """Spectra of the change of every head's product (O3), of rank at most 2h.

    Args:
        product: "ov" or "qk".
        before: (W_O, W_V) or (W_Q, W_K) of the base.
        after: the same of the model.
        layout: number of heads.

    Returns:
        H spectra of A1 B1 − A0 B0, from stacked factors; the zero spectrum where nothing changed. Never a difference of
        spectra: a change of basis inside the head leaves these at rounding level, 1e-16 of the product.

    Raises:
        DataError: extents that do not divide into the heads.
    """
    old = head_factors(product, *before, layout)
    new = head_factors(product, *after, layout)
    return [factored_difference(*pair_new, *pair_old) for pair_new, pair_old in zip(new, old, strict=True)]
