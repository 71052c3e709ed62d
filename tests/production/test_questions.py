"""Every question of every dashboard and alert, on the embedded engine with a city in it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.views import create_views
from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from pipeline.catalogue import REFERENCE_KEYS
from pipeline.catalogue.evaluate import Imported
from pipeline.catalogue.selection import AREAS
from pipeline.indicators import Readings
from pipeline.journal import Journal
from producers.simulate.city import City
from schemas.districts import CITY
from schemas.sources import DEMONSTRATION
from schemas.topics import READINGS, specs
from tests.cases.cells import put_facts
from tests.cases.city import fill, settle
from tests.production.macros import expand

ROOT = Path(__file__).parents[2]
FIRST, TODAY = date(2016, 1, 1), date(2017, 4, 30)
PRIORITIES = {source.name: source.priority for source in DEMONSTRATION}
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))


def panels() -> Iterator[tuple[str, str]]:
    """Name and question of every panel that asks ClickHouse."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield f"{path.stem}: {panel['title']}", target["rawSql"]


def alerts() -> Iterator[tuple[str, str]]:
    file = ROOT / "deploy/grafana/provisioning/alerting/popflow.json"
    for rule in json.loads(file.read_text("utf-8"))["groups"][0]["rules"]:
        yield rule["title"], rule["data"][0]["model"]["rawSql"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("city")
    with (
        EmbeddedStore(folder / "store") as running,
        running.store() as connected,
        KafkaServer(folder / "kafka") as kafka,
    ):
        migrate(connected)
        create_views(connected)
        ensure_topics(kafka.bootstrap, specs(1))
        fill(connected, folder / "0", City(3, 0.0005, FIRST).days(FIRST, TODAY), PRIORITIES)
        for year in (2015, 2016):
            settle(connected, date(year, 12, 31), date(year + 1, 1, 20), 40)
        facts = [
            Imported(key, place, date(2016, 6, 30), date(2016, 7, 9), Fraction(749, 1000))
            for key in REFERENCE_KEYS
            for place in AREAS
        ]
        put_facts(connected, facts)
        asyncio.run(_publish(connected, kafka.bootstrap))
        yield connected


async def _publish(store: Store, bootstrap: str) -> None:
    async with Journal(bootstrap, READINGS) as topic:
        await Readings(store, topic, today=lambda: TODAY).step()


def asked(sql: str) -> str:
    end = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) + timedelta(1)
    return expand(sql, end - timedelta(730), end, {"district": CITY, "window": "364d"})


def test_every_panel_shows_something(store: Store) -> None:
    empty = [name for name, sql in panels() if not store.query(asked(sql))]
    assert empty == []


def test_every_alert_s_question_is_understood(store: Store) -> None:
    for title, sql in alerts():
        rows = store.query(asked(sql))
        assert all(len(row) >= 1 for row in rows), title


def test_dashboards_ask_only_what_their_reader_may_read() -> None:
    """Grafana's user has the role popflow_reader."""
    granted = (ROOT / "deploy/clickhouse/roles.sql").read_text("utf-8")
    for name, sql in (*panels(), *alerts()):
        tables = set(re.findall(r"population\.\w+", sql))
        assert tables, name
        for table in tables:
            assert f"GRANT SELECT ON {table} TO popflow_reader;" in granted, (name, table)
