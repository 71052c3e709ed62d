"""``popflow up``: the whole stack on one machine, until Ctrl-C."""

import signal
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from rich.live import Live

from deploy.native.stack import Endpoints, Stack
from pipeline.cli.board import Board, Steps
from pipeline.cli.common import console, data_option, errors, json_option, print_json, settings
from pipeline.cli.demo import Demonstration
from pipeline.cli.page import show_in_browser


@click.command()
@data_option
@json_option
@click.option("--headless", is_flag=True, help="No live board in the terminal. 无界面")
@click.option("--demo", is_flag=True, help="Let the simulated city publish. 运行模拟城市")
@click.option("--secure", is_flag=True, default=None, help="Kafka asks who comes. 安全模式")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes. 处理进程数")
@click.option("--partitions", type=click.IntRange(1, 1024), help="Of every topic, at first start.")
def up(data: Path | None, as_json: bool, headless: bool, demo: bool, **given: Any) -> None:
    """Start Kafka, ClickHouse's engine and the workers; Ctrl-C stops all. 启动整套系统

    With --json one line says where everything answers, and nothing else is printed.
    """
    chosen = settings(data, **given)
    started, ended = threading.Event(), threading.Event()
    _end_on_signals(started, ended)
    with Steps(errors, quiet=as_json) as steps:
        stack = Stack(chosen, steps.tell)
        where = stack.start()
    started.set()
    try:
        _announce(where, as_json=as_json)
        if where.page and not (headless or as_json) and console.is_terminal:
            show_in_browser(where.page)
        with Demonstration(where, chosen) if demo else nullcontext():
            if headless or as_json or not console.is_terminal:
                stack.watch(ended.is_set)
            else:
                with Live(Board(where, simulated=demo), console=console, refresh_per_second=2):
                    stack.watch(ended.is_set)
    finally:
        with Steps(errors, quiet=as_json) as steps:
            stack.tell = steps.tell
            stack.stop()


def _end_on_signals(started: threading.Event, ended: threading.Event) -> None:
    """The first signal ends everything, also while it still starts; more change nothing."""

    def end(*_: object) -> None:
        first = not ended.is_set()
        ended.set()
        if first and not started.is_set():
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def _announce(where: Endpoints, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "bootstrap": where.bootstrap,
                "clickhouse": where.clickhouse_url(),
                "page": where.page,
                "metrics": where.metrics[0],
                "workers": where.metrics,
                **({"kafka_client": where.kafka_client} if where.kafka_client else {}),
            }
        )
        return
    console.print("[green]ready[/green] 就绪")
    console.print(f"  Kafka       {where.bootstrap}")
    console.print(f"  ClickHouse  {where.clickhouse}  (password: {where.clickhouse_password_file})")
    console.print(f"  metrics     {where.metrics[0]}")
    console.print(f"  page 网页   {where.page}", style="bold")
