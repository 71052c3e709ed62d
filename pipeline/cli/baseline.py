"""``popflow baseline``: the registered population that the events are counted on."""

from pathlib import Path

import click

from consumers.baseline import BaselineError, load_baseline, read_baseline
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings


@click.group()
def baseline() -> None:
    """The hukou population at the end of a day. 户籍人口基数"""


@baseline.command("load")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options
def load(file: Path, data: Path | None, as_json: bool) -> None:
    """Load FILE (CSV or NDJSON). 导入基数

    Columns: as_of, known_on, district, sex, birth_year, value. The newest known one serves all
    days; one loaded again under the same days replaces the former.
    """
    where = endpoints(settings(data))
    try:
        rows = read_baseline(file)
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
    for (as_of, known_on), total in loaded.items():
        console.print(f"{as_of}, known on {known_on}: {total:,} 人")
