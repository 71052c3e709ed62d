"""``popflow worker``: one worker process."""

import asyncio
import gc
import logging
import resource
import sys
from pathlib import Path
from typing import Any

import click

from consumers.store.client import Store
from deploy.native.ports import is_free
from pipeline.app import Worker
from pipeline.batch_errors import ErrorsWithoutValues
from pipeline.cli.common import data_option, endpoints, fail, settings
from pipeline.settings import Settings
from producers.access import use


@click.command()
@data_option
@click.option("--bootstrap", help="Kafka servers. Kafka 地址")
@click.option("--clickhouse", help="URL of the ClickHouse server. ClickHouse 地址")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="0 takes a free one. 端口")
def worker(data: Path | None, **given: Any) -> None:
    """Run one worker until Ctrl-C. 运行一个处理进程

    `popflow up` runs workers itself; more of them, here or on other machines, share the work.
    """
    chosen = _with_port(_with_servers(settings(data, **given), given))
    _log(chosen)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash writes no event to the disk
    # A batch makes hundreds of thousands of tuples and no cycles: collecting as often as Python
    # does by default costs a tenth of the time.
    gc.set_threshold(200_000, 20, 50)
    asyncio.run(_run(chosen))


def _with_servers(chosen: Settings, given: dict[str, Any]) -> Settings:
    """Those given, or those of the stack that runs on the data folder."""
    if (given["bootstrap"] is None) != (given["clickhouse"] is None):
        fail("name both --bootstrap and --clickhouse, or none for the stack's own", code=2)
    if chosen.bootstrap and chosen.clickhouse:
        use(chosen.kafka_client)
        return chosen
    where = endpoints(chosen)
    return chosen.model_copy(
        update={
            "bootstrap": where.bootstrap,
            "clickhouse": where.clickhouse,
            "clickhouse_user": where.clickhouse_user,
            "clickhouse_password_file": Path(where.clickhouse_password_file),
        }
    )


def _with_port(chosen: Settings) -> Settings:
    """The usual port for metrics when it is free; one that was named must be."""
    port = chosen.metrics_port
    if port == 0 or is_free(port):
        return chosen
    if "metrics_port" in chosen.model_fields_set:
        fail(f"port {port} is taken: name another with --metrics-port, or 0 for a free one")
    return chosen.model_copy(update={"metrics_port": 0})


async def _run(chosen: Settings) -> None:
    password = chosen.clickhouse_password()
    url, user = chosen.clickhouse or "", chosen.clickhouse_user
    with Store.connect(url, user, password) as store:
        await Worker(chosen, store, password.encode() or b"popflow").run()


def _log(chosen: Settings) -> None:
    """Ours at the level chosen; no event may reach a log.

    Libraries stay at INFO at the lowest: at DEBUG aiokafka writes whole requests, with messages.
    """
    chosen_level = logging.getLevelName(chosen.log_level)
    logging.basicConfig(
        stream=sys.stderr,
        level=max(chosen_level, logging.INFO),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(ErrorsWithoutValues())
    logging.getLogger("pipeline").setLevel(min(logging.INFO, chosen_level))
