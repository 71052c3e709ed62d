"""``popflow rejected``: what was refused, why, and how to send it again."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from consumers.fixes import FixError, Fixes
from consumers.quality import monday_of, quality, week_before
from consumers.quality_note import as_dict, note
from consumers.rejected import (
    CannotMendError,
    Group,
    Rejected,
    changes_of,
    find,
    mark_mended,
    mend,
    mended,
    refusal_of,
    rejected_groups,
    source_of,
)
from consumers.rejected import rejected as all_rejected
from consumers.store.registry import registered
from consumers.suggestions import suggestion
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from producers.kit import Publisher
from schemas.clock import ZONE
from schemas.refusals import Code, Refusal

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
@click.option("--source", help="Only of one publisher. 来源")
@click.option("--mended", is_flag=True, help="Those sent again already. 已更正的")
@click.option("--groups", is_flag=True, help="Only the groups, not the messages. 仅列分组")
@options
def list_rejected(
    code: str | None,
    source: str | None,
    mended: bool,
    groups: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Show what waits to be mended, by source and reason. 列出"""
    with open_store(endpoints(settings(data))) as store:
        most = None if as_json else _SHOWN
        found = (
            []
            if groups
            else all_rejected(store, code=code, source=source, mended=mended, most=most)
        )
        grouped = [
            group
            for group in ([] if as_json and not groups else rejected_groups(store, mended=mended))
            if code in (None, group.code) and source in (None, group.source)
        ]
    if as_json:
        print_json([_group(group) for group in grouped] if groups else [*map(_as_dict, found)])
        return
    for group in grouped:
        _draw_group(group, [message for message in found if _belongs(message, group)])
    total = sum(group.messages for group in grouped)
    if not groups and total > len(found):
        console.print(
            f"… {total - len(found):,} more; --code shows those of one reason, --json all 余略"
        )
    counts: Counter[str] = Counter()
    for group in grouped:
        counts[group.code] += group.messages
    by_code = ", ".join(f"{name} {n:,}" for name, n in counts.most_common()) or "0"
    console.print(f"{'已更正 mended' if mended else '待更正 waiting'}: {by_code}")


def _group(group: Group) -> dict[str, Any]:
    told = suggestion(group.code, group.reason, group.value)
    return {
        "source": group.source,
        "code": group.code,
        "messages": group.messages,
        "first_at": group.first_at.isoformat(),
        "last_at": group.last_at.isoformat(),
        "ids": group.ids,
        "suggestion": told._asdict(),
    }


def _draw_group(group: Group, messages: Sequence[Rejected]) -> None:
    console.print(
        f"[cyan]{escape(group.source or '? 来源不明')} · {group.code}[/cyan]  {group.messages:,}  "
        f"{group.first_at:%Y-%m-%d} … {group.last_at:%Y-%m-%d}"
    )
    if group.code != Code.SCHEMA:  # whose messages differ
        told = suggestion(group.code, group.reason, group.value)
        for line in (told.english, told.chinese, told.command):
            console.print(Padding(Text(line, style="dim"), (0, 0, 0, 2)))
    for message in messages:
        console.print(
            f"  [bold]{message.id}[/bold]  {message.topic}  {message.rejected_at:%Y-%m-%d %H:%M}"
        )
        console.print(Padding(Text(message.reason), (0, 0, 0, 4)))
        if group.code == Code.SCHEMA:
            told = suggestion(message.code, message.reason, message.value, message.id)
            console.print(Padding(Text(told.command, style="dim"), (0, 0, 0, 4)))


def _belongs(message: Rejected, group: Group) -> bool:
    return message.code == group.code and source_of(message) == group.source


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
        told = suggestion(message.code, message.reason, message.value, message.id)
        console.print(Text(f"{told.english} {told.chinese}", style="dim"))
        console.print(Text(told.command, style="dim"), soft_wrap=True)
        click.echo(message.value)


@rejected.command("fix")
@click.argument("ids", nargs=-1, required=True)
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field. 更正字段"
)
@click.option(
    "--rename", "renames", multiple=True, metavar="OLD=NEW", help="Rename a field. 字段改名"
)
@click.option("--undo", is_flag=True, help="Forget the corrections made. 取消更正")
@options
def fix(
    ids: tuple[str, ...],
    changes: tuple[str, ...],
    renames: tuple[str, ...],
    undo: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Correct refused messages and show what changed; resend sends them. 更正，不发送

    Corrections add up and are kept in the data folder until they are sent. Ends with 1 while a
    message would still be refused.
    """
    chosen = settings(data)
    wanted, pairs = _pairs("--set", changes), _pairs("--rename", renames)
    fixes = Fixes(chosen.data)
    shown = []
    with open_store(endpoints(chosen)) as store:
        sources = {source.name: source.priority for source in registered(store)}
        try:
            for message in find(store, ids):
                if undo:
                    fixes.drop(message.id)
                kept = {} if undo else fixes.read(message.id)
                before = mended(message, {})
                now = mended(message, kept)
                for old, new in pairs:
                    kept |= {new: now.get(old), old: None}
                kept |= changes_of(message, wanted)
                if wanted or pairs:
                    fixes.keep(message.id, kept)
                after = mended(message, kept)
                refusal = refusal_of(after, sources, datetime.now(ZONE).date())
                shown.append(Fixed(message.id, before, after, refusal))
        except (CannotMendError, FixError) as error:
            fail(str(error))
    if as_json:
        print_json([one.as_dict() for one in shown])
    else:
        for one in shown:
            _draw_fixed(one)
    if any(one.refusal is not None for one in shown):
        raise SystemExit(1)


class Fixed(NamedTuple):
    """One message before and after its corrections, and why it would still be refused."""

    id: str
    before: dict[str, Any]
    after: dict[str, Any]
    refusal: Refusal | None

    def changed(self) -> list[tuple[str, Any, Any]]:
        """Field, value before, value after; ``None`` where there is none."""
        names = dict.fromkeys([*self.before, *self.after])
        pairs = [(name, self.before.get(name), self.after.get(name)) for name in names]
        return [(name, old, new) for name, old, new in pairs if old != new]

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "id": self.id,
            "changes": [
                {"field": name, "before": old, "after": new} for name, old, new in self.changed()
            ],
            "code": self.refusal.code.value if self.refusal else None,
            "reason": self.refusal.reason if self.refusal else None,
        }


def _draw_fixed(one: Fixed) -> None:
    console.print(f"[bold]{one.id}[/bold]")
    for name, old, new in one.changed():
        for sign, value in (("-", old), ("+", new)):
            if value is not None:
                line = f"{sign} {name}: {orjson.dumps(value).decode()}"
                console.print(Text(line, style="red" if sign == "-" else "green"), soft_wrap=True)
    if one.refusal is not None:
        console.print(Text(f"仍会被拒收 still refused ({one.refusal.code}): {one.refusal.reason}"))
    else:
        console.print(f"可以重发 ready: popflow rejected resend {one.id}")


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
    """Send refused messages again, mended as fix and --set say. 更正后重发

    A VALUE is JSON where it is JSON (true, 3, null, [..]), else text; null leaves the field out.
    """
    if mark and changes:
        fail("--mark sends nothing, so there is nothing to --set", code=2)
    wanted = _pairs("--set", changes)
    chosen = settings(data)
    where, fixes = endpoints(chosen), Fixes(chosen.data)
    with open_store(where) as store:
        try:
            found = find(store, ids)
            if not mark:
                sources = {source.name: source.priority for source in registered(store)}
                today = datetime.now(ZONE).date()
                messages = [
                    mend(
                        message,
                        fixes.read(message.id) | changes_of(message, wanted),
                        sources,
                        today,
                    )
                    for message in found
                ]
                with Publisher(where.bootstrap) as publisher:
                    for topic, key, value in messages:
                        publisher.publish_raw(topic, key, value)
        except (CannotMendError, FixError) as error:
            fail(str(error))
        mark_mended(store, [message.id for message in found])
        for message in found:
            fixes.drop(message.id)
    if as_json:
        print_json({"resent": 0 if mark else len(found), "mended": len(found)})
    else:
        console.print(f"{len(found)} {'marked as mended' if mark else 'sent again'}")


def _pairs(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, found, value = text.partition("=")
        if not found:
            fail(f"{option} {text}: write NAME=VALUE", code=2)
        pairs.append((name, value))
    return pairs


@rejected.command("quality")
@click.option("--week", help="Like 2026-W10; else the last that is over. 周次")
@click.option("--source", help="Only of one publisher. 来源")
@click.option(
    "--language",
    type=click.Choice(["zh", "en"]),
    default="zh",
    show_default=True,
    help="Of the notes. 语言",
)
@options
def show_quality(
    week: str | None, source: str | None, language: Any, data: Path | None, as_json: bool
) -> None:
    """Write each publisher's weekly quality note, in Markdown. 数据质量周报"""
    try:
        today = datetime.now(ZONE).date()
        monday = monday_of(week) if week else week_before(today)
    except ValueError as error:
        fail(str(error), code=2)
    with open_store(endpoints(settings(data))) as store:
        found = quality(store, monday, today, source=source)
    if source is not None and not found:
        fail(f"{source} is not registered and sent nothing; `popflow source list` shows who is")
    if as_json:
        print_json([as_dict(one) for one in found])
    else:
        click.echo("\n".join(note(one, language) for one in found))
