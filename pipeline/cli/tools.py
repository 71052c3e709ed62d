"""``popflow schemas`` and ``popflow settings``."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import click

from pipeline.cli.common import console, errors, options, print_json, settings
from pipeline.cli.common import table as new_table
from pipeline.settings import ENVIRONMENT_ONLY, PREFIX, Settings, source_of, unknown_variables
from schemas.export import write

_KEYS = ("name", "variable", "value", "from", "meaning")


@click.group()
def schemas() -> None:
    """The contract's documents. 契约文档"""


@schemas.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@options
def export(folder: Path, data: Path | None, as_json: bool) -> None:  # noqa: ARG001 - all take it
    """Write JSON Schema and AsyncAPI documents to FOLDER. 导出 JSON Schema 与 AsyncAPI"""
    written = [str(path) for path in write(folder)]
    if as_json:
        print_json(written)
    else:
        click.echo("\n".join(written))


@click.command("settings")
@options
def settings_command(data: Path | None, as_json: bool) -> None:
    """Every setting with its value and where it came from. 全部设置

    A setting is a line of popflow.toml in the data folder (workers = 2) or a variable of the
    environment (POPFLOW_WORKERS=2), which wins. Those marked * are variables only.
    """
    chosen = settings(data)
    rows = _settings(chosen, "command line" if data is not None else None)
    strange = unknown_variables()
    if as_json:
        print_json([dict(zip(_KEYS, row, strict=True)) for row in rows])
    else:
        drawn = new_table("设置 setting", "值 value", "来自 from", "含义 meaning")
        for row in rows:
            mark = "*" if row.name in ENVIRONMENT_ONLY else ""
            value = "" if row.value is None else str(row.value)
            drawn.add_row(row.name + mark, value, row.origin, row.meaning)
        console.print(drawn)
        console.print(f"环境变量 as variables: {PREFIX}SETTING; * 仅限环境变量 variables only")
    if strange:
        errors.print(f"No settings, perhaps misspelt 不是设置: {', '.join(strange)}")


class _Setting(NamedTuple):
    name: str
    variable: str
    value: Any
    origin: str
    meaning: str


def _settings(chosen: Settings, data_from: str | None) -> list[_Setting]:
    rows = []
    values = chosen.model_dump(mode="json")
    for name, field in Settings.model_fields.items():
        origin = source_of(name, chosen)
        if name == "data" and data_from is not None:
            origin = data_from
        variable = PREFIX + name.upper()
        rows.append(_Setting(name, variable, values[name], origin, field.description or ""))
    for name, meaning in ENVIRONMENT_ONLY.items():
        variable = PREFIX + name.upper()
        value = os.environ.get(variable)
        origin = "default" if value is None else "environment"
        rows.append(_Setting(name, variable, value, origin, meaning))
    return rows
