"""Views made from the catalogue: created after the migrations, and again when they change.

A view carries the SHA-256 of its text as its comment, so a store says itself which catalogue its
views are of.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction

from consumers.store.client import DATABASE, Store
from consumers.store.public import public_views
from pipeline.catalogue.formulas import formula
from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.selection import select
from pipeline.catalogue.series import quoted
from pipeline.catalogue.sql import readings_sql
from pipeline.catalogue.targets import TARGETS
from pipeline.catalogue.vocabulary import UNITS


def views() -> dict[str, str]:
    """The SELECT of each view, by its name."""
    return {
        "indicators_as_known": readings_sql(select()),
        "targets": _targets(),
        "catalogue": _catalogue(),
        **public_views(),
    }


def create_views(store: Store) -> list[str]:
    """Create what is missing or no longer says what the catalogue says.

    Args:
        store: A connection that may create views; the migrations have been applied.

    Returns:
        Names of the views written now.

    Raises:
        StoreRefused: A statement failed.
        StoreUnavailable: ClickHouse is away.
    """
    held = dict(
        store.query(
            "SELECT name, comment FROM system.tables WHERE database = {database:String}",
            {"database": DATABASE},
        )
    )
    written = []
    for name, select_text in views().items():
        digest = hashlib.sha256(select_text.encode()).hexdigest()
        if held.get(name) == digest:
            continue
        store.command(
            f"CREATE OR REPLACE VIEW {DATABASE}.{name} AS {select_text}\nCOMMENT '{digest}'"
        )
        written.append(name)
    return written


def _targets() -> str:
    rows = []
    for target in TARGETS:
        entry = INDICATORS[target.indicator]
        texts = (
            target.indicator,
            target.base,
            target.window,
            entry.name_zh,
            entry.name_en,
            UNITS[entry.unit][2],
            target.baseline,
            target.comparator,
        )
        words = ", ".join(quoted(text) for text in texts)
        ends = f"{_number(target.low)}, {_number(target.high)}"
        rows.append(f"({words}, {ends}, {quoted(target.note)})")
    columns = (
        "indicator String, base String, window String, name_zh String, name_en String,"
        " unit String, baseline_2015 String, comparator String, low Nullable(Float64),"
        " high Nullable(Float64), note String"
    )
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    return f"SELECT {names} FROM values({quoted(columns)}, {', '.join(rows)})"  # noqa: S608


def _catalogue() -> str:
    """What each indicator is: names, unit and formula, to be shown wherever its value is."""
    rows = []
    for key, entry in INDICATORS.items():
        texts = (key, entry.name_zh, entry.name_en, *UNITS[entry.unit][1:], *formula(entry))
        words = ", ".join(quoted(text) for text in (*texts, entry.interval, entry.source))
        rows.append(f"({words})")
    names = (
        "indicator",
        *("name_zh", "name_en", "unit_zh", "unit_en", "formula_zh", "formula_en"),
        *("interval", "source"),
    )
    columns = ", ".join(f"{name} String" for name in names)
    return f"SELECT {', '.join(names)} FROM values({quoted(columns)}, {', '.join(rows)})"  # noqa: S608


def _number(value: Fraction | None) -> str:
    return "NULL" if value is None else str(float(value))
