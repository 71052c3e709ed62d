"""Rows of the files that offices hand in: CSV, NDJSON and Excel sheets, each with its line."""

import csv
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson

SUFFIXES = (".csv", ".ndjson", ".jsonl", ".xlsx")

Row = tuple[int, dict[str, Any]]
"""Line, or row of the sheet, and its cells by column."""


class RowsError(ValueError):
    """A file that cannot be read, or a row that cannot be; the message says which and why."""


def read_rows(path: Path, names: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The rows of a file, in its order; empty cells are left out.

    Args:
        path: ``.csv`` (UTF-8), ``.ndjson`` or ``.jsonl`` (one object a line), ``.xlsx`` (the first
            sheet).
        names: other headings of columns, to the names that are meant.

    Raises:
        RowsError: the file cannot be read, or has another suffix.
    """
    readers = {".csv": _table, ".ndjson": _objects, ".jsonl": _objects, ".xlsx": _sheet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise RowsError(f"{path.name} is none of {', '.join(SUFFIXES)}: save it as one of them")
    try:
        for number, cells in reader(path):
            yield number, {(names or {}).get(name, name): cell for name, cell in cells.items()}
    except OSError as error:
        raise RowsError(f"{path.name} cannot be read: {error.strerror or 'no such form'}") from None
    except UnicodeDecodeError:
        raise RowsError(f"{path.name} is not in UTF-8: save it so") from None
    except csv.Error as error:
        raise RowsError(f"{path.name} is no table: {error}") from None


def _table(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.reader(file, strict=True)
        header = [name.strip() for name in next(table, [])]
        for cells in table:
            if not any(cells):
                continue
            if len(cells) > len(header):
                raise RowsError(
                    f"{path.name}, line {table.line_num}: it has not the cells of the header, "
                    f"{', '.join(header)}"
                )
            yield table.line_num, {n: c for n, c in zip(header, cells, strict=False) if c != ""}


def _objects(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                cells = orjson.loads(line)
            except orjson.JSONDecodeError:
                cells = None
            if not isinstance(cells, dict):
                raise RowsError(f"{path.name}, line {number}: no JSON object")
            yield number, {name: cell for name, cell in cells.items() if cell is not None}


def _sheet(path: Path) -> Iterator[Row]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError):
        raise RowsError(f"{path.name} is no Excel workbook: save it anew as .xlsx") from None
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        header = [str(name).strip() if name is not None else "" for name in next(rows, ())]
        for number, cells in enumerate(rows, 2):
            named = zip(header, cells, strict=False)
            found = {name: _plain(cell) for name, cell in named if name and cell is not None}
            if found:
                yield number, found
    finally:
        book.close()


def _plain(cell: Any) -> Any:
    """A cell of a sheet as a table would spell it."""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip() if isinstance(cell, int | float | str) else cell
