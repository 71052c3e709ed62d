"""``popflow poll``: events from a view of a database, as its rows change."""

import signal
import threading
import time
from pathlib import Path
from typing import Any

import click

from pipeline.cli.common import console, errors, fail, kafka, options, print_json, settings, signer
from pipeline.cli.reading import as_dict, key_option, pseudonyms_of, show_checked
from producers.checking import check_rows
from producers.delivery import PublishingError
from producers.items import Fault
from producers.kit import Publisher
from producers.link import Tuning
from producers.mapped import RowMapper
from producers.mapping import MappingError, read_mapping
from producers.polling import Looked, dry_run, look
from producers.sources.form import SourceError
from producers.sources.sql import Polled, View, read_config
from producers.watermark import Hold, Note, WatermarkError

_TROUBLE = (SourceError, MappingError, WatermarkError, PublishingError)


@click.command()
@click.argument("config", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@key_option
@click.option("--once", is_flag=True, help="Look once and end. 只读取一次")
@click.option("--check", is_flag=True, help="Send nothing; show what is wrong. 仅检查，不发送")
@options
def poll(
    config: Path, key_file: Path | None, once: bool, check: bool, data: Path | None, as_json: bool
) -> None:
    """Send what is new in a database's view, again and again; Ctrl-C stops. 轮询数据库视图

    CONFIG names the view, its watermark column, the mapping, and the file with the database's URL.
    How far the view was read is noted after Kafka has confirmed the rows: stopped or killed at any
    moment, it goes on where it was.
    """
    chosen = settings(data)
    folder = config.resolve().parent
    try:
        polled = read_config(config)
        mapping = read_mapping(folder / polled.mapping)
    except (SourceError, MappingError) as error:
        fail(str(error), code=2)
    note = Note(folder / polled.state, polled.view, polled.watermark)
    mapper = RowMapper(mapping, pseudonyms_of(chosen, mapping, key_file))
    try:
        with View(folder, polled) as view, Hold(note):
            if check:
                checked = check_rows(dry_run(view, polled, mapper, note), mapping)
                show_checked(checked, as_json, registry=False)
                return
            with Publisher(kafka(chosen), tuning=Tuning(sign=signer(chosen))) as publisher:
                _go_on(view, polled, mapper, note, publisher, once=once, as_json=as_json)
    except _TROUBLE as error:
        fail(str(error))


def _go_on(
    view: View,
    polled: Polled,
    mapper: RowMapper,
    note: Note,
    publisher: Publisher,
    *,
    once: bool,
    as_json: bool,
) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    wrong = False
    while True:
        began = time.monotonic()
        faults: list[Fault] = []
        try:
            looked = look(view, polled, mapper, note, publisher, tell=faults.append, stop=stop)
        except (SourceError, PublishingError) as error:
            if once:
                raise
            errors.print(f"popflow: {error}; looking again later", markup=False, soft_wrap=True)
        else:
            wrong = bool(looked.refused or looked.unmarked)
            _show(looked, faults, as_json, always=once)
        if once or stop.wait(max(polled.every - (time.monotonic() - began), 0.0)):
            break
    if once and wrong:
        raise SystemExit(1)


def _show(looked: Looked, faults: list[Fault], as_json: bool, *, always: bool) -> None:
    if not (always or looked.rows or looked.unmarked):
        return
    if as_json:
        said: dict[str, Any] = {**vars(looked), "faults": [as_dict(fault) for fault in faults]}
        print_json(said)
        return
    for fault in faults:
        errors.print(f"{fault.path}: {fault.told}", markup=False, soft_wrap=True)
    if looked.unmarked:
        errors.print(f"{looked.unmarked:,} rows have no watermark and are never read 无水位")
    console.print(
        f"{looked.rows:,} new rows 新行, {looked.sent:,} sent 已发送, "
        f"{looked.refused:,} refused 未通过, {looked.left_out:,} left out 略过"
    )
