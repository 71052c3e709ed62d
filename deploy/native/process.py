"""Run the programs of the one-machine stack: start, await, watch, stop in order.

Each runs in a session of its own, so that Ctrl-C in the terminal reaches only the supervisor,
which then stops them in order; and none outlives the supervisor (see ``launcher``).
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from deploy.native.errors import NativeError
from deploy.native.hold import Hold

_LAUNCHER = Path(__file__).with_name("launcher.py")
_LOOK_AGAIN = 0.02
"""Seconds between two looks at a readiness; the end of the process is awaited, not polled."""
_LOG_BYTES = 10 * 1024 * 1024


class ProcessError(NativeError):
    """A program of the stack did not start, did not get ready or ended."""


class LineInLog:
    """Readiness: a text appears in a log file, after what was there when this was made.

    Args:
        log: the file; it need not exist yet.
        text: what the program writes when it is ready.
    """

    def __init__(self, log: Path, text: str) -> None:
        self._log = log
        self._text = text.encode()
        self._from = log.stat().st_size if log.exists() else 0

    def __call__(self) -> bool:
        """Whether the text is there by now."""
        try:
            with self._log.open("rb") as stream:
                end = stream.seek(0, os.SEEK_END)
                stream.seek(self._from if self._from <= end else 0)  # rotated: from its start
                return self._text in stream.read()
        except FileNotFoundError:
            return False


class ManagedProcess:
    """One program, started, watched and stopped by this process.

    Args:
        name: what messages call it ("kafka", "worker 2").
        argv: program and arguments.
        log: file that its output is appended to; above 10 MB the older part moves to ``.1``.
        pid_file: locked while the program lives; a second start is refused (``FolderHeldError``).
        env: its whole environment; by default ours.
        cwd: its working directory; by default ours.
        grace: seconds between SIGTERM and SIGKILL.
        on_exit: called, on a thread of ours, with the exit code when it ends without ``stop``
            after it was started (an end while starting is ``start``'s error).
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        pid_file: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace: float = 10.0,
        on_exit: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log = log
        self.grace = grace
        self._env = env
        self._cwd = cwd
        self._on_exit = on_exit
        self._hold = Hold(pid_file)
        self._child: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._announcing = False
        self._turn = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Its process number while it lives."""
        return self._child.pid if self._child is not None and self.alive() else None

    @property
    def returncode(self) -> int | None:
        """Its exit code (negative: the signal) once it has ended, None before."""
        return self._child.returncode if self._child is not None else None

    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and not self._ended.is_set()

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Own the pid file while its folder is prepared for ``start`` inside this context.

        Raises:
            FolderHeldError: a live process holds the pid file.
        """
        self._hold.take()
        try:
            yield
        except BaseException:
            if not self.alive():
                self._hold.free()
            raise

    def start(self, ready: Callable[[], bool] | None = None, timeout: float = 60.0) -> None:
        """Start it and wait until it is ready.

        Args:
            ready: asked again and again until true; without it, started is ready.
            timeout: seconds until readiness, after which it is stopped again.

        Raises:
            FolderHeldError: a live process holds the pid file.
            ProcessError: it ended early, or was not ready in time.
        """
        if self.alive():
            return
        self._announcing = ready is None
        self._spawn()
        if ready is None:
            return
        deadline = time.monotonic() + timeout
        try:
            while not ready():
                if self._ended.wait(_LOOK_AGAIN):
                    break
                if time.monotonic() > deadline:
                    raise ProcessError(
                        f"{self.name} was not ready within {timeout:g} s and was stopped. "
                        f"What it was doing is in {self.log}."
                    )
            self._announce_from_now_on()
        except BaseException:  # Ctrl-C too: nothing half started stays
            self.stop()
            raise

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end; the exit code, or None when it still runs after ``timeout`` seconds."""
        return self.returncode if self._ended.wait(timeout) else None

    def stop(self, grace: float | None = None) -> int | None:
        """End it: SIGTERM, after ``grace`` seconds SIGKILL to it and all it started.

        Returns:
            its exit code; None when it was never started.
        """
        with self._turn:
            self._announcing = False
        child = self._child
        if child is None:
            return None
        child.send_signal(signal.SIGTERM)
        if not self._ended.wait(self.grace if grace is None else grace):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.kill()
            self._ended.wait()
        return self.returncode

    def _spawn(self) -> None:
        lock = self._hold.take()
        try:
            with _open_log(self.log) as output:
                child = _spawner.popen(
                    [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *self.argv],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=None if self._env is None else dict(self._env),
                    cwd=self._cwd,
                    pass_fds=(lock,),
                    start_new_session=True,
                )
        except OSError as error:
            self._hold.free()
            raise ProcessError(f"{self.name} cannot be started: {error.strerror}.") from error
        self._ended.clear()
        self._child = child
        self._hold.give(child.pid, self.argv[0])
        threading.Thread(
            target=self._watch, args=(child,), name=f"watch {self.name}", daemon=True
        ).start()

    def _announce_from_now_on(self) -> None:
        """An end before this point is ``start``'s to report, one after it ``on_exit``'s."""
        with self._turn:
            if self._ended.is_set():
                raise ProcessError(
                    f"{self.name} ended while starting ({_ending(self.returncode)}). "
                    f"Its last words are in {self.log}."
                )
            self._announcing = True

    def _watch(self, child: subprocess.Popen[bytes]) -> None:
        code = child.wait()
        self._hold.free()
        with self._turn:
            self._ended.set()
            unexpected = self._announcing
        if self._on_exit is not None and unexpected:
            self._on_exit(code)


def stop_all(processes: Iterable[ManagedProcess]) -> None:
    """Stop programs one after the other, the last started first."""
    for process in reversed(list(processes)):
        process.stop()


class _Spawner:
    """Starts children from one thread that lives as long as this process.

    Linux sends the parent-death signal when the *thread* that forked ends, not the process: a
    child started from a passing thread would be killed with it.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def popen(self, argv: list[str], **how: object) -> subprocess.Popen[bytes]:
        outcome: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()

        def order() -> None:
            try:
                outcome.put(subprocess.Popen(argv, **how))  # type: ignore[call-overload]
            except OSError as error:
                outcome.put(error)

        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="spawner", daemon=True)
                self._thread.start()
        self._orders.put(order)
        result = outcome.get()
        if isinstance(result, OSError):
            raise result
        return result

    def _run(self) -> None:
        while True:
            self._orders.get()()


_spawner = _Spawner()


def _open_log(log: Path) -> IO[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    return log.open("ab")


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"by signal {signal.Signals(-code).name}"
    return f"exit code {code}"
