"""Putting cells, baselines and reference facts into a store, in place of what was there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from consumers.store.client import Store
from pipeline.catalogue.evaluate import Cell, Imported, Person


def put_cells(store: Store, cells: Iterable[Cell]) -> None:
    """The counts; equal cells add up."""
    store.command("TRUNCATE TABLE cells")
    add_cells(store, cells, version=1)


def add_cells(store: Store, cells: Iterable[Cell], version: int = 2) -> None:
    """Counts beside those that are there, or in place of equal ones."""
    total: dict[tuple[object, ...], int] = defaultdict(int)
    for cell in cells:
        total[cell[:-1]] += cell.value
    rows = [(*cell, value, 0, version) for cell, value in total.items()]
    _insert(store, "cells", (*Cell._fields, "shard", "version"), rows)


def put_people(store: Store, people: Iterable[Person]) -> None:
    """The baselines."""
    store.command("TRUNCATE TABLE baseline_rows")
    names = (*Person._fields, "loaded_at", "version")
    _insert(store, "baseline_rows", names, [(*row, 0, 1) for row in people])


def put_facts(store: Store, facts: Iterable[Imported]) -> None:
    """The reference facts."""
    store.command("TRUNCATE TABLE reference_rows")
    rows = [
        (*fact[:-1], Decimal(fact.value.numerator) / fact.value.denominator, "", "test", 0, 1)
        for fact in facts
    ]
    names = (*Imported._fields, "unit", "source", "loaded_at", "version")
    _insert(store, "reference_rows", names, rows)


def _insert(
    store: Store, table: str, names: tuple[str, ...], rows: list[tuple[object, ...]]
) -> None:
    if rows:
        store.insert(table, dict(zip(names, zip(*rows, strict=True), strict=True)))
