"""Bring a ClickHouse to the schema of this program: numbered SQL files, applied in order.

Files lie in ``consumers/store/migrations`` as ``NNNN_name.sql``. Each statement may run
again (IF NOT EXISTS, CREATE OR REPLACE), so a migration that was cut off is repeated. What
was applied is recorded in ``population.migrations`` with the file's SHA-256: an applied file
never changes, a change of the schema is a new file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from consumers.store.client import DATABASE, Store
from consumers.store.errors import StoreError
from consumers.store.sql import statements

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_DISTRICT_COLUMNS = (
    "code",
    "name_zh",
    "name_en",
    "alias_of",
    "valid_from",
    "valid_to",
    "in_city",
)


class MigrationError(StoreError):
    """The store's schema and this program do not belong together; the message says why."""


@dataclass(frozen=True)
class Migration:
    """One numbered SQL file.

    Attributes:
        number: Its place in the order.
        name: The file's name.
        script: Its text.
    """

    number: int
    name: str
    script: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.script.encode()).hexdigest()


def bundled() -> list[Migration]:
    """The migrations this program ships, in order."""
    folder = resources.files("consumers.store.migrations")
    return read(
        (entry.name, entry.read_text("utf-8")) for entry in folder.iterdir() if _is_sql(entry.name)
    )


def read_folder(folder: Path) -> list[Migration]:
    """The migrations of a folder, in order.

    Raises:
        MigrationError: A SQL file is misnamed, or two have one number.
    """
    return read(
        (path.name, path.read_text("utf-8")) for path in folder.iterdir() if _is_sql(path.name)
    )


def _is_sql(name: str) -> bool:
    """Beside migrations there are others: Python keeps ``__pycache__``, a folder, there."""
    return name.endswith(".sql")


def read(files: Iterable[tuple[str, str]]) -> list[Migration]:
    """Order (name, text) pairs; other files than SQL are left out.

    Raises:
        MigrationError: A SQL file is misnamed, or two have one number.
    """
    found: dict[int, Migration] = {}
    for name, script in files:
        if not _is_sql(name):
            continue
        named = _NAME.fullmatch(name)
        if named is None:
            raise MigrationError(f"migration {name}: the name must be NNNN_lower_case.sql")
        number = int(named.group(1))
        if number in found:
            raise MigrationError(f"migrations {found[number].name} and {name} have one number")
        found[number] = Migration(number, name, script)
    return [found[number] for number in sorted(found)]


def migrate(store: Store, migrations: Iterable[Migration] | None = None) -> list[str]:
    """Apply what is missing.

    Args:
        store: A connection that may create tables.
        migrations: What to apply; this program's own when left out.

    Returns:
        Names of the files applied now; empty when the schema was up to date.

    Raises:
        MigrationError: An applied file has changed since, or the store knows migrations
            this program does not.
        StoreRefused: A statement failed.
        StoreUnavailable: ClickHouse is away.
    """
    wanted = bundled() if migrations is None else list(migrations)
    applied = _applied(store)
    _compare(wanted, applied)
    done = []
    for migration in wanted:
        if migration.number in applied:
            continue
        for statement in statements(migration.script):
            store.command(statement)
        store.insert(
            "migrations",
            {
                "number": [migration.number],
                "name": [migration.name],
                "hash": [migration.digest],
                "applied_at": [datetime.now(UTC)],
            },
        )
        done.append(migration.name)
    return done


def seed_districts(store: Store, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Write the list of districts, unless it is there already.

    Args:
        store: A connection that may write.
        rows: ``code``, ``name_zh``, ``name_en``, ``alias_of`` ('' for a district of today),
            ``valid_from`` and ``valid_to`` (date, days since 1970, or None), ``in_city``.

    Returns:
        Whether something was written.
    """
    wanted = [tuple(row[name] for name in _DISTRICT_COLUMNS) for row in rows]
    if not wanted:
        return False
    names = ", ".join(_DISTRICT_COLUMNS)
    version = int(store.query("SELECT max(version) FROM district_rows")[0][0]) + 1
    columns: dict[str, list[Any]] = {
        name: [row[place] for row in wanted] for place, name in enumerate(_DISTRICT_COLUMNS)
    }
    # The names are constants of this module.
    held = store.query(f"SELECT {names} FROM districts ORDER BY {names}")  # noqa: S608
    if held == sorted((_as_read(row) for row in wanted), key=_order):
        return False
    store.insert("district_rows", {**columns, "version": [version] * len(wanted)})
    return True


def _applied(store: Store) -> dict[int, tuple[str, str]]:
    """What was applied: number → (name, hash)."""
    store.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}", in_database=False)
    store.command(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (number UInt32, name String, hash String, applied_at DateTime64(3, 'Asia/Shanghai'))"
        " ENGINE = ReplacingMergeTree ORDER BY number"
    )
    rows = store.query("SELECT number, name, hash FROM migrations FINAL")
    return {int(number): (str(name), str(digest)) for number, name, digest in rows}


def _compare(wanted: list[Migration], applied: Mapping[int, tuple[str, str]]) -> None:
    known = {migration.number: migration for migration in wanted}
    for number, (name, digest) in sorted(applied.items()):
        migration = known.get(number)
        if migration is None:
            raise MigrationError(
                f"the store has migration {name}, which this program does not know:"
                " it was made by a newer popflow; update this one"
            )
        if migration.digest != digest:
            raise MigrationError(
                f"migration {migration.name} was changed after it had been applied to this"
                " store; put the file back and write the change as a new migration"
            )


def _as_read(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A wanted row as the store would return it: days as dates."""
    return tuple(_day(value) if type(value) is int else value for value in row)


def _day(days: int) -> Any:
    return datetime.fromtimestamp(days * 86_400, UTC).date()


def _order(row: tuple[Any, ...]) -> tuple[Any, ...]:
    # NULL sorts last in ClickHouse.
    return tuple((value is None, "" if value is None else value) for value in row)
