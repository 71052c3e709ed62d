"""The only way popflow speaks to ClickHouse: a server, or the embedded store process.

A ``Store`` is safe to share between threads: requests carry no session and the HTTP pool
is locked. Async code calls it with ``asyncio.to_thread`` (the official async client needs
aiohttp and is no faster for a few large inserts).

Rows go as columns in Native blocks. Measured with ``cells`` and ``reports`` in batches of
1,000 to 20,000: Native by clickhouse-connect's C code is as fast as Arrow or up to a third
faster, and needs neither pyarrow nor pandas in the worker.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver import options
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, ProgrammingError
from urllib3.exceptions import HTTPError

from consumers.store.errors import StoreError, StoreRefused, StoreUnavailable

# The client imports pandas, where it is installed, at the first insert: a second and 60 MB, to
# see whether columns are a data frame. Ours never are.
options.pd = None

DATABASE = "population"

# Codes of ClickHouse that pass by themselves.
_RETRYABLE = frozenset(
    {
        3,  # UNEXPECTED_END_OF_FILE
        159,  # TIMEOUT_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        285,  # TOO_FEW_LIVE_REPLICAS
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        999,  # KEEPER_EXCEPTION
    }
)
_BUSY_STATUS = re.compile(r"HTTP status (?:429|502|503|504)\b")
# How much of ClickHouse's own words an error repeats: it may quote what it was sent.
_QUOTED = 300


class Store:
    """A connection to one ClickHouse, safe for several threads at once."""

    def __init__(self, client: Any, address: str) -> None:
        """Wrap a client; use ``connect``."""
        self._client = client
        self._types: dict[tuple[str, tuple[str, ...]], list[Any]] = {}
        self._lock = threading.Lock()
        self.address = address

    @classmethod
    def connect(
        cls,
        url: str,
        user: str,
        password: str,
        database: str = DATABASE,
        *,
        timeout: float = 60.0,
    ) -> Store:
        """Open a connection; the database need not exist yet.

        Args:
            url: ``http://host:port`` or ``https://host:port``.
            user: ClickHouse user.
            password: Its password; it appears in no message.
            database: What unqualified names in statements mean.
            timeout: Seconds one request may take.

        Raises:
            StoreUnavailable: Nobody answers there.
            StoreRefused: The URL is wrong, or the user is refused.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoreRefused("the ClickHouse URL must be http://host:port or https://host:port")
        secure = parts.scheme == "https"
        address = f"{parts.hostname}:{parts.port or (8443 if secure else 8123)}"
        # It logs tracebacks, with values, where callers get an error already.
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
        with _errors(address):
            client = clickhouse_connect.get_client(
                interface=parts.scheme,
                host=parts.hostname,
                port=parts.port or (8443 if secure else 8123),
                username=user,
                password=password,
                compress=secure,
                connect_timeout=10,
                send_receive_timeout=int(timeout),
                query_retries=0,
                autogenerate_session_id=False,
                dedicated_pool=True,
                tz_mode="schema",
            )
        client.database = database
        return cls(client, address)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a SELECT and return its rows.

        Args:
            sql: The statement; ``{name:Type}`` stands for a parameter.
            params: Values of the parameters.

        Returns:
            Rows as tuples: days as ``date``, instants as ``datetime`` in the column's zone.

        Raises:
            StoreUnavailable: ClickHouse is away or overloaded.
            StoreRefused: The statement is wrong.
        """
        with _errors(self.address):
            rows: list[tuple[Any, ...]] = self._client.query(sql, dict(params or {})).result_rows
            return rows

    def blocks(
        self, sql: str, params: Mapping[str, Any] | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Run a SELECT whose result may be larger than memory; yields blocks of rows.

        Read it to its end, or close the iterator.

        Raises:
            StoreUnavailable: ClickHouse is away, or broke off in the middle.
            StoreRefused: The statement is wrong.
        """
        with (
            _errors(self.address),
            self._client.query_row_block_stream(sql, dict(params or {})) as stream,
        ):
            for block in stream:
                yield list(block)

    def columns(
        self, sql: str, params: Mapping[str, Any] | None = None
    ) -> dict[str, Sequence[Any]]:
        """Run a SELECT and return its columns by name; quicker than rows for many of them.

        Raises:
            StoreUnavailable: ClickHouse is away or overloaded.
            StoreRefused: The statement is wrong.
        """
        with _errors(self.address):
            result = self._client.query(sql, dict(params or {}), column_oriented=True)
            return dict(zip(result.column_names, result.result_columns, strict=True))

    def command(
        self, sql: str, params: Mapping[str, Any] | None = None, *, in_database: bool = True
    ) -> None:
        """Run a statement that has no result (DDL, TRUNCATE, INSERT … SELECT).

        Args:
            sql: The statement.
            params: Values of its parameters.
            in_database: False for statements that must run before the database exists.

        Raises:
            StoreUnavailable: ClickHouse is away or overloaded.
            StoreRefused: The statement is wrong.
        """
        with _errors(self.address):
            self._client.command(sql, dict(params or {}), use_database=in_database)

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> int:
        """Insert rows, given as columns.

        Args:
            table: A table of the database.
            columns: Column name → values, all of one length. Days are ``date`` or ``int``
                (days since 1970-01-01); ``DateTime64(3)`` are ``datetime`` with a zone or
                ``int`` (milliseconds since 1970); columns left out take their default.

        Returns:
            Rows inserted; they are in the table when this returns.

        Raises:
            StoreUnavailable: ClickHouse is away or overloaded; whether the rows arrived is
                not known, and inserting them again is safe (equal rows are one row).
            StoreRefused: A value does not fit, or the table or a column is unknown.
        """
        names = tuple(columns)
        values = list(columns.values())
        rows = len(values[0]) if values else 0
        if any(len(column) != rows for column in values):
            raise StoreRefused(f"columns for {table} differ in length")
        if not rows:
            return 0
        types = self._column_types(table, names)
        with _errors(self.address):
            self._client.insert(
                table,
                values,
                column_names=names,
                column_types=types,
                column_oriented=True,
            )
        return rows

    def alive(self) -> bool:
        """Whether ClickHouse answers now; says nothing about the user or the schema."""
        return bool(self._client.ping())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _column_types(self, table: str, names: tuple[str, ...]) -> list[Any]:
        """The types of a table's columns, asked once: the client would ask at every insert."""
        with self._lock:
            known = self._types.get((table, names))
        if known is not None:
            return known
        database, _, name = table.rpartition(".")
        found = dict(
            self.query(
                "SELECT name, type FROM system.columns"
                " WHERE database = {database:String} AND table = {table:String}",
                {"database": database or self._client.database, "table": name},
            )
        )
        if not found:
            raise StoreRefused(f"table {table} does not exist; run the migrations first")
        unknown = [column for column in names if column not in found]
        if unknown:
            raise StoreRefused(f"table {table} has no column {', '.join(unknown)}")
        types = [get_from_name(found[column]) for column in names]
        with self._lock:
            self._types[(table, names)] = types
        return types


@contextmanager
def _errors(address: str) -> Iterator[None]:
    """Turn the client's exceptions into the two kinds callers act on."""
    try:
        yield
    except (DataError, ProgrammingError) as error:
        raise StoreRefused(f"ClickHouse at {address}: {_shorten(str(error))}") from None
    except ClickHouseError as error:
        raise _classify(error, address) from None
    except (HTTPError, OSError) as error:
        raise StoreUnavailable(
            f"ClickHouse at {address} cannot be reached ({type(error).__name__})"
        ) from None
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        # The encoder's own complaint about a value of the wrong type.
        raise StoreRefused(f"rows for ClickHouse do not fit: {_shorten(str(error))}") from None


def _classify(error: ClickHouseError, address: str) -> StoreError:
    code = getattr(error, "code", None)
    text = str(error)
    if code is None:
        if "HTTP status" in text and not _BUSY_STATUS.search(text):
            return StoreRefused(f"no ClickHouse at {address}: {_shorten(text)}")
        return StoreUnavailable(f"ClickHouse at {address} cannot be reached: {_reason(error)}")
    if code == 516:
        return StoreRefused(
            f"ClickHouse at {address} refused the user or its password; check the settings", code
        )
    kind = StoreUnavailable if code in _RETRYABLE else StoreRefused
    return kind(f"ClickHouse at {address}: {_shorten(text)}", code)


def _shorten(text: str) -> str:
    """ClickHouse's words without the client's wrapping, and not more than a few lines."""
    text = re.sub(r"^Received ClickHouse exception, code: \d+, server response: ", "", text)
    text = re.sub(r" \(for url [^)]*\)$", "", text)
    text = re.sub(r"\s*\(version [^)]*\)", "", text)
    return text if len(text) <= _QUOTED else text[:_QUOTED] + "…"


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__
    while cause is not None and (cause.__cause__ or cause.__context__):
        cause = cause.__cause__ or cause.__context__
    found = cause if cause is not None else error
    if isinstance(found, OSError) and found.strerror:
        return found.strerror
    return _shorten(str(found)) or type(found).__name__
