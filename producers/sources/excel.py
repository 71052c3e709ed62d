"""Rows of spreadsheets (``.xlsx``), by openpyxl, one row at a time."""

import io
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, redirect_stdout, suppress
from typing import IO, Any, cast

from producers.cells import Damaged
from producers.items import Fault
from producers.sources.form import FileSource, Layout, Record, Records, SourceError

_MOST_BYTES = 1 << 30
"""Of an unpacked workbook: more is a bomb, or no table for a spreadsheet."""
_MOST_ROWS = 1_048_576
_KEPT = 10**15
"""Greater whole numbers have lost digits in a spreadsheet, however they are written."""


def read_excel(file: IO[bytes], layout: Layout) -> Records:
    """The rows of a sheet of an open workbook.

    Formulas count as what they gave when the workbook was saved.

    Raises:
        SourceError: it is no workbook, or has no such sheet.
    """
    import openpyxl  # takes 0.2 s, which only workbooks are worth

    try:
        with zipfile.ZipFile(file) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > _MOST_BYTES:
            raise SourceError(
                f"The workbook unpacks to more than {_MOST_BYTES >> 20} MiB: save the sheet as CSV"
            )
        file.seek(0)
        with _quiet(), redirect_stdout(io.StringIO()):  # it prints, too
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except SourceError:
        raise
    except Exception as error:  # openpyxl lets anything through that a broken part causes
        raise _no_workbook(error) from None
    sheet = _sheet(book, layout.sheet)
    rows = _cells(sheet)
    header = _header(rows, layout.header)
    return Records(header, _rows(rows, header, layout.header), book.epoch)


def _quiet() -> AbstractContextManager[Any]:
    """Without openpyxl's warnings, which quote cells."""
    return warnings.catch_warnings(action="ignore")


def _no_workbook(error: Exception) -> SourceError:
    return SourceError(
        f"It is no workbook that can be read ({type(error).__name__}): save it as .xlsx anew, or "
        "as CSV"
    )


def _sheet(book: Any, name: str | None) -> Any:
    names = [sheet.title for sheet in book.worksheets]
    if name is not None and name not in names:
        raise SourceError(
            f"There is no sheet {name!r}. The sheets are {', '.join(names) or 'none'}"
        )
    if not names:
        raise SourceError("The workbook has no sheet with cells")
    return book.worksheets[0 if name is None else names.index(name)]


def _cells(sheet: Any) -> Iterator[list[Any]]:
    try:
        with _quiet(), suppress(AttributeError):
            sheet.reset_dimensions()  # what it says of its size is often wrong
        rows = iter(sheet.iter_rows())
        for number in range(_MOST_ROWS + 1):
            with _quiet():
                row = next(rows, None)
            if row is None:
                return
            if number == _MOST_ROWS:
                raise SourceError(f"The sheet has more than {_MOST_ROWS} rows")
            yield [_cell(cell) for cell in row]
    except SourceError:
        raise
    except Exception as error:  # as above
        raise _no_workbook(error) from None


def _cell(cell: Any) -> Any:
    if getattr(cell, "data_type", None) == "e":
        return Damaged()
    value = cell.value
    if isinstance(value, int) and abs(value) >= _KEPT:
        return float(value)
    return value


def _header(rows: Iterator[list[Any]], number: int) -> tuple[str, ...]:
    for count, row in enumerate(rows, 1):
        if count == number:
            names = ["" if cell is None else str(cell).strip() for cell in row]
            while names and not names[-1]:
                names.pop()
            return tuple(names)
    return ()


def _rows(
    rows: Iterator[list[Any]], header: Sequence[str], before: int
) -> Iterator[Record | Fault]:
    for line, row in enumerate(rows, before + 1):
        if all(cell is None or cell == "" for cell in row):
            continue
        over = sum(cell is not None for cell in row[len(header) :])
        if over:
            yield Fault(line, f"The row has {over} cells outside the columns of the header.")
            continue
        padded = [*row, *[None] * (len(header) - len(row))]
        yield Record(line, cast("dict[str, Any]", dict(zip(header, padded, strict=False))))


SOURCE = FileSource(
    "excel", ("Excel 工作簿", "Excel workbook"), "popflow publish", (".xlsx",), read_excel
)
