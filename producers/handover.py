"""From an asyncio listener to Kafka and back: an answer only after acks=all.

One thread owns the :class:`~producers.kit.Publisher`. It takes everything that waits, hands it
over, and waits until Kafka has confirmed it; meanwhile the next round gathers. So a hundred
connections that each wait for one answer still travel in batches. Without a spool on purpose: who
is told *accepted* may forget the message, so it must be with Kafka by then.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

from producers.delivery import Delivery, PublishingError
from producers.kit import Publisher
from producers.link import OnDelivery

MOST_WAITING = 20_000
"""Messages that may wait for Kafka; further ones are turned away at once, to be sent again."""
_ROUND = 5_000
_LOG = logging.getLogger(__name__)


class Ready(NamedTuple):
    """One checked event as it goes to Kafka; ``value`` is kept as it is."""

    topic: str
    key: bytes
    value: bytes


class Place(NamedTuple):
    """Where a confirmed message stands in Kafka."""

    topic: str
    partition: int
    offset: int


class UnconfirmedError(Exception):
    """Kafka has not confirmed a message in time: it may or may not be there; send it again.

    A repeat is counted once, so sending again is always safe.
    """


class _Request(NamedTuple):
    messages: Sequence[Ready]
    answer: "asyncio.Future[list[Place]]"


class Handover:
    """Confirmed publishing for one event loop.

    Args:
        open_publisher: makes the publisher, given what to call with each delivery report; without
            a spool, and with a ``patience`` of at most ``answer_seconds``.
        answer_seconds: after which a message counts as unconfirmed.
    """

    def __init__(
        self,
        open_publisher: Callable[[OnDelivery], Publisher],
        *,
        answer_seconds: float = 20.0,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.answer_seconds = answer_seconds
        self._open_publisher = open_publisher
        self._most_waiting = most_waiting
        self._waiting = 0
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._reports: dict[int, Delivery] = {}
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="handover", daemon=True)
        self._away_since: float | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._requests.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def kafka_answers(self) -> bool:
        """Whether the last attempt reached Kafka; true before the first."""
        return self._away_since is None

    def submit(self, messages: Sequence[Ready]) -> "asyncio.Future[list[Place]]":
        """Hand messages over, all or none of them to be answered for.

        Returns:
            A future of the places in the same order. It fails with :class:`UnconfirmedError` when
            Kafka has not confirmed all of them in time.
        """
        answer: asyncio.Future[list[Place]] = self._loop.create_future()
        if not messages:
            answer.set_result([])
            return answer
        if self._waiting and self._waiting + len(messages) > self._most_waiting:
            answer.set_exception(UnconfirmedError("Too many messages wait for Kafka"))
            return answer
        self._waiting += len(messages)
        timer = self._loop.call_later(self.answer_seconds, _expire, answer)
        answer.add_done_callback(lambda _: self._done(len(messages), timer))
        self._requests.put(_Request(messages, answer))
        return answer

    def _done(self, number: int, timer: asyncio.TimerHandle) -> None:
        self._waiting -= number
        timer.cancel()

    def _run(self) -> None:
        publisher: Publisher | None = None
        while (taken := self._take()) is not None:
            try:
                publisher = publisher or self._open_publisher(self._note)
                outcomes = self._publish(publisher, taken)
            except Exception as error:  # whoever waits must be answered, and the next be served
                self._away_since = self._away_since or time.monotonic()
                _LOG.exception("Publishing failed; a new connection is tried")
                outcomes = [(one, f"Publishing failed ({type(error).__name__})") for one in taken]
                _let_go(publisher)
                publisher = None
            self._loop.call_soon_threadsafe(_answer_all, outcomes)
        _let_go(publisher)

    def _take(self) -> list[_Request] | None:
        """Everything that waits now, up to a round; ``None`` at the end."""
        first = self._requests.get()
        if first is None:
            return None
        taken, number = [first], len(first.messages)
        while number < _ROUND:
            try:
                following = self._requests.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._requests.put(None)
                break
            taken.append(following)
            number += len(following.messages)
        return taken

    def _publish(
        self, publisher: Publisher, taken: list[_Request]
    ) -> list[tuple[_Request, list[Place] | str]]:
        """One round: hand over, wait for the confirmations, say what became of each request."""
        self._reports.clear()
        handed = [request for request in taken if not request.answer.done()]
        faults: dict[int, str] = {}
        stamp = int(time.time() * 1000)
        try:
            for place, request in enumerate(handed):
                try:
                    for message in request.messages:
                        publisher.publish_raw(message.topic, message.key, message.value, stamp)
                except PublishingError as error:
                    faults[place] = str(error)
            publisher.flush()
            if self._away_since is not None and len(faults) < len(handed):
                _LOG.warning("Kafka confirms again")
                self._away_since = None
        except PublishingError as error:
            self._is_away(str(error))
            unconfirmed = str(error)
        else:
            unconfirmed = "Kafka did not confirm the message"
        if faults and len(faults) == len(handed):
            self._is_away(faults[0])
        return [
            (request, faults.get(place) or self._places(request) or unconfirmed)
            for place, request in enumerate(handed)
        ]

    def _is_away(self, reason: str) -> None:
        """Say so once, not for every message."""
        if self._away_since is None:
            self._away_since = time.monotonic()
            _LOG.warning("Nothing is confirmed: %s", reason)

    def _note(self, delivery: Delivery) -> None:
        self._reports[id(delivery.message.value)] = delivery

    def _places(self, request: _Request) -> list[Place] | str | None:
        """Where the messages stand; why Kafka will never take one; ``None`` when unconfirmed."""
        places = []
        for message in request.messages:
            report = self._reports.get(id(message.value))
            if report is None:
                return None
            if report.error is not None:
                return report.error
            places.append(Place(message.topic, report.partition, report.offset))
        return places


def _let_go(publisher: Publisher | None) -> None:
    """Let go of a publisher, whatever state it is in."""
    if publisher is not None:
        with suppress(Exception):
            publisher.close(timeout=0.0)


def _answer_all(answers: list[tuple[_Request, list[Place] | str]]) -> None:
    for request, outcome in answers:
        if request.answer.done():
            continue
        if isinstance(outcome, str):
            request.answer.set_exception(UnconfirmedError(outcome))
        else:
            request.answer.set_result(outcome)


def _expire(answer: "asyncio.Future[list[Place]]") -> None:
    if not answer.done():
        answer.set_exception(UnconfirmedError("Kafka did not confirm the message in time"))
