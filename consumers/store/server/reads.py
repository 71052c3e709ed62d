"""Who read rows about persons: written down before the statement runs.

A statement is written down once in ten minutes for the same reader, so that a page that asks for
counts of findings every second does not fill the table. Pseudonyms in it are replaced by a digest,
by which ``popflow reads --person PERSON`` finds them; who is forgotten is not named here either.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping

from consumers.store.access import LOGGED
from consumers.store.server.engine import DATABASE, Pool, Session
from consumers.store.server.errors import StatementError
from pipeline.forgotten import digest_of
from schemas import identity

_NAMED = re.compile(rf"\b(?:{'|'.join(sorted(LOGGED, key=len, reverse=True))})\b")
_PSEUDONYM = re.compile(r"\b[0-9a-f]{32}\b")
_AGAIN_SECONDS = 600.0
_REMEMBERED = 10_000
_LONGEST = 20_000
_NO_SUCH_TABLE = (60, 81)
_INSERT = f"INSERT INTO {DATABASE}.reads (read_at, account, who, tables, statement)"
SHOWN_DIGITS = 16
"""Of a person's digest."""


def without_persons(text: str) -> str:
    """A statement with pseudonyms replaced by their digests, and no identity number."""
    return identity.mask(
        _PSEUDONYM.sub(lambda found: f"person:{shown(found.group())}", text)[:_LONGEST]
    )


def shown(person: str) -> str:
    """What stands for a pseudonym."""
    return digest_of(person.encode())[:SHOWN_DIGITS]


class Reads:
    """The log of reads.

    Args:
        pool: handles that may write.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seen: dict[tuple[str, str, str], float] = {}

    def note(self, account: str, who: str, sql: str, params: Mapping[str, str]) -> None:
        """Write a statement down, if it names a table about persons.

        Args:
            account: the user of the store.
            who: address and program of the client.
            sql: the statement.
            params: values of its parameters.

        Raises:
            StatementError: it cannot be written down, so it may not run.
        """
        tables = sorted(set(_NAMED.findall(sql)))
        if not tables:
            return
        values = f" -- {json.dumps(dict(params), ensure_ascii=False)}" if params else ""
        statement = without_persons(sql + values)
        key, now = (account, who, statement), time.monotonic()
        if now < self._seen.get(key, 0.0):
            return
        row = {"read_at": time.time_ns() // 1_000_000, "account": account, "who": who}
        row_text = json.dumps({**row, "tables": tables, "statement": statement})
        try:
            self._pool.insert(_INSERT, "JSONEachRow", [row_text.encode()], Session())
        except StatementError as error:
            if error.code not in _NO_SUCH_TABLE:  # before the migrations there is nothing to read
                raise
            return
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[key] = now + _AGAIN_SECONDS
