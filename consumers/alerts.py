"""The alerts as the store has them: newest states, acknowledgements and silences."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from consumers.store.client import Store
from schemas.alert import Alert
from schemas.clock import ZONE

COLUMNS = tuple(Alert.model_fields)
ACTIONS = ("ack", "silence")
"""What somebody may decide about an alert."""
NEVER = datetime(1970, 1, 1, tzinfo=ZONE)


class Listed(NamedTuple):
    """An alert, and what was decided about it.

    Attributes:
        alert: in its newest state.
        acknowledged_by: who has taken it on; empty: nobody.
        silenced_by: who does not want to hear of it; empty: nobody.
        silenced_until: until when.
        why: the reason of the newest decision.
    """

    alert: Alert
    acknowledged_by: str
    silenced_by: str
    silenced_until: datetime
    why: str

    def silent(self, at: datetime) -> bool:
        """Whether it is silenced at a moment."""
        return bool(self.silenced_by) and at < self.silenced_until


def newest(store: Store) -> list[Alert]:
    """The newest state of every alert, the latest change last.

    Raises:
        StoreUnavailable: ClickHouse is away.
    """
    rows = store.query(f"SELECT {', '.join(COLUMNS)} FROM population.alerts ORDER BY at, id")  # noqa: S608
    return [_alert(row) for row in rows]


def listed(store: Store, states: Collection[str] | None = None, identity: str = "") -> list[Listed]:
    """Alerts with what was decided about them, the latest change first.

    Args:
        store: A connection.
        states: Only these; None: all.
        identity: Only the alert whose id begins so.
    """
    rows = store.query(
        f"SELECT {', '.join(COLUMNS)}, acknowledged_by, silenced_by, silenced_until, why"  # noqa: S608
        " FROM population.alerts WHERE startsWith(id, {identity:String})"
        " AND (empty({states:Array(String)}) OR state IN {states:Array(String)})"
        " ORDER BY at DESC, id",
        {"identity": identity, "states": list(states or ())},
    )
    width = len(COLUMNS)
    return [Listed(_alert(row[:width]), *row[width:]) for row in rows]


def history(store: Store, identity: str) -> list[Alert]:
    """Every change of state of an alert, the first one first."""
    rows = store.query(
        f"SELECT {', '.join(COLUMNS)} FROM population.alert_rows FINAL"  # noqa: S608
        " WHERE id = {id:String} ORDER BY at",
        {"id": identity},
    )
    return [_alert(row) for row in rows]


def decide(
    store: Store, identity: str, action: str, who: str, why: str, until: datetime | None = None
) -> None:
    """Write down a decision about an alert; the newest of each action stands.

    Args:
        store: A connection that may write.
        identity: The whole id.
        action: ``ack`` or ``silence``.
        who: Decided it.
        why: In their words.
        until: Of a silence; one in the past ends it.

    Raises:
        ValueError: an action that does not exist, or nobody who decided, or no reason.
    """
    if action not in ACTIONS:
        raise ValueError(f"there is no action {action!r}: there are {', '.join(ACTIONS)}")
    if not who.strip() or not why.strip():
        raise ValueError("say who decides and why, so that others can follow it")
    store.insert(
        "alert_decisions",
        {
            "id": [identity],
            "action": [action],
            "who": [who.strip()],
            "why": [why.strip()],
            "until": [until or NEVER],
            "at": [time.time_ns() // 1_000_000],
        },
    )


def row(alert: Alert) -> tuple[Any, ...]:
    """An alert as a row of ``alert_rows``."""
    return tuple(getattr(alert, name) for name in COLUMNS)


def _alert(values: tuple[Any, ...]) -> Alert:
    return Alert(**dict(zip(COLUMNS, values, strict=True)))
