"""Where a statement ends and its data starts, and which format it asks for."""

import gzip
import zlib

import lz4.frame
import pytest

from consumers.store.server import bodies, statement
from consumers.store.server.errors import StatementError
from consumers.store.server.statement import Insert, Query
from consumers.store.sql import statements


@pytest.mark.parametrize(
    ("query", "body", "sql", "fmt", "data"),
    [
        ("", b"INSERT INTO t FORMAT Native\n\x0a\x01", "INSERT INTO t", "Native", b"\n\x01"),
        ("INSERT INTO t FORMAT Native", b"\x0a\x01", "INSERT INTO t", "Native", b"\n\x01"),
        ("INSERT INTO t FORMAT Native\n", b"\x0a\x01", "INSERT INTO t", "Native", b"\n\x01"),
        ("", b"insert into t format CSV \r\n1\n", "insert into t", "CSV", b"1\n"),
        ("", b"INSERT INTO t FORMAT JSONEachRow {}", "INSERT INTO t", "JSONEachRow", b"{}"),
        ("", b"INSERT INTO t VALUES ('a FORMAT CSV\n')", "INSERT INTO t", "Values",
         b" ('a FORMAT CSV\n')"),
        ("INSERT INTO t VALUES", b"(1)", "INSERT INTO t", "Values", b"(1)"),
        ("", b"-- FORMAT CSV\nINSERT INTO `a FORMAT b` (x) SETTINGS y=1 FORMAT Arrow\nA",
         "-- FORMAT CSV\nINSERT INTO `a FORMAT b` (x) SETTINGS y=1", "Arrow", b"A"),
        ("", "INSERT INTO `户` FORMAT CSV\n户".encode(), "INSERT INTO `户`", "CSV", "户".encode()),
    ],
)  # fmt: skip
def test_insert_ends_at_its_newline(query, body, sql, fmt, data):
    found = statement.read(query, body)
    assert isinstance(found, Insert)
    assert (found.sql.strip(), found.format, b"".join(found.parts)) == (sql, fmt, data)


@pytest.mark.parametrize(
    ("sql", "left", "fmt"),
    [
        ("SELECT 1 FORMAT Native", "SELECT 1", "Native"),
        ("SELECT 1\n FORMAT CSV;\n-- end", "SELECT 1", "CSV"),
        ("SELECT 1 FORMAT CSV SETTINGS a = 1", "SELECT 1 SETTINGS a = 1", "CSV"),
        ("SELECT ' FORMAT CSV'", "SELECT ' FORMAT CSV'", None),
        ("SELECT format FROM t ORDER BY format DESC", None, None),
        ("SELECT * FROM (SELECT 1 FORMAT x)", None, None),
        ("INSERT INTO t SELECT 1", None, None),
        (
            "INSERT INTO t (a) FROM INFILE 'x' FORMAT CSV",
            "INSERT INTO t (a) FROM INFILE 'x'",
            "CSV",
        ),
        ("SELECT ';' ; SELECT 2", None, None),
    ],
)
def test_format_is_taken_off(sql, left, fmt):
    found = statement.read("", sql.encode())
    assert isinstance(found, Query)
    assert (found.sql, found.format) == (sql if left is None else left, fmt)


def test_url_and_body_are_one_statement():
    found = statement.read("SELECT", b"1 FORMAT CSV")
    assert isinstance(found, Query)
    assert (found.sql, found.format, found.selects) == ("SELECT\n1", "CSV", True)


@pytest.mark.parametrize("body", [b"", b"  ", b"-- nothing", b";", b"\xff\xfe"])
def test_no_statement_is_a_syntax_error(body):
    with pytest.raises(StatementError) as caught:
        statement.read("", body)
    assert caught.value.code == 62
    assert caught.value.status == 400


def test_a_script_is_cut_at_its_semicolons():
    script = "-- a (b);\nSELECT ';' ;\n\n-- c\nSELECT 2;\n-- end\n"
    assert statements(script) == ["-- a (b);\nSELECT ';'", "-- c\nSELECT 2"]


def test_bodies_of_several_frames():
    parts = [b"a" * 1000, b"b" * 1000]
    whole = b"".join(parts)
    assert bodies.decompress("gzip", b"".join(map(gzip.compress, parts))) == whole
    assert bodies.decompress("lz4", b"".join(map(lz4.frame.compress, parts))) == whole
    assert bodies.decompress("deflate", zlib.compress(whole)) == whole
    assert bodies.decompress("identity", whole) == whole


@pytest.mark.parametrize("encoding", ["gzip", "lz4", "zstd"])
def test_a_cut_off_body_is_refused(encoding):
    body = bodies.compress(encoding, bytes(range(256)) * 40)
    with pytest.raises(StatementError):
        bodies.decompress(encoding, body[:-9])


def test_unknown_encoding_names_the_known_ones():
    with pytest.raises(StatementError, match="gzip"):
        bodies.decompress("rot13", b"x")


def test_form_fields_keep_line_ends():
    body = (
        b'--B\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT\r\n 1\r\n'
        b'--B\r\nContent-Disposition: form-data; name="param_x"\r\n\r\n\xe6\x88\xb7\r\n--B--\r\n'
    )
    assert bodies.form_fields("multipart/form-data; boundary=B", body) == {
        "query": "SELECT\r\n 1",
        "param_x": "户",
    }
