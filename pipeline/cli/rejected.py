"""``popflow rejected``: what was refused, why, and how to send it again."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click
import orjson
from rich.padding import Padding
from rich.text import Text

from consumers.rejected import (
    CannotMendError,
    Rejected,
    find,
    mark_mended,
    mend,
    rejected_by_code,
)
from consumers.rejected import rejected as all_rejected
from consumers.store.registry import registered
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from producers.kit import Publisher
from schemas.clock import ZONE
from schemas.refusals import Code

_SHOWN = 50


@click.group()
def rejected() -> None:
    """Refused messages: list, show, mend and resend. 被拒绝的消息"""


def _as_dict(message: Rejected) -> dict[str, Any]:
    return {**message._asdict(), "rejected_at": message.rejected_at.isoformat()}


@rejected.command("list")
@click.option(
    "--code", type=click.Choice([code.value for code in Code]), help="Only of one reason. 原因"
)
@click.option("--mended", is_flag=True, help="Those sent again already. 已更正的")
@options
def list_rejected(code: str | None, mended: bool, data: Path | None, as_json: bool) -> None:
    """Show what waits to be mended. 列出"""
    with open_store(endpoints(settings(data))) as store:
        found = all_rejected(store, code=code, mended=mended, most=None if as_json else _SHOWN)
        counts = rejected_by_code(store, mended=mended)
    if as_json:
        print_json([_as_dict(message) for message in found])
        return
    if code is not None:
        counts = {code: counts.get(code, 0)}
    for message in found:
        console.print(
            f"[bold]{message.id}[/bold]  [cyan]{message.code}[/cyan]  {message.topic}  "
            f"{message.rejected_at:%Y-%m-%d %H:%M}"
        )
        console.print(Padding(Text(message.reason), (0, 0, 0, 4)))
    more = sum(counts.values()) - len(found)
    if more:
        console.print(f"… {more:,} more; --code shows those of one reason, --json all 余略")
    by_code = ", ".join(f"{name} {n:,}" for name, n in counts.items() if n) or "0"
    console.print(f"{'已更正 mended' if mended else '待更正 waiting'}: {by_code}")


@rejected.command("show")
@click.argument("ids", nargs=-1, required=True)
@options
def show(ids: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Show whole messages, identity numbers masked. 查看"""
    with open_store(endpoints(settings(data))) as store:
        try:
            found = find(store, ids)
        except CannotMendError as error:
            fail(str(error))
    if as_json:
        print_json([_as_dict(message) for message in found])
        return
    for message in found:
        console.print(
            f"[bold]{message.id}[/bold]  [cyan]{message.code}[/cyan]  {message.topic} "
            f"{message.partition}:{message.offset}  {message.rejected_at:%Y-%m-%d %H:%M:%S}"
            + ("  已更正 mended" if message.mended else "")
        )
        console.print(Text(message.reason))
        click.echo(message.value)


@rejected.command("resend")
@click.argument("ids", nargs=-1, required=True)
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Mend a field first. 更正字段"
)
@click.option("--mark", is_flag=True, help="Only mark as mended. 仅标记已更正")
@options
def resend(
    ids: tuple[str, ...], changes: tuple[str, ...], mark: bool, data: Path | None, as_json: bool
) -> None:
    """Send refused messages again, mended where --set says so. 更正后重发

    A VALUE is JSON where it is JSON (true, 3, null, [..]), else text; null leaves the field out.
    """
    if mark and changes:
        fail("--mark sends nothing, so there is nothing to --set", code=2)
    wanted = dict(_change(change) for change in changes)
    where = endpoints(settings(data))
    with open_store(where) as store:
        try:
            found = find(store, ids)
            if not mark:
                sources = {source.name: source.priority for source in registered(store)}
                today = datetime.now(ZONE).date()
                messages = [mend(message, wanted, sources, today) for message in found]
                with Publisher(where.bootstrap) as publisher:
                    for topic, key, value in messages:
                        publisher.publish_raw(topic, key, value)
        except CannotMendError as error:
            fail(str(error))
        mark_mended(store, [message.id for message in found])
    if as_json:
        print_json({"resent": 0 if mark else len(found), "mended": len(found)})
    else:
        console.print(f"{len(found)} {'marked as mended' if mark else 'sent again'}")


def _change(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found:
        fail(f"--set {text}: write FIELD=VALUE", code=2)
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value
