"""``popflow explain``: a figure taken apart, down to the records that make it."""

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.text import Text

from consumers.explain import Explanation, Part, explain
from consumers.explain.records import Contribution
from consumers.scorecard import known_through
from consumers.scorecard.shown import number
from pipeline.catalogue import CatalogueError
from pipeline.catalogue.formulas import Told, formula, measure, term
from pipeline.catalogue.model import Count
from pipeline.catalogue.vocabulary import NOTES, REASONS, UNITS
from pipeline.cli.common import (
    DAY,
    area,
    console,
    day_option,
    endpoints,
    fail,
    open_store,
    options,
    print_json,
    settings,
)
from pipeline.cli.common import table as new_table
from pipeline.core.rates import Reading

ROLES = {
    "numerator": ("分子", "numerator"),
    "less": ("减去", "less"),
    "denominator": ("分母", "denominator"),
    "left_over": ("待办：在分母而不在分子", "to work through: in the denominator only"),
}
_EVERYTHING = 0


@click.command("explain")
@click.argument("indicator")
@click.argument("district")
@click.argument("day", type=DAY, required=False)
@click.option("--window", help="Of the indicator's; else the plan's. 窗口")
@click.option("--base", help="hukou, resident, or all; else the plan's. 口径")
@day_option("--known-on", "Only what was known at the end of this day. 按当日所知")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True,
    help="Cells and records shown of each term; 0: all. 显示条数",
)  # fmt: skip
@options
def explain_command(
    indicator: str,
    district: str,
    day: date | None,
    window: str | None,
    base: str | None,
    known_on: date | None,
    limit: int,
    data: Path | None,
    as_json: bool,
) -> None:
    """Take one figure apart: formula, cells, record ids with their revisions. 指标溯源

    DISTRICT is a code or a name, 320500 or city for the whole city; DAY is the window's last day,
    else the newest known. Ends with 1 when the parts do not add up to the figure.
    """
    try:
        place = area(district)
        with open_store(endpoints(settings(data))) as store:
            found = explain(
                store,
                indicator,
                place,
                day or known_on or known_through(store),
                known_on,
                window=window,
                base="" if base == "all" else base,
                limit=None if limit == _EVERYTHING else limit,
            )
    except CatalogueError as error:
        fail(str(error), code=2)
    if as_json:
        print_json(as_json_value(found))
    else:
        _draw(found)
    if not found.adds_up:
        fail("the parts do not add up to the figure; `popflow audit` says which cells are wrong")


def as_json_value(found: Explanation) -> dict[str, Any]:
    """Everything for a program; amounts are exact where they are whole."""
    reading = found.reading
    chinese, english = formula(found.entry, _told(reading))
    return {
        "indicator": reading.indicator,
        "name_zh": found.entry.name_zh,
        "name_en": found.entry.name_en,
        "source": found.entry.source,
        "base": reading.base,
        "district": reading.district,
        "window": reading.window,
        "as_of": reading.as_of,
        "known_on": reading.known_on,
        "unit": found.entry.unit,
        "formula_zh": chinese,
        "formula_en": english,
        "numerator": _plain(reading.numerator),
        "denominator": _plain(reading.denominator),
        "value": _plain(reading.value),
        "low": reading.low,
        "high": reading.high,
        "reason": reading.reason,
        "note": reading.note,
        "adds_up": found.adds_up,
        "detail": {name: _plain(amount) for name, amount in found.detail},
        "parts": [_part(part) for part in found.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "role": part.role,
        "measures": part.measures,
        "amount": _plain(part.amount),
        "divided_by": part.over,
        "baselines": [{**each._asdict(), "amount": _plain(each.amount)} for each in part.bases],
        "cells": [{**each._asdict(), "amount": _plain(each.amount)} for each in part.cells],
        "cells_more": part.cells_more,
        "reference": [{**each._asdict(), "value": _plain(each.value)} for each in part.facts],
        "records": [] if part.records is None else [_who(each) for each in part.records.shown],
        "records_amount": None if part.records is None else _plain(part.records.amount),
        "records_more": None if part.records is None else part.records.more,
    }


def _who(each: Contribution) -> dict[str, Any]:
    return {
        "person": each.person,
        "amount": _plain(each.amount),
        "cells": [[*cell, value] for cell, value in each.cells],
        "records": [
            {
                "kind": record.kind,
                "record_id": record.record_id,
                "day": record.day,
                "reports": [vars(told) for told in record.reports],
            }
            for record in each.records
        ],
    }


def _plain(value: Fraction | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value.denominator == 1 else float(value)


def _told(reading: Reading) -> Told:
    return Told(reading.base, reading.window, reading.as_of)


def _amount(value: Fraction | None) -> str:
    """A whole number as one, else with two decimals."""
    return number(value, 0 if value is not None and value.denominator == 1 else 2)


def _draw(found: Explanation) -> None:
    reading, entry = found.reading, found.entry
    for text in formula(entry, _told(reading)):
        console.print(text, markup=False, soft_wrap=True)
    console.print(f"定义来源 source: {entry.source}", markup=False, soft_wrap=True)
    known = f"按{reading.known_on}所知 as known on it" if reading.known_on else "现有全部 all known"
    console.print(f"{reading.district} · {reading.as_of} · {known}")
    places = 0 if entry.unit == "persons" else 2
    if reading.value is None:
        why = REASONS.get(reading.reason, (reading.reason,) * 2)
        console.print(f"[bold]–[/bold] {why[0]} {why[1]}")
    else:
        shown = f"[bold]{number(reading.value, places)}[/bold] {UNITS[entry.unit][1]}"
        if reading.low is not None:
            shown += f" (95 %: {number(reading.low, places)} – {number(reading.high, places)})"
        if reading.note:
            shown += f" · {' '.join(NOTES[reading.note])}"
        console.print(f"{shown} = {_amount(reading.numerator)} ÷ {_amount(reading.denominator)}")
    if found.detail:
        drawn = new_table("其中 detail", "数 amount")
        for name, amount in found.detail:
            drawn.add_row(name, _amount(amount))
        console.print(drawn)
    for part in found.parts:
        if part.measures or part.facts:
            _draw_part(found, part)


def _draw_part(found: Explanation, part: Part) -> None:
    entry, reading = found.entry, found.reading
    terms = {"numerator": entry.numerator, "less": entry.less, "denominator": entry.denominator}
    what = terms.get(part.role)
    said = "" if what is None else ": " + " ".join(term(what, entry, _told(reading)))
    over = f" ÷ {part.over}" if part.over != 1 else ""
    names = [] if isinstance(what, Count) else part.measures
    counted = "".join(f" [{' '.join(measure(name))}]" for name in names)
    title = f"{' '.join(ROLES[part.role])}{said}{counted} = {_amount(part.amount)}{over}"
    console.print()
    console.print(Text(title, style="bold"), soft_wrap=True)
    for base in part.bases:
        console.print(
            f"基数 baseline {base.as_of} (known on {base.known_on}): {base.people:,} 人"
            f" → {_amount(base.amount)}"
        )
    for fact in part.facts:
        console.print(
            f"参考 reference {fact.indicator} {fact.district} {fact.as_of}"
            f" (known on {fact.known_on}): {number(fact.value, 6)} · {escape(fact.source)}"
        )
    if part.cells:
        _draw_cells(part)
    if part.records is not None and part.records.shown:
        _draw_records(part)


def _draw_cells(part: Part) -> None:
    names = ("日期 day", "知晓日 known_on", "计数项 measure", "区划 district", "户籍 residency")
    drawn = new_table(*names, "性别 sex", "分组 band", "值 value", "计入 adds")
    for cell in part.cells:
        drawn.add_row(
            *(str(cell.day), str(cell.known_on), cell.measure, cell.district, cell.residency),
            *(cell.sex, cell.band, f"{cell.value:,}", _amount(cell.amount)),
        )
    drawn.caption = f"另有 and {part.cells_more:,} more 计数单元 cells" if part.cells_more else None
    console.print(drawn)


def _draw_records(part: Part) -> None:
    drawn = new_table(
        *("计入 adds", "业务编号 record", "日期 day", "人员 person"),
        *("来源及版本 source, revision", "主题/分区/位点 topic/partition/offset"),
    )
    assert part.records is not None  # noqa: S101 - asked before
    for each in part.records.shown:
        amount = _amount(each.amount)
        for record in each.records:
            reports = [
                f"{escape(told.source)} r{told.revision} {told.stands} ({told.known_on})"
                for told in record.reports
            ]
            lineage = [f"{told.topic}/{told.partition}/{told.offset}" for told in record.reports]
            drawn.add_row(
                *(amount, f"{record.kind} {escape(record.record_id)}", str(record.day)),
                *(each.person, "\n".join(reports), "\n".join(lineage)),
            )
            amount = ""
    more = part.records.more
    left = "更多未计数 more, not counted" if more is None else f"另有 and {more:,} more"
    drawn.caption = (
        f"所示合计 shown: {_amount(part.records.amount)} · {left}" if more != 0 else None
    )
    console.print(drawn)
