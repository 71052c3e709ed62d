"""``popflow schemas`` and ``popflow settings``."""

from pathlib import Path

import click

from pipeline.cli.common import console, options, print_json, settings
from pipeline.cli.common import table as new_table
from pipeline.settings import PREFIX, Settings, source_of
from schemas.export import write


@click.group()
def schemas() -> None:
    """The contract's documents. 契约文档"""


@schemas.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def export(folder: Path) -> None:
    """Write JSON Schema and AsyncAPI documents to FOLDER. 导出 JSON Schema 与 AsyncAPI"""
    for path in write(folder):
        console.print(str(path))


@click.command("settings")
@options
def settings_command(data: Path | None, as_json: bool) -> None:
    """Every setting with its value and where it came from. 全部设置"""
    chosen = settings(data)
    rows = [
        (name, str(getattr(chosen, name)), source_of(name, chosen), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        print_json(
            [dict(zip(("name", "value", "from", "meaning"), row, strict=True)) for row in rows]
        )
        return
    drawn = new_table(
        "设置 setting", "环境变量 environment", "值 value", "来自 from", "含义 meaning"
    )
    for name, value, origin, meaning in rows:
        drawn.add_row(name, PREFIX + name.upper(), value, origin, meaning)
    console.print(drawn)
