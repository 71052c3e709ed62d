"""``popflow deliver``: alerts to their receivers."""

import logging
import signal
import threading
from functools import partial
from pathlib import Path

import click

from consumers.delivery.outcomes import Away, Refused
from consumers.delivery.receivers import ReceiverError
from consumers.delivery.service import Deliveries, try_out
from consumers.delivery.silences import Silenced
from consumers.store.client import Store
from pipeline.cli.common import fail, options, print_json, settings
from pipeline.cli.processes import log_to_stderr, with_port, with_servers
from pipeline.group import DELIVERING
from pipeline.metrics import serve
from pipeline.settings import Settings

log = logging.getLogger(__name__)


@click.command()
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="0 takes a free one. 端口")
@click.option("--test", "tested", metavar="NAME", help="Send one test message only. 仅发测试消息")
@options
def deliver(
    metrics_port: int | None,
    tested: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Hand alerts to the receivers of popflow.toml until Ctrl-C. 送达告警

    `popflow up` does it itself when there are receivers. With --test nothing is read: one message
    goes to one receiver, and the exit code says whether it was taken.
    """
    chosen = settings(data, metrics_port=metrics_port)
    try:
        if tested is not None:
            try_out(tested, chosen.receivers, chosen.data)
            if as_json:
                print_json({"receiver": tested, "delivered": True})
            else:
                click.echo(f"{tested} took the test message 测试消息已送达")
            return
        chosen = with_port(with_servers(chosen))
        if not chosen.receivers:
            fail("no receivers: write [receivers.NAME] into popflow.toml (data folder)", code=2)
        log_to_stderr(chosen)
        silenced = Silenced(partial(_store, chosen))
        servers = chosen.bootstrap or ""
        deliveries = Deliveries(chosen.receivers, chosen.data, servers, silenced)
    except ReceiverError as error:
        fail(str(error), code=2)
    except (Away, Refused) as error:
        fail(f"receiver {tested} did not take the test message: {error}")
    serve(chosen.host, chosen.metrics_port)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    deliveries.run(ended, lambda: log.info("%s to %d receivers", DELIVERING, len(chosen.receivers)))


def _store(chosen: Settings) -> Store:
    url, user = chosen.clickhouse or "", chosen.clickhouse_user
    return Store.connect(url, user, chosen.clickhouse_password())
