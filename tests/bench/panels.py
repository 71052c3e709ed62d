"""What the dashboards' panels cost, over ten million cells and two years of published readings.

    python -m tests.bench.panels

measures these figures alone: every panel that asks ClickHouse, at each of several last days, so
that no answer comes out of a cache.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.views import create_views
from schemas.districts import CITY
from tests.bench.readings import LAST, fill
from tests.production.macros import expand
from tests.production.test_questions import panels

A_DAY = 10
PUBLISHED_DAYS = 730
SHOWN_DAYS = 365
TIMES = 6


def measure(folder: Path) -> list[tuple[str, float, str]]:
    """Name, value and unit of each figure."""
    with EmbeddedStore(folder) as running, running.store() as store:
        migrate(store)
        create_views(store)
        fill(store, A_DAY)
        _publish(store)
        ((cells,),) = store.query("SELECT count() FROM cells")
        ((published,),) = store.query("SELECT count() FROM readings")
        seconds = [_asked(store, sql) for _, sql in panels()]
    every = sorted(second for each in seconds for second in each)
    slowest = max(statistics.median(each) for each in seconds)
    return [
        ("panels_asked", len(seconds), "panels"),
        ("panels_cells", cells, "cells"),
        ("panels_readings", published, "readings"),
        ("panel_p50_ms", statistics.median(every) * 1000, "ms"),
        ("panel_p95_ms", every[int(0.95 * len(every))] * 1000, "ms"),
        ("panel_slowest_median_ms", slowest * 1000, "ms"),
    ]


def _publish(store: Store) -> None:
    """The readings of one day, as if they had been published on each of two years' days."""
    known = {"last": LAST, "days": PUBLISHED_DAYS}
    store.command(
        "INSERT INTO readings SELECT indicator, base, district, `window`, as_of, as_of AS known_on,"
        " numerator, denominator, value, low, high, 1, 'final', reason, note, 'bench', now64(3)"
        " FROM (SELECT * EXCEPT (as_of, known_on), {last:Date32} - back AS as_of"
        " FROM indicators_as_known(as_of = {last:Date32}, known_on = {last:Date32}) AS r"
        " CROSS JOIN (SELECT number AS back FROM numbers({days:UInt32})) AS d)",
        known,
    )


def _asked(store: Store, sql: str) -> list[float]:
    seconds = []
    for back in range(TIMES):
        end = datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC) - timedelta(back - 1)
        variables = {"district": CITY, "window": "364d"}
        question = expand(sql, end - timedelta(SHOWN_DAYS), end, variables)
        began = time.perf_counter()
        store.query(question)
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="popflow-bench-") as name:
        for figure, value, unit in measure(Path(name)):
            print(json.dumps({"name": figure, "value": round(value, 3), "unit": unit}))


if __name__ == "__main__":
    main()
