"""What a reader of the store process may and may not run."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from consumers.store.access import (
    LOGGED,
    PERSON_COLUMNS,
    PERSONAL,
    PUBLIC,
    READER,
    STATISTICS,
)
from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.errors import StoreRefused, StoreUnavailable
from consumers.store.migrate import migrate
from consumers.store.views import create_views


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running:
        with running.store() as store:
            migrate(store)
            create_views(store)
            store.insert(
                "cells",
                {"measure": ["births"] * 3, "district": ["320508"] * 3, "day": [1, 2, 3],
                 "value": [5, 6, 7], "version": [1, 1, 1]},
            )  # fmt: skip
        yield running


@pytest.fixture(scope="module")
def reader(server) -> Iterator[Store]:
    with server.store(reader=True) as store:
        yield store


@pytest.fixture(scope="module")
def everybody(server) -> Iterator[Store]:
    with server.store(public=True) as store:
        yield store


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(value) FROM daily",
        "SELECT count() FROM public_counts",
        "SELECT count() FROM population.public_indicators",
        "SELECT count() FROM indicators_as_known(as_of = '2020-01-01', known_on = '2020-01-01')",
        "SELECT '320508' IN (SELECT district FROM daily)",
        "SELECT count() AS records, records + 1 FROM daily GROUP BY district ORDER BY records",
        "SELECT population.daily.value FROM population.daily",
        "SHOW DATABASES",
        "SELECT count() FROM system.settings",
        "SELECT sum(value) FROM population.daily_as_known(known_on = '2026-01-01')",
        "WITH d AS (SELECT day, value FROM daily) SELECT x.day, format('{}', x.value) FROM d AS x",
        "SELECT version(), 1 IN (1, 2), today(), number FROM numbers(2)",
        "SELECT dummy FROM system.one",
        "SHOW TABLES",
        "SHOW CREATE TABLE daily",
        "DESCRIBE TABLE daily",
        "EXPLAIN SELECT 1",
        "EXISTS TABLE daily",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT 'file(', 'system.parts', \"value\" FROM daily /* url('x') */",
    ],
)
def test_allowed(reader, sql):
    assert reader.query(sql)


@pytest.mark.parametrize("view", sorted(STATISTICS))
def test_the_public_reads_what_is_for_everybody_only(everybody, view):
    with pytest.raises(StoreRefused, match=r"privileges|UNKNOWN_TABLE"):
        everybody.query(f"SELECT * FROM {view}")
    assert everybody.query("SELECT count() FROM public_counts")[0][0] > 0


def test_every_view_is_open_to_somebody_or_personal(server):
    """A new view has to be put into one of the lists of consumers/store/access.py."""
    with server.store() as store:
        views = {
            name
            for name, engine in store.query(
                "SELECT name, engine FROM system.tables WHERE database = 'population'"
            )
            if engine == "View"
        }
        columns = store.query(
            "SELECT table, name FROM system.columns WHERE database = 'population'"
        )
    assert not views - READER - set(PERSONAL)
    assert not READER & LOGGED
    open_columns = {(table, name) for table, name in columns if table in READER}
    assert not {pair for pair in open_columns if pair[1] in PERSON_COLUMNS}
    assert {"public_counts", "public_indicators"} <= set(PUBLIC)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO cells (value) VALUES (1)",
        "INSERT INTO cells SELECT * FROM cells",
        "INSERT INTO FUNCTION file('x.csv') SELECT 1",
        "DROP TABLE cells",
        "TRUNCATE TABLE cells",
        "ALTER TABLE cells DELETE WHERE 1",
        "OPTIMIZE TABLE cells",
        "CREATE TABLE x (a Int8) ENGINE = File(CSV)",
        "CREATE TEMPORARY TABLE x (a Int8)",
        "CREATE USER x",
        "SET readonly = 0",
        "USE system",
        "KILL QUERY WHERE 1",
        "SYSTEM SHUTDOWN",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE cells",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 1000",
        "BACKUP DATABASE population TO Disk('x', 'y')",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM FILE('/etc/passwd', 'LineAsString')",
        "SELECT * FROM `file`('/etc/passwd', 'LineAsString')",
        "SELECT/**/file/**/('/etc/passwd')",
        "SELECT file('/etc/passwd')",
        "SELECT (SELECT file('/etc/passwd'))",
        "WITH x AS (SELECT * FROM url('http://127.0.0.1/', 'CSV')) SELECT * FROM x",
        "SELECT * FROM view(SELECT * FROM s3('http://127.0.0.1/a/b'))",
        "SELECT 1 WHERE 1 IN (SELECT * FROM remote('127.0.0.1', 'system', 'one'))",
        "SELECT * FROM executable('x', 'TSV', 'a Int8')",
        "SELECT * FROM python('x')",
        "SELECT * FROM merge('population', '.*')",
        "SELECT * FROM mysql('a', 'b', 'c', 'd', 'e')",
        "SELECT * FROM cluster('default', system.one)",
        "SELECT * FROM loop(system.parts)",
        "SELECT * FROM dictionary('x')",
        "SELECT dictGet('x', 'y', 1)",
        "SELECT joinGet('population.x', 'y', 1)",
        "SELECT sleep(1)",
        "SELECT hostName()",
        "SELECT * FROM system.parts",
        "SELECT * FROM system.tables",
        "SELECT * FROM system.columns",
        "SELECT * FROM system.query_log",
        "SELECT * FROM cells",
        "SELECT * FROM people",
        "SELECT * FROM population.people",
        "SELECT * FROM `population`.`people`",
        'SELECT * FROM "records" AS daily',
        "SELECT * FROM population.reports FINAL",
        "SELECT * FROM findings",
        "SELECT * FROM facts",
        "SELECT value FROM rejected",
        "SELECT * FROM migrations",
        "SELECT d.day FROM daily AS d JOIN records AS r ON d.day = r.day",
        "SELECT (SELECT count() FROM people)",
        "SELECT 1 WHERE 'x' IN people",
        "SELECT 1 WHERE ('x', 'y') NOT IN population.people",
        "SELECT globalNotNullIn('x', records)",
        "SELECT in('x', reports)",
        "WITH p AS (SELECT * FROM people) SELECT count() FROM p",
        "WITH daily AS (SELECT person FROM records) SELECT * FROM daily",
        "SELECT * FROM view(SELECT * FROM people)",
        "SELECT * FROM daily UNION ALL SELECT * FROM (SELECT day FROM records)",
        "SELECT * FROM daily WHERE day = (SELECT max(day) FROM records)",
        "SELECT * FROM daily PARALLEL WITH SELECT * FROM people",
        "DESCRIBE TABLE people",
        "EXPLAIN SELECT * FROM people",
        "SELECT * FROM hdfs('hdfs://127.0.0.1/a', 'CSV')",
        "SELECT * FROM azureBlobStorage('a', 'b', 'c')",
        "SELECT * FROM s3Cluster('a', 'http://127.0.0.1/b')",
        "SELECT * FROM remoteSecure('127.0.0.1', system.one)",
        "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
        "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'e Int8')",
        "SELECT * FROM sqlite('/tmp/x', 'y')",
        "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String')",
        "SELECT * FROM input('a Int8')",
        "SELECT * FROM fileCluster('default', '/etc/passwd', 'LineAsString')",
        "SELECT * FROM urlCluster('default', 'http://127.0.0.1', 'CSV')",
        "SELECT * FROM deltaLake('http://127.0.0.1/a')",
        "SELECT * FROM iceberg('http://127.0.0.1/a')",
        "SELECT * FROM mergeTreeIndex('population', 'reports')",
        "ATTACH TABLE x FROM '/tmp/x' (a Int8) ENGINE = File(CSV)",
        "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(FILE(path '/etc/passwd' format 'CSV'))",
        "CREATE FUNCTION f AS x -> x",
        "CREATE VIEW v AS SELECT * FROM people",
        "RENAME TABLE cells TO c",
        "EXCHANGE TABLES cells AND reports",
        "DETACH TABLE cells",
        "UNDROP TABLE cells",
        "DELETE FROM cells WHERE 1",
        "GRANT ALL ON *.* TO popflow_reader",
        "SELECT getServerSetting('max_server_memory_usage')",
        "SELECT * FROM daily SETTINGS max_memory_usage = 0",
        "EXECUTE AS popflow_writer SELECT 1",
        "SELECT * FROM `system`.`processes`",
        "SELECT 1 WHERE 'x' IN system.users",
        "SELECT * FROM default.x",
        "SELECT * FROM information_schema.tables",
        "SHOW PROCESSLIST",
        "SHOW GRANTS",
        "DESCRIBE TABLE file('/etc/passwd')",
        "EXPLAIN SELECT * FROM file('/etc/passwd')",
        "CHECK TABLE cells",
        "SELEC",
        "",
    ],
)
def test_refused(reader, sql):
    with pytest.raises(StoreRefused) as caught:
        reader.query(sql)
    assert caught.value.code in (62, 164, 497, 47)


def test_names_in_parameters_are_judged(reader):
    assert reader.query("SELECT count() FROM {t:Identifier}", {"t": "daily"}) == [(3,)]
    with pytest.raises(StoreRefused, match=r"system\.parts"):
        reader.query("SELECT * FROM {t:Identifier}", {"t": "system.parts"})


def test_settings_of_a_reader_only_shape_the_text(server, reader):
    def ask(setting):
        request = urllib.request.Request(
            f"{server.url}/?{setting}&wait_end_of_query=1",
            b"SELECT 1::UInt64 AS a FORMAT JSONEachRow",
            {"X-ClickHouse-User": "popflow_reader", "X-ClickHouse-Key": server.reader_password},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    assert ask("output_format_json_quote_64bit_integers=1") == b'{"a":"1"}\n'
    assert ask("output_format_json_quote_64bit_integers=0") == b'{"a":1}\n'
    for refused in ("max_result_rows=0", "readonly=0", "max_execution_time=1", "database=system"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(refused)
        assert caught.value.headers["X-ClickHouse-Exception-Code"] in ("164", "497")
        caught.value.close()
    assert reader.query("SELECT 1") == [(1,)]


def test_limits_hold_and_leave_nothing_behind(reader):
    with pytest.raises(StoreRefused, match=r"(?i)limit"):
        reader.query("SELECT number FROM numbers(2000000)")
    assert reader.query("SELECT 42") == [(42,)]
    with pytest.raises(StoreUnavailable, match=r"(?i)memory"):
        reader.query("SELECT length(groupArray(number)) FROM numbers(300000000)")
    assert reader.query("SELECT sum(value) FROM daily") == [(18,)]
