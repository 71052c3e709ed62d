"""Command line of the store process; exit codes: 0 stopped, 1 cannot start, 2 wrong use."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from consumers.store.server import accounts
from consumers.store.server.config import TIMEZONE, Layout, Limits, prepare
from consumers.store.server.engine import Engine
from consumers.store.server.errors import StartError
from consumers.store.server.warm import detached_parts, warm_up
from consumers.store.server.web import Service

log = logging.getLogger("popflow.store")

# After SIGTERM running requests get this long, then their handles; then the process ends
# all the same. Nothing acknowledged is lost by ending early.
GRACE_SECONDS = 5
CLOSE_SECONDS = 1
# Workers insert every few seconds: a connection closed just then would look like a crash.
IDLE_SECONDS = 600
# Clients put long arrays into the URL; h11's own limit would be 16 KiB.
MAX_REQUEST_HEAD = 4 << 20


class Server(uvicorn.Server):
    """uvicorn without its own signal handling: it would end the process before we close."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to ``_serve``."""
        yield


def main(argv: list[str] | None = None) -> int:
    """Run the store process until it is told to stop."""
    options = _options(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s store %(levelname)s %(message)s", stream=sys.stderr
    )
    # Faults are logged by the service itself; uvicorn would add a traceback to each answer
    # that is broken off on purpose.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    os.umask(0o077)
    # The engine takes its zone from the environment, whatever the configuration says.
    os.environ["TZ"] = TIMEZONE
    time.tzset()
    try:
        users = accounts.load(options.credentials)
        layout = Layout(options.path.resolve())
        prepare(layout, Limits(options.memory_mib << 20, options.fsync))
        ready_file = options.ready_file.resolve() if options.ready_file else None
        listener = _listen(options.host, options.port)
        # Loading the engine opens it once without a folder, and that reads a config.xml of
        # the working directory: so the working directory is one that has none.
        os.chdir(layout.engine)
        engine = Engine(layout)
    except (StartError, OSError) as error:
        print(f"store: {error}", file=sys.stderr)
        return 1
    service = Service(engine, users)
    warm_up(engine)
    detached = detached_parts(engine)
    for part in detached:
        log.error(
            "DATA SET ASIDE: part %s of %s.%s was damaged (%s) and is not read;"
            " rebuild the store from the journal (popflow rebuild)",
            *(part[key] for key in ("part", "database", "table", "reason")),
        )
    asyncio.run(_serve(service, listener, options, ready_file, len(detached)))
    return _end(service)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m consumers.store.server",
        description="ClickHouse's engine in one process behind ClickHouse's HTTP interface.",
    )
    parser.add_argument("--path", type=Path, required=True, help="folder of the store")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--credentials", type=Path, required=True, help="users, a JSON file")
    parser.add_argument("--ready-file", type=Path, help="written when requests are answered")
    parser.add_argument(
        "--memory-mib", type=int, default=2048, help="memory the engine may use (MiB)"
    )
    parser.add_argument(
        "--fsync", action="store_true", help="write through to the disk before acknowledging"
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="stop when standard input closes: a parent that dies takes the store along",
    )
    return parser.parse_args(argv)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, every
    # answer of two writes waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


async def _serve(
    service: Service,
    listener: socket.socket,
    options: argparse.Namespace,
    ready_file: Path | None,
    detached: int,
) -> None:
    server = Server(
        uvicorn.Config(
            service.application(),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            h11_max_incomplete_event_size=MAX_REQUEST_HEAD,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=IDLE_SECONDS,
        )
    )

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if options.until_stdin_closes:
        stdin = sys.stdin.fileno()

        def read() -> None:
            if not os.read(stdin, 4096):
                loop.remove_reader(stdin)
                stop()

        loop.add_reader(stdin, read)
    # The socket listens already: a client that comes now waits in its queue.
    _announce(listener, ready_file, detached)
    await server.serve([listener])


def _announce(listener: socket.socket, ready_file: Path | None, detached: int) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    line = json.dumps(
        {
            "ready": True,
            "url": f"http://{shown}:{port}",
            "port": port,
            "pid": os.getpid(),
            "detached_parts": detached,
        }
    )
    if ready_file is not None:
        draft = ready_file.with_name(ready_file.name + ".new")
        draft.write_text(line + "\n", encoding="utf-8")
        draft.replace(ready_file)
    print(line, flush=True)


def _end(service: Service) -> int:
    """Close the engine, but never hang: a statement that does not end is left behind."""
    closer = threading.Thread(target=service.close, args=(CLOSE_SECONDS,), daemon=True)
    closer.start()
    closer.join(CLOSE_SECONDS + 1)
    logging.shutdown()
    sys.stdout.flush()
    # Threads of a statement that still runs would keep the interpreter waiting.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
