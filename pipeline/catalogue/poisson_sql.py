"""Exact Poisson limits as SQL, where ClickHouse has no inverse of the gamma function.

Small counts are looked up in a table that SciPy made (:func:`pipeline.core.rates.garwood`); beyond
it the Cornish–Fisher expansion of the gamma quantile is exact to nine digits and more.

Source of the expansion: Goldberg and Levine, Annals of Mathematical Statistics 17 (1946) 216.
"""

from __future__ import annotations

import math
from functools import cache

from pipeline.core.rates import Z, garwood

LOOKED_UP = 100
"""The last count whose limits are looked up."""


def limits_sql(count: str) -> tuple[str, str]:
    """Lower and upper end of the 95 % interval of a Poisson mean.

    Args:
        count: an expression, not negative.
    """
    lows, highs = _table()
    place = f"toInt64({count}) + 1"
    low = f"if({count} <= {LOOKED_UP}, {lows}[{place}], {_gamma(count, -Z)})"
    high = f"if({count} <= {LOOKED_UP}, {highs}[{place}], {_gamma(f'({count} + 1)', Z)})"
    return low, high


@cache
def _table() -> tuple[str, str]:
    ends = [garwood(count) for count in range(LOOKED_UP + 1)]
    lows, highs = zip(*ends, strict=True)
    return str([round(x, 12) for x in lows]), str([round(x, 12) for x in highs])


def _gamma(shape: str, z: float) -> str:
    """The quantile of a gamma distribution of scale one at a normal quantile."""
    n, root = f"(2 * {shape})", math.sqrt(2)
    terms = (
        f"{shape}",
        f"{z / root} * sqrt({n})",
        f"{(z**2 - 1) / 3}",
        f"{(z**3 - 7 * z) / (18 * root)} / sqrt({n})",
        f"{-(6 * z**4 + 14 * z**2 - 32) / 810} / {n}",
        f"{(9 * z**5 + 256 * z**3 - 433 * z) / (9720 * root)} / ({n} * sqrt({n}))",
        f"{(12 * z**6 - 243 * z**4 - 923 * z**2 + 1472) / 51030} / ({n} * {n})",
    )
    return f"({' + '.join(terms)})"
