"""The scorecard as an Excel workbook: numbers as numbers, days as days, and a sheet of notes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from consumers.scorecard.read import Scorecard
from consumers.scorecard.shown import heading, lines, notes, places
from consumers.scorecard.words import Language, base, place, unit, window, word

_FILLS = {"met": "E2F4E8", "not_met": "FDEAE8", "cannot_tell": "FDF2D8", "watched": "E9EDF1"}
_SHARE = "0.0%"
_DAY = "yyyy-mm-dd"
_WIDEST = 60


def workbook(card: Scorecard, language: Language, *, simulated: bool) -> bytes:
    """The file: the scorecard, its trends, notes.

    Args:
        card: what is written.
        language: ``zh`` or ``en``.
        simulated: whether to say that nobody in it is real.
    """
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)  # noqa: S101 - a new book has one
    first.title = word("title", language)[:31]
    _rows(first, card, language)
    _trends(book.create_sheet(word("trend", language)[:31]), card, language)
    _notes(book.create_sheet(word("notes", language)), card, language, simulated=simulated)
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def _heads(sheet: Worksheet, names: Sequence[str]) -> None:
    sheet.append(list(names))
    for cell in sheet[1]:
        cell.font = Font(bold=True)
        cell.alignment = Alignment(vertical="top", wrap_text=True)
    sheet.freeze_panes = "B2"


def _rows(sheet: Worksheet, card: Scorecard, language: Language) -> None:
    keys = (
        *("indicator", "base", "window", "unit", "start", "target", "numerator", "denominator"),
        *("value", "low", "high", "completeness", "status", "trend", "verdict", "why"),
        *("outlook", "needed", "projected"),
    )
    _heads(sheet, [word(key, language) for key in keys])
    for line, row in zip(lines(card, language), card.rows, strict=True):
        reading, ahead = row.reading, row.outlook
        start = line.start.replace(",", "")
        decimals = "#,##0" + (f".{'0' * places(row)}" if places(row) else "")
        values: list[tuple[Any, str]] = [
            (line.name, ""),
            (base(row.target.base, language), ""),
            (window(row.target.window, language), ""),
            (unit(row.entry.unit, language), ""),
            (float(start) if start.replace(".", "", 1).isdigit() else line.start, decimals),
            (line.target, ""),
            (_number(reading.numerator), "#,##0.##"),
            (_number(reading.denominator), "#,##0.##"),
            (_number(reading.value), decimals),
            (reading.low, decimals),
            (reading.high, decimals),
            (row.completeness, _SHARE),
            (line.status.partition(" · ")[0], ""),
            (_number(row.slope.a_year) if row.slope else None, decimals),
            (line.verdict, ""),
            (line.why, ""),
            (line.course, ""),
            (_number(ahead.needed), decimals),
            (_number(ahead.projected), decimals),
        ]
        _append(sheet, values)
        fill = _FILLS[line.outcome]
        sheet.cell(sheet.max_row, keys.index("verdict") + 1).fill = PatternFill(
            "solid", fgColor=fill
        )
    sheet.auto_filter.ref = sheet.dimensions
    _widen(sheet)


def _trends(sheet: Worksheet, card: Scorecard, language: Language) -> None:
    keys = ("indicator", "day", "value", "low", "high", "used")
    _heads(sheet, [word(key, language) for key in keys])
    for line, row in zip(lines(card, language), card.rows, strict=True):
        for point in row.series:
            used = word("yes" if point in row.points else "no", language)
            _append(
                sheet,
                [
                    (line.name, ""),
                    (point.day, _DAY),
                    (float(point.value), "#,##0.00"),
                    (point.low, "#,##0.00"),
                    (point.high, "#,##0.00"),
                    (used, ""),
                ],
            )
    _widen(sheet)


def _notes(sheet: Worksheet, card: Scorecard, language: Language, *, simulated: bool) -> None:
    told = [
        f"{place(card.district, language)} · {word('title', language)}",
        heading(card, language),
        word("plan", language),
        *([word("simulated", language)] if simulated else []),
        *notes(card, language),
        *(f"{line.name}: {line.note}" for line in lines(card, language) if line.note),
    ]
    for text in told:
        sheet.append([text])
        sheet.cell(sheet.max_row, 1).alignment = Alignment(wrap_text=True, vertical="top")
    sheet.column_dimensions["A"].width = 110
    sheet["A1"].font = Font(bold=True, size=14)


def _append(sheet: Worksheet, values: Sequence[tuple[Any, str]]) -> None:
    sheet.append([value for value, _ in values])
    for cell, (_, form) in zip(sheet[sheet.max_row], values, strict=True):
        if form:
            cell.number_format = form
        cell.alignment = Alignment(vertical="top", wrap_text=True)


def _widen(sheet: Worksheet) -> None:
    """Columns as wide as what they hold; a Chinese character takes two places."""
    for number, column in enumerate(sheet.columns, 1):
        widest = max(sum(1 + (ord(sign) > 0x2E80) for sign in _text(cell.value)) for cell in column)
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = min(max(widest + 2, 9), _WIDEST)


def _text(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "" if value is None else str(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
