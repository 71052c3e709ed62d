"""``popflow prepare``: topics and tables on servers that exist already."""

from pathlib import Path

import click

from consumers.store.client import Store
from deploy.native.prepare import prepare_tables, prepare_topics
from pipeline.cli.common import console, fail, options, print_json, settings
from producers.access import use


@click.command()
@options
def prepare(data: Path | None, as_json: bool) -> None:
    """Create or update topics and tables on given servers. 准备主题与表

    `popflow up` does it for its own; run this once before the workers of every new version.
    """
    chosen = settings(data)
    if chosen.bootstrap is None or chosen.clickhouse is None:
        fail("name the servers in the settings bootstrap and clickhouse", code=2)
    use(chosen.kafka_client)
    prepare_topics(chosen.bootstrap, chosen)
    user, password = chosen.clickhouse_user, chosen.clickhouse_password()
    with Store.connect(chosen.clickhouse, user, password) as store:
        prepare_tables(store)
    if as_json:
        print_json({"bootstrap": chosen.bootstrap, "clickhouse": chosen.clickhouse})
    else:
        console.print(f"{chosen.bootstrap} and {chosen.clickhouse} are prepared")
