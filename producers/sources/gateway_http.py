"""What every endpoint of the HTTP listener needs: who asks, a body in time, errors as problems."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from producers.sources.gateway_limits import Buckets
from producers.sources.gateway_tokens import TokenError, TokenFile

PROBLEM = "application/problem+json"
_BODY_SECONDS = 30.0
_FAILURES, _FAILURES_PER_SECOND = 20.0, 0.2
"""Wrong tokens of one address: so many at once, and one more every five seconds."""


class HttpError(Exception):
    """An answer other than the wanted one (RFC 9457), without any value of the request.

    Attributes:
        status: of HTTP.
        code: for programs.
        detail: for people: what is wrong and what would do.
        headers: such as ``Retry-After``.
    """

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def json_response(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON that no cache keeps."""
    return Response(
        orjson.dumps(content),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        "application/json",
    )


def problem(error: HttpError) -> Response:
    """An error as ``application/problem+json``."""
    content = {
        "type": f"urn:popflow:problem:{error.code}",
        "title": error.code.replace("_", " "),
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    headers = {"Cache-Control": "no-store", **error.headers}
    return Response(orjson.dumps(content), error.status, headers, PROBLEM)


def away(seconds: int = 5) -> HttpError:
    """Kafka has not confirmed: nothing is promised, and a repeat does no harm."""
    return HttpError(
        503,
        "kafka_away",
        "The events are not confirmed by Kafka. Send the same request again: what was stored "
        "already is counted once. 暂未入库，请原样重发；重复事件只计一次。",
        {"Retry-After": str(seconds)},
    )


class Door:
    """Lets publishers in, each at its own pace.

    Args:
        tokens: who may come.
        rate: events a second of one publisher.
        most_bytes: of one request.
    """

    def __init__(self, tokens: TokenFile, *, rate: float, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._tokens = tokens
        self._events = Buckets(rate, max(rate * 10, 100.0))
        self._failures = Buckets(_FAILURES_PER_SECOND, _FAILURES)

    def publisher(self, request: Request) -> str:
        """The publisher whose token the request bears.

        Raises:
            HttpError: 401, or 429 after many wrong tokens.
        """
        address = request.client.host if request.client else ""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            source = self._tokens.holder(token.strip()) if scheme.lower() == "bearer" else None
        except TokenError:
            detail = "The gateway's file of tokens cannot be read. 令牌文件不可用"
            raise HttpError(503, "tokens", detail, {"Retry-After": "60"}) from None
        if source is not None:
            return source
        wait = self._failures.seconds_until(address, 1)
        if wait:
            raise _too_many(wait, "Too many requests without a valid token.")
        self._failures.take(address, 1)
        raise HttpError(
            401,
            "unauthorized",
            "Send Authorization: Bearer TOKEN with a token that popflow gateway token add made. "
            "请携带有效令牌。",
            {"WWW-Authenticate": 'Bearer realm="popflow"'},
        )

    def admit(self, source: str, events: int) -> None:
        """Count events against a publisher's pace.

        Raises:
            HttpError: 429, with how long to wait.
        """
        wait = self._events.seconds_until(source, events)
        if wait:
            raise _too_many(
                wait, f"More than {self._events.rate:g} events a second. 超过限速，请稍后重发。"
            )
        self._events.take(source, events)

    async def body(self, request: Request) -> bytes:
        """The whole body.

        Raises:
            HttpError: 413 too large, 408 too slow, 415 compressed.
        """
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpError(415, "unsupported_encoding", "Send the body uncompressed.")
        announced = request.headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > self.most_bytes:
            raise self._too_large()
        gathered = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in request.stream():
                    gathered += chunk
                    if len(gathered) > self.most_bytes:
                        raise self._too_large()
        except TimeoutError:
            raise HttpError(
                408, "too_slow", f"The body took over {_BODY_SECONDS:g} s.", {"Connection": "close"}
            ) from None
        except ClientDisconnect:
            raise HttpError(400, "cut_off", "The body ended early.") from None
        return bytes(gathered)

    def _too_large(self) -> HttpError:
        return HttpError(
            413,
            "body_too_large",
            f"The body has more than {self.most_bytes} bytes: send fewer events at once. "
            "请求过大，请分批发送。",
            {"Connection": "close"},
        )


def media_type(request: Request) -> str:
    """The body's media type without parameters, lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _too_many(wait: float, detail: str) -> HttpError:
    return HttpError(429, "too_many", detail, {"Retry-After": str(max(int(wait + 0.999), 1))})
