"""The command line, ``popflow`` (CONTRACT section 5)."""

import click

from pipeline.cli import audit, baseline, publish, rejected, source, status, tools, up, worker
from pipeline.cli.common import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="popflow")
def main() -> None:
    """Population events into exact, live figures. 人口事件流：实时、精确的人口指标。"""


for command in (
    up.up,
    worker.worker,
    publish.publish,
    publish.simulate,
    source.source,
    baseline.baseline,
    status.status,
    rejected.rejected,
    audit.audit,
    audit.rebuild,
    tools.schemas,
    tools.settings_command,
):
    main.add_command(command)
