"""``popflow backup`` and ``popflow restore``: a stack's folder in one file and back."""

from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from deploy.native.backup import Tell
from deploy.native.backup import backup as back_up
from deploy.native.backup import restore as put_back
from pipeline.cli.common import console, errors, options, print_json, settings

_FILE = click.Path(path_type=Path, dir_okay=False)


def _progress(title: str, *, quiet: bool) -> tuple[Progress, Tell]:
    progress = Progress(
        TextColumn(title),
        BarColumn(),
        DownloadColumn(),
        console=errors,
        disable=quiet or not errors.is_terminal,
        transient=True,
    )
    task = progress.add_task(title)
    return progress, lambda done, total: progress.update(task, completed=done, total=total)


@click.command()
@options
@click.argument("file", type=_FILE)
def backup(data: Path | None, as_json: bool, file: Path) -> None:
    """Write a stopped stack's folder to FILE. 备份

    All of it: Kafka's log, figures, records, keys. The file is readable by its owner only.
    """
    progress, tell = _progress("backing up 备份", quiet=as_json)
    with progress:
        size = back_up(settings(data).data, file, tell)
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        console.print(f"{size:,} bytes are in {file}")


@click.command()
@options
@click.argument("file", type=_FILE)
def restore(data: Path | None, as_json: bool, file: Path) -> None:
    """Put the backup FILE into an empty folder. 恢复

    `popflow up` on that folder then goes on where the stack stopped.
    """
    folder = settings(data).data
    progress, tell = _progress("restoring 恢复", quiet=as_json)
    with progress:
        made_at = put_back(file, folder, tell)
    if as_json:
        print_json({"data": str(folder), "made_at": made_at})
    else:
        console.print(f"{folder} is as it was at {made_at}: popflow up --data {folder}")
