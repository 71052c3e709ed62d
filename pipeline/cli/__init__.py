"""The command line, ``popflow`` (CONTRACT section 5).

A command is imported when it is run: of those listed here some need Faust or the engine's client,
and ``popflow --help`` and ``popflow source add`` should not wait for that.
"""

import click

from pipeline.cli.entry import COMMANDS, Group

__all__ = ["COMMANDS", "main"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="popflow")
def main() -> None:
    """Population events into exact, live figures. 人口事件流：实时、精确的人口指标。

    Each command explains itself: popflow COMMAND --help. 各命令的说明见 --help。
    """
