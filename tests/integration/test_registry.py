"""The registry that the workers ask, on the real engine."""

from __future__ import annotations

import asyncio
import threading

import pytest

from consumers.store.client import Store
from consumers.store.registry import add_source
from pipeline.registry import Registered, Registry
from schemas.sources import Source

PATIENCE = 30.0
SOURCE = Source("health.hospital-9", 9)


def test_an_answer_is_never_older_than_the_question(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though another question, which was read before, is not answered yet."""
    was_read, go_on = threading.Event(), threading.Event()
    ask = store.query

    def slowly(sql: str) -> list[tuple[object, ...]]:
        rows = ask(sql)
        was_read.set()
        assert go_on.wait(PATIENCE)
        return rows

    async def run() -> tuple[Registered, Registered]:
        registry = Registry(store)
        await registry.current()
        monkeypatch.setattr(store, "query", slowly)
        early = asyncio.create_task(registry.current())
        assert await asyncio.to_thread(was_read.wait, PATIENCE)
        monkeypatch.setattr(store, "query", ask)
        await asyncio.to_thread(add_source, store, SOURCE)
        late = asyncio.create_task(registry.current())
        await asyncio.sleep(0)
        go_on.set()
        return await early, await late

    early, late = asyncio.run(run())
    assert SOURCE.name not in early.accepted
    assert late.accepted[SOURCE.name] == SOURCE.priority


def test_who_asks_together_is_answered_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first, and all who came while it was answered."""
    questions = []
    ask = store.query

    def asked(sql: str) -> list[tuple[object, ...]]:
        questions.append(sql)
        return ask(sql)

    monkeypatch.setattr(store, "query", asked)

    async def run() -> list[Registered]:
        registry = Registry(store)
        await registry.current()
        questions.clear()
        first = asyncio.create_task(registry.current())
        await asyncio.sleep(0)
        return await asyncio.gather(first, *(registry.current() for _ in range(50)))

    answers = asyncio.run(run())
    assert len(questions) <= 2
    assert all(answer == answers[0] for answer in answers)
