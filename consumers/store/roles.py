"""Roles, profiles and quotas of a ClickHouse server, as SQL: what the gate does for one machine.

``python -m consumers.store.roles`` writes them to ``deploy/clickhouse/roles.sql``.
"""

from __future__ import annotations

from pathlib import Path

from consumers.store.access import PUBLIC, READER
from consumers.store.client import DATABASE
from consumers.store.server.gate import LIMITS
from consumers.store.sql import statements

FILE = Path(__file__).parents[2] / "deploy/clickhouse/roles.sql"

_HEAD = """-- Roles of popflow on a ClickHouse server. Made by `python -m consumers.store.roles`.
--
-- Run it as an administrator of the server, once before the first `popflow` and again after an
-- update (every statement may be repeated). Then make users, with passwords of your own:
--
--   CREATE USER admin_of_popflow IDENTIFIED BY '…' DEFAULT ROLE popflow_admin;
--   CREATE USER pipeline IDENTIFIED BY '…' HOST IP '10.0.0.0/24' DEFAULT ROLE popflow_writer;
--   CREATE USER dashboards IDENTIFIED BY '…' DEFAULT ROLE popflow_reader;
--   CREATE USER page IDENTIFIED BY '…' DEFAULT ROLE popflow_public;
--
-- Who reads persons' rows is in system.query_log (popflow_admin may read it).
"""


def roles_sql() -> str:
    """The whole script."""
    limits = ", ".join(f"{name} = {_value(value)} CONST" for name, value in LIMITS.items())
    lines = [
        _HEAD,
        f"CREATE DATABASE IF NOT EXISTS {DATABASE};",
        "",
        "-- Views run with the rights of who made them: a reader needs no table behind a view.",
        (
            "CREATE SETTINGS PROFILE OR REPLACE popflow_writing SETTINGS"
            " default_normal_view_sql_security = 'DEFINER', async_insert = 0;"
        ),
        (
            f"CREATE SETTINGS PROFILE OR REPLACE popflow_reading SETTINGS {limits},"
            " readonly = 2, allow_ddl = 0;"
        ),
        "",
        "CREATE ROLE OR REPLACE popflow_writer SETTINGS PROFILE 'popflow_writing';",
        "CREATE ROLE OR REPLACE popflow_admin SETTINGS PROFILE 'popflow_writing';",
        "CREATE ROLE OR REPLACE popflow_reader SETTINGS PROFILE 'popflow_reading';",
        "CREATE ROLE OR REPLACE popflow_public SETTINGS PROFILE 'popflow_reading';",
        "",
        "-- The workers and the command line: the whole database, nothing beside it.",
        (
            "GRANT SELECT, INSERT, ALTER DELETE, ALTER UPDATE, OPTIMIZE, SHOW, CREATE TABLE,"
            f" CREATE VIEW, DROP VIEW, TRUNCATE ON {DATABASE}.* TO popflow_writer;"
        ),
        "GRANT CREATE DATABASE ON population.* TO popflow_writer;",
        "",
        f"GRANT ALL ON {DATABASE}.* TO popflow_admin;",
        "GRANT SELECT ON system.query_log TO popflow_admin;",
        "GRANT SELECT ON system.processes TO popflow_admin;",
        "GRANT KILL QUERY ON *.* TO popflow_admin;",
        "",
        "-- Views without a column about a person.",
        *(f"GRANT SELECT ON {DATABASE}.{name} TO popflow_reader;" for name in sorted(READER)),
        "",
        "-- Small counts suppressed.",
        *(f"GRANT SELECT ON {DATABASE}.{name} TO popflow_public;" for name in sorted(PUBLIC)),
        "",
        (
            "CREATE QUOTA OR REPLACE popflow_reading KEYED BY user_name"
            " FOR INTERVAL 1 minute MAX queries = 600, execution_time = 120"
            " FOR INTERVAL 1 day MAX result_rows = 100000000"
            " TO popflow_reader, popflow_public;"
        ),
    ]
    return "\n".join(lines) + "\n"


def _value(text: str) -> str:
    return text if text.isdigit() else f"'{text}'"


def each() -> list[str]:
    """The statements of the script."""
    return statements(roles_sql())


if __name__ == "__main__":
    FILE.write_text(roles_sql(), encoding="utf-8")
