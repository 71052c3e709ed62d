"""From a reading to what is published: completeness, status, cause, and whether it is news."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline.core.delays import FINAL
from pipeline.core.rates import Reading

PROVISIONAL, SETTLED, REVISED = "provisional", "final", "revised"
SETTLED_AFTER = 365
"""Days after which a reading is final, whatever is known about delays."""
PLACES = 3
"""Decimals of a completeness: finer ones are no news."""


@dataclass(frozen=True)
class Published:
    """A reading as it is shown.

    Attributes:
        reading: what was evaluated; ``known_on`` is the day of publication.
        completeness: expected share of the window's facts that are known; None where delays say
            nothing about it.
        status: ``provisional``, ``final`` or ``revised`` (it was final and is another now).
        cause: why it was published.
    """

    reading: Reading
    completeness: float | None
    status: str
    cause: str

    @property
    def figures(self) -> tuple[object, ...]:
        """What makes it another reading, as the store holds it."""
        r = self.reading
        numbers = (r.numerator, r.denominator, r.value)
        return (
            *(None if n is None else float(n) for n in numbers),
            r.low,
            r.high,
            r.reason,
            r.note,
        )

    @property
    def standing(self) -> tuple[object, ...]:
        """How it stands, beside its figures."""
        return self.completeness, self.status


@dataclass(frozen=True)
class Before:
    """What was published last for the same key and day."""

    figures: tuple[object, ...]
    completeness: float | None
    status: str


def publish(
    reading: Reading, complete: float | None, before: Before | None, today: date, cause: str
) -> Published | None:
    """What is to be published now; None when it is no news.

    Args:
        reading: as known now.
        complete: expected share known, if delays say it.
        before: what stands published.
        today: the local day.
        cause: why it was evaluated.
    """
    complete = None if complete is None else round(complete, PLACES)
    age = (today - reading.as_of).days
    settled = age >= SETTLED_AFTER or (complete is not None and complete >= FINAL)
    now = Published(reading, complete, SETTLED if settled else PROVISIONAL, cause)
    if before is None:
        return now
    if before.status in (SETTLED, REVISED):
        moved = now.figures != before.figures
        status = REVISED if moved else before.status
        now = Published(reading, complete, status, cause)
    elif now.figures == before.figures:
        now = Published(reading, complete, now.status, "completeness")
    same = now.figures == before.figures and now.standing == (before.completeness, before.status)
    return None if same else now
