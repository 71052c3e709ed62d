"""What every command shares: options, output for people and programs, the stack's address."""

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from deploy.native.endpoints import Endpoints, running
from pipeline.cli.entry import fail as fail
from pipeline.settings import Settings, SettingsError, load
from producers.access import use

if TYPE_CHECKING:
    from consumers.store.client import Store
    from producers.signing import Signer

SIMULATED = ("demo.cursor.json", "simulate.spool")
"""What a simulated city leaves in the data folder: where one of them is, figures are simulated."""
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the stack. 数据目录 [default: .popflow]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON. 输出 JSON")


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The two options of every command."""
    return data_option(json_option(command))


class _Day(click.ParamType):
    """A local day, YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a civil date
        except ValueError:
            self.fail(f"{value!r} is no day: write it as 2018-12-31", param, ctx)


DAY = _Day()
"""Type of options and arguments that are days."""


def day_option(name: str, told: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that takes a day."""
    return click.option(name, type=DAY, metavar="DAY", help=told)


def settings(data: Path | None, **given: Any) -> Settings:
    """The settings of a command; a wrong one is wrong use (2)."""
    try:
        return load(data, **given)
    except SettingsError as error:
        fail(str(error), code=2)


def endpoints(chosen: Settings) -> Endpoints:
    """Where Kafka and ClickHouse answer: a running stack's, or the given servers'."""
    found = running(chosen.data)
    own = found.kafka_client if found is not None else None
    use(chosen.kafka_client or (Path(own) if own else None))
    if found is not None:
        return found
    if not (chosen.bootstrap and chosen.clickhouse):
        fail(
            f"no stack runs on {chosen.data}. Start it with `popflow up --data {chosen.data}`, or "
            "name the servers in the settings bootstrap and clickhouse."
        )
    password_file = chosen.clickhouse_password_file
    return Endpoints(
        chosen.bootstrap,
        chosen.clickhouse,
        chosen.clickhouse_user,
        str(password_file) if password_file else "/dev/null",
        [],
        None,
        0,
        str(chosen.kafka_client) if chosen.kafka_client else None,
    )


def kafka(chosen: Settings) -> str:
    """Where Kafka answers: all that a publisher needs."""
    if chosen.bootstrap is None or running(chosen.data) is not None:
        return endpoints(chosen).bootstrap
    use(chosen.kafka_client)
    return chosen.bootstrap


def signer(chosen: Settings) -> "Signer | None":
    """Who signs what is published, if a key was chosen."""
    from producers.signing import Signer  # its cryptography takes a tenth of a second to import

    return Signer(chosen.signing_key) if chosen.signing_key else None


def open_store(where: Endpoints) -> "Store":
    """A connection to the stack's ClickHouse."""
    from consumers.store.client import Store  # its client takes 0.1 s to import

    password = Path(where.clickhouse_password_file).read_text("utf-8").strip()
    return Store.connect(where.clickhouse, where.clickhouse_user, password)


def area(text: str) -> str:
    """Code of a district or of the city, by its code, an earlier code, or a name.

    Raises:
        CatalogueError: there is none; the message lists those that are.
    """
    from pipeline.catalogue.vocabulary import known
    from schemas.districts import CITY, COUNTED_AS, DISTRICTS

    wanted = text.strip().casefold()
    if wanted in ("city", "suzhou", "苏州", "苏州市", CITY):
        return CITY
    if wanted in COUNTED_AS:
        return COUNTED_AS[wanted]
    names = {}
    for district in DISTRICTS:
        for name in (district.name_zh, district.name_en):
            names[name.casefold()] = district.counted_as
            names[name.casefold().rstrip("区市县").partition("（")[0].partition(" (")[0]] = (
                district.counted_as
            )
    if wanted not in names:
        present = [d for d in DISTRICTS if d.code == d.counted_as]
        listed = [*(f"{d.code} {d.name_zh} {d.name_en}" for d in present), f"{CITY} 苏州市 city"]
        known("district", text, listed)
    return names[wanted]


def print_json(value: Any) -> None:
    """One line for a program."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def table(*columns: str, title: str | None = None) -> Table:
    """A table as every command draws it."""
    drawn = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    return drawn
