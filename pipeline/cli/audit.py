"""``popflow audit`` and ``popflow rebuild``: are the figures right, and make them right."""

import asyncio
import time
from pathlib import Path

import click
from rich.progress import Progress

from consumers.audit.audit import audit as recount_everything
from consumers.audit.audit import remember
from deploy.native.stack import vacant_workers
from pipeline.app import JournalReader
from pipeline.cli.common import (
    console,
    endpoints,
    errors,
    fail,
    open_store,
    options,
    print_json,
    settings,
)
from pipeline.cli.common import table as new_table
from pipeline.positions import Positions
from pipeline.rebuild import rebuild as rebuild_everything
from pipeline.settings import Settings
from pipeline.state import StateHeld

_SHOWN = 20
_LOOK = 0.1
_LEAVE_SECONDS = 5.0
"""Beyond its session, for a killed worker to be given up by Kafka."""


@click.command()
@options
def audit(data: Path | None, as_json: bool) -> None:
    """Recount everything from the records by an independent path and compare. 审计

    Ends with 1 when a single cell or finding differs.
    """
    with (
        open_store(endpoints(settings(data))) as store,
        Progress(
            console=errors, disable=as_json or not errors.is_terminal, transient=True
        ) as progress,
    ):
        total = store.query("SELECT count() FROM population.reports FINAL")[0][0]
        task = progress.add_task("recounting 重新计数", total=total)
        found = recount_everything(store, lambda done: progress.update(task, completed=done))
        remember(store, found)
    if as_json:
        print_json(
            {
                "reports": found.reports,
                "cells": found.cells,
                "findings": found.findings,
                "different": len(found.differences),
                "differences": [
                    {"what": list(map(str, d.what)), "stored": d.stored, "recounted": d.recounted}
                    for d in found.differences[:1000]
                ],
            }
        )
    else:
        console.print(
            f"{found.reports:,} reports, {found.cells:,} cells, {found.findings:,} findings: "
            f"[bold]{len(found.differences)} different[/bold] 处不同"
        )
        if found.differences:
            drawn = new_table("单元 cell", "存储 stored", "重新计数 recounted")
            for difference in found.differences[:_SHOWN]:
                what = " ".join(map(str, difference.what))
                drawn.add_row(what, str(difference.stored), str(difference.recounted))
            console.print(drawn)
            console.print("`popflow rebuild` puts every figure in its place.")
    raise SystemExit(1 if found.differences else 0)


@click.command()
@options
def rebuild(data: Path | None, as_json: bool) -> None:
    """Fold the whole journal anew; readers keep the old figures until it is done. 重建

    The workers of a running stack step aside meanwhile; those started by `popflow worker` have to
    be stopped first.
    """
    chosen = settings(data)
    where = endpoints(chosen)
    positions = Positions(where.bootstrap)
    try:
        with vacant_workers(chosen.data), open_store(where) as store:
            await_no_workers(positions, chosen)
            ends = positions.journal_ends()
            with Progress(
                console=errors, disable=as_json or not errors.is_terminal, transient=True
            ) as progress:
                tasks = {p: progress.add_task(f"partition {p}", total=ends[p]) for p in ends}
                folded = asyncio.run(
                    rebuild_everything(
                        store,
                        chosen.state,
                        JournalReader(where.bootstrap),
                        ends,
                        lambda p, done, _: progress.update(tasks[p], completed=done),
                    )
                )
    except StateHeld as error:
        fail(f"{error}: stop every `popflow worker` on {chosen.state}, then rebuild")
    finally:
        positions.close()
    if as_json:
        print_json({"records": folded, "partitions": len(ends)})
    else:
        console.print(f"{folded:,} journal records folded anew; every figure is in its place")


def await_no_workers(positions: Positions, chosen: Settings) -> None:
    """What a worker counted meanwhile would be lost under the older epoch."""
    until = time.monotonic() + chosen.session_seconds + _LEAVE_SECONDS
    while working := positions.workers():
        if time.monotonic() >= until:
            fail(
                f"{working} more workers run than this stack started: stop every `popflow worker`, "
                "then try again"
            )
        time.sleep(_LOOK)
