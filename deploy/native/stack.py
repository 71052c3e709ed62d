"""The whole stack on one machine: Kafka, store, workers and page, started and watched.

Given servers (settings ``bootstrap`` and ``clickhouse``) are used instead of own ones. Whatever
this starts dies with it, is started again when it dies alone, and is stopped in order at the end.
"""

import json
import os
import queue
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from consumers.delivery.service import senders
from consumers.store.client import Store
from consumers.store.embedded import WRITER, server_command, users
from consumers.store.migrate import migrate, seed_districts
from consumers.store.registry import seed_sources
from consumers.store.views import create_views
from deploy.kafka import acls
from deploy.native.endpoints import STACK_FILE, SUPERVISOR, occupant
from deploy.native.endpoints import Endpoints as Endpoints
from deploy.native.endpoints import running as running
from deploy.native.errors import NativeError
from deploy.native.hold import Hold
from deploy.native.kafka import KafkaServer
from deploy.native.ports import HOST, free_ports, is_free
from deploy.native.process import LineInLog, ManagedProcess, ProcessError
from deploy.native.secure import ADMIN, PIPELINE, Trust, let_in
from deploy.native.topics import ensure_topics
from pipeline.group import DELIVERING, PAGE_READY, READY
from pipeline.settings import Settings
from producers.access import use
from schemas.districts import DISTRICTS
from schemas.sources import DEMONSTRATION
from schemas.topics import specs

Tell = Callable[[str, int, int], None]
"""Progress: what is being done, how much of it, out of how much."""

TARGETS_FILE = "targets.json"
REBUILD = "rebuild.pid"
STEPPED_ASIDE = "rebuild.ready"
"""Written by the supervisor when no worker of its own runs: the rebuild it did that for."""
_RESTART_PAUSE = 0.5
_LOOK = 0.2
_PORT_TRIES = 3


def _sit_down(seat: Hold, name: str) -> None:
    """Hold a pid file ourselves, to our end; ``Hold.give`` would hand it to a child and let go."""
    written = {"pid": os.getpid(), "argv0": name}
    os.pwrite(seat.take(), json.dumps(written).encode(), 0)


def _port(wanted: int) -> int:
    return wanted if wanted and is_free(wanted) else free_ports(1)[0]


class Stack:
    """One stack on one data folder.

    Args:
        settings: what an operator chose.
        tell: told of each step; may be exchanged later.
    """

    def __init__(self, settings: Settings, tell: Tell = lambda *_: None) -> None:
        self.settings = settings
        self.tell = tell
        self._data = settings.data
        self._hold = Hold(self._data / SUPERVISOR)
        self._exits: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._kafka: KafkaServer | None = None
        self._trust: Trust | None = None
        self._client = settings.kafka_client
        self._store: ManagedProcess | None = None
        self._workers: dict[int, ManagedProcess] = {}
        self._delivery: ManagedProcess | None = None
        self._page: ManagedProcess | None = None
        self._guest: int | None = None
        self.endpoints: Endpoints | None = None

    def start(self) -> Endpoints:
        """Start everything; returns when events can be published and read.

        Raises:
            ReceiverError: a receiver of alerts cannot be used as it is written.
            NativeError: a part did not start; what had started is stopped again.
            StoreError: the store does not belong to this program.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        senders(self.settings.receivers, self._data)  # what is wrong is said before all else
        _sit_down(self._hold, "popflow up")
        for left_behind in (STACK_FILE, STEPPED_ASIDE):
            (self._data / left_behind).unlink(missing_ok=True)
        try:
            self._prepare_access()
            with ThreadPoolExecutor(2) as together:
                kafka = together.submit(self._start_kafka)
                store = together.submit(self._start_store)
                bootstrap, (clickhouse, user, password_file) = kafka.result(), store.result()
            servers = {
                "bootstrap": bootstrap,
                "clickhouse": clickhouse,
                "clickhouse_user": user,
                "clickhouse_password_file": password_file,
                "kafka_client": self._trust.client(PIPELINE) if self._trust else self._client,
            }
            with ThreadPoolExecutor(1) as beside:
                page = beside.submit(self._start_page, servers)
                metrics = self._start_workers(servers) + self._start_delivery(servers)
                page_port = page.result()
        except BaseException:
            self.stop()
            raise
        self.endpoints = Endpoints(
            bootstrap,
            clickhouse,
            user,
            str(password_file),
            [f"http://{self.settings.host}:{port}/metrics" for port in metrics],
            f"http://{self.settings.host}:{page_port}/",
            os.getpid(),
            str(self._client) if self._client else None,
        )
        self._put(STACK_FILE, asdict(self.endpoints))
        # Whom Prometheus scrapes, as its file_sd_configs reads it.
        scraped = [f"{self.settings.host}:{port}" for port in metrics]
        self._put(TARGETS_FILE, [{"targets": scraped}])
        return self.endpoints

    def _prepare_access(self) -> None:
        """A secure stack stays one: its broker's folder was made with its users."""
        folder = self._data / "trust"
        if self.settings.bootstrap is None and (self.settings.secure or folder.exists()):
            if not folder.exists() and (self._data / "kafka" / "logs").exists():
                raise NativeError(
                    f"The stack in {self._data} was made without `secure`, and its Kafka knows no "
                    "users: start a secure one in another folder."
                )
            self._trust = Trust(folder)
            self._client = self._client or self._trust.client(ADMIN)
        use(self._client)

    def _let_pipeline_in(self, bootstrap: str) -> None:
        if self._trust is not None:
            client = self._trust.client(PIPELINE)
            let_in(bootstrap, client, acls.pipeline(PIPELINE))

    def _put(self, name: str, document: object) -> None:
        """Write a file so that a reader sees it whole or not at all."""
        draft = self._data / f"{name}.new"
        draft.write_text(json.dumps(document), "utf-8")
        draft.replace(self._data / name)

    def _start_kafka(self) -> str:
        bootstrap = self.settings.bootstrap
        if bootstrap is None:
            known = (self._data / "kafka" / "ports.json").exists()
            wanted = None if known else self.settings.kafka_port
            self._kafka = self._broker(wanted if wanted and is_free(wanted) else None)
            try:
                bootstrap = self._kafka.start(progress=self.tell)
            except NativeError:
                if not wanted or is_free(wanted):
                    raise
                # Another program was quicker to take the usual port.
                self._kafka = self._broker(None)
                bootstrap = self._kafka.start(progress=self.tell)
        self.tell("creating topics", 0, 1)
        ensure_topics(
            bootstrap, specs(self.settings.partitions, forge_proof=self.settings.forge_proof)
        )
        self._let_pipeline_in(bootstrap)
        self.tell("creating topics", 1, 1)
        return bootstrap

    def _broker(self, port: int | None) -> KafkaServer:
        return KafkaServer(
            self._data / "kafka",
            port=port,
            heap=self.settings.kafka_heap,
            trust=self._trust,
            on_exit=lambda _: self._exits.put("kafka"),
        )

    def _start_store(self) -> tuple[str, str, Path]:
        settings = self.settings
        if settings.clickhouse is not None:
            url, user = settings.clickhouse, settings.clickhouse_user
            password_file = settings.clickhouse_password_file or self._data / "no.password"
            password = settings.clickhouse_password()
            if settings.clickhouse_password_file is None:
                password_file.write_text("", "utf-8")
        else:
            folder = self._data / "store"
            known = users(folder)
            user, password = WRITER, known.writer_password
            password_file = folder / "writer.password"
            password_file.touch(mode=0o600)
            password_file.write_text(password, "utf-8")
            url = self._start_engine(folder, known.path)
        self.tell("preparing tables", 0, 1)
        with Store.connect(url, user, password) as store:
            migrate(store)
            create_views(store)
            seed_districts(store, _district_rows())
            seed_sources(store, DEMONSTRATION)
        self.tell("preparing tables", 1, 1)
        return url, user, password_file

    def _start_engine(self, folder: Path, credentials: Path) -> str:
        self.tell("starting ClickHouse's engine", 0, 1)
        ready_file = folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        port = _port(self.settings.clickhouse_port)
        for attempt in range(1, _PORT_TRIES + 1):
            self._store = self._engine(folder, credentials, port, ready_file)
            try:
                self._store.start(ready_file.exists)
                break
            except ProcessError:
                if attempt == _PORT_TRIES or is_free(port):
                    raise
                port = free_ports(1)[0]
        parts = json.loads(ready_file.read_text("utf-8"))["detached_parts"]
        if parts:
            self.tell(f"{parts} damaged parts of the store were set aside: popflow rebuild", 1, 1)
        self.tell("starting ClickHouse's engine", 1, 1)
        return f"http://{HOST}:{port}"

    def _engine(
        self, folder: Path, credentials: Path, port: int, ready_file: Path
    ) -> ManagedProcess:
        command = server_command(
            folder / "data",
            credentials,
            port=port,
            ready_file=ready_file,
            fsync=self.settings.fsync,
        )
        return ManagedProcess(
            "the store",
            command,
            log=self._data / "logs" / "store.log",
            pid_file=folder / "store.pid",
            on_exit=lambda _: self._exits.put("the store"),
        )

    def _start_workers(self, servers: Mapping[str, object]) -> list[int]:
        number = min(self.settings.workers, self.settings.partitions)
        self.tell("starting workers", 0, number)
        usual = self.settings.metrics_port
        ports = [port for port in free_ports(number + 1) if port != usual]
        if usual and is_free(usual):
            ports.insert(0, usual)
        with ThreadPoolExecutor(number) as together:
            starts = [
                together.submit(self._start_worker, place, servers, ports[place])
                for place in range(number)
            ]
            for done, start in enumerate(as_completed(starts), 1):
                start.result()
                self.tell("starting workers", done, number)
        return [start.result() for start in starts]

    def _start_worker(self, place: int, servers: Mapping[str, object], port: int) -> int:
        for attempt in range(1, _PORT_TRIES + 1):
            chosen = self.settings.model_copy(update={**servers, "metrics_port": port})
            worker = self._workers[place] = self._worker(place, chosen)
            try:
                worker.start(LineInLog(worker.log, READY))
                break
            except ProcessError:
                if attempt == _PORT_TRIES or is_free(port):
                    raise
                port = free_ports(1)[0]
        return port

    def _start_page(self, servers: Mapping[str, object]) -> int:
        """The page, beside the workers, which take longer to start."""
        port = _port(self.settings.page_port)
        for attempt in range(1, _PORT_TRIES + 1):
            chosen = self.settings.model_copy(update={**servers, "page_port": port})
            self._page = self._program("page", "page", "page", chosen)
            try:
                self._page.start(LineInLog(self._page.log, PAGE_READY))
                break
            except ProcessError:
                if attempt == _PORT_TRIES or is_free(port):
                    raise
                port = free_ports(1)[0]
        return port

    def _worker(self, place: int, chosen: Settings) -> ManagedProcess:
        return self._program(f"worker {place}", f"worker-{place}", "worker", chosen)

    def _program(self, name: str, files: str, command: str, chosen: Settings) -> ManagedProcess:
        """A command of ours as a process of the stack."""
        return ManagedProcess(
            name,
            [sys.executable, "-m", "pipeline.cli", command],
            log=self._data / "logs" / f"{files}.log",
            pid_file=self._data / f"{files}.pid",
            env={**os.environ, **chosen.environment()},
            grace=30.0,
            on_exit=lambda _: self._exits.put(name),
        )

    def _start_delivery(self, servers: Mapping[str, object]) -> list[int]:
        """Hand alerts to their receivers, when there are any; gives the port of its metrics."""
        if not self.settings.receivers:
            return []
        self.tell("starting the delivery of alerts", 0, 1)
        (port,) = free_ports(1)
        chosen = self.settings.model_copy(update={**servers, "metrics_port": port})
        self._delivery = self._program("delivery", "delivery", "deliver", chosen)
        self._delivery.start(LineInLog(self._delivery.log, DELIVERING))
        self.tell("starting the delivery of alerts", 1, 1)
        return [port]

    def watch(self, until: Callable[[], bool]) -> None:
        """Start again what dies, and step aside for a rebuild, until told to end."""
        while not until():
            self._make_room()
            try:
                died = self._exits.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if not until():
                self._start_again(died)

    def _start_again(self, name: str) -> None:
        if name.startswith("worker") and self._guest is not None:
            return  # started when the rebuild is done
        self.tell(f"{name} ended; starting it again", 0, 1)
        time.sleep(_RESTART_PAUSE)
        try:
            if name == "kafka":
                self._start_kafka_again()
            for process in self._processes():
                if process.name == name:
                    process.start()
        except NativeError:
            self._exits.put(name)
            return
        self.tell(f"{name} ended; starting it again", 1, 1)

    def _processes(self) -> list[ManagedProcess]:
        """All but Kafka, in the order in which they are stopped."""
        found = [self._page, *self._workers.values(), self._delivery, self._store]
        return [process for process in found if process is not None]

    def _start_kafka_again(self) -> None:
        """On its port, which everybody knows by now, or not at all."""
        if self.endpoints is not None:
            self._kafka = self._broker(int(self.endpoints.bootstrap.rsplit(":", 1)[1]))
            self._kafka.start()

    def _make_room(self) -> None:
        """While somebody holds the workers' seat (``vacant_workers``), no worker runs."""
        guest = occupant(self._data / REBUILD)
        if guest == self._guest:
            return
        self._guest = guest
        if guest is None:
            (self._data / STEPPED_ASIDE).unlink(missing_ok=True)
            for worker in self._workers.values():
                self._exits.put(worker.name)
        else:
            self._stop_workers()
            (self._data / STEPPED_ASIDE).write_text(str(guest), "ascii")

    def _stop_workers(self) -> None:
        if self._workers:
            with ThreadPoolExecutor(len(self._workers)) as together:
                list(together.map(ManagedProcess.stop, self._workers.values()))

    def stop(self) -> None:
        """Stop everything in order: workers, store, Kafka."""
        self.tell("stopping", 0, 1)
        if self._page is not None:
            self._page.stop()
        self._stop_workers()
        if self._delivery is not None:
            self._delivery.stop()
        if self._store is not None:
            self._store.stop()
        if self._kafka is not None:
            self._kafka.stop()
        (self._data / STACK_FILE).unlink(missing_ok=True)
        self._hold.free()
        self.tell("stopping", 1, 1)


def _district_rows() -> Iterator[dict[str, object]]:
    for district in DISTRICTS:
        alias = "" if district.code == district.counted_as else district.counted_as
        yield {
            "code": district.code,
            "name_zh": district.name_zh,
            "name_en": district.name_en,
            "alias_of": alias,
            "valid_from": district.valid_from,
            "valid_to": district.valid_to,
            "in_city": True,
        }


@contextmanager
def vacant_workers(data: Path) -> Iterator[None]:
    """Hold the seat of the workers: a running stack stops its own until this ends.

    Raises:
        NativeError: another rebuild runs.
    """
    seat = Hold(data / REBUILD)
    _sit_down(seat, "popflow rebuild")
    try:
        while running(data) is not None and not _stepped_aside(data):
            time.sleep(_LOOK)
        yield
    finally:
        seat.free()


def _stepped_aside(data: Path) -> bool:
    """Whether the supervisor stepped aside for us, not for a rebuild before."""
    try:
        return (data / STEPPED_ASIDE).read_text("ascii") == str(os.getpid())
    except FileNotFoundError:
        return False
