"""What a reader may run: one module, to be extended by views, quotas and suppression.

The engine has no users or grants of its own, and its ``readonly`` is no sandbox (scalar
``file()``, INTO OUTFILE and KILL pass it). So every statement of a reader is judged
before it runs, by the engine's own parser: ``classify_query`` counts and classes the
statements, ``EXPLAIN AST`` lists each table, table function and function it names, with
parameters filled in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
# Clients read these to know the server; none holds a row of the population.
_SYSTEM_TABLES = frozenset(
    {"one", "numbers", "settings", "databases", "tables", "columns", "functions", "time_zones"}
)
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
_NODE = re.compile(r"\s*(\w+) ?(.*)")


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

    def check(self, sql: str, session: Session, params: Mapping[str, str]) -> None:
        """Refuse what a reader may not run.

        Args:
            sql: The statement, without FORMAT.
            session: The session it will run in.
            params: Values of its parameters.

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
        lines = tree.content.decode(errors="replace").splitlines()
        self._check_tree(lines)

    def _check_tree(self, lines: list[str]) -> None:
        root = _node(lines[0])[0] if lines else ""
        if root not in _ROOTS:
            raise _denied(f"this kind of statement ({root})")
        for line in lines:
            node, name = _node(line)
            database, dot, table = name.partition(".")
            if node == "TableIdentifier" and dot:
                if database != DATABASE:
                    self._check_system(database, table)
            elif node == "Identifier" and dot:
                # A column of a table, or a table on the right of IN: only the name tells.
                if database.lower() in _OTHER_DATABASES:
                    self._check_system(database, table)
            elif node == "Function":
                self._check_function(name)

    def _check_system(self, database: str, table: str) -> None:
        if database != "system" or table not in _SYSTEM_TABLES:
            raise _denied(f"the table {database[:64]}.{table[:64]}")

    def _check_function(self, name: str) -> None:
        if name.lower() in self._table_functions or _FUNCTIONS.fullmatch(name):
            raise _denied(f"the function {name[:64]}")


def _node(line: str) -> tuple[str, str]:
    """Read one line of EXPLAIN AST: its node and the name that follows."""
    found = _NODE.match(line)
    if found is None:
        return "", ""
    return found.group(1), re.sub(r" \((?:alias|children) .*", "", found.group(2))


def _denied(what: str) -> StatementError:
    return StatementError(
        ACCESS_DENIED,
        f"Not enough privileges: a reader may not use {what};"
        f" it reads the views of {DATABASE}. (ACCESS_DENIED)",
    )
