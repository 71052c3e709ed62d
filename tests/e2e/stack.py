"""A whole stack started by the command line, as a user or an acceptance check starts it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kafka import KafkaProducer

from consumers.store.client import Store
from pipeline.positions import Positions

POPFLOW = [sys.executable, "-m", "pipeline.cli"]
DailyRow = tuple[str, str, str, str, str, str]


class RunningStack:
    """``popflow up --json --headless`` on a folder."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.arguments = arguments
        self.env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    def start(self, timeout: float = 180.0) -> RunningStack:
        self.process = subprocess.Popen(
            [*POPFLOW, "up", "--json", "--headless", "--data", str(self.folder), *self.arguments],
            stdout=subprocess.PIPE,
            env=self.env,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], timeout)[0], "the stack did not start"
        self.ready = json.loads(self.process.stdout.readline())
        url = urlsplit(self.ready["clickhouse"])
        self.store = Store.connect(
            f"http://{url.hostname}:{url.port}", url.username or "", url.password or ""
        )
        self.producer = KafkaProducer(bootstrap_servers=self.ready["bootstrap"], acks="all")
        self.positions = Positions(self.ready["bootstrap"])
        return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.producer.close()
        self.positions.close()
        self.store.close()
        self.process.send_signal(how)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def publish(self, messages: Iterable[tuple[str, int, bytes, bytes | None]]) -> None:
        """Topic, timestamp, value, key."""
        for topic, timestamp, value, key in messages:
            self.producer.send(topic, value=value, key=key, timestamp_ms=timestamp)
        self.producer.flush()

    def settle(self, seconds: float = 60.0) -> None:
        assert self.positions.wait(seconds), "events are still waiting"

    def popflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*POPFLOW, *arguments, "--data", str(self.folder)],
            capture_output=True,
            text=True,
            timeout=300,
            env=self.env,
            check=False,
        )

    def daily(self, until: str | None = None) -> Counter[DailyRow]:
        """What the view ``daily`` shows, or what was known at the end of a day."""
        view = "population.daily"
        if until is not None:
            view = f"population.daily_as_known(known_on = '{until}')"
        rows = self.store.query(
            f"SELECT toString(day), district, measure, residency, sex, band, value FROM {view}"
        )
        return Counter({row[:6]: row[6] for row in rows})

    def findings(self) -> Counter[tuple[str, ...]]:
        rows = self.store.query(
            "SELECT code, person, kind, record_id, if(day IS NULL, '', toString(day))"
            " FROM population.findings"
        )
        return Counter(rows)

    def refusals(self) -> Counter[str]:
        rows = self.store.query("SELECT code, count() FROM population.rejected GROUP BY code")
        return Counter(dict(rows))
