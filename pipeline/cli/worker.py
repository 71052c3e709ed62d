"""``popflow worker``: one worker process."""

import asyncio
import resource
from pathlib import Path
from typing import Any

import click

from consumers.store.client import Store
from pipeline.app import Worker, look_for_cycles_seldom
from pipeline.cli.common import data_option, fail, settings
from pipeline.cli.processes import log_to_stderr, with_port, with_servers
from pipeline.settings import Settings


@click.command()
@data_option
@click.option("--bootstrap", help="Kafka servers. Kafka 地址")
@click.option("--clickhouse", help="URL of the ClickHouse server. ClickHouse 地址")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="0 takes a free one. 端口")
def worker(data: Path | None, **given: Any) -> None:
    """Run one worker until Ctrl-C. 运行一个处理进程

    `popflow up` runs workers itself; more of them, here or on other machines, share the work.
    """
    if (given["bootstrap"] is None) != (given["clickhouse"] is None):
        fail("name both --bootstrap and --clickhouse, or none for the stack's own", code=2)
    chosen = with_port(with_servers(settings(data, **given)))
    log_to_stderr(chosen)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash writes no event to the disk
    look_for_cycles_seldom()
    asyncio.run(_run(chosen))


async def _run(chosen: Settings) -> None:
    password = chosen.clickhouse_password()
    url, user = chosen.clickhouse or "", chosen.clickhouse_user
    with Store.connect(url, user, password) as store:
        await Worker(chosen, store, password.encode() or b"popflow").run()
