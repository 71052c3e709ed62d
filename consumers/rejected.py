"""Refused messages: found, mended and sent again."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from consumers.store.client import Store
from schemas.events import KINDS

_COLUMNS = "id, code, reason, topic, partition, offset, rejected_at, value, mended"
_MENDED = 1 << 63
"""Set in the version of a row that says mended, so that a repeat never takes the mark away."""


class Rejected(NamedTuple):
    """One refused message; ``value`` is masked."""

    id: str
    code: str
    reason: str
    topic: str
    partition: int
    offset: int
    rejected_at: Any
    value: str
    mended: bool


class CannotMendError(ValueError):
    """A refused message that cannot be sent again as asked; the message says why."""


def rejected(store: Store, *, code: str | None = None, mended: bool = False) -> list[Rejected]:
    """Refused messages, the newest first.

    Args:
        store: where they are kept.
        code: only those of one reason.
        mended: those sent again already, instead of those that wait.
    """
    rows = store.query(
        f"SELECT {_COLUMNS} FROM population.rejected"  # noqa: S608 - constants of this module
        " WHERE mended = {mended:Bool} AND ({code:String} = '' OR code = {code:String})"
        " ORDER BY rejected_at DESC, id",
        {"mended": mended, "code": code or ""},
    )
    return [Rejected(*row) for row in rows]


def find(store: Store, ids: Iterable[str]) -> list[Rejected]:
    """Refused messages by their id.

    Raises:
        CannotMendError: an id that does not exist.
    """
    found = []
    for wanted in ids:
        rows = store.query(
            f"SELECT {_COLUMNS} FROM population.rejected WHERE id = {{id:String}}",  # noqa: S608
            {"id": wanted},
        )
        if not rows:
            raise CannotMendError(
                f"no refused message {wanted}; `popflow rejected list` shows them"
            )
        found.append(Rejected(*rows[0]))
    return found


def mend(message: Rejected, changes: Mapping[str, Any]) -> tuple[str, bytes | None, bytes]:
    """What to send instead: topic, key and value.

    Args:
        message: the refused message.
        changes: fields to set; ``None`` leaves a field out.

    Raises:
        CannotMendError: it is no JSON object, so its publisher must send it anew; or it still
            holds a masked identity number.
    """
    try:
        document = orjson.loads(message.value)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise CannotMendError(
            f"{message.id} is no JSON object: its publisher must send it anew, then mark it with "
            "`popflow rejected resend --mark`"
        )
    document.update(changes)
    document = {name: value for name, value in document.items() if value is not None}
    value = orjson.dumps(document)
    if b"*" * 15 in value:
        raise CannotMendError(
            f"{message.id} held an identity number that was masked: set the field to its "
            "pseudonym with --set FIELD=VALUE"
        )
    kind, person = document.get("kind"), document.get("person")
    topic = KINDS[kind].topic if kind in KINDS else message.topic
    key = person.encode() if isinstance(person, str) else None
    return topic, key, value


def mark_mended(store: Store, ids: Iterable[str]) -> None:
    """Take messages off the list of those that wait."""
    now_ms = time.time_ns() // 1_000_000
    store.command(
        "INSERT INTO population.rejected_rows (topic, digest, id, code, reason, partition, offset,"
        " rejected_at, key, value, mended, version)"
        " SELECT topic, digest, id, code, reason, partition, offset, rejected_at, key, value, true,"
        " {version:UInt64} FROM population.rejected_rows FINAL WHERE id IN {ids:Array(String)}",
        {"ids": list(ids), "version": _MENDED | now_ms},
    )
