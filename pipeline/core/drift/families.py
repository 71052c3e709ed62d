"""Many monitors at once: which of them are discoveries when some would cross by chance.

Ten districts that are each promised one false alarm in ten years give one a year. Within a family
(the districts of all indicators that one method watches) the share of false ones among those that
fire is kept small instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")


def benjamini_hochberg(chances: Mapping[Key, float], rate: float) -> set[Key]:
    """The discoveries at a false discovery rate (Benjamini and Hochberg, JRSS B 57 (1995) 289).

    Args:
        chances: p-value of each member; for a CUSUM of log likelihood ratios at S, exp(-S) is one
            (the time-reversed ratio is a martingale, so Ville's inequality bounds its maximum).
        rate: expected share of false ones among the discoveries.
    """
    ordered = sorted(chances, key=lambda key: chances[key])
    passed = [
        place for place, key in enumerate(ordered, 1) if chances[key] <= rate * place / len(ordered)
    ]
    return set(ordered[: max(passed, default=0)])


def e_benjamini_hochberg(evidence: Mapping[Key, float], rate: float) -> set[Key]:
    """The discoveries among e-values, whatever their dependence.

    Source: Wang and Ramdas, JRSS B 84 (2022) 822.

    Args:
        evidence: natural logarithm of each member's e-value.
        rate: expected share of false ones among the discoveries.
    """
    return benjamini_hochberg({key: math.exp(-value) for key, value in evidence.items()}, rate)
