"""``popflow status``: how far the stream has come, and whether anything is wrong."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from kafka.errors import KafkaError

from consumers.store.client import Store
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from pipeline.cli.common import table as new_table
from pipeline.positions import Positions
from schemas.clock import ZONE

_LOOK = 0.1


@click.command()
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Return when everything published before is visible. 等待全部可见",
)
@options
def status(wait: float | None, data: Path | None, as_json: bool) -> None:
    """Show positions, counts, refusals and findings. 运行状态

    With --wait it ends with 1 when the time is over before everything is visible.
    """
    where = endpoints(settings(data))
    positions = _reach(where.bootstrap, wait or 0.0)
    try:
        caught_up = None if wait is None else positions.wait(wait)
        lags = positions.lags()
        settled = positions.settled_through(datetime.now(ZONE).date())
    finally:
        positions.close()
    with open_store(where) as store:
        figures = _figures(store)
    report: dict[str, Any] = {
        "bootstrap": where.bootstrap,
        "clickhouse": where.clickhouse,
        "metrics": where.metrics,
        "topics": [{"topic": x.topic, "messages": x.messages, "waiting": x.waiting} for x in lags],
        "settled_through": settled.isoformat(),
        **figures,
    }
    if caught_up is not None:
        report["caught_up"] = caught_up
    if as_json:
        print_json(report)
    else:
        _draw(report)
    if caught_up is False:
        if as_json:
            raise SystemExit(1)
        fail(f"after {wait:g} s there are still messages waiting; is a worker running?")


def _reach(bootstrap: str, seconds: float) -> Positions:
    """Kafka, waited for while it is started again; its error when the time is over."""
    until = time.monotonic() + seconds
    while True:
        try:
            return Positions(bootstrap)
        except KafkaError:
            if time.monotonic() >= until:
                raise
            time.sleep(_LOOK)


def _figures(store: Store) -> dict[str, Any]:
    return {
        "events": dict(
            store.query("SELECT kind, count() FROM population.reports FINAL GROUP BY kind")
        ),
        "people": store.query("SELECT count() FROM population.people_rows FINAL")[0][0],
        "refused": dict(
            store.query(
                "SELECT code, count() FROM population.rejected WHERE NOT mended GROUP BY code"
            )
        ),
        "findings": dict(
            store.query("SELECT code, count() FROM population.findings GROUP BY code")
        ),
    }


def _draw(report: dict[str, Any]) -> None:
    drawn = new_table("主题 topic", "消息 messages", "等待 waiting")
    for lag in report["topics"]:
        drawn.add_row(lag["topic"], f"{lag['messages']:,}", f"{lag['waiting']:,}")
    console.print(drawn)
    console.print(f"已结清至 settled through {report['settled_through']}")
    for key, title in (
        ("events", "已入账 events"),
        ("refused", "已拒绝 refused"),
        ("findings", "待核查 findings"),
    ):
        shown = ", ".join(f"{name} {n:,}" for name, n in sorted(report[key].items())) or "0"
        console.print(f"{title}: {shown}")
    console.print(f"人员 people: {report['people']:,}")
