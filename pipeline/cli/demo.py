"""The simulated city beside a running stack: its history at a brisk pace, then day by day."""

import logging
import threading
from datetime import date
from typing import Self

from consumers.baseline import BaselineRow, load_baseline, loaded_baselines
from consumers.reference import ReferenceFact, load_reference
from consumers.simulations import note_simulation
from deploy.native.endpoints import Endpoints
from pipeline.cli.common import open_store
from pipeline.settings import Settings
from producers.delivery import PublishingError
from producers.kit import Publisher
from producers.publishing import simulate
from producers.simulate.city import City
from producers.simulate.progress import Cursor, Pace, today
from producers.simulate.register import reference, register

log = logging.getLogger(__name__)

SCALE = 0.002
DAYS_PER_SECOND = 30.0
CURSOR = "demo.cursor.json"


def default_city() -> City:
    """The demonstration's city: a five-hundredth of Suzhou, from January of the year before."""
    return City(seed=1, scale=SCALE, start=date(today().year - 1, 1, 1))


def note_city(where: Endpoints, city: City) -> None:
    """Let the store say that the city is simulated, before anything of it is published."""
    with open_store(where) as store:
        note_simulation(store, tag=city.tag, seed=city.seed, scale=city.scale, start=city.start)


def load_register(where: Endpoints, city: City) -> None:
    """The city's register and reference facts, as far as they are published and not loaded yet."""
    with open_store(where) as store:
        loaded = loaded_baselines(store)
        people = [BaselineRow(**row._asdict()) for row in register(city, today())]
        new = [row for row in people if (row.as_of, row.known_on) not in loaded]
        if new:
            load_reference(
                store, [ReferenceFact(**fact._asdict()) for fact in reference(city, today())]
            )
            load_baseline(store, new)


class Demonstration:
    """Publishes the simulated city on a thread, from where an earlier run stopped.

    Its registered population and reference facts, simulated as well, are there before its events.

    Stopped at any moment it loses nothing: an interrupted day is published again, and record
    numbers are stable, so nothing counts twice.
    """

    def __init__(self, where: Endpoints, chosen: Settings) -> None:
        self._where = where
        self._cursor = chosen.data / CURSOR
        known = Cursor.read(self._cursor)
        self._city = known.city if known else default_city()
        self._spool = chosen.data / "demo.spool"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated city", daemon=True)

    def __enter__(self) -> Self:
        note_city(self._where, self._city)
        load_register(self._where, self._city)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with Publisher(self._where.bootstrap, spool=self._spool) as publisher:
                for pace in (Pace(DAYS_PER_SECOND), Pace.real_time()):
                    simulate(publisher, self._city, pace=pace, cursor=self._cursor, stop=self._stop)
        except PublishingError:
            log.warning("The simulated city stopped: Kafka took no messages")
