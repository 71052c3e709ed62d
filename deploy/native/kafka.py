"""A real Apache Kafka broker on this machine, without Docker."""

import base64
import json
import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.kafka.certificates import write_secret
from deploy.native.broker_settings import server_properties
from deploy.native.errors import NativeError
from deploy.native.java import Java, find_java
from deploy.native.kafka_jars import Progress, classpath
from deploy.native.ports import HOST, free_ports, is_free
from deploy.native.process import LineInLog, ManagedProcess, ProcessError
from deploy.native.secure import Trust

_LOG4J = Path(__file__).with_name("log4j2.xml")
_STARTED = "Kafka Server started"
"""Logged once the broker is registered and unfenced: topics can be made and events sent."""

_FORMAT_SECONDS = 60
_PORT_TRIES = 3

# Measured on 2 cores: G1 with both compilers 2.7 s and 4.2 s of CPU to start; serial collector
# and first compiler only 1.6-1.9 s and 2.1-2.5 s, at the same 550,000 messages/s and CPU of it.
_QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


class KafkaServer:
    """One broker on one folder: KRaft, a single node, listening on 127.0.0.1 only.

    Everything it keeps is in the folder: ``logs`` (Kafka's own), ``ports.json``, ``kafka.log``
    (rotated), ``kafka.out`` (the Java machine's words), ``tmp`` and ``kafka.pid``. Whatever was
    acknowledged survives the death of the process; like any single Kafka broker it does not
    survive the loss of the disk, or of power in the seconds before the system writes it out.

    Args:
        folder: where it keeps everything; made when missing.
        port: for clients; by default the one used last on this folder when it is free, else any
            free one.
        java: launcher or home of a Java runtime; by default see ``find_java``.
        heap: its largest heap, as Java writes sizes.
        cache: where Kafka's program files are kept; by default see ``cache_folder``.
        trust: with it the broker asks everybody who they are; without, anybody on the machine may
            do anything. A folder stays what it was made as.
        on_exit: called with the exit code, on another thread, when it ends without ``stop``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        java: Path | None = None,
        heap: str = "512m",
        cache: Path | None = None,
        trust: Trust | None = None,
        on_exit: Callable[[int], None] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self._wanted_port = port
        self._java = java
        self._heap = heap
        self._cache = cache
        self._trust = trust
        self._ports: tuple[int, int] | None = None
        self._log = self.folder / "kafka.log"
        self._scratch = self.folder / "tmp"
        self._process = ManagedProcess(
            "Kafka",
            [],
            log=self.folder / "kafka.out",
            pid_file=self.folder / "kafka.pid",
            grace=30.0,
            on_exit=on_exit,
        )

    @property
    def pid(self) -> int | None:
        """The broker's process number while it lives."""
        return self._process.pid

    @property
    def bootstrap(self) -> str:
        """``host:port`` for clients, once started.

        Raises:
            NativeError: it was never started, so it has no port yet.
        """
        if self._ports is None:
            raise NativeError("Kafka has no address before it is started.")
        return f"{HOST}:{self._ports[0]}"

    def alive(self) -> bool:
        """Whether the broker's process runs."""
        return self._process.alive()

    def start(self, timeout: float = 120.0, progress: Progress | None = None) -> str:
        """Start it, fetching and preparing first what is missing, and wait until it answers.

        Args:
            timeout: seconds from the start of the process to readiness. Recovery after a crash
                reads the unflushed segments again, up to 1 GiB a partition.
            progress: told of each step.

        Returns:
            ``host:port`` for clients.

        Raises:
            FolderHeldError: a live broker holds the folder.
            NativeError: no Java, no program files, the wanted port is taken, or it did not start.
        """
        if self.alive():
            return self.bootstrap
        if "," in str(self.folder):  # Kafka would read two folders
            raise NativeError(f"Kafka cannot work in {self.folder}: choose a folder without comma.")
        report = progress or _silent
        runtime = find_java(self._java)
        jars = classpath(self._cache, progress)
        with self._process.reserved():
            # Compression libraries are unpacked here, and left behind by a killed broker.
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir()
            self._format_once(runtime, jars, report)
            report("starting Apache Kafka", 0, 1)
            self._start_on_free_ports(runtime, jars, timeout)
        report("starting Apache Kafka", 1, 1)
        return self.bootstrap

    def stop(self, grace: float | None = None) -> int | None:
        """Stop it in order, or after ``grace`` seconds (30) by force; its exit code."""
        return self._process.stop(grace)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end; the exit code, or None when it still runs after ``timeout`` seconds."""
        return self._process.wait(timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_on_free_ports(self, java: Java, jars: list[Path], timeout: float) -> None:
        """Between choosing a port and listening on it another process may take it: try others."""
        for attempt in range(1, _PORT_TRIES + 1):
            ports = self._choose_ports()
            self._settings_file(self.folder / "logs", ports)
            self._process.argv = self._command(
                java, jars, self._heap, "kafka.Kafka", str(self.folder / "server.properties")
            )
            try:
                self._process.start(LineInLog(self._log, _STARTED), timeout)
            except ProcessError:
                if attempt == _PORT_TRIES or all(map(is_free, ports)):
                    raise
                continue
            self._ports = ports
            (self.folder / "ports.json").write_text(json.dumps(ports), encoding="utf-8")
            return

    def _choose_ports(self) -> tuple[int, int]:
        """The broker's and the controller's port: as last time where possible."""
        last_broker, last_controller = self._last_ports()
        spare_broker, spare_controller = free_ports(2)
        broker = self._wanted_port or last_broker or spare_broker
        if not is_free(broker):
            if broker == self._wanted_port:
                raise NativeError(
                    f"Port {broker} on {HOST} is taken by another program: stop it, or choose "
                    "another port, or none to get a free one."
                )
            broker = spare_broker
        controller = last_controller or spare_controller
        if controller == broker or not is_free(controller):
            controller = spare_controller
        return broker, controller

    def _last_ports(self) -> tuple[int, int]:
        try:
            broker, controller = json.loads((self.folder / "ports.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return 0, 0
        return broker, controller

    def _settings_file(self, logs: Path, ports: tuple[int, int]) -> Path:
        file = self.folder / "server.properties"
        more = self._trust.broker_settings() if self._trust else None
        write_secret(file, server_properties(logs, *ports, more).encode("ascii"))
        return file

    def _command(
        self, java: Java, jars: list[Path], heap: str, main: str, *arguments: str
    ) -> list[str]:
        return [
            str(java.path),
            f"-Xmx{heap}",
            *_QUICK,
            "-XX:+ExitOnOutOfMemoryError",  # rather end and be started again than limp
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self._scratch}",
            f"-Dlog4j2.configurationFile={_LOG4J}",
            f"-Dpopflow.kafka.log={self._log}",
            "-cp",
            ":".join(map(str, jars)),
            main,
            *arguments,
        ]

    def _format_once(self, java: Java, jars: list[Path], report: Progress) -> None:
        """Give an empty folder its cluster id, by rename: a killed formatting leaves no half."""
        logs, scratch = self.folder / "logs", self.folder / "logs.new"
        if logs.exists():
            return
        report("preparing Kafka's folder", 0, 1)
        shutil.rmtree(scratch, ignore_errors=True)
        broker, controller = free_ports(2)
        settings = str(self._settings_file(scratch, (broker, controller)))
        format_storage = ["format", "--standalone", "--cluster-id", _cluster_id()]
        format_storage += self._trust.first_users() if self._trust else []
        tool = "kafka.tools.StorageTool"
        try:
            with self._process.log.open("ab") as output:
                done = subprocess.run(
                    self._command(java, jars, "128m", tool, *format_storage, "-c", settings),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=_FORMAT_SECONDS,
                    check=False,
                )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NativeError(
                f"Java at {java.path} could not prepare Kafka's folder {self.folder}: it did not "
                "run or gave no answer. Name another Java with POPFLOW_JAVA."
            ) from error
        if done.returncode != 0:
            raise NativeError(
                f"Kafka's folder {self.folder} could not be prepared; the reason is at the end of "
                f"{self._process.log}. Most often the disk is full: free some, or choose another "
                "folder."
            )
        scratch.rename(logs)
        report("preparing Kafka's folder", 1, 1)


def _cluster_id() -> str:
    """As Kafka writes one: 16 random bytes in base64, not starting like an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _silent(_step: str, _done: int, _total: int) -> None:
    """No progress is wanted."""
