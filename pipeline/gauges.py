"""What the leader measures of the stream and the store, for ``/metrics``."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from kafka.errors import KafkaError
from prometheus_client import Gauge

from consumers.store.client import Store
from pipeline import metrics
from pipeline.positions import Positions
from schemas.clock import ZONE

Labels = tuple[str, ...]


class Gauges:
    """Measures again and again; a label that is gone disappears.

    Args:
        store: where counts and published values are.
        bootstrap: Kafka servers.
    """

    def __init__(self, store: Store, bootstrap: str) -> None:
        self._store = store
        self._bootstrap = bootstrap
        self._positions: Positions | None = None
        self._shown: dict[Gauge, set[Labels]] = {}

    async def step(self) -> None:
        """Measure everything once, beside the stream.

        Raises:
            StoreError: ClickHouse did not answer.
            KafkaError: Kafka did not answer.
        """
        await asyncio.to_thread(self.measure)

    def measure(self) -> None:
        """Measure everything once.

        Raises:
            StoreError: ClickHouse did not answer.
            KafkaError: Kafka did not answer.
        """
        metrics.LEADING.set(1)
        self._show(
            metrics.REJECTED_WAITING,
            self._counts("SELECT code, count() FROM population.rejected WHERE NOT mended"),
        )
        self._show(metrics.FINDINGS, self._counts("SELECT code, count() FROM population.findings"))
        self._show(
            metrics.ALERTS,
            self._counts("SELECT monitor, severity, state, count() FROM population.alerts"),
        )
        self._show_readings()
        self._show_audit()
        self._show_lag()
        metrics.MEASURED_AT.set_to_current_time()

    def forget(self) -> None:
        """Another worker leads: show nothing that ages here."""
        metrics.LEADING.set(0)
        for gauge in list(self._shown):
            self._show(gauge, {})
        for gauge in (metrics.AS_OF, metrics.AUDIT_DIFFERENCES, metrics.AUDITED_AT):
            gauge.set(0)

    def close(self) -> None:
        """Close the connection to Kafka."""
        if self._positions is not None:
            self._positions.close()
            self._positions = None

    def _show_lag(self) -> None:
        try:
            if self._positions is None:
                self._positions = Positions(self._bootstrap)
            lags = self._positions.lags()
        except KafkaError:
            self.close()
            raise
        self._show(metrics.LAG, {(lag.topic,): lag.waiting for lag in lags})

    def _show_readings(self) -> None:
        rows = self._store.query(
            "SELECT indicator, base, district, `window`, value, completeness, as_of"
            " FROM population.now"
        )
        self._show(metrics.INDICATOR_VALUE, {row[:4]: row[4] for row in rows})
        self._show(metrics.INDICATOR_COMPLETENESS, {row[:4]: row[5] for row in rows})
        if rows:
            newest = max(row[6] for row in rows)
            day = datetime(newest.year, newest.month, newest.day, tzinfo=ZONE)
            metrics.AS_OF.set(day.timestamp())

    def _show_audit(self) -> None:
        rows = self._store.query(
            "SELECT different, toUnixTimestamp(at) FROM population.audits ORDER BY at DESC LIMIT 1"
        )
        for different, at in rows:
            metrics.AUDIT_DIFFERENCES.set(different)
            metrics.AUDITED_AT.set(at)

    def _counts(self, select: str) -> dict[Labels, int]:
        return {tuple(row[:-1]): row[-1] for row in self._store.query(f"{select} GROUP BY ALL")}

    def _show(self, gauge: Gauge, values: dict[Labels, Any]) -> None:
        known = {labels: value for labels, value in values.items() if value is not None}
        for labels, value in known.items():
            gauge.labels(*labels).set(value)
        for gone in self._shown.get(gauge, set()) - known.keys():
            gauge.remove(*gone)
        self._shown[gauge] = set(known)
