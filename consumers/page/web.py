"""The page as a web application: its files, its questions, its stream of news.

It binds one address, takes only requests that name it, and its pages may load nothing from
anywhere else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.page import panels, reads
from consumers.page.describe import catalogue
from consumers.page.errors import QuestionError
from consumers.page.live import Answers, CrowdedError, Watch
from consumers.store.client import Store
from consumers.store.errors import StoreError

if TYPE_CHECKING:
    from consumers.drift.paths import Paths

FILES = Path(__file__).with_name("static")
FIRST_YEAR = 1950
RELEASE_KEPT = 600.0
"""Seconds for which a release is kept: it changes once a day, and is dear to compute."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Headers:
    """Puts the headers of safety on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._added = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._added]
            await send(message)

        await self._app(scope, receive, with_headers)


def application(store: Store, *, hosts: Iterable[str], public: bool = False) -> Starlette:
    """The page over a store.

    Args:
        store: Where the figures are; its connection is shared by all requests.
        hosts: Names under which the page may be asked for.
        public: Only figures that may be released; else the reader may choose.
    """
    page = _Page(store, public=public)
    asked = {
        "/api/catalogue": page.catalogue,
        "/api/targets": page.targets,
        "/api/indicator": page.indicator,
        "/api/trend": page.trend,
        "/api/vintages": page.vintages,
        "/api/management": page.management,
        "/api/ratio": page.ratio,
        "/api/quality": page.quality,
        "/api/district": page.district,
    }
    return Starlette(
        routes=[
            Route("/", _index),
            *(Route(path, _answering(handler)) for path, handler in asked.items()),
            Route("/api/stream", page.stream),
            Mount("/static", StaticFiles(directory=FILES)),
        ],
        middleware=[
            Middleware(Headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
            Middleware(GZipMiddleware, minimum_size=2048, compresslevel=3),
        ],
        lifespan=page.lifespan,
    )


async def _index(_request: Request) -> Response:
    return FileResponse(FILES / "index.html", headers={"Cache-Control": "no-cache"})


def _json(value: Any, status: int = 200) -> Response:
    return Response(
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS),
        status,
        {"Cache-Control": "no-store"},
        "application/json",
    )


def _answering(
    handler: Callable[[Request], Awaitable[dict[str, Any]]],
) -> Callable[[Request], Awaitable[Response]]:
    """A question as an endpoint; what went wrong is said in a sentence."""

    async def endpoint(request: Request) -> Response:
        try:
            return _json(await handler(request))
        except QuestionError as error:
            return _json({"error": str(error)}, 400)
        except StoreError as error:
            return _json({"error": str(error)}, 503)

    return endpoint


class _Page:
    def __init__(self, store: Store, *, public: bool) -> None:
        self._watch = Watch(store)
        self._answers = Answers(store, self._watch)
        self._public = public
        self._paths: Paths | None = None

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Nothing of the page runs on when it ends."""
        yield
        await self._watch.close()

    async def catalogue(self, _request: Request) -> dict[str, Any]:
        """Names, units, formulas, targets and places; today."""
        return {**catalogue(), "today": reads.today(), "public": self._public}

    async def targets(self, request: Request) -> dict[str, Any]:
        """The plan's targets with the city's figures."""
        view = await self._view(request)
        return await self._answers.get(
            ("targets", view), lambda store: panels.targets(store, view), rest=_rest(view)
        )

    async def indicator(self, request: Request) -> dict[str, Any]:
        """One indicator in the ten districts and the city."""
        view = await self._view(request)
        key, base, window = panels.which(request.query_params)
        return await self._answers.get(
            ("indicator", view, key, base, window),
            lambda store: panels.by_district(store, view, key, base, window),
            rest=_rest(view),
        )

    async def trend(self, request: Request) -> dict[str, Any]:
        """One indicator of one area over time."""
        view = await self._view(request)
        key, base, window = panels.which(request.query_params)
        area = panels.area(request.query_params)
        return await self._answers.get(
            ("trend", view, key, base, window, area),
            lambda store: reads.trend(store, view, key, base, area, window),
            rest=max(15.0, _rest(view)),
        )

    async def vintages(self, request: Request) -> dict[str, Any]:
        """One figure of one day as it was known on later days."""
        view = await self._view(request)
        key, base, window = panels.which(request.query_params)
        area = panels.area(request.query_params)
        if view.public:
            return {"answer": [], "again_in": None}
        return await self._answers.get(
            ("vintages", view.as_of, key, base, window, area),
            lambda store: reads.vintages(store, view.as_of, key, base, area, window),
            rest=20.0,
        )

    async def management(self, request: Request) -> dict[str, Any]:
        """The management of migrants in every district."""
        view = await self._view(request)
        return await self._answers.get(
            ("management", view), lambda store: panels.management(store, view), rest=_rest(view)
        )

    async def ratio(self, request: Request) -> dict[str, Any]:
        """The sex ratio at birth against chance: funnel and path."""
        view = await self._view(request)
        return await self._answers.get(
            ("ratio", view), lambda store: self._ratio(store, view), rest=max(5.0, _rest(view))
        )

    def _ratio(self, store: Store, view: reads.View) -> dict[str, Any]:
        if self._paths is None:
            from consumers.drift.paths import Paths  # NumPy takes a moment, and nobody may ask

            self._paths = Paths()
        return panels.ratio(store, view, self._paths)

    async def quality(self, request: Request) -> dict[str, Any]:
        """Alerts, feeds, findings and refusals."""
        public = self._is_public(request)
        return await self._answers.get(
            ("quality", public), lambda store: panels.quality(store, public=public), rest=2.0
        )

    async def district(self, request: Request) -> dict[str, Any]:
        """One area: all its figures, and the cells behind them."""
        view = await self._view(request)
        area = panels.area(request.query_params)
        return await self._answers.get(
            ("district", view, area),
            lambda store: panels.district(store, view, area),
            rest=max(2.0, _rest(view)),
        )

    def _is_public(self, request: Request) -> bool:
        return self._public or request.query_params.get("view") == "public"

    async def _view(self, request: Request) -> reads.View:
        """Which figures are asked for."""
        known_on = _day(request, "known_on")
        as_of = _day(request, "as_of")
        last = reads.today()
        public = self._is_public(request)
        if public and known_on is not None:
            raise QuestionError("what was known on a past day is not released: leave out known_on")
        for name, day in (("known_on", known_on), ("as_of", as_of)):
            if day is not None and day > last:
                raise QuestionError(f"{name} {day} lies in the future: a day up to {last}")
        if not (public or known_on or as_of):
            known_on = await self._watch.replayed()
        as_of = as_of or known_on or last
        if known_on is not None and as_of > known_on:
            raise QuestionError(f"as_of {as_of} is after known_on {known_on}")
        return reads.View(as_of, known_on, public)

    async def stream(self, request: Request) -> Response:
        """Server-sent events: ``pulse`` when something is news, ``away`` when the store is."""
        public = self._is_public(request)
        messages = self._watch.listen()
        try:
            first = await anext(messages)
        except CrowdedError:
            return _json({"error": "too many pages are open; come again"}, 503)

        async def told() -> AsyncIterator[bytes]:
            try:
                yield _event(first, public=public)
                async for message in messages:
                    if await request.is_disconnected():
                        return
                    yield _event(message, public=public)
            finally:
                await messages.aclose()  # type: ignore[attr-defined]

        return StreamingResponse(
            told(),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def _event(message: tuple[str, Any] | None, *, public: bool) -> bytes:
    if message is None:
        return b": still here\n\n"
    kind, said = message
    if kind == "pulse":
        said = panels.pulse(said, public=public)
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(said) + b"\n\n"


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise QuestionError(f"{name} is {text[:20]!r}: a date as YYYY-MM-DD") from None
    if day.year < FIRST_YEAR:
        raise QuestionError(f"{name} {day} is before {FIRST_YEAR}")
    return day


def _rest(view: reads.View) -> float:
    """Releases change once a day, a past day of knowledge by a replay only: look rarely."""
    if view.public:
        return RELEASE_KEPT
    if view.known_on is None:
        return 0.0
    return 5.0 if view.known_on > reads.today() - timedelta(days=2) else 30.0
