"""What a configuration says of quantisation, every value checked for its type.

Here live: `Declared` and its reading from `config.json`.
Not here: whether stored shapes agree with it (each method's own module).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

SECTIONS = ("quantization_config", "compression_config", "quantization")


@dataclass(frozen=True, slots=True)
class Scheme:
    """Bits and group size of one part of a model; None where nothing sensible is declared.

    Attributes:
        bits: bits of one code.
        size: inputs that share a scale, -1 for all of a row.
        mode: "affine" unless another is declared, as MLX does.
    """

    bits: int | None = None
    size: int | None = None
    mode: str = "affine"


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared of the whole model.

    Attributes:
        method: `quant_method` in lower case, "" where none is.
        layout: how GPTQ or AWQ lay their words ("gptq", "gptq_v2", "gemm"), "" where it is not said.
        scheme: bits and group size of all.
        bits: every number of bits declared anywhere, empty where none is.
        asymmetric: whether every declared scheme of compressed-tensors has zero points.
        varied: whether single modules may differ from `scheme`.
        block: rows and columns that share a scale of 8-bit floats.
        own: schemes of single modules by their names; None for one that is not quantised.
    """

    method: str = ""
    layout: str = ""
    scheme: Scheme = field(default_factory=Scheme)
    bits: frozenset[int] = frozenset()
    asymmetric: bool = False
    varied: bool = False
    block: tuple[int, int] | None = None
    own: Mapping[str, Scheme | None] = field(default_factory=dict[str, "Scheme | None"])


def declared(config: Mapping[str, Any]) -> Declared:
    """Read what `config.json` says of quantisation; a value of a wrong type counts as absent.

    Args:
        config: content of `config.json`, foreign.
    """
    found = next((table for key in SECTIONS if (table := _table(config.get(key)))), {})
    method = _text(found.get("quant_method")).lower()
    scheme = _scheme(found)
    schemes = [_table(_table(each).get("weights")) for each in _table(found.get("config_groups")).values()]
    bits = {scheme.bits, *(_count(each.get("num_bits")) for each in schemes)} - {None}
    return Declared(
        method,
        _layout(found),
        scheme,
        frozenset(value for value in bits if value is not None),
        bool(schemes) and all(each.get("symmetric") is False for each in schemes),
        bool(found.get("dynamic")) or bool(found.get("extra_config")),
        _block(found.get("weight_block_size")),
        {
            key: _scheme(_table(value), scheme) if isinstance(value, dict) else None
            for key, value in found.items()
            if isinstance(value, dict) or value is False
        },
    )


def _scheme(table: Mapping[str, Any], usual: Scheme | None = None) -> Scheme:
    usual = usual or Scheme()
    bits = _count(table.get("bits", table.get("w_bit")))
    size: Any = table.get("group_size", table.get("q_group_size"))
    known = type(size) is int and (size > 0 or size == -1)
    return Scheme(bits or usual.bits, size if known else usual.size, _text(table.get("mode")) or usual.mode)


def _layout(table: Mapping[str, Any]) -> str:
    """GPTQ says it as `checkpoint_format` or `format`, AWQ as `version`."""
    for key in ("checkpoint_format", "format", "version"):
        if text := _text(table.get(key)).lower():
            return text
    return ""


def _block(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(cast(list[Any], value)) != 2:
        return None
    rows, columns = (_count(each) for each in cast(list[Any], value))
    return None if rows is None or columns is None else (rows, columns)


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _table(value: Any) -> Mapping[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
