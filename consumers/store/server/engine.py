"""The engine and its handles: who may use one, and when one is thrown away.

A handle is one session of the engine; calls on it run one after the other and release
Python's global lock. Three rules keep answers right:

* After *any* error a handle is thrown away. A query that fails in mid-result leaves its
  rows behind, and the next query on that handle would return them, without an error.
* A handle that ran a control statement (SET, USE, KILL, …) is thrown away, since its
  session may have changed.
* One handle is kept open and unused, so that closing others never stops the engine.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from consumers.store.server.config import Layout
from consumers.store.server.errors import StartError, StatementError

log = logging.getLogger(__name__)

DATABASE = "population"


@dataclass(frozen=True)
class Session:
    """What a handle must be set to before a statement runs.

    Attributes:
        database: The current database; empty leaves the engine's ``default``.
        settings: Settings of the session.
        sealed: Set ``readonly`` after the settings, so that nothing can lift them.
    """

    database: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    sealed: bool = False


@dataclass(frozen=True)
class Outcome:
    """An answer and what it took.

    Attributes:
        content: The result in the format asked for.
        read_rows: Rows read. ``read_bytes``: bytes read.
        written_rows: Rows written. ``written_bytes``: bytes written.
        seconds: Time in the engine.
    """

    content: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    seconds: float = 0.0


class Handle:
    """One session of the engine, as it was last set."""

    def __init__(self, target: str) -> None:
        # Imported here, since the engine reads its zone from the environment when it loads.
        from chdb import _chdb

        native: Any = _chdb
        self.raw: Any = native.connect(target)
        self._database = ""
        self._settings: dict[str, str] = {}
        self._sealed = False

    def fits(self, session: Session) -> bool:
        """Whether this handle can still be set to what a session asks."""
        return not self._sealed or (session.sealed and dict(session.settings) == self._settings)

    def prepare(self, session: Session) -> None:
        """Change only what differs from the last session."""
        if not self._sealed:
            changes = [
                f"{name} = DEFAULT" for name in self._settings if name not in session.settings
            ]
            changes += [
                f"{name} = {_literal(value)}"
                for name, value in session.settings.items()
                if self._settings.get(name) != value
            ]
            if session.sealed:
                changes.append("readonly = 1")
            if changes:
                self.raw.query(f"SET {', '.join(changes)}", "Null")
            self._settings = dict(session.settings)
            self._sealed = session.sealed or "readonly" in session.settings
        database = session.database or "default"
        if database != (self._database or "default"):
            self.raw.query(f"USE {_identifier(database)}", "Null")
            self._database = database

    def close(self) -> None:
        """Close the session; an engine that refuses keeps nothing we need."""
        with suppress(Exception):
            self.raw.close()


class Engine:
    """The one engine of this process, opened on a store's folder."""

    def __init__(self, layout: Layout) -> None:
        """Open the folder.

        Raises:
            StartError: Another process holds the folder, or the engine cannot open it.
        """
        self._target = f"{layout.engine}?config-file={layout.config}"
        try:
            self._anchor = Handle(self._target)
        except RuntimeError as error:
            raise StartError(_cannot_open(layout, error)) from None
        self._closed = threading.Event()

    def open(self) -> Handle:
        """Open one more session."""
        if self._closed.is_set():
            raise StatementError(236, "The store is stopping. (ABORTED)")
        return Handle(self._target)

    def pool(self, size: int) -> Pool:
        """Make a pool of handles."""
        return Pool(self, size)

    def close(self) -> None:
        """Stop the engine once its last handle is closed."""
        self._closed.set()
        self._anchor.close()


class Pool:
    """A few handles, each used by one thread at a time."""

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine = engine
        self._size = size
        self._slots: queue.LifoQueue[Handle | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)

    def query(
        self,
        sql: str,
        fmt: str,
        session: Session,
        params: Mapping[str, str] | None = None,
        *,
        once: bool = False,
    ) -> Outcome:
        """Run one statement whose text is all there is.

        Args:
            sql: The statement, without FORMAT.
            fmt: The format of the result.
            session: What the handle is to be set to.
            params: Values of ``{name:Type}``, as text.
            once: Throw the handle away afterwards.

        Raises:
            StatementError: The engine's own error.
        """
        with self.handle(session, once=once) as raw:
            result = raw.query(sql, fmt, params=dict(params or {}))
            return _outcome(result, result.bytes() or b"")

    def insert(self, sql: str, fmt: str, parts: Sequence[bytes], session: Session) -> Outcome:
        """Run one INSERT with its rows; all of a block is written or nothing of it.

        Raises:
            StatementError: The engine's own error.
        """
        with self.handle(session) as raw:
            stream = raw.send_insert(sql, fmt)
            for part in parts:
                raw.insert_append(stream, part)
            return _outcome(raw.insert_done(stream), b"")

    def classify(self, sql: str, session: Session) -> tuple[str, int]:
        """Ask the engine's parser what a statement would do: (class, number of statements)."""
        with self.handle(session) as raw:
            report = raw.classify_query(sql, DATABASE)
            return report["query_class"].name, int(report["statement_count"])

    @contextmanager
    def handle(self, session: Session, *, once: bool = False) -> Iterator[Any]:
        """Lend a handle, set to a session; throw it away after an error."""
        slot = self._slots.get()
        handle: Handle | None = None
        try:
            handle = self._ready(slot, session)
            yield handle.raw
        except RuntimeError as error:
            _discard(handle or slot)
            handle = None
            raise StatementError.from_engine(error) from None
        except BaseException:
            _discard(handle or slot)
            handle = None
            raise
        finally:
            if once and handle is not None:
                handle.close()
                handle = None
            self._slots.put(handle)

    def _ready(self, slot: Handle | None, session: Session) -> Handle:
        if slot is not None and not slot.fits(session):
            slot.close()
            slot = None
        handle = slot or self._engine.open()
        try:
            handle.prepare(session)
        except BaseException:
            handle.close()
            raise
        return handle

    def close(self, seconds: float) -> bool:
        """Close every handle that comes back within some seconds; True when all did."""
        until = time.monotonic() + seconds
        for _ in range(self._size):
            try:
                slot = self._slots.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return False
            _discard(slot)
        return True


def _discard(handle: Handle | None) -> None:
    if handle is not None:
        handle.close()


def _outcome(result: Any, content: bytes) -> Outcome:
    return Outcome(
        content=content,
        read_rows=result.rows_read(),
        read_bytes=result.bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        seconds=result.elapsed(),
    )


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _identifier(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _cannot_open(layout: Layout, error: BaseException) -> str:
    """Say why the folder cannot be opened: the engine's own message names no process."""
    try:
        held = re.search(r"PID: (\d+)", (layout.engine / "status").read_text(encoding="utf-8"))
    except OSError:
        held = None
    if held is not None and "initializing EmbeddedServer" in str(error):
        return (
            f"{layout.root} is held by process {held.group(1)}: one process may open a store."
            " Stop that one first, or choose another folder."
        )
    return f"{layout.root} cannot be opened: {StatementError.from_engine(error).text}"
