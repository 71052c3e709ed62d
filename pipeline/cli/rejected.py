"""``popflow rejected``: what was refused, why, and how to send it again."""

from collections import Counter
from pathlib import Path
from typing import Any

import click
import orjson

from consumers.rejected import CannotMendError, Rejected, find, mark_mended, mend
from consumers.rejected import rejected as all_rejected
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from pipeline.cli.common import table as new_table
from producers.kit import Publisher
from schemas.refusals import Code

_SHOWN = 50


@click.group()
def rejected() -> None:
    """Refused messages: list, show, mend and resend. 被拒绝的消息"""


def _as_dict(message: Rejected) -> dict[str, Any]:
    return {**message._asdict(), "rejected_at": message.rejected_at.isoformat()}


@rejected.command("list")
@click.option("--code", type=click.Choice(list(Code)), help="Only of one reason.")
@click.option("--mended", is_flag=True, help="Those sent again already.")
@options
def list_rejected(code: str | None, mended: bool, data: Path | None, as_json: bool) -> None:
    """Show what waits to be mended. 列出"""
    with open_store(endpoints(settings(data))) as store:
        found = all_rejected(store, code=code, mended=mended)
    if as_json:
        print_json([_as_dict(message) for message in found])
        return
    drawn = new_table("编号 id", "原因 code", "主题 topic", "位置 at", "说明 reason")
    for message in found[:_SHOWN]:
        place = f"{message.partition}:{message.offset}"
        drawn.add_row(message.id, message.code, message.topic, place, message.reason)
    console.print(drawn)
    by_code = Counter(message.code for message in found)
    console.print(", ".join(f"{name} {n:,}" for name, n in by_code.most_common()) or "0")


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
        console.print(f"[bold]{message.id}[/bold] {message.code}: {message.reason}")
        console.print(message.value, markup=False)


@rejected.command("resend")
@click.argument("ids", nargs=-1, required=True)
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Mend a field first.")
@click.option("--mark", is_flag=True, help="Only mark as mended; the publisher sent it anew.")
@options
def resend(
    ids: tuple[str, ...], changes: tuple[str, ...], mark: bool, data: Path | None, as_json: bool
) -> None:
    """Send refused messages again, mended where --set says so. 更正后重发

    A VALUE is JSON where it is JSON (true, 3, null, [..]), else text; null leaves the field out.
    """
    wanted = dict(_change(change) for change in changes)
    where = endpoints(settings(data))
    with open_store(where) as store:
        try:
            found = find(store, ids)
            if not mark:
                messages = [mend(message, wanted) for message in found]
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
