"""What the indicators cost: over ten years of cells, and after a flush.

    python -m tests.bench.readings

measures these figures alone. The cells are invented: four of each measure for each day and
district, of which every twelfth was written twice; their keys are spread as real ones are.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from consumers.changes import Since, cells, changes, marks
from consumers.indicators import readings
from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.views import create_views
from pipeline.catalogue import INDICATORS, REFERENCE_KEYS
from pipeline.catalogue.series import listed, quoted
from pipeline.catalogue.vocabulary import MEASURES
from pipeline.live import Live
from schemas.districts import CITY, INSIDE

FIRST, LAST = date(2016, 1, 1), date(2025, 12, 31)
DAYS = (LAST - FIRST).days + 1
A_DAY = 4
BANDS = {
    "population": tuple(map(str, range(1930, 2025))),
    "deaths": ("0", "45-49", "65-69", "70-74", "75-79", "80-84", "85+"),
    "discharges": ("I", "II", "IV", "IX", "X", "XI", "XV", "XIX"),
}
TOUCHED = 1000
TIMES = 7
_KEY = "measure, district, day, known_on, residency, sex, band, shard"


def measure(folder: Path) -> list[tuple[str, float, str]]:
    """Name, value and unit of each figure."""
    with EmbeddedStore(folder) as running, running.store() as store:
        migrate(store)
        create_views(store)
        fill(store)
        ((written,),) = store.query("SELECT count() FROM cells")
        whole = _median(lambda: readings(store, LAST, LAST))
        view = _median(
            lambda: store.query(
                "SELECT value FROM indicators_as_known(as_of = {a:Date32}, known_on = {a:Date32})",
                {"a": LAST},
            )
        )
        flushes = reevaluate(store)
    return [
        ("cells_over_ten_years", written, "cells"),
        ("all_readings_seconds", whole, "s"),
        ("indicators_as_known_seconds", view, "s"),
        ("reevaluate_ms", statistics.median(flushes) * 1000, "ms"),
    ]


def fill(store: Store, a_day: int = A_DAY) -> None:
    """Ten years of cells, so many of each measure, day and district, baselines and facts."""
    places = f"[{listed(sorted(INSIDE))}]"
    for name, rule in MEASURES.items():
        bands = BANDS.get(name, rule.bands or ("",))
        rows = f"""SELECT {quoted(name)}, {places}[1 + number % 10],
            toDate32('{FIRST}') + intDiv(number, {a_day * 10}) AS day,
            least(day + cityHash64(number, 3) % 20, toDate32('{LAST}')),
            [{listed(rule.residencies)}][1 + cityHash64(number, 1) % {len(rule.residencies)}],
            ['1', '2'][1 + cityHash64(number, 2) % 2],
            [{listed(bands)}][1 + cityHash64(number, 7) % {len(bands)}],
            cityHash64(number, 5) % 4, 1 + number % 3, 1 + number
            FROM numbers({DAYS * a_day * 10})"""
        store.command(f"INSERT INTO cells {rows}")
        store.command(f"INSERT INTO cells {rows} WHERE number % 12 = 0")
    grid = f"""(SELECT arrayJoin({places}) AS district) AS d
        CROSS JOIN (SELECT arrayJoin(['1', '2']) AS sex) AS s
        CROSS JOIN (SELECT arrayJoin(range(1920, 2015)) AS born) AS b"""
    for as_of in ("2015-12-31", "2020-12-31"):
        store.command(
            f"INSERT INTO baseline_rows SELECT toDate32('{as_of}'), toDate32('{as_of}') + 20,"
            f" district, sex, born, 3500, 0, 1 FROM {grid}"
        )
    store.command(
        f"INSERT INTO reference_rows SELECT arrayJoin([{listed(REFERENCE_KEYS)}]) AS key,"
        f" arrayJoin([{listed([*sorted(INSIDE), CITY])}]), toDate32('2020-12-31'),"
        " toDate32('2021-01-20'), 0.75, '', 'bench', 0, 1"
    )


def reevaluate(store: Store) -> list[float]:
    """Seconds from asking what a flush has changed to all the readings that it moves.

    The flush changes a thousand cells of all measures and districts, all known on the last day.
    """
    live = Live(store, LAST)
    seconds = []
    for turn in range(TIMES):
        seen = marks(store, Since({}, all_shards=True)).cells
        version = max(seen.values()) + 1
        store.command(
            f"INSERT INTO cells SELECT {_KEY}, value + 1 + {turn}, {version} FROM cells FINAL"
            f" WHERE known_on = '{LAST}' ORDER BY cityHash64({_KEY}) LIMIT {TOUCHED}"
        )
        since = Since(seen, all_shards=True)
        began = time.perf_counter()
        marks(store, since)
        touched = changes(store, since)
        changed = cells(store, since, LAST)
        live.apply(changed)
        measures = {change.measure for change in touched}
        keys = {key for key, entry in INDICATORS.items() if entry.measures & measures}
        found = list(live.readings(lambda entry, _area, keys=keys: entry.key in keys))
        seconds.append(time.perf_counter() - began)
        assert len(changed) == TOUCHED
        assert len(found) > 1000
    return seconds


def _median(work: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="popflow-bench-") as name:
        for figure, value, unit in measure(Path(name)):
            print(json.dumps({"name": figure, "value": round(value, 3), "unit": unit}))


if __name__ == "__main__":
    main()
