"""The ledger agent in front of a store that fails: real engine, real state, faults at its client.

A wrapped client says ``StoreUnavailable`` before a call, or after it: then the rows are stored and
the worker does not know. Whatever it says, nothing is acknowledged before all of it is stored, and
in the end every cell and finding is what the independent recount says.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from consumers.audit.audit import audit
from consumers.audit.recount import Accepted, recount
from consumers.store.embedded import EmbeddedStore
from consumers.store.errors import StoreRefused, StoreUnavailable
from consumers.store.migrate import migrate
from consumers.store.registry import add_source
from pipeline import ledger, writing
from pipeline.batching import Batch
from pipeline.core.person import Person, person
from pipeline.core.project import project
from pipeline.folding import LINEAGE, LINEAGE_HEADER, JournalRecord
from pipeline.ledger import Ledger
from pipeline.registry import Registry
from pipeline.state import PartitionState
from schemas.clock import day_number
from schemas.sources import Source
from schemas.topics import JOURNAL
from tests.laws.nasty import SOURCES, random_city

SOON = 20.0
TABLES = ("reports", "people_rows", "finding_rows", "cells")
Plan = Callable[[str], bool]
NEVER: Plan = lambda _table: False  # noqa: E731
ALWAYS: Plan = lambda _table: True  # noqa: E731


@dataclass(frozen=True)
class Record:
    """One record of the journal."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class FaultyStore:
    """A client of the store that fails when its plan says so.

    The plan is asked at each call, with the name of the table or "" for a question.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._failing = threading.Condition()
        self.before: Plan = NEVER
        self.after: Plan = NEVER
        self.error: type[Exception] = StoreUnavailable
        self.failures = 0

    def query(self, *question: Any) -> Any:
        return self._call("", self._store.query, question)

    def insert(self, table: str, *rows: Any) -> Any:
        return self._call(table, self._store.insert, (table, *rows))

    def _call(self, table: str, call: Any, arguments: Any) -> Any:
        if self.before(table):
            self._fail("nobody answers")
        answer = call(*arguments)
        if self.after(table):
            self._fail("the answer was lost")
        return answer

    def _fail(self, why: str) -> None:
        with self._failing:
            self.failures += 1
            self._failing.notify_all()
        raise self.error(why)

    async def await_failures(self, number: int) -> None:
        """Wait until so many more calls have failed."""
        wanted = self.failures + number

        def wait() -> bool:
            with self._failing:
                return self._failing.wait_for(lambda: self.failures >= wanted, SOON)

        assert await asyncio.to_thread(wait)


class Stage:
    """One partition's journal, the ledger in front of the faulty store, and the real store."""

    def __init__(self, server: EmbeddedStore, folder: Path, arrivals: list[Accepted]) -> None:
        self.real = server.store()
        for table in TABLES:
            self.real.command(f"TRUNCATE TABLE population.{table}")
        self.store = FaultyStore(self.real)
        self.folder = folder
        self.arrivals = arrivals
        self.journal = [_record(offset, arrival) for offset, arrival in enumerate(arrivals)]
        self.ledger = self.new_ledger()

    def new_ledger(self) -> Ledger:
        return Ledger(self.store, Registry(self.store), self.folder, self._read)  # type: ignore[arg-type]

    async def _read(
        self, _partition: int, start: int, until: int
    ) -> AsyncIterator[list[JournalRecord]]:
        yield list(self.journal[start:until])

    async def handle(self, start: int, until: int) -> None:
        await self.ledger.handle(Batch(JOURNAL, 0, self.journal[start:until]))  # type: ignore[arg-type]

    def check(self) -> None:
        expected = recount(self.arrivals, SOURCES)
        rows = self.real.query(
            "SELECT measure, district, day, known_on, residency, sex, band, sum(value) AS total"
            " FROM population.cells FINAL GROUP BY ALL HAVING total != 0"
        )
        assert {row[:7]: row[7] for row in rows} == expected.cells
        assert audit(self.real).differences == []
        self._check_people()

    def _check_people(self) -> None:
        """The audit leaves the register of persons out: it has to be what the entries give."""
        self.ledger.close()
        state = PartitionState(self.folder / "0")
        expected = {
            pseudonym: tuple(person(project(entry, SOURCES)))
            for pseudonym, entry in state.all_entries()
        }
        state.close()
        columns = ", ".join(("person", *Person._fields))
        rows = self.real.query(f"SELECT {columns} FROM population.people_rows FINAL")
        assert {row[0]: tuple(map(_as_counted, row[1:])) for row in rows} == expected

    def close(self) -> None:
        self.ledger.close()
        self.real.close()


def _as_counted(value: Any) -> Any:
    return day_number(value) if isinstance(value, date) else value


def _record(offset: int, arrival: Accepted) -> Record:
    noon_ms = day_number(arrival.known_on) * 86_400_000 + 4 * 3_600_000
    lineage = ((LINEAGE_HEADER, LINEAGE.pack(0, offset)),)
    key = str(arrival.event["person"]).encode()
    return Record(offset, noon_ms, key, json.dumps(arrival.event).encode(), lineage)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as server:
        with server.store() as store:
            migrate(store)
            for name, priority in SOURCES.items():
                add_source(store, Source(name, priority))
        yield server


@pytest.fixture
def stage(
    server: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    monkeypatch.setattr(writing, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(writing, "LONGEST_PAUSE", 0.01)
    stage = Stage(server, tmp_path / "state", random_city(11, 60, 600))
    yield stage
    stage.close()


@pytest.mark.parametrize("seed", range(3))
async def test_calls_that_fail_now_and_then_change_nothing(seed: int, stage: Stage) -> None:
    rng = Random(seed)
    stage.store.before = lambda _table: rng.random() < 0.25
    stage.store.after = lambda _table: rng.random() < 0.25
    start = 0
    while start < len(stage.journal):
        until = min(start + rng.choice((1, 7, 40, 120)), len(stage.journal))
        await stage.handle(start, until)
        start = until
    assert stage.store.failures > 10
    stage.check()


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_nothing_is_acknowledged_while_the_store_is_away(lost: str, stage: Stage) -> None:
    await stage.handle(0, 100)
    setattr(stage.store, lost, ALWAYS)
    handling = asyncio.create_task(stage.handle(100, 200))
    await stage.store.await_failures(8)
    assert not handling.done()
    setattr(stage.store, lost, NEVER)
    await asyncio.wait_for(handling, SOON)
    await stage.handle(200, 600)
    stage.check()


@pytest.mark.parametrize("lost", ["before", "after"])
@pytest.mark.parametrize("table", TABLES)
async def test_a_worker_that_dies_between_stored_tables_leaves_no_trace(
    table: str, lost: str, stage: Stage
) -> None:
    """Cancelled while the other tables have the batch and this one has not; then cut otherwise."""
    await stage.handle(0, 100)
    setattr(stage.store, lost, lambda asked: asked == table)
    handling = asyncio.create_task(stage.handle(100, 300))
    await stage.store.await_failures(3)
    handling.cancel()
    await asyncio.gather(handling, return_exceptions=True)
    setattr(stage.store, lost, NEVER)
    stage.ledger.close()
    stage.ledger = stage.new_ledger()
    for start, until in ((100, 150), (150, 420), (420, 600)):
        await stage.handle(start, until)
    stage.check()


async def test_a_refusal_is_an_error_and_not_tried_again(stage: Stage) -> None:
    await stage.handle(0, 100)
    stage.store.error = StoreRefused
    stage.store.before = ALWAYS
    with pytest.raises(StoreRefused):
        await stage.handle(100, 200)
    assert stage.store.failures == 1
    stage.store.before = NEVER
    await stage.handle(100, 600)
    stage.check()


async def test_a_partition_that_moves_while_the_store_is_away_can_be_opened(stage: Stage) -> None:
    """The state of a partition is asked for its epoch while nobody answers, and then given up."""
    stage.store.before = ALWAYS
    handling = asyncio.create_task(stage.handle(0, 100))
    await stage.store.await_failures(3)
    handling.cancel()
    await asyncio.gather(handling, return_exceptions=True)
    stage.ledger.give_up([0])
    stage.store.before = NEVER
    other = stage.ledger = stage.new_ledger()
    await asyncio.wait_for(other.handle(Batch(JOURNAL, 0, stage.journal)), SOON)  # type: ignore[arg-type]
    stage.check()


async def test_the_engine_is_the_stream_s_while_a_backlog_is_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stage.ledger.spare() == ledger.SHARE_IN_CALM
    monkeypatch.setattr(ledger, "_BACKLOG", 100)
    monkeypatch.setattr(ledger, "_FLOOD_SECONDS", SOON)
    await stage.handle(0, 99)
    assert stage.ledger.spare() == ledger.SHARE
    await stage.handle(99, 199)
    assert stage.ledger.spare() == ledger.SHARE_IN_FLOOD
    await stage.handle(199, 200)
    assert stage.ledger.spare() == ledger.SHARE_IN_FLOOD, "the backlog's end is not its rest"
    monkeypatch.setattr(ledger, "_FLOOD_SECONDS", 0.0)
    monkeypatch.setattr(ledger, "_CALM_SECONDS", 0.0)
    assert stage.ledger.spare() == ledger.SHARE_IN_CALM
