"""All receivers of a stack, each delivered to on a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from consumers.delivery.history import Change
from consumers.delivery.loop import Delivery
from consumers.delivery.receivers import Receiver, ReceiverError
from consumers.delivery.senders import Sender, sender
from consumers.delivery.silences import Silences, nothing
from schemas.alert import Alert
from schemas.clock import ZONE
from schemas.districts import CITY

_STOP_SECONDS = 30.0


class Deliveries:
    """Delivers to every receiver until told to end.

    Args:
        receivers: by name; at least one.
        folder: the data folder, to which files of secrets are relative.
        bootstrap: Kafka servers.
        silences: of which alerts nobody wants to hear.

    Raises:
        ReceiverError: a receiver cannot be used as it is written.
    """

    def __init__(
        self,
        receivers: Mapping[str, Receiver],
        folder: Path,
        bootstrap: str,
        silences: Silences = nothing,
    ) -> None:
        self._all = [
            Delivery(name, receiver, made, bootstrap, silences)
            for (name, receiver), made in zip(
                receivers.items(), senders(receivers, folder).values(), strict=True
            )
        ]

    def run(self, ended: threading.Event, ready: Callable[[], object] = lambda: None) -> None:
        """Deliver until the event is set.

        Args:
            ended: ends it.
            ready: called once, when every receiver's past is read.

        Raises:
            Exception: what ended a receiver's thread, which nothing should.
        """
        failed: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

        def work(delivery: Delivery) -> None:
            try:
                delivery.run()
            except BaseException as error:
                failed.put(error)
                ended.set()

        threads = [threading.Thread(target=work, args=(one,), name=one.name) for one in self._all]
        for thread in threads:
            thread.start()
        try:
            if _await([one.ready for one in self._all], ended):
                ready()
            ended.wait()
        finally:
            for one in self._all:
                one.stop()
            until = time.monotonic() + _STOP_SECONDS
            for thread in threads:
                thread.join(max(until - time.monotonic(), 0.1))
        if not failed.empty():
            raise failed.get()


def _await(events: list[threading.Event], ended: threading.Event) -> bool:
    while not ended.is_set():
        if all(event.wait(0.1) for event in events):
            return True
    return False


def senders(receivers: Mapping[str, Receiver], folder: Path) -> dict[str, Sender]:
    """The senders of all receivers.

    Raises:
        ReceiverError: a receiver cannot be used as it is written.
    """
    return {name: sender(name, receiver, folder) for name, receiver in receivers.items()}


def trial() -> Alert:
    """An alert that says it is none, to try a receiver with."""
    now = datetime.now(ZONE)
    return Alert(
        id=uuid.uuid4().hex,
        monitor="trial",
        indicator="",
        district=CITY,
        state="resolved",
        severity="info",
        since=now.date(),
        as_of=now.date(),
        known_on=now.date(),
        numerator=None,
        denominator=None,
        value=None,
        low=None,
        high=None,
        completeness=None,
        limit="",
        statistic=0.0,
        threshold=0.0,
        late_reporting_could_explain=False,
        summary_zh="这是一条测试消息，无需处理",
        summary_en="this is a test message, nothing has to be done",
        runbook="README.md",
        worklist="",
        at=now,
    )


def try_out(name: str, receivers: Mapping[str, Receiver], folder: Path) -> None:
    """Send the trial alert to one receiver.

    Raises:
        ReceiverError: there is no such receiver, or it cannot be used as it is written.
        Away: it did not answer, or not well.
        Refused: it refused.
    """
    if name not in receivers:
        names = ", ".join(receivers) or "none"
        raise ReceiverError(
            f"there is no receiver {name}: popflow.toml of the data folder has {names}"
        )
    alert = trial()
    sender(name, receivers[name], folder).send([Change(f"{alert.id}-trial", alert, alert)])
