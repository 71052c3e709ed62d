"""Results too large to hold: sent as the engine makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consumers.store.server.engine import Engine, Handle, Session
from consumers.store.server.errors import StatementError

# Formats whose pieces, put one after the other, are the whole; others have a head or foot.
STREAMED = frozenset({"Native", "TabSeparated", "TSV", "TSVRaw", "CSV", "JSONEachRow", "RowBinary"})


class Stream:
    """One statement's result, piece by piece, on a handle of its own.

    A handle of its own, so that slow readers of large results never keep the pool's
    handles from others; it is thrown away at the end, whatever the end was.
    """

    def __init__(
        self, engine: Engine, sql: str, fmt: str, session: Session, params: Mapping[str, str]
    ) -> None:
        self._engine = engine
        self._sql = sql
        self._format = fmt
        self._session = session
        self._params = dict(params)
        self._handle: Handle | None = None
        self._result: Any = None

    def start(self) -> bytes:
        """Run the statement up to its first piece; empty when there is none.

        Raises:
            StatementError: The engine's own error.
        """
        try:
            self._handle = self._engine.open()
            self._handle.prepare(self._session)
            raw = self._handle.raw
            self._result = raw.send_query(self._sql, self._format, params=self._params)
        except RuntimeError as error:
            self.close()
            raise StatementError.from_engine(error) from None
        return self.next()

    def next(self) -> bytes:
        """The next piece; empty at the end.

        Raises:
            StatementError: The engine failed in mid-result: the answer is to be cut off,
                so that the client sees a broken response and no short one.
        """
        if self._handle is None:
            return b""
        try:
            piece = self._handle.raw.streaming_fetch_result(self._result)
            content: bytes = piece.bytes() or b"" if piece is not None else b""
        except RuntimeError as error:
            self.close()
            raise StatementError.from_engine(error) from None
        if not content:
            self.close()
        return content

    def close(self) -> None:
        """Stop the statement and throw the handle away."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()
