"""The store process and the real ClickHouse client, as every part of popflow uses them."""

import base64
import contextlib
import gzip
import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from urllib.parse import quote, urlsplit

import clickhouse_connect
import lz4.frame
import pytest

from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.errors import StoreRefused, StoreUnavailable
from consumers.store.server.bodies import compress

TEN = """c0 Int64, c1 String, c2 Date32, c3 Nullable(Date32), c4 LowCardinality(String),
    c5 UInt16, c6 Bool, c7 DateTime64(3, 'Asia/Shanghai'), c8 Nullable(Int64), c9 UInt64"""


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running:
        with running.store() as store:
            store.command("CREATE DATABASE population", in_database=False)
        yield running


@pytest.fixture
def store(server) -> Iterator[Store]:
    with server.store() as connected:
        connected.command(f"CREATE OR REPLACE TABLE ten ({TEN}) ENGINE = MergeTree ORDER BY c0")
        yield connected


def client(server, **options):
    parts = urlsplit(server.url)
    return clickhouse_connect.get_client(
        host=parts.hostname, port=parts.port, username=server.user, password=server.password,
        database="population", autogenerate_session_id=False, dedicated_pool=True, **options,
    )  # fmt: skip


def ask(server, body=b"", url="", method="POST", auth=None, **headers):
    """One plain HTTP request: (status, headers, body)."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    name, password = auth or (server.user, server.password)
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    if auth != ():
        headers.setdefault("Authorization", f"Basic {token}")
    try:
        connection.request(method, f"/?{url}", body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def columns(rows: int, start: int = 0):
    keys = range(start, start + rows)
    return {
        "c0": list(keys),
        "c1": [f"户\t'{key}'\n\\" for key in keys],
        "c2": [key - 20_000 for key in keys],
        "c3": [None if key % 3 else key - 20_000 for key in keys],
        "c4": [str(key % 7) for key in keys],
        "c5": [key % 60_000 for key in keys],
        "c6": [key % 2 == 0 for key in keys],
        "c7": [1_700_000_000_123 + key for key in keys],
        "c8": [None if key % 2 else -key for key in keys],
        "c9": [2**63 + key for key in keys],
    }


def test_ten_columns_of_every_type_come_back(store):
    # Ten columns: the first byte of the block is that of a newline.
    assert store.insert("ten", columns(2)) == 2
    first, second = store.query("SELECT * FROM ten ORDER BY c0")
    zone = first[7].tzinfo
    assert str(zone) == "Asia/Shanghai"
    assert first == (
        0, "户\t'0'\n\\", date(1915, 3, 31), date(1915, 3, 31), "0", 0, True,
        datetime(2023, 11, 15, 6, 13, 20, 123_000, tzinfo=zone), 0, 2**63,
    )  # fmt: skip
    assert (second[3], second[8]) == (None, None)


def test_a_hundred_thousand_rows(store):
    given = columns(100_000)
    store.insert("ten", given)
    assert store.query("SELECT count(), sum(c0), uniqExact(c1) FROM ten") == [
        (100_000, sum(given["c0"]), 100_000)
    ]
    read = store.columns("SELECT c0, c9 FROM ten ORDER BY c0")
    assert list(read["c9"]) == given["c9"]
    # Larger results come in blocks; the whole is the same.
    seen = [row[0] for block in store.blocks("SELECT c0 FROM ten ORDER BY c0") for row in block]
    assert seen == given["c0"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", False])
def test_unmodified_client_with_compressed_bodies(server, encoding):
    connected = client(server, compress=encoding)
    given = columns(30_000)
    connected.insert("ten", list(given.values()), column_names=list(given), column_oriented=True)
    result = connected.query("SELECT c0, c1 FROM ten ORDER BY c0", column_oriented=True)
    assert list(result.result_columns[1]) == given["c1"]
    connected.close()


@pytest.mark.parametrize("encoding", ["gzip", "lz4", "zstd"])
def test_answers_are_compressed_only_when_asked_twice(server, encoding):
    sql = b"SELECT number FROM numbers(1000) FORMAT TSV"
    wait = "wait_end_of_query=1"
    _, headers, plain = ask(server, sql, wait, Accept_Encoding=encoding)
    assert "content-encoding" not in headers
    _, headers, body = ask(
        server, sql, f"{wait}&enable_http_compression=1", Accept_Encoding=encoding
    )
    assert headers["content-encoding"] == encoding
    assert body == compress(encoding, plain)


def test_inserts_in_other_formats(server, store):
    statement = quote("INSERT INTO population.ten (c0, c1) FORMAT CSV")
    assert ask(server, gzip.compress(b"1,a\n2,b\n"), f"query={statement}",
               Content_Encoding="gzip")[0] == 200  # fmt: skip
    status, headers, _ = ask(
        server, lz4.frame.compress(b"INSERT INTO population.ten (c0, c1) VALUES (3, 'FORMAT\n')"),
        Content_Encoding="lz4",
    )  # fmt: skip
    assert status == 200
    assert json.loads(headers["x-clickhouse-summary"])["written_rows"] == "1"
    arrow = ask(server, b"SELECT 4::Int64 AS c0, 'd' AS c1 FORMAT Arrow", "wait_end_of_query=1")[2]
    assert ask(server, b"INSERT INTO population.ten (c0, c1) FORMAT Arrow\n" + arrow)[0] == 200
    assert store.query("SELECT c0, c1 FROM ten ORDER BY c0") == [
        (1, "a"), (2, "b"), (3, "FORMAT\n"), (4, "d"),
    ]  # fmt: skip


def test_parameters(store):
    values = ["'; DROP TABLE ten --", "tab\t newline\n backslash\\ quote'", "户籍", "", "\\N"]
    for value in values:
        assert store.query("SELECT {x:String}", {"x": value}) == [(value,)]
    assert store.query(
        "SELECT {d:Date32}, {n:Nullable(Int64)}, {a:Array(String)}",
        {"d": date(1949, 10, 1), "n": None, "a": ["a'b", "c"]},
    ) == [(date(1949, 10, 1), None, ["a'b", "c"])]


def test_long_parameters_come_as_a_form(store):
    people = [f"{number:032x}" for number in range(20_000)]
    assert store.query("SELECT length({p:Array(String)})", {"p": people}) == [(20_000,)]


def test_headers_formats_and_settings(server):
    status, headers, body = ask(
        server, url="query=SELECT%201&default_format=JSONCompact&query_id=q%0d%0a1", method="GET"
    )
    assert (status, json.loads(body)["data"]) == (200, [[1]])
    assert headers["x-clickhouse-query-id"] == "q1"
    assert headers["x-clickhouse-format"] == "JSONCompact"
    assert headers["x-clickhouse-timezone"] == "Asia/Shanghai"
    # A setting holds for its request only; unknown ones are refused, transport ones ignored.
    sql = b"SELECT getSetting('max_threads')"
    assert ask(server, sql, "max_threads=3&session_id=a&wait_end_of_query=1")[2] == b"3\n"
    assert ask(server, sql, "wait_end_of_query=1")[2] != b"3\n"
    assert ask(server, sql, "max_thread=3")[1]["x-clickhouse-exception-code"] == "115"
    assert ask(server, b"SET max_threads = 3")[0] == 200
    assert ask(server, sql, "wait_end_of_query=1")[2] != b"3\n"
    assert ask(server, b"SELECT toString(toDateTime(0)), timezone()")[2] == (
        b"1970-01-01 08:00:00\tAsia/Shanghai\n"
    )
    assert ask(server, url="", method="GET", auth=())[2] == b"Ok.\n"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1 FROM", 400, "62"),
        ("SELECT * FROM population.nothing", 404, "60"),
        ("SELECT nothing", 404, "47"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("SELECT throwIf(1)", 500, "395"),
        ("INSERT INTO population.ten (c0) FORMAT CSV\nx\n", 500, None),
        ("INSERT INTO population.ten (c0) FORMAT Native\n\x05", 500, None),
        ("", 400, "62"),
    ],
)
@pytest.mark.usefixtures("store")
def test_errors_are_clickhouse_errors(server, sql, status, code):
    got, headers, body = ask(server, sql.encode(), "wait_end_of_query=1")
    number = headers["x-clickhouse-exception-code"]
    assert (got, number) == (status, code or number)
    assert body.startswith(f"Code: {number}. DB::Exception: ".encode())
    assert b"Traceback" not in body


def test_wrong_users_are_refused_alike(server):
    answers = [
        ask(server, b"SELECT 1", auth=(server.user, "wrong")),
        ask(server, b"SELECT 1", auth=("nobody", server.password)),
        ask(server, b"SELECT 1", auth=()),
        ask(server, b"SELECT 1", auth=(), Authorization="Basic !!!"),
        ask(server, b"SELECT 1", "user=a&password=b", auth=()),
    ]
    assert {(status, body) for status, _, body in answers} == {(403, answers[0][2])}
    assert {headers["x-clickhouse-exception-code"] for _, headers, _ in answers} == {"516"}
    key = {"X_ClickHouse_User": server.user, "X_ClickHouse_Key": server.password}
    assert ask(server, b"SELECT 1", auth=(), **key)[0] == 200
    login = f"user={server.user}&password={quote(server.password)}"
    assert ask(server, b"SELECT 1", login, auth=())[0] == 200


def test_get_changes_nothing(server):
    for sql in ("DROP TABLE population.ten", "INSERT INTO population.ten (c0) VALUES (1)"):
        status, headers, _ = ask(server, url=f"query={quote(sql)}", method="GET")
        assert (status, headers["x-clickhouse-exception-code"]) == (500, "164")


def test_a_failed_result_never_reaches_the_next_query(server):
    """The engine hands the rows of a query that failed in mid-result to the next one."""
    # The settings are part of the statements: in the URL, they would cost the handle a SET
    # statement in between, and that one would swallow the rows.
    failing = (
        b"SELECT number, throwIf(number = 65000) FROM numbers(100000)"
        b" SETTINGS max_block_size = 1000"
    )
    url = "wait_end_of_query=1"
    for _ in range(10):
        assert ask(server, failing, url)[0] == 500
        for _ in range(5):
            assert ask(server, b"SELECT 42", "wait_end_of_query=1")[2] == b"42\n"
    limited = b"SELECT number FROM numbers(1000000) SETTINGS max_result_rows = 70000"
    assert ask(server, limited, url)[0] == 500
    assert ask(server, b"SELECT 43", "wait_end_of_query=1")[2] == b"43\n"


def test_a_stream_that_fails_is_no_short_answer(server, store):
    sql = "SELECT number, throwIf(number = 150000) FROM numbers(200000) SETTINGS max_block_size=999"
    with pytest.raises(StoreRefused, match="395"):
        list(store.blocks(sql))
    with pytest.raises(http.client.IncompleteRead):
        ask(server, sql.encode())
    assert store.query("SELECT 44") == [(44,)]


def test_readers_who_go_away_free_their_stream(store):
    for _ in range(12):
        rows = store.blocks("SELECT number FROM numbers(3000000)")
        next(rows)
        rows.close()
    assert store.query("SELECT 45") == [(45,)]
    assert len(list(store.blocks("SELECT 1"))) == 1


def test_small_answers_are_not_held_back(store):
    """Without TCP_NODELAY every answer takes the 40 ms of a delayed acknowledgement."""

    def taken() -> float:
        begun = time.perf_counter()
        store.query("SELECT 1")
        return time.perf_counter() - begun

    assert statistics.median(taken() for _ in range(21)) < 0.03


def test_threads_share_one_store(store):
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(6):
            store.insert("ten", columns(50, start=(number * 6 + turn) * 50))
            with contextlib.suppress(StoreRefused):
                store.query("SELECT throwIf(number = 65000) FROM numbers(100000)")
            if store.query("SELECT {n:Int64}", {"n": number}) != [(number,)]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert store.query("SELECT count(), uniqExact(c0) FROM ten") == [(2400, 2400)]


def test_client_errors_are_of_two_kinds(server, store):
    with pytest.raises(StoreRefused, match="has no column nope"):
        store.insert("ten", {"nope": [1]})
    with pytest.raises(StoreRefused, match="does not exist"):
        store.insert("nothing", {"c0": [1]})
    with pytest.raises(StoreRefused, match="differ in length"):
        store.insert("ten", {"c0": [1, 2], "c1": ["a"]})
    with pytest.raises(StoreRefused):
        store.insert("ten", {"c0": ["x"]})
    with pytest.raises(StoreRefused):
        store.insert("ten", {"c5": [70_000]})
    assert store.query("SELECT count() FROM ten") == [(0,)]
    with pytest.raises(StoreRefused, match="refused the user") as caught:
        Store.connect(server.url, server.user, "a-wrong-password")
    assert "a-wrong-password" not in str(caught.value)
    with pytest.raises(StoreRefused, match="http://host:port"):
        Store.connect("localhost:8123", "a", "b")
    with pytest.raises(StoreUnavailable):
        store.query("SELECT count() FROM numbers(1e12) SETTINGS max_execution_time = 0.01")
