"""Refused messages: found, mended and sent again."""

import time
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any, NamedTuple

import orjson

from consumers.store.client import Store
from schemas.events import KINDS
from schemas.reading import check, read
from schemas.refusals import MENDS, Code, Refusal
from schemas.sources import NAME

_LISTED = 64 * 1024
"""Characters shown of a value in a list: all that an event may have, the beginning of more."""
SOURCE_OF_VALUE = (
    "if(match(JSONExtractString(value, 'source'), '^(health|police)\\\\.[^\\\\s]{1,64}$'),"
    " JSONExtractString(value, 'source'), '')"
)
"""Whose message it says it is; empty when it says nothing that could be a source."""
_IDS = 20
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
    store: Store,
    *,
    code: str | None = None,
    source: str | None = None,
    mended: bool = False,
    most: int | None = None,
) -> list[Rejected]:
    """Refused messages, the newest first; of a value the beginning (:func:`find` has all).

    Args:
        store: where they are kept.
        code: only those of one reason.
        source: only those that name one publisher (whether it was that one or not).
        mended: those sent again already, instead of those that wait.
        most: no more than so many.
    """
    rows = store.query(  # the only thing put in is a constant of ours
        "SELECT id, code, reason, topic, partition, offset, rejected_at, length(value),"  # noqa: S608
        " substringUTF8(value, 1, {characters:UInt64}), mended FROM population.rejected"
        " WHERE mended = {mended:Bool} AND ({code:String} = '' OR code = {code:String})"
        f" AND ({{source:String}} = '' OR {SOURCE_OF_VALUE} = {{source:String}})"
        " ORDER BY rejected_at DESC, id LIMIT {most:UInt64}",
        {
            "mended": mended,
            "code": code or "",
            "source": source or "",
            "characters": _LISTED,
            "most": 2**63 if most is None else most,
        },
    )
    return [Rejected(*row) for row in rows]


class Group(NamedTuple):
    """Refused messages of one source and one reason: how many, since when, the newest of them.

    ``source`` is what the messages say; empty where they say nothing that could be one.
    """

    source: str
    code: str
    messages: int
    first_at: Any
    last_at: Any
    ids: list[str]
    reason: str
    value: str


def rejected_groups(store: Store, *, mended: bool = False) -> list[Group]:
    """Refused messages by source and reason, the largest group first.

    ``reason`` and ``value`` are the newest message's.
    """
    rows = store.query(
        f"SELECT {SOURCE_OF_VALUE} AS claimed, code, count() AS n,"  # noqa: S608 - constants of ours
        f" min(rejected_at), max(rejected_at), groupArray({_IDS})(id), any(reason),"
        f" any(substringUTF8(value, 1, {_LISTED})) FROM"
        " (SELECT * FROM population.rejected WHERE mended = {mended:Bool}"
        " ORDER BY rejected_at DESC, id)"
        " GROUP BY claimed, code ORDER BY n DESC, claimed, code",
        {"mended": mended},
    )
    return [Group(*row) for row in rows]


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


def mended(message: Rejected, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The message's document with some fields changed; ``None`` leaves a field out.

    Raises:
        CannotMendError: it is no JSON object, so its publisher must send it anew.
    """
    document = _document(message)
    document.update(changes)
    return {name: value for name, value in document.items() if value is not None}


def changes_of(message: Rejected, texts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Fields with the values that a user has written for them.

    A text is JSON where it is JSON (``true``, ``3``, ``null``, ``[..]``), but for the numerals of
    fields that are strings (``sex=2``), else itself.
    """
    kind = _kind(message)
    return {name: _value(kind, name, text) for name, text in texts}


def _kind(message: Rejected) -> str:
    try:
        return str(_document(message).get("kind"))
    except CannotMendError:
        return ""


def _value(kind: str, name: str, text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    numeral = isinstance(value, int | float) and not isinstance(value, bool)
    return text if numeral and name in _strings(kind) else value


@cache
def _strings(kind: str) -> frozenset[str]:
    """Names of a kind's fields that are strings."""
    if kind not in KINDS:
        return frozenset()
    properties = KINDS[kind].model_json_schema()["properties"]
    return frozenset(
        name
        for name, schema in properties.items()
        if "string" in {one.get("type") for one in (schema, *schema.get("anyOf", ()))}
    )


def refusal_of(
    document: Mapping[str, Any], sources: Mapping[str, int], known_on: date
) -> Refusal | None:
    """Why a document would be refused if it came now; ``None`` when it would be accepted."""
    found = read(orjson.dumps(dict(document)))
    if isinstance(found, Refusal):
        return found
    return check(found, found.topic, known_on, sources)


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
    value = orjson.dumps(mended(message, changes))
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


def source_of(message: Rejected) -> str:
    """Whose a message says it is, as :func:`rejected_groups` groups them."""
    try:
        document = orjson.loads(message.value)
    except orjson.JSONDecodeError:
        return ""
    claimed = document.get("source") if isinstance(document, dict) else None
    return claimed if isinstance(claimed, str) and NAME.fullmatch(claimed) else ""


def _document(message: Rejected) -> dict[str, Any]:
    try:
        document = orjson.loads(message.value)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise CannotMendError(
            f"{message.id} is no JSON object: its publisher must send it anew, then mark it with "
            "`popflow rejected resend --mark`"
        )
    return document


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
