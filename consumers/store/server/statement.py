"""Reading a request's statement: where it ends, which format it asks for.

ClickHouse's HTTP interface joins the ``query`` of the URL and the body. In an INSERT the
data starts right after the newline that ends the statement, and it may be binary: a
Native block of ten columns starts with the byte of a newline. So the statement is read
token by token, never by a pattern that could match inside a string or the data.
"""

from __future__ import annotations

from dataclasses import dataclass

from consumers.store.server.errors import SYNTAX_ERROR, StatementError
from consumers.store.sql import Token, tokens

# ClickHouse's max_query_size: no statement (data apart) is longer.
MAX_HEAD = 262_144

# What may stand where an INSERT's FORMAT would: then no data follows the statement.
_NO_DATA = frozenset({"SELECT", "WITH", "FROM", "WATCH", "EXPLAIN"})
# What may follow a column that is named format: ORDER BY format DESC.
_NOT_FORMATS = frozenset({"ASC", "DESC", "FINAL", "END", "AND", "OR"})


@dataclass(frozen=True)
class Query:
    """A statement whose text is all there is.

    Attributes:
        sql: The statement without its FORMAT clause.
        format: The FORMAT it asked for, or None.
        selects: Whether it is a SELECT (others have no result to be sent piece by piece).
    """

    sql: str
    format: str | None
    selects: bool = False


@dataclass(frozen=True)
class Insert:
    """An INSERT with its rows as data.

    Attributes:
        sql: The statement up to, not including, FORMAT or VALUES.
        format: The format of the data.
        parts: The data, in order.
    """

    sql: str
    format: str
    parts: tuple[bytes, ...]


def read(query: str, body: bytes) -> Query | Insert:
    """Join a request's ``query`` and body into one statement.

    Args:
        query: The URL's (or form's) ``query``, may be empty.
        body: The request body, decompressed, may be empty.

    Raises:
        StatementError: The request holds no statement, or text that is not UTF-8.
    """
    if query.strip():
        head = query.encode()
        insert = _insert(head)
        if insert is not None:
            sql, fmt, data = insert
            return Insert(sql, fmt, tuple(part for part in (head[data:], body) if part))
        if not body:
            return _query(query)
        body = head + b"\n" + body
    insert = _insert(body)
    if insert is not None:
        sql, fmt, data = insert
        return Insert(sql, fmt, (body[data:],) if len(body) > data else ())
    try:
        return _query(body.decode())
    except UnicodeDecodeError:
        raise StatementError(
            SYNTAX_ERROR, "The statement is not UTF-8 text. (SYNTAX_ERROR)"
        ) from None


def _insert(statement: bytes) -> tuple[str, str, int] | None:
    """Split an INSERT with data: (statement, format, where the data starts)."""
    # Latin-1 keeps one character a byte, so positions hold in the bytes.
    head = statement[:MAX_HEAD].decode("latin-1")
    words = tokens(head)
    first = next(words, None)
    if first is None or first.text.upper() != "INSERT":
        return None
    for token in words:
        if token.kind != "word" or token.depth:
            continue
        word = token.text.upper()
        if word in _NO_DATA:
            return None
        if word == "VALUES":
            return statement[: token.start].decode(), "Values", token.end
        if word == "FORMAT":
            name = next(words, None)
            if name is None or name.kind != "word":
                return None
            return statement[: token.start].decode(), name.text, _after_newline(head, name.end)
    return None


def _after_newline(head: str, position: int) -> int:
    """Step over the blanks and the one newline between a statement and its data."""
    while position < len(head) and head[position] in " \t\r":
        position += 1
    if position < len(head) and head[position] == "\n":
        position += 1
    return position


def _query(sql: str) -> Query:
    """Take the FORMAT clause and a closing semicolon off a statement."""
    found = [token for token in tokens(sql) if token.text != ";" or token.depth]
    if not found:
        raise StatementError(SYNTAX_ERROR, "Empty query. (SYNTAX_ERROR)")
    end = found[-1].end
    selects = found[0].text.upper() in ("SELECT", "WITH", "(")
    clause = _format_clause(found)
    if clause is None:
        return Query(sql[:end], None, selects)
    name, start, stop = clause
    return Query(f"{sql[:start].rstrip()} {sql[stop:end].lstrip()}".rstrip(), name, selects)


def _format_clause(found: list[Token]) -> tuple[str, int, int] | None:
    """Find ``FORMAT name`` at the end, or before a closing SETTINGS clause."""
    ends = [len(found)]
    ends += [
        i for i, token in enumerate(found) if token.text.upper() == "SETTINGS" and not token.depth
    ]
    for end in ends:
        if end < 2:
            continue
        keyword, name = found[end - 2], found[end - 1]
        words = keyword.kind == name.kind == "word" and keyword.depth == name.depth == 0
        if words and keyword.text.upper() == "FORMAT" and name.text.upper() not in _NOT_FORMATS:
            return name.text, keyword.start, name.end
    return None
