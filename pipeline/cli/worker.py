"""``popflow worker``: one worker process."""

import asyncio
import gc
import logging
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.app import Worker
from pipeline.batch_consumer import WorkerFailedError
from pipeline.cli.common import data_option, endpoints, fail, open_store, settings
from pipeline.settings import Settings


@click.command()
@data_option
@click.option("--bootstrap", help="Kafka servers. Kafka 地址")
@click.option("--clickhouse", help="URL of the ClickHouse server. ClickHouse 地址")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="0 takes a free one.")
def worker(data: Path | None, **given: Any) -> None:
    """Run one worker until Ctrl-C. 运行一个处理进程

    `popflow up` runs workers itself; more of them, here or on other machines, share the work.
    """
    chosen = settings(data, **given)
    _log(chosen)
    # A batch makes hundreds of thousands of tuples and no cycles: collecting as often as Python
    # does by default costs a tenth of the time.
    gc.set_threshold(200_000, 20, 50)
    where = endpoints(chosen) if not (chosen.bootstrap and chosen.clickhouse) else None
    if where is not None:
        chosen = chosen.model_copy(
            update={
                "bootstrap": where.bootstrap,
                "clickhouse": where.clickhouse,
                "clickhouse_user": where.clickhouse_user,
                "clickhouse_password_file": Path(where.clickhouse_password_file),
            }
        )
    try:
        asyncio.run(_run(chosen))
    except WorkerFailedError as error:
        fail(str(error))


async def _run(chosen: Settings) -> None:
    with open_store(endpoints(chosen)) as store:
        secret = chosen.clickhouse_password().encode() or b"popflow"
        await Worker(chosen, store, secret).run()


def _log(chosen: Settings) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=chosen.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("pipeline").setLevel(min(logging.INFO, logging.getLogger().level))
