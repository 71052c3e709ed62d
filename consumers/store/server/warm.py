"""What is done once at start: warming up, and looking for damaged parts."""

from __future__ import annotations

import json

from consumers.store.server.engine import Engine, Session


def warm_up(engine: Engine) -> None:
    """Insert and read once, so that the first request does not pay for the engine's start."""
    pool = engine.pool(1)
    plain = Session()
    name = "default.popflow_warm_up"
    pool.query(
        f"CREATE OR REPLACE TABLE {name} (day Date32, value Int64) ENGINE = MergeTree ORDER BY day",
        "Null",
        plain,
    )
    block = pool.query("SELECT toDate32('2020-01-01') AS day, 1::Int64 AS value", "Native", plain)
    pool.insert(f"INSERT INTO {name} (day, value)", "Native", [block.content], plain)
    # The name is a constant of this function.
    pool.query(f"SELECT sum(value) FROM {name}", "Native", plain)  # noqa: S608
    pool.query(f"DROP TABLE {name} SYNC", "Null", plain)
    pool.close(1)


def detached_parts(engine: Engine) -> list[dict[str, str]]:
    """Parts the engine set aside at start because they are damaged.

    It does so without an error, so rows are missing from every answer until they are
    written again. Parts detached by hand have no reason and are left out.

    Returns:
        One entry a part: ``database``, ``table``, ``part``, ``reason``.
    """
    pool = engine.pool(1)
    found = pool.query(
        "SELECT database, table, name AS part, toString(reason) AS reason"
        " FROM system.detached_parts WHERE reason != ''",
        "JSONEachRow",
        Session(),
    )
    pool.close(1)
    return [json.loads(line) for line in found.content.splitlines()]
