"""A whole stack started by the command line, as a user or an acceptance check starts it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import psutil
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.store.client import Store
from consumers.store.errors import StoreUnavailable
from pipeline.positions import Positions
from producers.access import client_settings, use
from producers.kit import Publisher

POPFLOW = [sys.executable, "-m", "pipeline.cli"]
Answer = TypeVar("Answer")
DailyRow = tuple[str, str, str, str, str, str]
Message = tuple[str, int, bytes, bytes | None]
"""Topic, timestamp, value, key."""

OWN_PORTS = {
    "POPFLOW_KAFKA_PORT": "0",
    "POPFLOW_CLICKHOUSE_PORT": "0",
    "POPFLOW_METRICS_PORT": "0",
    "POPFLOW_PAGE_PORT": "0",
}
"""Settings for a stack that is killed: nobody else looks for something on a port that dies."""
PID_FILES = {
    "supervisor": "supervisor.pid",
    "kafka": "kafka/kafka.pid",
    "store": "store/store.pid",
    "worker 0": "worker-0.pid",
    "worker 1": "worker-1.pid",
    "delivery": "delivery.pid",
    "page": "page.pid",
}


def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


class RunningStack:
    """``popflow up --json --headless`` on a folder."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.arguments = arguments
        self.env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    def start(self, timeout: float = 180.0, *, client_file: bool = False) -> RunningStack:
        """Start it; with ``client_file`` this process comes in as its administrator."""
        self.process = subprocess.Popen(
            [*POPFLOW, "up", "--json", "--headless", "--data", str(self.folder), *self.arguments],
            stdout=subprocess.PIPE,
            env=self.env,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], timeout)[0], "the stack did not start"
        self.ready = json.loads(self.process.stdout.readline())
        url = urlsplit(self.ready["clickhouse"])
        self.store = Store.connect(
            f"http://{url.hostname}:{url.port}", url.username or "", url.password or ""
        )
        if client_file:
            self.client_file = Path(self.ready["kafka_client"])
            use(self.client_file)
        self.producer = KafkaProducer(
            bootstrap_servers=self.ready["bootstrap"], acks="all", **client_settings()
        )
        self.positions = Positions(self.ready["bootstrap"])
        return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.disconnect()
        self.process.send_signal(how)
        return self.process.wait(60)

    def disconnect(self) -> None:
        """Close what this side has open."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.producer.close()
        self.positions.close()
        self.store.close()
        self.process.stdout.close()
        # kafka-python leaves sockets that could not be connected to a dead broker to the
        # collector; that complains now, where the tests expect it, or in somebody else's test.
        del self.producer, self.positions
        gc.collect()

    def pid(self, name: str) -> int | None:
        """Number of a process of the stack that lives; None while it does not."""
        try:
            pid = int(json.loads((self.folder / PID_FILES[name]).read_bytes())["pid"])
        except (FileNotFoundError, ValueError):
            return None
        return pid if psutil.pid_exists(pid) else None

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything that it started, and what those started."""
        assert self.process is not None
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def send(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a process of the stack by its name; gives its number."""
        until(lambda: self.pid(name), f"{name} runs")
        pid = self.pid(name)
        assert pid is not None, f"{name} ended by itself"
        os.kill(pid, number)
        return pid

    def kill(self, *names: str) -> None:
        """SIGKILL, and wait until the supervisor has started the same again."""
        killed = {name: self.send(name, signal.SIGKILL) for name in names}
        for name, old in killed.items():
            until(lambda name=name, old=old: self.pid(name) not in (None, old), f"{name} again")

    def waiting(self) -> int:
        """Messages that the pipeline has not acknowledged; 0 as long as nobody knows."""
        try:
            return sum(lag.waiting for lag in self.positions.lags())
        except KafkaError:
            return 0

    def messages(self, topic: str) -> int:
        """Messages in a topic; 0 as long as nobody knows."""
        try:
            return next(lag.messages for lag in self.positions.lags() if lag.topic == topic)
        except KafkaError:
            return 0

    def interrupt(self, *names: str) -> None:
        """SIGKILL at a moment when there is work in the stream."""
        until(self.waiting, "work in the stream")
        self.kill(*names)

    def audit(self) -> dict[str, Any]:
        """What ``popflow audit`` says; its exit code has to agree with it."""
        done = self.popflow("audit", "--json")
        said: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (1 if said["different"] else 0), done.stderr
        return said

    def publish(self, messages: Iterable[Message]) -> None:
        for topic, timestamp, value, key in messages:
            self.producer.send(topic, value=value, key=key, timestamp_ms=timestamp)
        self.producer.flush()

    def settle(self, seconds: float = 60.0) -> None:
        assert self.positions.wait(seconds), "events are still waiting"

    def popflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*POPFLOW, *arguments, "--data", str(self.folder)],
            capture_output=True,
            text=True,
            timeout=300,
            env=self.env,
            check=False,
        )

    def daily(self, until: str | None = None) -> Counter[DailyRow]:
        """What the view ``daily`` shows, or what was known at the end of a day."""
        view = "population.daily"
        if until is not None:
            view = f"population.daily_as_known(known_on = '{until}')"
        rows = self.store.query(
            f"SELECT toString(day), district, measure, residency, sex, band, value FROM {view}"
        )
        return Counter({row[:6]: row[6] for row in rows})

    def answered(self, question: Callable[[], Answer]) -> Answer:
        """What a reader gets who asks again while the store is away."""
        answers: list[Answer] = []

        def ask() -> bool:
            try:
                answers.append(question())
            except StoreUnavailable:
                return False
            return True

        until(ask, "the store answers")
        return answers[0]

    def findings(self) -> Counter[tuple[str, ...]]:
        rows = self.store.query(
            "SELECT code, person, kind, record_id, if(day IS NULL, '', toString(day))"
            " FROM population.findings"
        )
        return Counter(rows)

    def refusals(self) -> Counter[str]:
        rows = self.store.query("SELECT code, count() FROM population.rejected GROUP BY code")
        return Counter(dict(rows))


class Flow:
    """Messages that keep coming while something happens to the stack.

    The publishing kit sends them: it outlives a broker that dies, and repeats what it cannot know
    to have arrived.
    """

    def __init__(
        self, bootstrap: str, messages: Sequence[Message], *, per_second: float = 1500.0
    ) -> None:
        self._bootstrap = bootstrap
        self._messages = messages
        self._per_second = per_second
        self._sent = 0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="flow")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error

    def await_share(self, share: float) -> None:
        """Wait until so much was handed to Kafka's client."""
        wanted = share * len(self._messages)
        until(lambda: self._sent >= wanted or self._error, f"{share:.0%} of the flow", 120)

    def _run(self) -> None:
        try:
            with Publisher(self._bootstrap, patience=90.0) as publisher:
                began = time.monotonic()
                for topic, timestamp, value, key in self._messages:
                    ahead = began + self._sent / self._per_second - time.monotonic()
                    if ahead > 0.02:
                        time.sleep(ahead)  # the pace, not a wait for anything
                    publisher.publish_raw(topic, key, value, timestamp)
                    self._sent += 1
        except BaseException as error:
            self._error = error


class Proxy:
    """A TCP proxy on 127.0.0.1 that can refuse connections and reset those it has.

    Args:
        target: URL of what stands behind it.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.reset_connections = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._run(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def accept(self) -> None:
        """Take connections (again), always on the same port."""
        self._run(self._listen())

    def refuse(self) -> None:
        """Take no more connections; those there are go on."""
        self._run(self._close())

    def reset(self) -> None:
        """Break every connection off at once, with whatever is on its way."""
        self._run(self._break_off())

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _listen(self) -> None:
        listener = socket.create_server(("127.0.0.1", self._port))
        listener.setblocking(False)
        self._port = listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept(listener))

    async def _accept(self, listener: socket.socket) -> None:
        # asyncio's own server leaves a transport open that it was just accepting when closed.
        with listener:
            while True:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
                serving = asyncio.create_task(self._serve(connection))
                self._serving.add(serving)
                serving.add_done_callback(self._serving.discard)

    async def _close(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
            self._accepting = None

    async def _break_off(self) -> None:
        no_farewell = struct.pack("ii", 1, 0)
        while self._open:
            writer = self._open.pop()
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, no_farewell
            )
            writer.transport.abort()
            self.reset_connections += 1

    async def _settle(self) -> None:
        """Until no connection is left; one that was just being taken counts."""
        while self._serving:
            await self._break_off()
            await asyncio.wait(self._serving, timeout=0.1)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            back_reader, back_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            await self._closed(writer)
            return
        self._open |= {writer, back_writer}
        await asyncio.gather(
            self._pump(reader, back_writer),
            self._pump(back_reader, writer),
        )

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(65536):
                sink.write(piece)
                await sink.drain()
        except OSError:
            pass
        finally:
            self._open.discard(sink)
            sink.close()
            await self._closed(sink)

    async def _closed(self, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await writer.wait_closed()
