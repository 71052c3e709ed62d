"""What counting keeps of an event, whatever its kind.

A body is a plain tuple that begins alike for every kind; what only its kind has follows. Days are
day numbers, districts present-day codes. A value is ``None`` where the source left it out.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipeline.core.calendars import DAYS
from schemas.districts import COUNTED_AS

Document = Mapping[str, Any]
Body = tuple[Any, ...]

DAY: Final = 0
"""Day of the act."""
PLACE: Final = 1
"""District that the act belongs to."""
RESIDENCY: Final = 2
HOUSEHOLD: Final = 3
BORN_ON: Final = 4
"""Birth day of the person, where the event says it."""
SEX: Final = 5
HEAD: Final = 6
"""Where the fields of the kind begin."""

HEALTH, POLICE = 1, 2
SECTOR_BANDS = {HEALTH: "health", POLICE: "police", HEALTH | POLICE: "both"}


class Fact(NamedTuple):
    """One standing act of one person.

    ``body`` is that of the first standing source, with what it leaves out filled from the next;
    ``sectors`` are those of all standing reports; ``first_known`` is the earliest day on which
    any report of it that is no void was known.
    """

    kind: str
    record_id: str
    body: Body
    sectors: int
    first_known: int

    @property
    def sex(self) -> str:
        """Sex as the fact says it; not said counts as 9 (not stated)."""
        return self.body[SEX] or "9"


def district(code: str) -> str:
    """Present-day code."""
    return COUNTED_AS.get(code, code)


def day(document: Document, name: str) -> int | None:
    """Day number of a date that may be left out."""
    spelled = document.get(name)
    return None if spelled is None else DAYS[spelled]
