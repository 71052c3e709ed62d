"""What can go wrong when speaking to ClickHouse, in the two kinds a caller acts on."""

from __future__ import annotations


class StoreError(Exception):
    """ClickHouse did not do what was asked.

    Attributes:
        code: ClickHouse's error number, or None when it never answered.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class StoreUnavailable(StoreError):
    """ClickHouse is away or overloaded: the same call may succeed later, so retry it."""


class StoreRefused(StoreError):
    """ClickHouse refused the statement, the rows or the user: retrying changes nothing."""
