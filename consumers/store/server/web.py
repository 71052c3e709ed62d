"""ClickHouse's HTTP interface over the engine (the part its clients use).

https://clickhouse.com/docs/interfaces/http: ``query`` in the URL or the body, ``param_*``,
settings in the URL, formats, compression both ways, exceptions as text with their code.
Sessions (``session_id``) are not kept: every request stands alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from consumers.store.server import bodies, hello, statement
from consumers.store.server.accounts import Account, authenticate
from consumers.store.server.config import TIMEZONE
from consumers.store.server.engine import Engine, Outcome, Session
from consumers.store.server.errors import (
    INCORRECT_DATA,
    NOT_IMPLEMENTED,
    READONLY,
    SYNTAX_ERROR,
    TIMEOUT_EXCEEDED,
    TOO_MANY_QUERIES,
    UNKNOWN_EXCEPTION,
    UNKNOWN_SETTING,
    StatementError,
)
from consumers.store.server.gate import Gate
from consumers.store.server.reads import Reads
from consumers.store.server.stream import STREAMED, Stream

log = logging.getLogger(__name__)

T = TypeVar("T")

WRITERS = 4
READERS = 2
STREAMS = 4
READER_STREAMS = 2
# Requests that may wait for a handle before the store says it is overloaded.
WAITING = {False: 128, True: 32}
# A reader that takes its rows slower than this is cut off: it holds a stream meanwhile.
READER_STREAM_SECONDS = 120.0
MAX_BODY = 512 << 20
MAX_READER_BODY = 4 << 20

# Parameters of the transport; everything else in the URL is a setting.
_TRANSPORT = frozenset(
    {
        "query",
        "database",
        "user",
        "password",
        "default_format",
        "query_id",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "quota_key",
        "role",
        "compress",
        "decompress",
        "stacktrace",
        "buffer_size",
        "wait_end_of_query",
        "client_protocol_version",
        # These are settings of the HTTP handler itself, which is this module.
        "enable_http_compression",
        "http_zlib_compression_level",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
        "http_write_exception_in_output_format",
    }
)
_ANSWERS = {"1": True, "true": True}


@dataclass(frozen=True)
class Call:
    """One request, read and authenticated."""

    account: Account
    url: Mapping[str, str]
    headers: Mapping[str, str]
    statement: statement.Query | statement.Insert
    params: Mapping[str, str]
    settings: Mapping[str, str]
    readonly: bool
    who: str = ""
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def format(self) -> str:
        """The result's format: FORMAT, ``default_format``, the header, or TabSeparated."""
        asked = self.statement.format if isinstance(self.statement, statement.Query) else None
        given = self.url.get("default_format") or self.headers.get("x-clickhouse-format")
        return asked or given or "TabSeparated"

    @property
    def buffered(self) -> bool:
        """Whether the client waits for the whole result before the headers."""
        return self.url.get("wait_end_of_query") == "1" or self.format not in STREAMED

    @property
    def encoding(self) -> str | None:
        """How to compress the answer: only when the client asked twice, as ClickHouse."""
        if not _ANSWERS.get(self.url.get("enable_http_compression", ""), False):
            return None
        return bodies.choose(self.headers.get("accept-encoding", ""))


class Service:
    """The store's requests: reads them, lends handles, writes the answers."""

    def __init__(self, engine: Engine, accounts: Mapping[str, Account]) -> None:
        """Open the pools of handles.

        Args:
            engine: The engine of this process.
            accounts: Users by name.
        """
        self._accounts = accounts
        self._engine = engine
        self._writers = engine.pool(WRITERS)
        self._readers = engine.pool(READERS)
        self._threads = {
            False: ThreadPoolExecutor(WRITERS, "store-write"),
            True: ThreadPoolExecutor(READERS, "store-read"),
        }
        # Readers have streams and a queue of their own: they never hold up the pipeline.
        self._streaming = {
            False: asyncio.Semaphore(STREAMS),
            True: asyncio.Semaphore(READER_STREAMS),
        }
        self._waiting = {False: 0, True: 0}
        names = self._writers.query("SELECT name FROM system.settings", "TSVRaw", Session())
        self._known_settings = frozenset(names.content.decode().split())
        version = self._writers.query("SELECT version()", "TSVRaw", Session())
        self._version = version.content.decode().strip()
        self._gate = Gate(self._readers)
        self._reads = Reads(self._writers)

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._root, methods=["GET", "POST"]),
                Route("/ping", _ping, methods=["GET"]),
            ]
        )

    def close(self, seconds: float) -> bool:
        """Wait for running statements, then close the handles; False when time ran out."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)
        done = [pool.close(seconds) for pool in (self._writers, self._readers)]
        self._engine.close()
        return all(done)

    async def _root(self, request: Request) -> Response:
        query_id = request.query_params.get("query_id", "")
        try:
            if request.method == "GET" and not request.query_params:
                return PlainTextResponse("Ok.\n")
            call = await self._read(request)
            query_id = call.query_id
            return await self._answer(call)
        except StatementError as error:
            return _refusal(error, query_id)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            # A fault of ours: the log has it, the client gets ClickHouse's form.
            log.exception("request %s failed", query_id)
            fault = StatementError(
                UNKNOWN_EXCEPTION, "The store failed to answer; its log says why."
            )
            return _refusal(fault, query_id)

    async def _read(self, request: Request) -> Call:
        url: dict[str, str] = dict(request.query_params)
        headers = request.headers
        account = authenticate(self._accounts, headers, url)
        body = await _body(request, MAX_READER_BODY if account.readonly else MAX_BODY)
        body = bodies.decompress(headers.get("content-encoding", ""), body)
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            url |= bodies.form_fields(kind, body)
            body = b""
        for name in ("compress", "decompress"):
            if _ANSWERS.get(url.get(name, ""), False):
                raise StatementError(
                    NOT_IMPLEMENTED,
                    f"{name}=1 (ClickHouse's own block compression) is not available here;"
                    " use Content-Encoding and Accept-Encoding. (NOT_IMPLEMENTED)",
                )
        call = Call(
            account=account,
            url=url,
            headers=headers,
            statement=statement.read(url.get("query", ""), body),
            params={name[6:]: value for name, value in url.items() if name.startswith("param_")},
            settings=self._settings(url),
            readonly=request.method == "GET",
            who=f"{request.client.host if request.client else ''} "
            + headers.get("user-agent", "")[:120],
        )
        return call if "query_id" not in url else _named(call, url["query_id"])

    def _settings(self, url: Mapping[str, str]) -> dict[str, str]:
        found = {}
        for name, value in url.items():
            if name in _TRANSPORT or name.startswith("param_"):
                continue
            if name not in self._known_settings:
                raise StatementError(
                    UNKNOWN_SETTING, f"Unknown setting '{name[:64]}'. (UNKNOWN_SETTING)"
                )
            found[name] = value
        return found

    async def _answer(self, call: Call) -> Response:
        session = self._session(call)
        if isinstance(call.statement, statement.Insert):
            return await self._insert(call, call.statement, session)
        sql = call.statement.sql
        if call.url.get("client_protocol_version", "0") != "0" and hello.QUESTION.fullmatch(sql):
            return _response(call, Outcome(hello.answer(self._version, TIMEZONE)))
        kind = await self._run(call, partial(self._judge, call, sql, session))
        if not call.buffered and kind == "READ_ONLY" and call.statement.selects:
            return await self._stream(call, sql, session)
        # A control statement (SET, USE, KILL, …) may have changed the handle's session.
        once = kind not in ("READ_ONLY", "MUTATING")
        pool = self._readers if call.account.readonly else self._writers
        outcome = await self._run(
            call, partial(pool.query, sql, call.format, session, call.params, once=once)
        )
        return _response(call, outcome)

    def _session(self, call: Call) -> Session:
        database = call.url.get("database") or call.headers.get("x-clickhouse-database", "")
        if call.account.readonly:
            return self._gate.session(database, call.settings)
        return Session(database, call.settings)

    def _judge(self, call: Call, sql: str, session: Session) -> str:
        """Check a statement before it runs; returns the engine's class of it."""
        if call.account.readonly:
            self._gate.check(sql, session, call.params, call.account.views)
            return "READ_ONLY"
        if isinstance(call.statement, statement.Query) and call.statement.selects:
            self._reads.note(call.account.name, call.who, sql, call.params)
        kind, count = self._writers.classify(sql, session)
        if count > 1:
            raise StatementError(SYNTAX_ERROR, "Multi-statements are not allowed. (SYNTAX_ERROR)")
        if call.readonly and kind not in ("READ_ONLY", "UNKNOWN"):
            raise StatementError(
                READONLY, "Cannot execute query in readonly mode: use POST. (READONLY)"
            )
        return kind

    async def _insert(self, call: Call, insert: statement.Insert, session: Session) -> Response:
        if call.account.readonly or call.readonly:
            raise StatementError(READONLY, "Cannot execute query in readonly mode. (READONLY)")
        outcome = await self._run(
            call,
            partial(self._writers.insert, insert.sql, insert.format, insert.parts, session),
        )
        return _response(call, outcome)

    async def _stream(self, call: Call, sql: str, session: Session) -> Response:
        free = self._streaming[call.account.readonly]
        await free.acquire()
        stream = Stream(self._engine, sql, call.format, session, call.params)
        try:
            first = await asyncio.to_thread(stream.start)
        except BaseException:
            free.release()
            raise
        tag = uuid.uuid4().hex[:16]
        headers = {**_headers(call), "X-ClickHouse-Exception-Tag": tag}
        return StreamingResponse(
            self._chunks(stream, first, tag, call.account), headers=headers, media_type=_MEDIA
        )

    async def _chunks(
        self, stream: Stream, first: bytes, tag: str, account: Account
    ) -> AsyncIterator[bytes]:
        until = time.monotonic() + READER_STREAM_SECONDS
        try:
            chunk = first
            while chunk:
                yield chunk
                if account.readonly and time.monotonic() > until:
                    raise StatementError(
                        TIMEOUT_EXCEEDED,
                        f"Timeout exceeded: a reader's result takes more than"
                        f" {READER_STREAM_SECONDS:g} s. (TIMEOUT_EXCEEDED)",
                    )
                chunk = await asyncio.to_thread(stream.next)
        except StatementError as error:
            # The headers are gone: the error follows the rows, marked as ClickHouse does,
            # and the answer is broken off, so that nobody takes it for the whole.
            text = error.text.encode()
            frame = f"\r\n__exception__\r\n{tag}\r\n".encode() + text
            yield frame + f"\n{len(text)} {tag}\r\n__exception__\r\n".encode()
            raise
        finally:
            # Also when the client went away in the middle.
            with suppress(RuntimeError):
                stream.close()
            self._streaming[account.readonly].release()

    async def _run(self, call: Call, work: Callable[[], T]) -> T:
        readonly = call.account.readonly
        if self._waiting[readonly] >= WAITING[readonly]:
            raise StatementError(
                TOO_MANY_QUERIES,
                f"Too many simultaneous queries: {WAITING[readonly]} are waiting."
                " (TOO_MANY_SIMULTANEOUS_QUERIES)",
            )
        self._waiting[readonly] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads[readonly], work)
        finally:
            self._waiting[readonly] -= 1


_MEDIA = "application/octet-stream"


def _named(call: Call, query_id: str) -> Call:
    # It comes back in a header: nothing that could end one.
    safe = re.sub(r"[^\x21-\x7e]", "", query_id)[:128]
    return Call(**{**call.__dict__, "query_id": safe})


async def _body(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise StatementError(
                INCORRECT_DATA, f"The request is larger than {limit} bytes. (INCORRECT_DATA)"
            )
        parts.append(part)
    return b"".join(parts)


def _response(call: Call, outcome: Outcome) -> Response:
    headers = _headers(call)
    headers["X-ClickHouse-Summary"] = json.dumps(
        {
            "read_rows": str(outcome.read_rows),
            "read_bytes": str(outcome.read_bytes),
            "written_rows": str(outcome.written_rows),
            "written_bytes": str(outcome.written_bytes),
            "elapsed_ns": str(int(outcome.seconds * 1e9)),
        }
    )
    content = outcome.content
    encoding = call.encoding
    if encoding is not None and content:
        content = bodies.compress(encoding, content)
        headers["Content-Encoding"] = encoding
    return Response(content, headers=headers, media_type=_MEDIA)


def _headers(call: Call) -> dict[str, str]:
    headers = {"X-ClickHouse-Query-Id": call.query_id, "X-ClickHouse-Timezone": TIMEZONE}
    if isinstance(call.statement, statement.Query):
        headers["X-ClickHouse-Format"] = call.format
    return headers


def _refusal(error: StatementError, query_id: str) -> Response:
    headers = {
        "X-ClickHouse-Exception-Code": str(error.code),
        "X-ClickHouse-Timezone": TIMEZONE,
        "X-ClickHouse-Query-Id": re.sub(r"[^\x21-\x7e]", "", query_id)[:128],
    }
    return PlainTextResponse(error.text + "\n", error.status, headers)


async def _ping(_: Request) -> Response:
    return PlainTextResponse("Ok.\n")
