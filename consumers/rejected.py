"""Refused messages: found, mended and sent again."""

import time
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

import orjson

from consumers.store.client import Store
from schemas.reading import check, read
from schemas.refusals import MENDS, Code, Refusal

_LISTED = 64 * 1024
"""Characters shown of a value in a list: all that an event may have, the beginning of more."""
_MENDED = 1 << 63
"""Set in the version of a row that says mended, so that a repeat never takes the mark away."""


class Rejected(NamedTuple):
    """One refused message; ``value`` is masked, ``bytes`` its whole length."""

    id: str
    code: str
    reason: str
    topic: str
    partition: int
    offset: int
    rejected_at: Any
    bytes: int
    value: str
    mended: bool


class CannotMendError(ValueError):
    """A refused message that cannot be sent again as asked; the message says why."""


def rejected(
    store: Store, *, code: str | None = None, mended: bool = False, most: int | None = None
) -> list[Rejected]:
    """Refused messages, the newest first; of a value the beginning (:func:`find` has all).

    Args:
        store: where they are kept.
        code: only those of one reason.
        mended: those sent again already, instead of those that wait.
        most: no more than so many.
    """
    rows = store.query(
        "SELECT id, code, reason, topic, partition, offset, rejected_at, length(value),"
        " substringUTF8(value, 1, {characters:UInt64}), mended FROM population.rejected"
        " WHERE mended = {mended:Bool} AND ({code:String} = '' OR code = {code:String})"
        " ORDER BY rejected_at DESC, id LIMIT {most:UInt64}",
        {
            "mended": mended,
            "code": code or "",
            "characters": _LISTED,
            "most": 2**63 if most is None else most,
        },
    )
    return [Rejected(*row) for row in rows]


def rejected_by_code(store: Store, *, mended: bool = False) -> dict[str, int]:
    """How many refused messages there are of each reason, the most frequent first."""
    return dict(
        store.query(
            "SELECT code, count() AS n FROM population.rejected WHERE mended = {mended:Bool}"
            " GROUP BY code ORDER BY n DESC, code",
            {"mended": mended},
        )
    )


def find(store: Store, ids: Iterable[str]) -> list[Rejected]:
    """Refused messages by their id, each once.

    Raises:
        CannotMendError: an id that does not exist.
    """
    found = []
    for wanted in dict.fromkeys(ids):
        rows = store.query(
            "SELECT id, code, reason, topic, partition, offset, rejected_at, length(value), value,"
            " mended FROM population.rejected WHERE id = {id:String}",
            {"id": wanted},
        )
        if not rows:
            raise CannotMendError(
                f"no refused message {wanted}; `popflow rejected list` shows them"
            )
        found.append(Rejected(*rows[0]))
    return found


def mend(
    message: Rejected, changes: Mapping[str, Any], sources: Mapping[str, int], known_on: date
) -> tuple[str, bytes, bytes]:
    """What to send instead: topic (that of its kind), key and value.

    Args:
        message: the refused message.
        changes: fields to set; ``None`` leaves a field out.
        sources: the registered sources with their priorities.
        known_on: the local day on which it will arrive.

    Raises:
        CannotMendError: it is no JSON object, so its publisher must send it anew; it still holds a
            masked identity number; or it would be refused again. (The same bytes refused again are
            the same refusal, so marking it mended would hide it.)
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
    event = read(value)
    if isinstance(event, Refusal):
        raise _refused_again(message, event)
    refusal = check(event, event.topic, known_on, sources)
    if refusal is not None:
        raise _refused_again(message, refusal)
    return event.topic, event.person.encode(), value


def _refused_again(message: Rejected, refusal: Refusal) -> CannotMendError:
    way_out = "Mend it with --set FIELD=VALUE (FIELD=null leaves a field out)"
    if refusal.code is Code.UNKNOWN_SOURCE:
        way_out = MENDS[refusal.code][1]
    return CannotMendError(
        f"{message.id} would be refused again ({refusal.code}): {refusal.detail} {way_out}"
    )


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
