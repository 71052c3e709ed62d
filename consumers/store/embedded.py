"""Start and stop the store process from Python, with users and passwords of its own."""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from consumers.store.client import Store
from consumers.store.errors import StoreRefused, StoreUnavailable

WRITER = "popflow_writer"
READER = "popflow_reader"
PUBLIC = "popflow_public"


@dataclass(frozen=True)
class Users:
    """The passwords of one store's users, read from its credentials file."""

    path: Path
    writer_password: str
    reader_password: str
    public_password: str


def users(folder: Path) -> Users:
    """Read a store's credentials, made once a folder (mode 0600); users it lacks are added.

    Raises:
        StoreRefused: The file is there and not readable as credentials.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "credentials.json"
    made: dict[str, dict[str, Any]] = {
        WRITER: {"readonly": False},
        READER: {"readonly": True},
        PUBLIC: {"readonly": True, "public": True},
    }
    fresh = {name: {"password": secrets.token_urlsafe(24), **can} for name, can in made.items()}
    draft = folder / f"credentials.{os.getpid()}.new"
    if not path.exists():
        _write(draft, fresh)
        try:
            # Of two that start at once, the first one's passwords stand.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        held = json.loads(path.read_bytes())
        if PUBLIC not in held and READER in held:  # made by an earlier popflow
            held = {**fresh, **held}
            _write(draft, held)
            draft.replace(path)
        passwords = [held[name]["password"] for name in (WRITER, READER, PUBLIC)]
        return Users(path, *passwords)
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreRefused(f"{path} is damaged; remove it to have it made anew") from None


def _write(path: Path, users: Mapping[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(users, file)


def server_command(
    folder: Path,
    credentials: Path,
    *,
    port: int = 0,
    ready_file: Path | None = None,
    memory_mib: int = 2048,
    fsync: bool = False,
    until_stdin_closes: bool = False,
) -> list[str]:
    """The command line of the store process, for whoever supervises it.

    It prints one JSON line (``url``, ``port``, ``pid``, ``detached_parts``) when it answers
    requests, and writes the same to ``ready_file``. It stops on SIGTERM.
    """
    command = [sys.executable, "-m", "consumers.store.server", "--path", str(folder)]
    command += ["--credentials", str(credentials), "--port", str(port)]
    command += ["--memory-mib", str(memory_mib)]
    if ready_file is not None:
        command += ["--ready-file", str(ready_file)]
    if fsync:
        command.append("--fsync")
    if until_stdin_closes:
        command.append("--until-stdin-closes")
    return command


class EmbeddedStore:
    """The store process of one folder, as a context manager.

    The process ends with this one, whatever ends it: it watches a pipe that closes when
    its parent is gone (unlike the parent-death signal this holds on every system, and
    when the thread that started it ends).
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        memory_mib: int = 2048,
        fsync: bool = False,
    ) -> None:
        self._folder = folder
        self._port = port or 0
        self._memory_mib = memory_mib
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: dict[str, Any] = {}
        self._users: Users | None = None

    def start(self, timeout: float = 60.0) -> None:
        """Start the process and wait until it answers.

        Raises:
            StoreUnavailable: It did not start; the message is the process's own.
        """
        self._users = users(self._folder)
        command = server_command(
            self._folder,
            self._users.path,
            port=self._port,
            memory_mib=self._memory_mib,
            fsync=self._fsync,
            until_stdin_closes=True,
        )
        log_path = self._folder / "server.log"
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        line = self._first_line(timeout)
        if not line:
            self.kill()
            raise StoreUnavailable(_last_words(log_path))
        self._ready = json.loads(line)

    def stop(self, timeout: float = 30.0) -> None:
        """Stop the process, gently; one that does not end in time is killed."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
        self._reap()

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def store(self, *, reader: bool = False, public: bool = False) -> Store:
        """Connect as the writer, as the reader, or as the public."""
        known = self._known_users()
        name, password = WRITER, known.writer_password
        if reader:
            name, password = READER, known.reader_password
        if public:
            name, password = PUBLIC, known.public_password
        return Store.connect(self.url, name, password)

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``."""
        return str(self._ready["url"])

    @property
    def pid(self) -> int:
        """The process's number."""
        return int(self._ready["pid"])

    @property
    def detached_parts(self) -> int:
        """Damaged parts the engine set aside at start; more than 0 needs a rebuild."""
        return int(self._ready["detached_parts"])

    @property
    def user(self) -> str:
        """The writer's name."""
        return WRITER

    @property
    def password(self) -> str:
        """The writer's password."""
        return self._known_users().writer_password

    @property
    def reader_password(self) -> str:
        """The reader's password."""
        return self._known_users().reader_password

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

    def _known_users(self) -> Users:
        if self._users is None:
            self._users = users(self._folder)
        return self._users

    def _first_line(self, timeout: float) -> bytes:
        """Wait for the ready line; empty when the process ended or time ran out."""
        if self._process is None or self._process.stdout is None:
            return b""
        pipe = self._process.stdout.fileno()
        until = time.monotonic() + timeout
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
            piece = os.read(pipe, 4096) if ready else b""
            if not piece:
                return b""
            line += piece
        return line

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _last_words(log: Path) -> str:
    """The last line the process wrote about itself."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        lines = file.read().decode(errors="replace").splitlines()
    said = [line for line in lines if line.startswith("store: ")]
    return said[-1] if said else f"the store process did not start; see {log}"
