"""What every command shares: options, output for people and programs, errors in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from consumers.store.client import Store
from consumers.store.errors import StoreError
from deploy.native.errors import NativeError
from deploy.native.stack import Endpoints, running
from pipeline.settings import Settings, SettingsError, load

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


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Say what went wrong and end."""
    errors.print(f"[red]popflow:[/red] {message}", soft_wrap=True)
    raise SystemExit(code)


def settings(data: Path | None, **given: Any) -> Settings:
    """The settings of a command; a wrong one is wrong use (2)."""
    try:
        return load(data, **given)
    except SettingsError as error:
        fail(str(error), code=2)


def endpoints(chosen: Settings) -> Endpoints:
    """Where Kafka and ClickHouse answer: a running stack's, or the given servers'."""
    found = running(chosen.data)
    if found is not None:
        return found
    if chosen.bootstrap and chosen.clickhouse:
        password_file = chosen.clickhouse_password_file
        return Endpoints(
            chosen.bootstrap,
            chosen.clickhouse,
            chosen.clickhouse_user,
            str(password_file) if password_file else "/dev/null",
            [],
            None,
            0,
        )
    fail(
        f"no stack runs on {chosen.data}. Start it with `popflow up --data {chosen.data}`, or name "
        "the servers in the settings bootstrap and clickhouse."
    )


def open_store(where: Endpoints) -> Store:
    """A connection to the stack's ClickHouse."""
    password = Path(where.clickhouse_password_file).read_text("utf-8").strip()
    return Store.connect(where.clickhouse, where.clickhouse_user, password)


def print_json(value: Any) -> None:
    """One line for a program."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def table(*columns: str, title: str | None = None) -> Table:
    """A table as every command draws it."""
    drawn = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    return drawn


class Group(click.Group):
    """Turns the errors that a user can mend into one line; others are ours."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (NativeError, StoreError, SettingsError) as error:
            fail(str(error))
        except KafkaError as error:
            fail(f"Kafka did not do it ({type(error).__name__}); is the stack up? `popflow status`")
        except KeyboardInterrupt:
            fail("interrupted", code=130)
