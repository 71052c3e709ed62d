"""The roles of a ClickHouse server: the file is what the code says, and ClickHouse reads it.

The embedded engine has no users, so the grants themselves are not tried here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.store.access import LOGGED, PUBLIC, READER
from consumers.store.embedded import EmbeddedStore
from consumers.store.errors import StoreRefused
from consumers.store.roles import FILE, each, roles_sql


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.read_text("utf-8") == roles_sql()


def test_readers_are_granted_what_the_gate_lets_them_read() -> None:
    def granted(role: str) -> set[str]:
        end = f" TO {role}"
        lines = [text.splitlines()[-1] for text in each()]
        return {
            line.removeprefix("GRANT SELECT ON population.").removesuffix(end)
            for line in lines
            if line.startswith("GRANT SELECT ON population.") and line.endswith(end)
        }

    assert granted("popflow_reader") == READER
    assert granted("popflow_public") == set(PUBLIC)
    assert not granted("popflow_reader") & LOGGED


def test_clickhouse_can_read_every_statement(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "store") as running, running.store() as store:
        store.command("CREATE DATABASE population", in_database=False)
        for statement in each():
            store.query(f"EXPLAIN AST {statement}")
        with pytest.raises(StoreRefused, match="Syntax error"):
            store.query("EXPLAIN AST GRANT NONSENSE ON population.* TO popflow_reader")
