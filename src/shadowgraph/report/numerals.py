"""Numbers as readers want them: sensible digits, true minus signs, a reason instead of a gap.

Here live: pure functions from numbers to text.
Not here: markup and layout.
"""

from __future__ import annotations

import math

from shadowgraph.report.record import Quantity

DASH = "—"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def fixed(value: float, decimals: int, *, sign: bool = False) -> str:
    """A number with a fixed count of decimals, grouped thousands and a true minus sign."""
    text = f"{value:+,.{decimals}f}" if sign else f"{value:,.{decimals}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def decimals_for(scale: float) -> int:
    """Decimals that show a scale (a standard deviation, half an interval) with two digits; 1 to 4."""
    if scale <= 0 or not math.isfinite(scale):
        return 3
    return max(1, min(4, 1 - math.floor(math.log10(scale))))


def sensible(value: float, digits: int = 3, *, sign: bool = False) -> str:
    """A number with about `digits` significant digits; tiny ones in powers of ten."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -4:
        return f"{fixed(value / 10.0**magnitude, 1, sign=sign)} × 10{str(magnitude).translate(_RAISED)}"
    if float(value).is_integer() and magnitude >= 3:
        return fixed(value, 0, sign=sign)
    return fixed(value, max(0, digits - 1 - magnitude), sign=sign)


def trimmed(value: float) -> str:
    """A number somebody chose (a margin, a caliper, a tick): as short as it was written."""
    return f"{value:.6g}".replace("-", "−")


def missing(quantity: Quantity) -> str:
    """The reason for a missing number, or a dash."""
    return quantity.status or DASH


def shown(quantity: Quantity, digits: int = 3, *, sign: bool = False) -> str:
    """A quantity as text; when it is missing, its reason."""
    return missing(quantity) if quantity.value is None else sensible(quantity.value, digits, sign=sign)


def with_interval(quantity: Quantity, interval: tuple[float, float] | None, *, sign: bool = True) -> str:
    """An estimate with its interval, the digits set by the interval's width."""
    if quantity.value is None or interval is None:
        return shown(quantity, sign=sign)
    decimals = decimals_for((interval[1] - interval[0]) / 2)
    low, high = (fixed(bound, decimals, sign=sign) for bound in interval)
    return f"{fixed(quantity.value, decimals, sign=sign)} [{low}, {high}]"


def with_sd(mean: Quantity, sd: Quantity) -> str:
    """A mean with its standard deviation, the digits set by the latter."""
    if mean.value is None or sd.value is None or sd.value == 0:
        return shown(mean)
    decimals = decimals_for(sd.value) if sd.value < 10 else 0
    return f"{fixed(mean.value, decimals)} ± {fixed(sd.value, decimals)}"


def over_draws(draws: Quantity, sd: str = "standard deviation") -> str:
    """What numbers by arm are: means with their spread, or of a study of one draw an arm its numbers alone."""
    return "One draw an arm, which has no spread" if draws.value == 1 else f"Mean ± {sd} over draws"


def probability(quantity: Quantity) -> str:
    """A p-value: two digits, never zero."""
    if quantity.value is None:
        return missing(quantity)
    if quantity.value < 1e-4:
        return "< 0.0001"
    return fixed(quantity.value, 4 if quantity.value < 0.01 else 3)


def percent(value: float) -> str:
    """A share as a percentage without false precision: 0.95 becomes 95 %."""
    return f"{100 * value:.3g} %".replace("-", "−")
