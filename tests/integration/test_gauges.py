"""What the leader shows in ``/metrics``, on real Kafka and the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumers.alerts import decide
from consumers.audit.audit import audit, remember
from consumers.delivery.silences import Silenced
from consumers.store.client import Store
from consumers.store.errors import StoreUnavailable
from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from pipeline.catalogue.evaluate import Cell
from pipeline.gauges import Gauges
from pipeline.group import GROUP
from pipeline.metrics import REGISTRY
from schemas.clock import ZONE
from schemas.topics import JOURNAL, RAW, specs
from tests.cases.cells import put_cells
from tests.integration.receiving import alert

DAY = date(2016, 1, 1)


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with KafkaServer(tmp_path_factory.mktemp("kafka"), heap="256m") as kafka:
        ensure_topics(kafka.bootstrap, specs(2))
        # The group of the workers exists once something was acknowledged.
        group = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=GROUP)
        group.commit({TopicPartition(JOURNAL, 0): OffsetAndMetadata(0, "", -1)})
        group.close()
        yield kafka.bootstrap


@pytest.fixture
def gauges(store: Store, bootstrap: str) -> Iterator[Gauges]:
    gauges = Gauges(store, bootstrap)
    yield gauges
    gauges.forget()
    gauges.close()


def shown(name: str) -> dict[tuple[str, ...], float]:
    """Samples of a metric as Prometheus reads them: label values in the order of their names."""
    families = text_string_to_metric_families(generate_latest(REGISTRY).decode())
    return {
        tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def test_lag_is_what_nobody_has_acknowledged(gauges: Gauges, bootstrap: str) -> None:
    gauges.measure()
    assert shown("popflow_lag_messages")[("population.births.v1",)] == 0
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number in range(200):
        producer.send(RAW[number % len(RAW)], b"{}")
    producer.close()
    gauges.measure()
    lag = shown("popflow_lag_messages")
    assert sum(lag.values()) == 200
    assert ("population.journal.v1",) in lag


def test_alerts_are_counted_by_their_newest_state(gauges: Gauges, store: Store) -> None:
    changes = [
        alert(1, state="pending", at=datetime(2026, 3, 1, tzinfo=UTC)),
        alert(1, state="firing", at=datetime(2026, 3, 2, tzinfo=UTC)),
        alert(2, state="firing", at=datetime(2026, 3, 2, tzinfo=UTC), severity="warning"),
    ]
    put_alerts(store, *changes)
    gauges.measure()
    level = "management_rate_level"
    assert shown("popflow_alerts") == {
        (level, "critical", "firing"): 1,
        (level, "warning", "firing"): 1,
    }
    put_alerts(store, alert(1, state="resolved", at=datetime(2026, 3, 3, tzinfo=UTC)))
    gauges.measure()
    assert shown("popflow_alerts") == {
        (level, "critical", "resolved"): 1,
        (level, "warning", "firing"): 1,
    }


def test_silences_are_those_that_last(store: Store) -> None:
    put_alerts(store, alert(7), alert(8), alert(9))
    now = datetime.now(UTC)
    decide(store, alert(7).id, "silence", "duty", "known", now + timedelta(days=1))
    decide(store, alert(8).id, "silence", "duty", "known", now - timedelta(minutes=1))
    decide(store, alert(9).id, "ack", "duty", "known")
    assert Silenced(lambda: store)() == {alert(7).id}

    def away() -> Store:
        raise StoreUnavailable("away")

    assert Silenced(away)() == frozenset()


def put_alerts(store: Store, *alerts: object) -> None:
    rows = [one.model_dump() for one in alerts]
    store.insert("alert_rows", {name: [row[name] for row in rows] for name in rows[0]})


def test_the_newest_reading_is_shown_and_one_without_a_value_is_not(
    gauges: Gauges, store: Store
) -> None:
    def put(as_of: str, value: str, window: str = "28d") -> None:
        store.command(
            "INSERT INTO population.readings (indicator, base, district, window, as_of, known_on,"
            " value, completeness, status, published_at) VALUES ('sex_ratio_at_birth', '',"
            f" '320508', '{window}', '{as_of}', '{as_of}', {value}, 0.97, 'provisional', now())"
        )

    put("2026-03-01", "104.5")
    put("2026-03-02", "105.25")
    put("2026-03-02", "NULL", "91d")
    gauges.measure()
    labels = ("", "320508", "sex_ratio_at_birth", "28d")
    assert shown("popflow_indicator_value") == {labels: 105.25}
    assert shown("popflow_indicator_completeness")[labels] == 0.97
    newest = datetime(2026, 3, 2, tzinfo=ZONE).timestamp()
    assert shown("popflow_readings_as_of_timestamp_seconds") == {(): newest}
    gauges.forget()
    assert shown("popflow_indicator_value") == {}


def test_an_audit_that_found_a_difference_is_seen(gauges: Gauges, store: Store) -> None:
    remember(store, audit(store))
    gauges.measure()
    assert shown("popflow_audit_differences") == {(): 0}
    born = Cell("births", "320505", DAY, DAY, "hukou", "1", "25-29", 1)
    put_cells(store, [born])
    found = audit(store)
    assert len(found.differences) == 1
    remember(store, found)
    gauges.measure()
    assert shown("popflow_audit_differences") == {(): 1}
    assert shown("popflow_audit_timestamp_seconds")[()] > 1_700_000_000
