"""``popflow report``: the plan's scorecard."""

import sys
from datetime import date
from pathlib import Path

import click

from consumers.scorecard import Scorecard, known_through, scorecard
from consumers.scorecard.plain import as_csv
from consumers.scorecard.plain import as_json as as_json_line
from consumers.scorecard.shown import counts, heading, lines, notes
from consumers.scorecard.words import LANGUAGES, Language, place, word
from pipeline.catalogue import CatalogueError
from pipeline.cli.common import (
    SIMULATED,
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
from schemas.districts import CITY

FORMATS = ("table", "html", "csv", "xlsx", "json")
_SUFFIXES = {".html": "html", ".htm": "html", ".csv": "csv", ".xlsx": "xlsx", ".json": "json"}
_STYLES = {"met": "green", "not_met": "red", "cannot_tell": "yellow", "watched": "dim"}


@click.command()
@day_option("--as-of", "Day that is looked at; else the newest known. 截至")
@day_option("--known-on", "Only what was known at the end of this day. 按当日所知")
@click.option("--district", default=CITY, show_default=True, help="Code or name. 区划")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Else by the file's name. 格式")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File. 输出文件")
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="zh", show_default=True, help="语言"
)
@options
def report(
    as_of: date | None,
    known_on: date | None,
    district: str,
    form: str | None,
    output: Path | None,
    language: Language,
    data: Path | None,
    as_json: bool,
) -> None:
    """Every target of the plan: met, not met, cannot tell yet; the mid-term evaluation. 规划计分卡

    Each with its figure of 2015, present value and interval, trend, and the change a year that is
    still needed. The same day and the same --known-on give the same figures at any later time.
    """
    form = _form(form, output, as_json)
    chosen = settings(data)
    try:
        place_code = area(district)
        with open_store(endpoints(chosen)) as store:
            day = as_of or known_on or known_through(store)
            card = scorecard(store, day, known_on, place_code)
    except CatalogueError as error:
        fail(str(error), code=2)
    simulated = any((chosen.data / name).exists() for name in SIMULATED)
    if form == "table" and output is None:
        _draw(card, language, simulated=simulated)
        return
    made = _made(card, form, language, simulated=simulated)
    if output is not None:
        output.write_bytes(made)
        if as_json:
            print_json({"written": str(output), "format": form, "rows": len(card.rows)})
        else:
            console.print(f"{output}: {heading(card, language)}", soft_wrap=True)
    else:
        sys.stdout.buffer.write(made)


def _form(form: str | None, output: Path | None, as_json: bool) -> str:
    """What to write; refuses what cannot be."""
    if form is None:
        by_name = _SUFFIXES.get(output.suffix.lower()) if output else None
        form = by_name or ("json" if as_json else "table")
    if form == "xlsx" and output is None:
        fail("a workbook needs a file: add --output FILE.xlsx", code=2)
    if output is not None and not output.parent.is_dir():
        fail(f"there is no folder {output.parent}: make it, or write elsewhere", code=2)
    if as_json and output is None and form != "json":
        fail(f"--json and --format {form} are two wishes: leave one out", code=2)
    if form == "table" and output is not None:
        fail(f"--output {output}: name it .html, .csv, .xlsx or .json, or give --format", code=2)
    return form


def _made(card: Scorecard, form: str, language: Language, *, simulated: bool) -> bytes:
    if form == "html":
        from consumers.scorecard.page import page  # jinja2, for this form only

        return page(card, language, simulated=simulated).encode()
    if form == "xlsx":
        from consumers.scorecard.sheet import workbook  # openpyxl, for this form only

        return workbook(card, language, simulated=simulated)
    if form == "csv":
        return as_csv(card)
    return as_json_line(card, language, simulated=simulated)


def _draw(card: Scorecard, language: Language, *, simulated: bool) -> None:
    title = f"{place(card.district, language)} · {word('title', language)}"
    said = f"\n{word('simulated', language)}" if simulated else ""
    drawn = new_table(
        *(word(key, language) for key in ("indicator", "start", "target", "present")),
        *(word(key, language) for key in ("trend", "verdict", "outlook")),
        title=f"{title}\n{heading(card, language)}{said}",
    )
    for line in lines(card, language):
        style = _STYLES[line.outcome]
        drawn.add_row(
            f"{line.name}\n[dim]{line.about}[/dim]",
            line.start,
            line.target,
            _lines(f"[bold]{line.present}[/bold]", line.interval, f"[dim]{line.status}[/dim]"),
            _lines(line.trend, f"[dim]{line.direction}[/dim]" if line.direction else ""),
            f"[{style}]{line.verdict}[/{style}]\n[dim]{line.why}[/dim]",
            _lines(line.course, line.needed),
        )
    console.print(drawn)
    console.print(
        " · ".join(f"{name} {number}" for _, name, number in counts(card, language)),
    )
    for note in notes(card, language):
        console.print(f"- {note}", soft_wrap=True, markup=False)


def _lines(*texts: str) -> str:
    return "\n".join(text for text in texts if text)
