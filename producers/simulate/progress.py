"""How fast a simulated city lives, and how far it was published: what makes it resumable."""

import json
import os
import threading
import time
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Self

from producers.simulate.city import City
from schemas.clock import ZONE


class CursorError(ValueError):
    """The cursor file cannot be used."""


class Pace:
    """When a message is due.

    Args:
        days_per_second: days of the city in a second; ``None`` = as fast as possible.
    """

    def __init__(self, days_per_second: float | None = None) -> None:
        if days_per_second is not None and days_per_second <= 0:
            raise ValueError(f"pace is {days_per_second}: days a second, above 0")
        self._ms_per_second = days_per_second and days_per_second * 86_400_000
        self._origin: tuple[float, int] | None = None
        self._clock = False

    @classmethod
    def real_time(cls) -> "Pace":
        """A day takes a day: messages are due when the clock shows their time."""
        pace = cls(1 / 86_400)
        pace._origin = (time.monotonic() - time.time(), 0)
        pace._clock = True
        return pace

    @property
    def is_real_time(self) -> bool:
        """Whether a day takes a day."""
        return self._clock

    def await_due(self, timestamp_ms: int, stop: threading.Event) -> bool:
        """Wait until a message of that time is due; false when told to stop."""
        if self._ms_per_second is None:
            return not stop.is_set()
        if self._origin is None:
            self._origin = (time.monotonic(), timestamp_ms)
        began, first = self._origin
        wait = began + (timestamp_ms - first) / self._ms_per_second - time.monotonic()
        return not stop.wait(wait) if wait > 0 else not stop.is_set()


@dataclass(frozen=True)
class Cursor:
    """Which city was published, and through which day."""

    seed: int
    scale: float
    start: str
    through: str

    @classmethod
    def of(cls, city: City, through: date) -> Self:
        """The cursor of a city after a day."""
        return cls(city.seed, city.scale, city.start.isoformat(), through.isoformat())

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The cursor of a file; ``None`` when there is none yet.

        Raises:
            CursorError: the file holds something else.
        """
        try:
            cursor = cls(**json.loads(path.read_text("utf-8")))
            if cursor.next_day <= cursor.city.start:
                raise ValueError
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            raise CursorError(
                f"{path} is no cursor of a simulated city: delete it to begin anew"
            ) from None
        return cursor

    def write(self, path: Path) -> None:
        """Replace the file; a crash leaves the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        beside.write_text(json.dumps(asdict(self)) + "\n", "utf-8")
        os.replace(beside, path)  # noqa: PTH105 - Path.replace hides that it is atomic

    @property
    def city(self) -> City:
        """The city it belongs to."""
        return City(self.seed, self.scale, date.fromisoformat(self.start))

    @property
    def next_day(self) -> date:
        """The first day that is not published."""
        return date.fromisoformat(self.through) + timedelta(days=1)


def first_day(city: City, path: Path | None) -> date:
    """Where to go on with a city.

    Raises:
        CursorError: the file is about another city.
    """
    cursor = Cursor.read(path) if path is not None else None
    if cursor is None:
        return city.start
    if cursor.city != city:
        raise CursorError(
            f"{path} is about another city (seed {cursor.seed}, scale {cursor.scale}, start "
            f"{cursor.start}): go on with that one, or name another cursor file"
        )
    return cursor.next_day


def today() -> date:
    """The local date now (Asia/Shanghai)."""
    return datetime.now(ZONE).date()
