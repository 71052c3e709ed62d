"""Publishing whole sources: what the command line does, as functions."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from producers.delivery import PublishingError, RefusedError
from producers.items import Dated, Fault, Row, Summary, refused
from producers.kit import Publisher
from producers.mapped import named
from producers.mapping import MappingFile
from producers.simulate.city import LATEST, City
from producers.simulate.progress import Cursor, Pace, first_day, today
from producers.sources.counts import CountOptions, read_counts
from producers.sources.files import Reading, read_file
from schemas.clock import day_date, local_day
from schemas.identity import mask_runs
from schemas.reading import read
from schemas.refusals import Refusal

Progress = Callable[[int, int], None]
"""Told now and then how many messages were handed over and how many rows were refused."""
Stamp = Literal["now", "recorded"]

_TELL_EVERY = 1000
_NOTE_EVERY, _NOTE_SECONDS = 5000, 1.0
"""Messages, or seconds, between two notes in a cursor: each waits for Kafka."""
_NOTHING: Progress = lambda _sent, _refused: None  # noqa: E731


def publish_files(
    paths: Iterable[Path],
    publisher: Publisher,
    how: Reading | None = None,
    *,
    stamp: Stamp = "now",
    progress: Progress = _NOTHING,
) -> Summary:
    """Publish the events of files, each checked first.

    Args:
        paths: in this order.
        publisher: stays open.
        how: what their columns mean and how they are written.
        stamp: events become known ``now``, or when they were ``recorded`` (a replay of history;
            records before 1970 on 1970-01-01, since Kafka has no earlier timestamps).
        progress: see ``Progress``.

    Raises:
        SourceError: a file cannot be read; what was read before it is published.
        MappingError: a file does not have what the mapping names.
        PublishingError: Kafka does not take messages.
    """
    mapping = how.mapping if how else None
    with _Run(publisher, progress) as run:
        for path in paths:
            run.path = mask_runs(str(path))
            for row in read_file(path, how):
                if isinstance(row, Fault):
                    run.fault(row)
                else:
                    run.check_and_send(row, stamp, mapping)
    return run.summary


def publish_counts(
    path: Path,
    publisher: Publisher,
    options: CountOptions,
    *,
    progress: Progress = _NOTHING,
) -> Summary:
    """Publish the births of a table of counts.

    Raises:
        SourceError: the table cannot be read.
        PublishingError: Kafka does not take messages.
    """
    with _Run(publisher, progress) as run:
        run.path = mask_runs(str(path))
        for birth in read_counts(path, options):
            if isinstance(birth, Fault):
                run.fault(birth)
            else:
                run.send(birth)
    return run.summary


def simulate(
    publisher: Publisher,
    city: City,
    *,
    pace: Pace | None = None,
    until: date | None = None,
    cursor: Path | None = None,
    progress: Progress = _NOTHING,
    stop: threading.Event | None = None,
) -> Summary:
    """Publish a simulated city, from its start or from where its cursor stands.

    A day is noted in the cursor once all of it is with Kafka or in the spool; an interrupted day
    is published again, which changes nothing.

    Args:
        publisher: stays open.
        city: which one.
        pace: how fast; as fast as possible when left out.
        until: last day; when left out yesterday, the last that is over, or at the pace of real
            time no end.
        cursor: file that makes it resumable.
        progress: see ``Progress``.
        stop: set by another thread or a signal handler to end after the message at hand.

    Raises:
        CursorError: the cursor is about another city or unreadable.
        PublishingError: Kafka does not take messages.
    """
    pace, stop = pace or Pace(), stop or threading.Event()
    begin = first_day(city, cursor)
    end = until or (LATEST if pace.is_real_time else today() - timedelta(days=1))
    noted = done = begin - timedelta(days=1)
    with _Run(publisher, progress) as run:
        for number, messages in groupby(
            city.days(begin, end), lambda message: local_day(message.timestamp_ms)
        ):
            if not all(run.send_when_due(message, pace, stop) for message in messages):
                break
            done = day_date(number)
            if cursor is not None and run.worth_noting():
                publisher.flush()
                noted = done
                Cursor.of(city, noted).write(cursor)
        else:
            done = end
        publisher.flush()
        if cursor is not None and done > noted:
            Cursor.of(city, done).write(cursor)
    return run.summary


class _Run:
    """One call: counts since it began, and telling about them."""

    def __init__(self, publisher: Publisher, progress: Progress) -> None:
        self.summary = Summary()
        self.path = ""
        self._publisher = publisher
        self._progress = progress
        self._before = publisher.counts
        self._handed = 0
        self._note_at_count = _NOTE_EVERY
        self._note_at_time = time.monotonic() + _NOTE_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, PublishingError):
            self._publisher.flush()
        counts = self._publisher.counts
        self.summary.sent = counts.delivered - self._before.delivered
        self.summary.failed = counts.failed - self._before.failed
        self.summary.spooled = counts.waiting
        self._progress(self._handed, self.summary.refused)

    def send(self, message: Dated) -> None:
        self._publisher.publish_raw(message.topic, message.key, message.value, message.timestamp_ms)
        self._handed += 1
        self._tell()

    def check_and_send(self, row: Row, stamp: Stamp, mapping: MappingFile | None) -> None:
        try:
            timestamp = recorded(row.value) if stamp == "recorded" else None
            self._publisher.publish(row.value, timestamp_ms=timestamp)
        except RefusedError as error:
            detail = named(mapping, error.refusal.detail)
            self.fault(refused(row.line, error.refusal, detail))
        else:
            self._handed += 1
            self._tell()

    def fault(self, fault: Fault) -> None:
        self.summary.add(fault._replace(path=self.path))
        self._tell()

    def send_when_due(self, message: Dated, pace: Pace, stop: threading.Event) -> bool:
        """False when told to stop instead."""
        if not pace.await_due(message.timestamp_ms, stop):
            return False
        self.send(message)
        return True

    def worth_noting(self) -> bool:
        """Whether enough was sent, or time has passed, since this was last so."""
        now = time.monotonic()
        if self._handed < self._note_at_count and now < self._note_at_time:
            return False
        self._note_at_count = self._handed + _NOTE_EVERY
        self._note_at_time = now + _NOTE_SECONDS
        return True

    def _tell(self) -> None:
        if (self._handed + self.summary.refused) % _TELL_EVERY == 0:
            self._progress(self._handed, self.summary.refused)


def recorded(value: bytes) -> int | None:
    """When an event was recorded, as Kafka's timestamp (ms); ``None`` for what is no event."""
    event = read(value)
    if isinstance(event, Refusal):
        return None
    return max(int(event.recorded_at.timestamp() * 1000), 0)
