"""uvicorn, within an event loop that has other things to do, stopped by an event."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_HEAD_BYTES = 32 * 1024
_CONNECTIONS = 512
_IDLE_SECONDS = 15
_GRACE_SECONDS = 25


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(
    application: ASGIApp,
    listener: socket.socket,
    stopped: asyncio.Event,
    *,
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> None:
    """Answer requests until told to stop; those on their way are answered first.

    Args:
        application: to be served.
        listener: of :func:`listening`; closed at the end.
        stopped: ends it.
        tls: gives the context of HTTPS.
    """
    server = _Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            h11_max_incomplete_event_size=_HEAD_BYTES,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ssl_context_factory=None if tls is None else lambda *_: tls(),
        )
    )
    serving = asyncio.create_task(server.serve([listener]))
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({serving, stopping}, return_when="FIRST_COMPLETED")
    server.should_exit = True
    stopping.cancel()
    await serving
