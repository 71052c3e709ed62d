"""``popflow baseline``: the registered population that the events are counted on."""

from datetime import datetime
from pathlib import Path

import click

from consumers.baseline import BaselineError, load_baseline, read_baseline
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def baseline() -> None:
    """The hukou population at the end of a day. 户籍人口基数"""


@baseline.command("load")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as-of", type=DAY, help="The day, for files without it. 基准日")
@click.option("--known-on", type=DAY, help="When it became known, likewise. 公布日")
@options
def load(
    file: Path, as_of: datetime | None, known_on: datetime | None, data: Path | None, as_json: bool
) -> None:
    """Load FILE (CSV, NDJSON or Excel). 导入基数

    Counts: as_of, known_on, district, sex, birth_year, value. An extract of the register: one
    person a line, district, sex, and born_on or birth_year; only the counts are kept. It covers
    all ten districts. The newest known one serves all days; one loaded again under the same days
    replaces the former, a restated census is a new one beside it.
    """
    where = endpoints(settings(data))
    days = {
        "as_of": as_of.date() if as_of else None,
        "known_on": known_on.date() if known_on else None,
    }
    try:
        rows = read_baseline(file, **days)
        with open_store(where) as store:
            loaded = load_baseline(store, rows)
    except BaselineError as error:
        fail(str(error))
    if as_json:
        print_json(
            [
                {"as_of": as_of, "known_on": known_on, "population": total}
                for (as_of, known_on), total in loaded.items()
            ]
        )
        return
    for days_of, total in loaded.items():
        console.print(f"{days_of[0]}, known on {days_of[1]}: {total:,} 人")
