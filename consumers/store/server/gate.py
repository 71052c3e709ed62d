"""What a reader may run: SELECT from the views of its account, nothing else.

The engine has no users or grants of its own, and its ``readonly`` is no sandbox (scalar
``file()``, INTO OUTFILE and KILL pass it). So every statement of a reader is judged
before it runs, by the engine's own parser: ``classify_query`` counts and classes the
statements, ``EXPLAIN AST`` lists each table, table function and function it names, with
parameters filled in. Names are judged, not what they stand for: a common table expression
that has the name of a closed table is refused like that table.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping

from consumers.store.server.engine import DATABASE, Pool, Session
from consumers.store.server.errors import (
    ACCESS_DENIED,
    READONLY,
    SYNTAX_ERROR,
    StatementError,
)

# Limits of one statement of a reader; ``readonly`` is set after them and seals them.
LIMITS = {
    "max_execution_time": "30",
    "timeout_overflow_mode": "throw",
    "max_result_rows": "1000000",
    "max_result_bytes": "268435456",
    "result_overflow_mode": "throw",
    "max_memory_usage": "1073741824",
    "max_threads": "2",
}
# Settings a reader may send: how values are written, never what may be used.
_ALLOWED_SETTINGS = re.compile(
    r"(?:output_format_|format_|date_time_output_format$|session_timezone$|extremes$)\w*"
)
_ROOTS = frozenset(
    {
        "DescribeQuery",
        "ExistsTableQuery",
        "ExistsViewQuery",
        "Explain",
        "SelectWithUnionQuery",
        "SelectQuery",
        "SelectIntersectExceptQuery",
        "ShowColumns",
        "ShowCreateTableQuery",
        "ShowCreateViewQuery",
        "ShowTables",
    }
)
# Clients read these to know the server; none says anything about what is stored.
_SYSTEM_TABLES = frozenset({"one", "numbers", "settings", "functions", "time_zones"})
_OTHER_DATABASES = frozenset({"system", "information_schema", "default"})
_TABLE_FUNCTIONS = frozenset(
    {
        "format",
        "generateseries",
        "generate_series",
        "null",
        "numbers",
        "numbers_mt",
        "primes",
        "values",
        "view",
        "zeros",
        "zeros_mt",
    }
)
# Scalar functions that reach a file, the network, another table, the machine, or wait.
_FUNCTIONS = re.compile(
    r"file.*|url|python|executable.*|catboost.*|naivebayes.*|ai[a-z]+|timeseries.*"
    r"|dict(?:get|has|isin).*|joinget.*|sleep.*|logtrace"
    r"|getmacro|getserversetting|getserverport|getclienthttpheader|currentrequesturl"
    r"|hostname|fqdn|serveruuid|addressto.*|demangle",
    re.IGNORECASE,
)
_NODE = re.compile(r"( *)(\w+) ?(.*)")
# x IN name: the name on the right is a table.
_IN = re.compile(r"(?:global)?(?:not)?(?:null)?in(?:ignoreset)?", re.IGNORECASE)
_NAMES_SECONDS = 2.0


class Gate:
    """Judges the statements of readers."""

    def __init__(self, pool: Pool) -> None:
        """Learn the engine's databases and table functions.

        Args:
            pool: The handles statements are judged with.
        """
        self._pool = pool
        names = pool.query("SELECT name FROM system.table_functions", "TSVRaw", Session())
        known = {name.lower() for name in names.content.decode().split()}
        self._table_functions = known - _TABLE_FUNCTIONS
        self._names: frozenset[str] = frozenset()
        self._names_until = 0.0

    def session(self, database: str, settings: Mapping[str, str]) -> Session:
        """The session of a reader's statement: our limits, and how values are written.

        Raises:
            StatementError: Another database, or a setting that would change a limit.
        """
        if database not in ("", "default", DATABASE):
            raise _denied(f"the database {database[:64]!r}")
        for name in settings:
            if not _ALLOWED_SETTINGS.fullmatch(name):
                raise StatementError(
                    READONLY, f"Cannot modify '{name}' setting in readonly mode. (READONLY)"
                )
        return Session(DATABASE, {**settings, **LIMITS}, sealed=True)

    def check(
        self, sql: str, session: Session, params: Mapping[str, str], views: Collection[str]
    ) -> None:
        """Refuse what a reader may not run.

        Args:
            sql: The statement, without FORMAT.
            session: The session it will run in.
            params: Values of its parameters.
            views: The names in our database that this reader may read.

        Raises:
            StatementError: Why it is refused.
        """
        kind, count = self._pool.classify(sql, session)
        if kind == "UNKNOWN" or count == 0:
            # It does not parse: the engine's own message says where.
            self._pool.query(f"EXPLAIN AST {sql}", "TSVRaw", session, params)
            raise StatementError(SYNTAX_ERROR, "The statement is not understood. (SYNTAX_ERROR)")
        if count != 1:
            raise StatementError(SYNTAX_ERROR, "Multi-statements are not allowed. (SYNTAX_ERROR)")
        if kind != "READ_ONLY":
            raise _denied("statements that change something")
        tree = self._pool.query(f"EXPLAIN AST {sql}", "TSVRaw", session, params)
        nodes = list(_nodes(tree.content.decode(errors="replace").splitlines()))
        if not nodes or nodes[0][0] not in _ROOTS:
            raise _denied(f"this kind of statement ({nodes[0][0] if nodes else ''})")
        closed = self._closed(views)
        for node, name, around in nodes:
            _check_node(node, name, around, closed)
            if node == "Function" and name.lower() in self._table_functions:
                raise _denied(f"the function {name[:64]}")

    def _closed(self, views: Collection[str]) -> frozenset[str]:
        """Names of our database that are there and not open to this reader."""
        if time.monotonic() >= self._names_until:
            found = self._pool.query(
                f"SELECT name FROM system.tables WHERE database = '{DATABASE}'",  # noqa: S608
                "TSVRaw",
                Session(),
            )
            self._names = frozenset(found.content.decode().split("\n"))
            self._names_until = time.monotonic() + _NAMES_SECONDS
        return self._names - frozenset(views) - {""}


def _check_node(node: str, name: str, around: str, closed: frozenset[str]) -> None:
    """Judge one node of the tree; ``around`` is the function it is an argument of."""
    if node == "Function":
        if name in closed or _FUNCTIONS.fullmatch(name):
            raise _denied(f"the function {name[:64]}")
        return
    if node not in ("TableIdentifier", "Identifier"):
        return
    database, dot, table = name.partition(".")
    if not dot:
        is_table = node == "TableIdentifier" or _IN.fullmatch(around)
        if is_table and name in closed:
            raise _denied(f"the table {name[:64]}")
    elif database == DATABASE:
        if table.partition(".")[0] in closed:
            raise _denied(f"the table {name[:64]}")
        return
    # An Identifier is a column of a table, or a table on the right of IN.
    elsewhere = node == "TableIdentifier" or database.lower() in _OTHER_DATABASES
    if dot and elsewhere and (database != "system" or table not in _SYSTEM_TABLES):
        raise _denied(f"the table {database[:64]}.{table[:64]}")


def _nodes(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Read EXPLAIN AST: each node, the name that follows, and the function around it."""
    above: dict[int, tuple[str, str]] = {}
    for line in lines:
        found = _NODE.match(line)
        if found is None:
            continue
        depth, node = len(found.group(1)), found.group(2)
        name = re.sub(r" \((?:alias|children) .*", "", found.group(3))
        parent, grandparent = above.get(depth - 1, ("", "")), above.get(depth - 2, ("", ""))
        inside = grandparent if parent[0] == "ExpressionList" else parent
        above[depth] = (node, name)
        yield node, name, inside[1] if inside[0] == "Function" else ""


def _denied(what: str) -> StatementError:
    return StatementError(
        ACCESS_DENIED,
        f"Not enough privileges: a reader may not use {what};"
        f" it reads the views of {DATABASE}. (ACCESS_DENIED)",
    )
