"""``popflow reference``: facts that no event yields."""

from datetime import datetime
from pathlib import Path

import click

from consumers.reference import ReferenceFactError, load_reference, read_reference
from pipeline.cli.baseline import DAY
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from pipeline.indicators import local_today


@click.group()
def reference() -> None:
    """Facts that no event yields: beds, doctors, unemployment, urban classes. 参考数据"""


@reference.command("load")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--known-on", type=DAY, help="When they became known; today. 公布日")
@click.option("--source", help="Where they come from, for files without it. 来源")
@options
def load(
    file: Path, known_on: datetime | None, source: str | None, data: Path | None, as_json: bool
) -> None:
    """Load FILE (CSV, NDJSON or Excel). 导入参考数据

    Columns: key, district (320500: the city), day, value, source, known_on. A fact loaded again
    under the same days replaces the former; one known on a later day stands beside it.
    """
    where = endpoints(settings(data))
    day = known_on.date() if known_on else local_today()
    try:
        facts = read_reference(file, known_on=day, source=source)
        with open_store(where) as store:
            loaded = load_reference(store, facts)
    except ReferenceFactError as error:
        fail(str(error))
    if as_json:
        print_json({"loaded": loaded})
        return
    console.print(f"{loaded} facts loaded 条")
