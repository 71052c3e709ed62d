"""``popflow alerts``: what fires, who has taken it on, and who does not want to hear of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any

import click

from consumers.alerts import Listed, decide, history, listed
from consumers.store.client import Store
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from pipeline.cli.common import table as new_table
from schemas.alert import OPEN, STATES
from schemas.clock import ZONE
from schemas.districts import CITY, DISTRICTS

_SHORT = 8
_NAMES = {d.code: d.name_zh for d in DISTRICTS} | {CITY: "全市"}


@click.group()
def alerts() -> None:
    """Drift alerts: list, show, acknowledge, silence. 预警"""


@alerts.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that have ended too. 含已结束的")
@options
def list_alerts(everything: bool, data: Path | None, as_json: bool) -> None:
    """Show what fires or may fire. 列出预警"""
    with open_store(endpoints(settings(data))) as store:
        found = listed(store, None if everything else OPEN)
    if as_json:
        print_json([_document(one) for one in found])
        return
    drawn = new_table("编号 id", "状态 state", "区县 district", "摘要 summary", "处理 taken by")
    for one in found:
        alert = one.alert
        drawn.add_row(
            alert.id[:_SHORT],
            f"{STATES[alert.state][0]} {alert.state}",
            f"{_NAMES[alert.district]} {alert.district}",
            f"{alert.summary_zh}\n{alert.summary_en}",
            _taken(one),
        )
    console.print(drawn)
    if not found:
        console.print("没有预警 nothing fires")


@alerts.command("show")
@click.argument("identity", metavar="ID")
@options
def show(identity: str, data: Path | None, as_json: bool) -> None:
    """Show one alert, its history and its worklist. 查看预警"""
    with open_store(endpoints(settings(data))) as store:
        one = _only(store, identity)
        changes = history(store, one.alert.id)
    if as_json:
        past = [change.model_dump(mode="json") for change in changes]
        print_json({**_document(one), "history": past})
        return
    for name, value in one.alert.model_dump(mode="json").items():
        console.print(f"[bold]{name}[/bold] {'' if value is None else value}", soft_wrap=True)
    if taken := _taken(one):
        console.print(f"[bold]处理 taken by[/bold] {taken}")
    for change in changes:
        console.print(f"{change.at:%Y-%m-%d %H:%M} {STATES[change.state][0]} {change.state}")


def _decision(command: Callable[..., None]) -> Callable[..., None]:
    """What every decision needs: the alert, who takes it, and why."""
    for decorate in (
        options,
        click.option(
            "--who", default=getuser, show_default="the user 当前用户", help="Who. 处理人"
        ),
        click.option("--why", required=True, help="Why, for others to follow. 原因"),
        click.argument("identity", metavar="ID"),
    ):
        command = decorate(command)
    return command


@alerts.command("ack")
@_decision
def acknowledge(identity: str, why: str, who: str, data: Path | None, as_json: bool) -> None:
    """Say that somebody has taken an alert on. 确认预警"""
    _decide(identity, "ack", who, why, None, data, as_json=as_json)


@alerts.command("silence")
@_decision
@click.option(
    "--days", type=click.FloatRange(0), default=7.0, show_default=True, help="0 ends it. 天数"
)
def silence(
    identity: str, why: str, who: str, data: Path | None, as_json: bool, days: float
) -> None:
    """Hand an alert to nobody for some days; it is listed all the same. 静默预警"""
    until = datetime.now(ZONE) + timedelta(days=days)
    _decide(identity, "silence", who, why, until, data, as_json=as_json)


def _decide(
    identity: str,
    action: str,
    who: str,
    why: str,
    until: datetime | None,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    with open_store(endpoints(settings(data))) as store:
        known = _only(store, identity)
        try:
            decide(store, known.alert.id, action, who, why, until)
        except ValueError as error:
            fail(str(error), code=2)
        one = _only(store, known.alert.id)
    if as_json:
        print_json(_document(one))
    else:
        console.print(f"{one.alert.id[:_SHORT]} {_taken(one)}")


def _only(store: Store, identity: str) -> Listed:
    """The alert whose id begins so."""
    found = listed(store, identity=identity)
    if not found:
        fail(f"there is no alert {identity}; `popflow alerts list --all` shows all")
    if len(found) > 1:
        fail(f"{len(found)} alerts begin with {identity!r}: give more of the id", code=2)
    return found[0]


def _taken(one: Listed) -> str:
    parts = [one.acknowledged_by] if one.acknowledged_by else []
    if one.silent(datetime.now(ZONE)):
        parts.append(f"{one.silenced_by} 静默至 silent until {one.silenced_until:%Y-%m-%d %H:%M}")
    return " · ".join([*parts, *([one.why] if parts and one.why else [])])


def _document(one: Listed) -> dict[str, Any]:
    silent = one.silent(datetime.now(ZONE))
    return {
        **one.alert.model_dump(mode="json"),
        "acknowledged_by": one.acknowledged_by or None,
        "silenced_by": one.silenced_by if silent else None,
        "silenced_until": one.silenced_until.isoformat() if silent else None,
        "why": one.why or None,
    }
