"""The other ends of deliveries: real servers on 127.0.0.1 that keep what they are sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from kafka import KafkaProducer

from schemas.alert import Alert
from schemas.topics import ALERTS


def alert(number: int = 0, **given: Any) -> Alert:
    """An alert of which everything is right."""
    fields: dict[str, Any] = {
        "id": f"{number:032x}",
        "monitor": "management_rate_level",
        "indicator": "migrant_management_rate",
        "district": "320583",
        "state": "firing",
        "severity": "critical",
        "since": date(2026, 3, 1),
        "as_of": date(2026, 3, 2),
        "known_on": date(2026, 3, 3),
        "numerator": 980_000.0,
        "denominator": 1_000_000.0,
        "value": 98.0,
        "low": 97.97,
        "high": 98.03,
        "completeness": 0.998,
        "limit": ">= 99",
        "statistic": 98.0,
        "threshold": 99.0,
        "late_reporting_could_explain": False,
        "summary_zh": "昆山流动人口服务管理率 98.00 %，低于 99 %",
        "summary_en": "the management rate of Kunshan is 98.00 %, under 99 %",
        "runbook": "management_rate_level.md",
        "worklist": "SELECT person FROM population.people WHERE district = '320583'",
        "at": datetime.now(UTC),
    }
    return Alert(**{**fields, **given})


def published(producer: KafkaProducer, *alerts: Alert | bytes) -> None:
    for one in alerts:
        if isinstance(one, bytes):
            producer.send(ALERTS, key=one, value=one)
        else:
            producer.send(ALERTS, key=one.id.encode(), value=one.model_dump_json().encode())
    producer.flush()


@dataclass(frozen=True)
class Request:
    """What came, and when."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """An HTTP server that takes every POST, until it is told to answer otherwise or to be away.

    Args:
        answer: status and body of an answer.
    """

    def __init__(self, answer: Callable[[Request], tuple[int, bytes]] | None = None) -> None:
        self.answer = answer or (lambda _: (200, b"{}"))
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self._came = threading.Condition()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Listen (again), always on the same port."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.path, headers, body, time.time())
                status, told = receiver.answer(request)
                with receiver._came:
                    receiver.requests.append(request)
                    if status == 200:
                        receiver.taken.append(request)
                    receiver._came.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def wait(self, condition: Callable[[Self], object], seconds: float = 60.0) -> None:
        """Until what came is so."""
        with self._came:
            assert self._came.wait_for(lambda: condition(self), seconds), (
                f"{len(self.requests)} requests, {len(self.taken)} taken: {self.told()}"
            )

    def told(self) -> list[str]:
        """Keys of the alerts taken, as a webhook gets them, in their order."""
        return [
            one["key"]
            for request in self.taken
            for one in (request.document["alerts"] if isinstance(request.document, dict) else ())
            if "key" in one
        ]
