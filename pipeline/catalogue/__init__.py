"""The catalogue: measures, indicators, windows, bases, intervals and the plan's targets.

Data only: no clock, no input or output. SQL, the pure evaluation and tables are made from it.
"""

from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.model import URBAN_CLASS, Fact, Indicator
from pipeline.catalogue.targets import TARGETS, Target
from pipeline.catalogue.vocabulary import CatalogueError

REFERENCE_KEYS = (
    URBAN_CLASS,
    *(key for key, entry in INDICATORS.items() if isinstance(entry.numerator, Fact)),
)
"""What may be loaded as a reference fact."""

__all__ = [
    "INDICATORS",
    "REFERENCE_KEYS",
    "TARGETS",
    "CatalogueError",
    "Indicator",
    "Target",
]
