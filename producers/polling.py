"""From a view to Kafka: what is new since the watermark is mapped, checked, sent and noted.

The note is written after Kafka has confirmed the rows, so a crash anywhere sends some of the last
batch again and loses nothing.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from producers.delivery import RefusedError
from producers.items import Fault, Row, refused
from producers.kit import Publisher
from producers.mapped import RowMapper, named
from producers.mapping import check_columns
from producers.sources.sql import Polled, View
from producers.watermark import Mark, Note, Position
from schemas.identity import mask_runs

Tell = Callable[[Fault], None]


@dataclass
class Looked:
    """What one look at a view came to: rows that were new, and what became of them."""

    rows: int = 0
    sent: int = 0
    refused: int = 0
    left_out: int = 0
    unmarked: int = 0


def look(
    view: View,
    polled: Polled,
    mapper: RowMapper,
    note: Note,
    publisher: Publisher,
    *,
    tell: Tell,
    stop: threading.Event | None = None,
) -> Looked:
    """Send everything that is new, batch by batch.

    Args:
        view: of a database.
        polled: which view.
        mapper: makes events of its rows.
        note: where it was read up to; written after each batch.
        publisher: without a spool: the database keeps the rows until they are noted.
        tell: called with each wrong row, once until the row changes.
        stop: set to end after the batch at hand.

    Raises:
        SourceError: the database or the view is away.
        MappingError: the view lacks a column.
        WatermarkError: see :class:`~producers.watermark.Note`.
        PublishingError: Kafka does not take messages; nothing of the batch is noted.
    """
    looked = Looked(unmarked=_prepared(view, polled, mapper))
    position = note.read()
    failed = publisher.counts.failed
    for rows in batches(view, polled, position):
        taken: dict[str, Mark] = {}
        for mark, digest, row in rows:
            looked.rows += 1
            _send(looked, polled, mapper, publisher, mark, row, tell)
            taken[digest] = mark
        publisher.flush()
        position.take(taken, polled.overlap)
        note.save(position)
        if stop is not None and stop.is_set():
            break
    lost = publisher.counts.failed - failed
    looked.sent -= lost
    looked.refused += lost
    return looked


def dry_run(view: View, polled: Polled, mapper: RowMapper, note: Note) -> Iterator[Row | Fault]:
    """The events that the next look would send; nothing is sent and nothing noted.

    Raises:
        SourceError, MappingError, WatermarkError: as :func:`look`.
    """
    _prepared(view, polled, mapper)
    position = note.read()
    number = 0
    for rows in batches(view, polled, position):
        for mark, _, row in rows:
            number += 1
            for found in mapper.rows(number, row):
                yield _placed(found, polled, mark) if isinstance(found, Fault) else found
        position.take({digest: mark for mark, digest, _ in rows}, polled.overlap)


def batches(
    view: View, polled: Polled, position: Position
) -> Iterator[list[tuple[Mark, str, Mapping[str, Any]]]]:
    """New rows with mark and digest, batch by batch; the caller takes each before the next.

    Raises:
        SourceError: the database or the view is away.
        WatermarkError: the marks cannot be compared.
    """
    more = polled.batch
    while True:
        most = more + len(position.recent)
        read = view.read(position.begin(polled.overlap), most)
        fresh: dict[str, tuple[Mark, str, Mapping[str, Any]]] = {}
        for row in read:
            digest = position.digest(row)
            if digest not in position.recent:
                fresh[digest] = (row[polled.watermark], digest, row)
        if fresh:
            more = polled.batch
            yield list(fresh.values())
        elif len(read) == most:
            more *= 2  # rows that are alike in every cell stand in the way
        if len(read) < most:
            return


def _prepared(view: View, polled: Polled, mapper: RowMapper) -> int:
    check_columns(mapper.mapping, view.columns(), polled.view)
    return view.unmarked()


def _send(
    looked: Looked,
    polled: Polled,
    mapper: RowMapper,
    publisher: Publisher,
    mark: Mark,
    row: Mapping[str, Any],
    tell: Tell,
) -> None:
    found = list(mapper.rows(looked.rows, row))
    looked.left_out += not found
    for event in found:
        if isinstance(event, Row):
            try:
                publisher.publish(event.value)
                looked.sent += 1
                continue
            except RefusedError as error:
                detail = named(mapper.mapping, error.refusal.detail)
                event = refused(event.line, error.refusal, detail)
        looked.refused += 1
        tell(_placed(event, polled, mark))


def _placed(fault: Fault, polled: Polled, mark: Mark) -> Fault:
    at = mark.hex() if isinstance(mark, bytes) else mark
    return fault._replace(path=mask_runs(f"{polled.view} {polled.watermark}={at}"))
