"""Reading rows about persons is written down, once, without naming them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consumers.store.client import Store
from consumers.store.embedded import WRITER, EmbeddedStore
from consumers.store.errors import StoreError
from consumers.store.migrate import migrate
from consumers.store.server.reads import shown
from consumers.store.views import create_views
from tests.contract.support import number

ADA = "a1" * 16
CANARY = number("32050819910203123")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running:
        with running.store() as store:
            store.command("CREATE DATABASE population", in_database=False)
            assert store.query("SELECT 1 AS records") == [(1,)]  # before there is a log
            migrate(store)
            create_views(store)
        yield running


@pytest.fixture
def store(server: EmbeddedStore) -> Iterator[Store]:
    with server.store() as connected:
        yield connected


def log(store: Store) -> list[tuple[object, ...]]:
    return store.query("SELECT account, who, tables, statement FROM reads ORDER BY read_at")


def test_a_read_of_a_person_is_written_down_once_and_without_the_person(store: Store) -> None:
    for _ in range(3):
        store.query("SELECT * FROM people WHERE person = {p:String}", {"p": ADA})
    store.query(f"SELECT event FROM population.records WHERE event LIKE '%{ADA} {CANARY}%'")
    store.query("SELECT count() FROM daily")
    list(store.blocks("SELECT code, person FROM findings"))
    store.query("WITH x AS (SELECT value FROM rejected) SELECT count() FROM x")
    rows = log(store)
    assert [row[2] for row in rows] == [["people"], ["records"], ["findings"], ["rejected"]]
    assert {row[0] for row in rows} == {WRITER}
    assert all("127.0.0.1" in str(row[1]) and "popflow (" in str(row[1]) for row in rows)
    assert f"person:{shown(ADA)}" in str(rows[0][3])
    assert f"person:{shown(ADA)}" in str(rows[1][3])
    told = str(rows)
    assert ADA not in told
    assert CANARY not in told


def test_what_cannot_be_written_down_may_not_be_read(store: Store) -> None:
    store.command("RENAME TABLE population.reads TO population.reads_kept")
    store.command("CREATE TABLE population.reads (other String) ENGINE = MergeTree ORDER BY other")
    try:
        with pytest.raises(StoreError):
            store.query("SELECT person FROM people WHERE alive")
        assert store.query("SELECT count() FROM daily") == [(0,)]
    finally:
        store.command("DROP TABLE population.reads")
        store.command("RENAME TABLE population.reads_kept TO population.reads")
