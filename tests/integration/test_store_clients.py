"""Unmodified clients of ClickHouse read the store process as a reader, and are stopped by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from consumers.store.embedded import READER, EmbeddedStore
from consumers.store.errors import StoreError, StoreRefused
from consumers.store.migrate import migrate
from consumers.store.views import create_views

GO = Path(__file__).with_name("goclient")
TOTALS = "SELECT toString(district) AS d, sum(value) AS n FROM daily GROUP BY d ORDER BY d"
HEAVY = (
    "SELECT sum(sipHash64(number, n)) FROM numbers(100000000000) AS a"
    " CROSS JOIN (SELECT number AS n FROM numbers(1000)) AS b"
)
HUNGRY = "SELECT length(groupArray(number)) FROM numbers(300000000)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running:
        with running.store() as store:
            migrate(store)
            create_views(store)
            store.insert(
                "cells",
                {"measure": ["births"] * 3, "district": ["320505", "320505", "320508"],
                 "day": [1, 2, 3], "value": [5, 6, 7], "version": [1, 1, 1]},
            )  # fmt: skip
        yield running


def test_clickhouse_connect_reads_with_parameters_and_formats(server: EmbeddedStore) -> None:
    parts = urlsplit(server.url)
    client = clickhouse_connect.get_client(
        host=parts.hostname, port=parts.port, username=READER, password=server.reader_password,
        database="population",
    )  # fmt: skip
    try:
        found = client.query(
            "SELECT sum(value) FROM daily WHERE district = {d:String}", {"d": "320505"}
        )
        assert found.result_rows == [(11,)]
        assert client.raw_query(TOTALS, fmt="CSV") == b'"320505",11\n"320508",7\n'
        with pytest.raises(DatabaseError, match="ACCESS_DENIED"):
            client.query("SELECT * FROM people")
        with pytest.raises(DatabaseError, match="READONLY"):
            client.insert("cells", [["births"]], ["measure"], column_type_names=["String"])
    finally:
        client.close()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (["--get", "--data-urlencode", f"query={TOTALS} FORMAT TSV"], "320505\t11\n320508\t7\n"),
        (["--data-binary", f"{TOTALS} FORMAT JSONCompactEachRow"],
         '["320505", 11]\n["320508", 7]\n'),
        (["--data-binary", "INSERT INTO population.cells (value) VALUES (1)"], "Code: 164."),
        (["--data-binary", "DROP TABLE population.cells"], "Code: 497."),
        (["--data-binary", "SELECT * FROM file('/etc/passwd', 'LineAsString')"], "Code: 497."),
        (["--get", "--data-urlencode", "query=SELECT * FROM system.parts"], "Code: 497."),
        (["--get", "--data-urlencode", "query=SELECT 1", "--data", "database=system"],
         "Code: 497."),
    ],
)  # fmt: skip
def test_curl_gets_and_posts(server: EmbeddedStore, how: list[str], said: str) -> None:
    login = f"{READER}:{server.reader_password}"
    done = subprocess.run(
        ["curl", "--silent", "--user", login, f"{server.url}/", *how],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.replace('", "', '","').startswith(said)


def test_a_hungry_query_is_stopped_while_the_pipeline_writes(server: EmbeddedStore) -> None:
    """Both of the readers' handles are kept busy; the writer's insert goes on beside them."""
    stop = threading.Event()
    ends: list[str] = []

    def read() -> None:
        with server.store(reader=True) as reader:
            while not stop.is_set():
                try:
                    reader.query(HUNGRY)
                except StoreError as error:
                    ends.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        with server.store() as store:
            batches = 0
            rows = {"measure": ["deaths"] * 5000, "value": [0] * 5000, "version": [1] * 5000}
            rows["day"] = list(range(5000))
            while len(ends) < 4:
                store.insert("cells", rows)
                batches += 1
            assert batches > 0
            assert store.query("SELECT count() FROM cells WHERE measure = 'deaths'")[0][0] >= 5000
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert all("memory" in end.lower() for end in ends)


@pytest.mark.long
def test_a_heavy_query_ends_at_its_time_limit(server: EmbeddedStore) -> None:
    with server.store(reader=True) as reader:
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"(?i)timeout"):
            reader.query(HEAVY)
        assert time.monotonic() - began < 60, "the limit is 30 s"
        assert reader.query("SELECT sum(value) FROM daily WHERE measure = 'births'") == [(18,)]


@pytest.mark.long
def test_the_go_client_reads_over_http(server: EmbeddedStore, tmp_path: Path) -> None:
    """clickhouse-go, as Grafana uses it; its modules come from Go's module proxy."""
    shutil.copytree(GO, tmp_path / "go")
    subprocess.run(
        [Path(sys.executable).with_name("go"), "build", "-mod=readonly", "-o", "reader", "."],
        cwd=tmp_path / "go", check=True, timeout=900,
    )  # fmt: skip
    done = subprocess.run(
        [tmp_path / "go/reader", urlsplit(server.url).netloc, READER, TOTALS,
         "SELECT person, 1 FROM people", "SELECT name, 1 FROM system.parts"],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "STORE_PASSWORD": server.reader_password},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith(("row:", "refused:"))]
    assert lines[:2] == ["row: 320505 11", "row: 320508 7"], done.stdout + done.stderr
    assert len(lines) == 4
    assert all("Code: 497" in line for line in lines[2:]), lines


def test_the_limits_of_a_reader_cannot_be_lifted(server: EmbeddedStore) -> None:
    with server.store(reader=True) as reader, pytest.raises(StoreRefused, match="max_memory"):
        reader.query("SELECT 1 SETTINGS max_memory_usage = 0")
