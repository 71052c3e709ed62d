"""``popflow key``: the city's key, which stands behind every pseudonym."""

from pathlib import Path

import click

from pipeline.cli.common import console, fail, options, print_json
from pipeline.cli.common import table as new_table
from producers.keys import (
    Algorithm,
    Key,
    KeyFileError,
    create_key_file,
    read_keys,
    rotate_key_file,
)

_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_algorithm = click.option(
    "--algorithm",
    type=click.Choice([one.value for one in Algorithm]),
    default=Algorithm.SHA256.value,
    show_default=True,
    help="Keyed hash. 算法",
)


@click.group()
def key() -> None:
    """The city's key: make a file, add a new key, compare. 假名密钥"""


@key.command("new")
@_file
@click.option("--id", "key_id", default="1", show_default=True, help="Of the key. 密钥编号")
@_algorithm
@options
def new(file: Path, key_id: str, algorithm: str, data: Path | None, as_json: bool) -> None:  # noqa: ARG001 - every command takes --data
    """Write a random key to FILE, which only its owner can read; once a city. 生成密钥"""
    try:
        made = create_key_file(file, key_id=key_id, algorithm=Algorithm(algorithm))
    except KeyFileError as error:
        fail(str(error))
    _show((made,), as_json)


@key.command("rotate")
@_file
@click.option("--id", "key_id", required=True, help="Of the new key. 新密钥编号")
@_algorithm
@options
def rotate(file: Path, key_id: str, algorithm: str, data: Path | None, as_json: bool) -> None:  # noqa: ARG001 - as above
    """Put a new key in front of FILE's; the old ones stay as earlier keys. 换钥"""
    try:
        keys = rotate_key_file(file, key_id, algorithm=Algorithm(algorithm))
    except KeyFileError as error:
        fail(str(error))
    _show(keys, as_json)


@key.command("list")
@_file
@options
def list_keys(file: Path, data: Path | None, as_json: bool) -> None:  # noqa: ARG001 - as above
    """Show ids, algorithms and check values, never a key. 列出密钥编号与校验值

    Two parties whose check values are equal hold the same key.
    """
    try:
        keys = read_keys(file)
    except KeyFileError as error:
        fail(str(error))
    _show(keys, as_json)


def _show(keys: tuple[Key, ...], as_json: bool) -> None:
    rows = [(one.id, one.algorithm.value, one.check_value) for one in keys]
    if as_json:
        names = ("id", "algorithm", "check_value")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    drawn = new_table("编号 id", "算法 algorithm", "校验值 check value", "用途 use")
    for place, row in enumerate(rows):
        drawn.add_row(*row, "旧 earlier" if place else "现用 in use")
    console.print(drawn)
