"""How long an alert takes: from the topic, and from the event, to a webhook that was told."""

from __future__ import annotations

import json
import statistics
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from schemas.clock import ZONE
from tests.e2e.stack import RunningStack
from tests.integration.receiving import Receiver, alert, published

PROBES = 60
_TABLE = """
[receivers.duty]
kind = "webhook"
url = "{url}"
secret_file = "duty.secret"
"""


def alerts(folder: Path) -> list[tuple[str, float]]:
    """Milliseconds, half and 19 of 20 of the probes, one after the other on a stack at rest."""
    folder.mkdir(parents=True)
    with Receiver() as duty:
        (folder / "duty.secret").write_text("b" * 32)
        (folder / "popflow.toml").write_text(_TABLE.format(url=duty.url))
        stack = RunningStack(folder).start()
        try:
            published_ms = [_published(stack, duty, n) for n in range(PROBES)]
            _arrive(stack)
            event_ms = [_changed(stack, duty, n) for n in range(PROBES)]
        finally:
            stack.stop()
    return [*_cuts("alert_to_webhook", published_ms), *_cuts("event_to_webhook", event_ms)]


def _cuts(name: str, took_ms: list[float]) -> list[tuple[str, float]]:
    cuts = statistics.quantiles(took_ms, n=20)
    return [(f"{name}_p50_ms", cuts[9]), (f"{name}_p95_ms", cuts[18])]


def _published(stack: RunningStack, duty: Receiver, place: int) -> float:
    """An alert on the topic, as the monitors' worker writes it."""
    before = len(duty.taken)
    began = time.time()
    published(stack.producer, alert(place + 1))
    duty.wait(lambda it: len(it.taken) > before)
    return (duty.taken[before].at - began) * 1000


def _arrive(stack: RunningStack) -> None:
    """One migrant, in a district without others."""
    _send(stack, "moves", kind="move", record_id="bench-arrival", revision=1,
          moved_on=_day(10), from_district="340100", to_district="320585")  # fmt: skip


def _changed(stack: RunningStack, duty: Receiver, place: int) -> float:
    """The migrant's registration comes and is withdrawn: the management rate is 100 %, then 0 %.

    From the event to the webhook that is told of the district's alert.
    """

    def told(receiver: Receiver) -> list[float]:
        return [
            request.at
            for request in receiver.taken
            for one in request.document["alerts"]
            if one["monitor"] == "management_rate_level" and one["district"] == "320585"
        ]

    if place == 0:
        duty.wait(lambda it: told(it))
    before = len(told(duty))
    began = time.time()
    _send(stack, "permits", kind="permit", record_id="bench-permit", revision=place + 1,
          void=bool(place % 2), action="register", effective_on=_day(10), district="320585",
          valid_until=_day(-300))  # fmt: skip
    duty.wait(lambda it: len(told(it)) > before)
    return (told(duty)[before] - began) * 1000


def _day(ago: int) -> str:
    return (datetime.now(ZONE).date() - timedelta(ago)).isoformat()


def _send(stack: RunningStack, topic: str, **fields: Any) -> None:
    event = {
        "source": "police.household" if topic == "moves" else "police.permits",
        "recorded_at": datetime.now(ZONE).isoformat(timespec="seconds"),
        "person": "b" * 32,
        **({"residency": "migrant"} if topic == "moves" else {}),
        **fields,
    }
    value = json.dumps(event).encode()
    stack.publish([(f"population.{topic}.v1", int(time.time() * 1000), value, None)])
