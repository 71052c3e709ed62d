"""``popflow publish`` and ``popflow simulate``: events from files, counts and a simulated city."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipeline.cli.common import (
    console,
    endpoints,
    errors,
    fail,
    kafka,
    options,
    print_json,
    settings,
    signer,
)
from pipeline.cli.demo import default_city, note_city
from pipeline.cli.reading import as_dict, key_option, reading, show_check
from pipeline.settings import Settings
from producers.delivery import PublishingError
from producers.items import Summary
from producers.kit import Publisher
from producers.link import Tuning
from producers.mapping import MappingError
from producers.publishing import publish_counts, publish_files
from producers.publishing import simulate as publish_city
from producers.simulate.city import City
from producers.simulate.progress import CursorError, Pace
from producers.sources.counts import CountOptions
from producers.sources.files import SourceError
from producers.spool import SpoolHeldError
from schemas.events import KINDS

SPOOL = "simulate.spool"
_FAULTS_SHOWN = 20
_PATIENCE = 10.0
"""Seconds without a word from Kafka until messages are left in the spool."""


@click.command()
@click.argument(
    "files", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True
)
@click.option(
    "--kind", type=click.Choice(list(KINDS)), help="Of tables without such a column. 事件种类"
)
@click.option("--encoding", help="Of tables; else found out, UTF-8 or GB18030. 文件编码")
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file that says what the columns mean. 映射文件",
)
@key_option
@click.option("--check", is_flag=True, help="Send nothing; show what is wrong. 仅检查，不发送")
@click.option(
    "--rotate", is_flag=True, help="Withdraw what was sent under earlier keys. 换钥时撤销旧假名"
)
@click.option(
    "--stamp",
    type=click.Choice(["now", "recorded"]),
    default="now",
    show_default=True,
    help="Known now, or when recorded (replays history). 知晓时间",
)
@click.option("--counts", is_flag=True, help="The tables hold counts of births. 出生计数表")
@click.option("--dataset", help="First part of the record ids of counts. 记录号前缀")
@click.option("--district", default="320508", show_default=True, help="Of counts without one. 区划")
@click.option(
    "--residency",
    type=click.Choice(["hukou", "migrant"]),
    default="hukou",
    show_default=True,
    help="Of counts, the mothers'. 户籍类别",
)
@click.option(
    "--source",
    default="health.birth-certificates",
    show_default=True,
    help="Under which counts are published. 来源",
)
@click.option("--shift-years", type=int, default=0, help="Added to every year of counts. 年份平移")
@options
def publish(
    files: tuple[Path, ...],
    kind: str | None,
    encoding: str | None,
    mapping_file: Path | None,
    key_file: Path | None,
    check: bool,
    rotate: bool,
    stamp: Any,
    counts: bool,
    dataset: str | None,
    district: str,
    residency: str,
    source: str,
    shift_years: int,
    data: Path | None,
    as_json: bool,
) -> None:
    """Publish the events of FILES (NDJSON, CSV, Excel), each checked first. 发布事件

    Without --mapping the columns are called as the contract's fields are. --check sends nothing,
    needs no running stack, and shows what is wrong, line by line, with the way out.
    With --counts a row (a day or a year, district, sex and a count, or boys and girls) becomes so
    many births with stable numbers: publishing it again changes nothing.
    """
    chosen = settings(data)
    try:
        wanted = CountOptions(
            dataset=dataset,
            district=district,
            residency=residency,
            source=source,
            shift_years=shift_years,
        )
    except SourceError as error:
        fail(str(error), code=2)
    how = reading(chosen, mapping_file, key_file, kind=kind, encoding=encoding, rotate=rotate)
    if check:
        if counts:
            fail("--check looks at files of events; a table of --counts has none", code=2)
        show_check(files, how, stamp, chosen, as_json)
        return
    total = Summary()
    with _publisher(chosen, "spool") as publisher, _progress(as_json) as tell:
        try:
            if counts:
                for path in files:
                    _add(total, publish_counts(path, publisher, wanted, progress=tell))
            else:
                total = publish_files(files, publisher, how, stamp=stamp, progress=tell)
        except (SourceError, MappingError, PublishingError) as error:
            fail(str(error))
    _report(total, as_json)


@click.command()
@click.option("--seed", type=int, help="Which city. 随机种子")
@click.option("--scale", type=click.FloatRange(0, 1, min_open=True), help="Share of Suzhou. 比例")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day. 起始日")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day; else yesterday. 截止日")
@click.option(
    "--pace", type=click.FloatRange(0, min_open=True), help="Days a second; else fast. 速度"
)
@click.option("--live", is_flag=True, help="A day takes a day, without end. 实时")
@click.option(
    "--cursor", type=click.Path(path_type=Path), help="File that makes it resumable. 断点文件"
)
@options
def simulate(
    seed: int | None,
    scale: float | None,
    start: datetime | None,
    until: datetime | None,
    pace: float | None,
    live: bool,
    cursor: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Let a simulated Suzhou publish its events; Ctrl-C stops. 模拟城市

    The same seed, scale and start give the same events, so a second run changes nothing.
    """
    usual = default_city()
    try:
        city = City(
            usual.seed if seed is None else seed,
            usual.scale if scale is None else scale,
            start.date() if start else usual.start,
        )
    except ValueError as error:
        fail(str(error), code=2)
    last: date | None = until.date() if until else None
    if last is not None and last < city.start:
        fail(f"--until {last} is before --start {city.start}", code=2)
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    chosen = settings(data)
    note_city(endpoints(chosen), city)
    with _publisher(chosen, SPOOL) as publisher, _progress(as_json) as tell:
        try:
            summary = publish_city(
                publisher,
                city,
                pace=Pace.real_time() if live else Pace(pace),
                until=last,
                cursor=cursor,
                progress=tell,
                stop=stop,
            )
        except (CursorError, PublishingError) as error:
            fail(str(error))
    _report(summary, as_json)


def _publisher(chosen: Settings, spool: str) -> Publisher:
    """With the data folder's spool; beside another that uses it already, in memory only."""
    bootstrap = kafka(chosen)
    tuning = Tuning(sign=signer(chosen))
    try:
        return Publisher(bootstrap, spool=chosen.data / spool, patience=_PATIENCE, tuning=tuning)
    except SpoolHeldError:
        return Publisher(bootstrap, tuning=tuning)


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[sent]:,} sent 已发送, {task.fields[refused]:,} refused 未通过"),
        TimeElapsedColumn(),
        console=errors,
        disable=quiet or not errors.is_terminal,
        transient=True,
    )
    with shown:
        task = shown.add_task("", sent=0, refused=0)
        yield lambda sent, refused: shown.update(task, sent=sent, refused=refused)


def _add(total: Summary, part: Summary) -> None:
    total.sent += part.sent
    total.failed += part.failed
    total.spooled = part.spooled
    total.refused += part.refused
    total.faults += part.faults


def _report(summary: Summary, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "sent": summary.sent,
                "refused": summary.refused,
                "failed": summary.failed,
                "spooled": summary.spooled,
                "faults": [as_dict(fault) for fault in summary.faults],
            }
        )
    else:
        shown = summary.faults[:_FAULTS_SHOWN]
        for fault in shown:
            errors.print(f"{fault.path}:{fault.line}: {fault.told}", markup=False, soft_wrap=True)
        console.print(
            f"{summary.sent:,} sent 已发送, {summary.refused:,} refused 未通过, "
            f"{summary.spooled:,} kept in the spool 待发"
        )
        if summary.refused > len(shown):
            errors.print(f"… and {summary.refused - len(shown):,} more")
        if summary.spooled:
            errors.print("Kafka takes no messages now; the next publishing sends what is kept.")
    if summary.refused or summary.failed or summary.spooled:
        raise SystemExit(1)
