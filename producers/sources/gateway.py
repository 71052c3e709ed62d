"""The HTTP gateway: contract events as JSON, one or many, answered when Kafka has them.

Each event is read and checked exactly as intake does, has to carry the source of the token that
brings it, and gets an outcome of its own; what was accepted is in a signed receipt.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import msgspec
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from producers.handover import Handover, Place, Ready, UnconfirmedError
from producers.sources import clinical
from producers.sources.gateway_http import (
    Door,
    HttpError,
    away,
    json_response,
    media_type,
    problem,
)
from producers.sources.gateway_limits import Answers
from producers.sources.gateway_openapi import openapi
from producers.sources.gateway_page import PAGE, SCRIPT, SECURITY
from producers.sources.gateway_receipts import Signer
from schemas.events import TOPIC_KINDS, Event
from schemas.reading import check, read
from schemas.refusals import MENDS, Code, Refusal

MOST_EVENTS = 10_000
"""Events of one request."""
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
JSON = ("application/json",)
_PAUSE_EVERY = 200
_LONGEST_KEY = 255
_OF_ANOTHER = Refusal(
    Code.SOURCE_MISMATCH,
    "来源与令牌所属来源不符。",
    "The source is not the one of the token.",
)


class Taken(NamedTuple):
    """One event of a request: ready for Kafka, or refused."""

    event: Event | None
    ready: Ready | None
    refusal: Refusal | None


@dataclass(frozen=True)
class Gateway:
    """The endpoints under ``/v1``.

    Attributes:
        handover: to Kafka; open while requests come.
        door: who may send, how much.
        signer: of receipts.
        answers: to repeated requests.
        today: the local day now.
        on_answer: told the outcome of every event: ``accepted``, a refusal's code, ``kafka_away``.
    """

    handover: Handover
    door: Door
    signer: Signer
    answers: Answers
    today: Callable[[], date] = clinical.today
    on_answer: Callable[[str], None] = lambda _: None

    async def events(self, request: Request) -> Response:
        """``POST /v1/events``."""
        source = self.door.publisher(request)
        kind = media_type(request)
        if kind not in JSON + LINES:
            raise HttpError(
                415,
                "unsupported_media_type",
                "Send application/json (an event or an array of events) or application/x-ndjson "
                "(one event a line).",
            )
        body = await self.door.body(request)
        key = request.headers.get("idempotency-key", "").strip()
        if not key:
            status, content = await self._receive(source, body, kind)
            return _answered(status, content)
        return await self._once(source, key, body, kind)

    async def _once(self, source: str, key: str, body: bytes, kind: str) -> Response:
        """The first request under a key is worked on, its repeats get the same answer."""
        if len(key) > _LONGEST_KEY:
            raise HttpError(400, "idempotency_key", "The Idempotency-Key has over 255 characters.")
        fingerprint = hashlib.sha256(kind.encode() + b"\0" + body).digest()
        kept = self.answers.find(source, key)
        if kept is not None:
            if kept.fingerprint != fingerprint:
                raise HttpError(
                    422,
                    "idempotency_key_reused",
                    "This Idempotency-Key came with another body: give each request its own. "
                    "同一幂等键对应了不同内容。",
                )
            if not kept.status:
                raise HttpError(
                    409,
                    "in_progress",
                    "The first request under this Idempotency-Key is still being worked on.",
                    {"Retry-After": "1"},
                )
            return _answered(kept.status, kept.body, {"Idempotency-Replayed": "true"})
        self.answers.begin(source, key, fingerprint)
        try:
            status, content = await self._receive(source, body, kind)
        except BaseException:
            self.answers.drop(source, key)
            raise
        self.answers.keep(source, key, status, content)
        return _answered(status, content)

    async def _receive(self, source: str, body: bytes, kind: str) -> tuple[int, bytes]:
        """Check, hand over, wait for Kafka, say what became of each event."""
        items = split(body, lines=kind in LINES)
        self.door.admit(source, len(items))
        taken = []
        for place, item in enumerate(items, 1):
            taken.append(take(item, source, self.today()))
            if place % _PAUSE_EVERY == 0:
                await asyncio.sleep(0)
        ready = [one.ready for one in taken if one.ready is not None]
        try:
            places = await self.handover.submit(ready)
        except UnconfirmedError:
            self._tell(taken, accepted="kafka_away")
            raise away() from None
        self._tell(taken, accepted="accepted")
        content = self._outcomes(source, taken, places)
        status = 202 if content["refused"] == 0 else 207 if content["accepted"] else 422
        return status, orjson.dumps(content)

    def _tell(self, taken: list[Taken], *, accepted: str) -> None:
        for one in taken:
            self.on_answer(accepted if one.refusal is None else one.refusal.code.value)

    def _outcomes(self, source: str, taken: list[Taken], places: list[Place]) -> dict[str, Any]:
        at = iter(places)
        outcomes: list[dict[str, Any]] = []
        proofs: list[dict[str, Any]] = []
        for number, one in enumerate(taken):
            if one.refusal is not None or one.event is None or one.ready is None:
                outcomes.append({"index": number, "status": "refused", **explained(one.refusal)})
                continue
            place = next(at)
            named = {
                "kind": TOPIC_KINDS[one.ready.topic],
                "record_id": one.event.record_id,
                "revision": one.event.revision,
            }
            stands = {"topic": place.topic, "partition": place.partition, "offset": place.offset}
            outcomes.append({"index": number, "status": "accepted", **named, **stands})
            digest = hashlib.sha256(one.ready.value).hexdigest()
            proofs.append({**named, "sha256": digest, **stands})
        content: dict[str, Any] = {
            "accepted": len(proofs),
            "refused": len(taken) - len(proofs),
            "events": outcomes,
        }
        if proofs:
            content["receipt"] = self.signer.sign(
                {
                    "source": source,
                    "received_at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "events": proofs,
                }
            )
        return content

    async def receipt_key(self, _: Request) -> Response:
        """``GET /v1/receipt-key``: the public key as a JWK set."""
        return json_response({"keys": [self.signer.jwk]})

    async def health(self, _: Request) -> Response:
        """``GET /health``."""
        answers = self.handover.kafka_answers
        return json_response({"kafka": answers}, 200 if answers else 503)

    async def document(self, _: Request) -> Response:
        """``GET /openapi.json``."""
        return json_response(openapi(self.door.most_bytes, MOST_EVENTS))

    def application(self, *others: BaseRoute) -> Starlette:
        """The ASGI application, with further endpoints."""
        routes: list[BaseRoute] = [
            Route("/", _page),
            Route("/page.js", _script),
            Route("/health", self.health),
            Route("/openapi.json", self.document),
            Route("/v1/events", self.events, methods=["POST"]),
            Route("/v1/receipt-key", self.receipt_key),
            *others,
        ]
        handlers: dict[Any, Any] = {
            HttpError: _problem,
            HTTPException: _http_problem,
            Exception: _defect,
        }
        return Starlette(routes=routes, exception_handlers=handlers)


def split(body: bytes, *, lines: bool) -> list[bytes]:
    """The events of a body, each with the very bytes that were sent.

    Raises:
        HttpError: 400 nothing in it, or an array that is no JSON; 413 too many.
    """
    items: list[bytes]
    if lines:
        items = [line for line in (one.strip() for one in body.split(b"\n")) if line]
    elif body.lstrip()[:1] == b"[":
        try:
            items = [bytes(one) for one in msgspec.json.decode(body, type=list[msgspec.Raw])]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            detail = f"The array is no JSON in UTF-8. {' '.join(MENDS[Code.NOT_JSON])}"
            raise HttpError(400, Code.NOT_JSON.value, detail) from None
    else:
        items = [body.strip()] if body.strip() else []
    if not items:
        raise HttpError(400, "empty", "The body holds no event.")
    if len(items) > MOST_EVENTS:
        raise HttpError(413, "too_many_events", f"Send at most {MOST_EVENTS} events a request.")
    return items


def take(value: bytes, source: str, today: date) -> Taken:
    """Read and check one event as intake will, and whose it is."""
    event = read(value)
    if isinstance(event, Refusal):
        return Taken(None, None, event)
    if event.source != source:
        return Taken(None, None, _OF_ANOTHER)
    refusal = check(event, event.topic, today, {source: 1})
    if refusal is not None:
        return Taken(None, None, refusal)
    return Taken(event, Ready(event.topic, event.person.encode(), value), None)


def explained(refusal: Refusal | None) -> dict[str, str]:
    """A refusal for programs and people."""
    if refusal is None:
        raise ValueError("an event is accepted or refused")
    chinese, english = MENDS[refusal.code]
    return {
        "code": refusal.code.value,
        "detail": clinical.masked(refusal.detail),
        "detail_zh": clinical.masked(refusal.detail_zh),
        "mend": english,
        "mend_zh": chinese,
    }


def _answered(status: int, content: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(
        content, status, {"Cache-Control": "no-store", **(headers or {})}, "application/json"
    )


async def _page(_: Request) -> Response:
    return HTMLResponse(PAGE, headers=SECURITY)


async def _script(_: Request) -> Response:
    return Response(SCRIPT, headers=SECURITY, media_type="text/javascript")


async def _problem(_: Request, error: HttpError) -> Response:
    return problem(error)


async def _http_problem(_: Request, error: HTTPException) -> Response:
    names = {404: "not_found", 405: "method_not_allowed"}
    known = HttpError(
        error.status_code,
        names.get(error.status_code, "http_error"),
        "See /openapi.json for what there is.",
        error.headers,
    )
    return problem(known)


async def _defect(_: Request, __: Exception) -> Response:
    return problem(HttpError(500, "defect", "This is a defect of the gateway, please report it."))
