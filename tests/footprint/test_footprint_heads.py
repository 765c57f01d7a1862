"""Products of heads: against the dense ones, invariant under what a head may do, refused where they mean nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shadowgraph.errors import DataError, Defect
from shadowgraph.footprint.heads import (
    HeadLayout,
    applicable,
    head_change_spectra,
    head_layout,
    head_spectra,
    model_type_of,
)
from shadowgraph.seeds import generator

Matrix = NDArray[np.float64]
WIDTH, HEAD = 24, 5
LAYOUT = HeadLayout(heads=4, groups=2)


def attention(label: str) -> dict[str, Matrix]:
    stream = generator(1, label)
    return {
        "q": stream.standard_normal((LAYOUT.heads * HEAD, WIDTH)),
        "k": stream.standard_normal((LAYOUT.groups * HEAD, WIDTH)),
        "v": stream.standard_normal((LAYOUT.groups * HEAD, WIDTH)),
        "o": stream.standard_normal((WIDTH, LAYOUT.heads * HEAD)),
    }


def dense(product: str, weights: dict[str, Matrix], head: int) -> Matrix:
    """The product of one head, formed."""
    own, group = slice(head * HEAD, (head + 1) * HEAD), head // 2
    shared = slice(group * HEAD, (group + 1) * HEAD)
    if product == "ov":
        return weights["o"][:, own] @ weights["v"][shared]
    return weights["q"][own].T @ weights["k"][shared]


def sides(product: str, weights: dict[str, Matrix]) -> tuple[Matrix, Matrix]:
    return (weights["o"], weights["v"]) if product == "ov" else (weights["q"], weights["k"])


@pytest.mark.parametrize("product", ["ov", "qk"])
def test_spectra_are_those_of_the_dense_products(product: str) -> None:
    before, after = attention("before"), attention("after")
    found = head_spectra(product, *sides(product, after), LAYOUT)
    changes = head_change_spectra(product, sides(product, before), sides(product, after), LAYOUT)
    for head in range(LAYOUT.heads):
        new, old = dense(product, after, head), dense(product, before, head)
        for spectrum, matrix, rank in ((found[head], new, HEAD), (changes[head], new - old, 2 * HEAD)):
            values = np.linalg.svd(matrix, compute_uv=False)[:rank]
            assert spectrum.values[:rank] == pytest.approx(values, rel=1e-10)
            assert spectrum.energy == pytest.approx(float(np.sum(matrix**2)), rel=1e-10)


def test_a_change_of_basis_inside_the_heads_is_no_change() -> None:
    """W_V → A W_V and W_O → W_O A⁻¹ of a group: the single matrices move by more than their norm, the product not."""
    before = attention("before")
    after = {name: values.copy() for name, values in before.items()}
    for group in range(LAYOUT.groups):
        turn = generator(2, str(group)).standard_normal((HEAD, HEAD)) + 3.0 * np.eye(HEAD)
        rows = slice(group * HEAD, (group + 1) * HEAD)
        after["v"][rows] = turn @ before["v"][rows]
        after["k"][rows] = turn @ before["k"][rows]
        for head in (2 * group, 2 * group + 1):
            own = slice(head * HEAD, (head + 1) * HEAD)
            after["o"][:, own] = before["o"][:, own] @ np.linalg.inv(turn)
            after["q"][own] = np.linalg.inv(turn).T @ before["q"][own]
    for product in ("ov", "qk"):
        changes = head_change_spectra(product, sides(product, before), sides(product, after), LAYOUT)
        scale = [spectrum.values[0] for spectrum in head_spectra(product, *sides(product, before), LAYOUT)]
        assert all(change.values[0] < 1e-11 * top for change, top in zip(changes, scale, strict=True))
    assert np.linalg.norm(after["v"] - before["v"]) > np.linalg.norm(before["v"])


def test_nothing_changed_is_the_zero_spectrum_or_rounding() -> None:
    weights = attention("before")
    for spectrum in head_change_spectra("ov", sides("ov", weights), sides("ov", weights), LAYOUT):
        assert float(spectrum.values[0]) < 1e-13 * 100.0


@pytest.mark.parametrize(
    ("product", "model_type", "status"),
    [
        ("ov", "llama", "ok"),
        ("qk", "llama", "not_applicable"),
        ("qk", "gpt2", "ok"),
        ("qk", "bloom", "ok"),
        ("qk", "gpt_neox", "not_applicable"),
        ("qk", "qwen3", "not_applicable"),
        ("ov", "qwen3_next", "not_applicable"),
        ("ov", "deepseek_v3", "not_applicable"),
        ("qk", "", "not_applicable"),
        ("ov", "", "not_applicable"),
    ],
)
def test_where_a_product_means_something(product: str, model_type: str, status: str) -> None:
    assert applicable(product, model_type) == status


def test_layout_comes_from_the_configuration() -> None:
    assert head_layout({"num_attention_heads": 8, "num_key_value_heads": 2}) == HeadLayout(8, 2)
    assert head_layout({"n_head": 12}) == HeadLayout(12, 12)
    assert head_layout({"n_head": 12, "multi_query": True}) == HeadLayout(12, 1)
    assert head_layout({"text_config": {"num_attention_heads": 4}}) == HeadLayout(4, 4)
    assert head_layout({}) is None
    assert head_layout({"num_attention_heads": 8, "num_key_value_heads": 3}) is None
    assert model_type_of({"model_type": "llava", "text_config": {"model_type": "llama"}}) == "llama"
    assert model_type_of({"model_type": 3}) == ""


def test_refused_requests() -> None:
    weights = attention("before")
    with pytest.raises(Defect):
        applicable("vo", "llama")
    with pytest.raises(Defect):
        head_spectra("vo", weights["o"], weights["v"], LAYOUT)
    with pytest.raises(DataError, match="heads"):
        head_spectra("ov", weights["o"], weights["v"], HeadLayout(3, 3))
