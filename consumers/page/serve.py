"""Run the page on one address until it is told to end."""

from __future__ import annotations

import socket

import uvicorn

from consumers.page.web import application
from consumers.store.client import Store
from pipeline.group import PAGE_READY

LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")


class _Server(uvicorn.Server):
    """Says when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(PAGE_READY, flush=True)


def serve(store: Store, *, host: str, port: int, public: bool = False) -> None:
    """Serve the page until SIGTERM or SIGINT.

    Args:
        store: Where the figures are.
        host: Address to bind, 127.0.0.1 unless an operator chose another.
        port: Port to bind; 0 takes a free one.
        public: Only figures that may be released. So it is on any address that others can reach.
    """
    local = host in LOCAL
    hosts = LOCAL if local else ("*",)
    config = uvicorn.Config(
        application(store, hosts=hosts, public=public or not local),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        lifespan="on",
    )
    _Server(config).run()
