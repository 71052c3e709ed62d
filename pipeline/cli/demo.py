"""The simulated city beside a running stack: its history at a brisk pace, then day by day."""

import logging
import threading
from datetime import date
from typing import Self

from deploy.native.endpoints import Endpoints
from pipeline.settings import Settings
from producers.delivery import PublishingError
from producers.kit import Publisher
from producers.publishing import simulate
from producers.simulate.city import City
from producers.simulate.progress import Cursor, Pace, today

log = logging.getLogger(__name__)

SCALE = 0.002
DAYS_PER_SECOND = 30.0
CURSOR = "demo.cursor.json"


def default_city() -> City:
    """The demonstration's city: a five-hundredth of Suzhou, from January of the year before."""
    return City(seed=1, scale=SCALE, start=date(today().year - 1, 1, 1))


class Demonstration:
    """Publishes the simulated city on a thread, from where an earlier run stopped.

    Stopped at any moment it loses nothing: an interrupted day is published again, and record
    numbers are stable, so nothing counts twice.
    """

    def __init__(self, where: Endpoints, chosen: Settings) -> None:
        self._bootstrap = where.bootstrap
        self._cursor = chosen.data / CURSOR
        self._spool = chosen.data / "demo.spool"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated city", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        known = Cursor.read(self._cursor)
        city = known.city if known else default_city()
        try:
            with Publisher(self._bootstrap, spool=self._spool) as publisher:
                for pace in (Pace(DAYS_PER_SECOND), Pace.real_time()):
                    simulate(publisher, city, pace=pace, cursor=self._cursor, stop=self._stop)
        except PublishingError:
            log.warning("The simulated city stopped: Kafka took no messages")
