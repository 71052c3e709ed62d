"""Errors of the store process, in the form ClickHouse clients know."""

from __future__ import annotations

import re

NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
UNKNOWN_SETTING = 115
TIMEOUT_EXCEEDED = 159
READONLY = 164
TOO_MANY_QUERIES = 202
INCORRECT_DATA = 117
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
UNKNOWN_EXCEPTION = 1000

# The part of ClickHouse's own table (exceptionCodeToHTTPStatus) that clients react to.
_STATUS = {
    46: 404,  # UNKNOWN_FUNCTION
    47: 404,  # UNKNOWN_IDENTIFIER
    48: 501,  # NOT_IMPLEMENTED
    50: 404,  # UNKNOWN_TYPE
    56: 404,  # UNKNOWN_STORAGE
    60: 404,  # UNKNOWN_TABLE
    62: 400,  # SYNTAX_ERROR
    63: 404,  # UNKNOWN_AGGREGATE_FUNCTION
    73: 404,  # UNKNOWN_FORMAT
    81: 404,  # UNKNOWN_DATABASE
    115: 404,  # UNKNOWN_SETTING
    192: 403,  # UNKNOWN_USER
    193: 403,  # WRONG_PASSWORD
    202: 503,  # TOO_MANY_SIMULTANEOUS_QUERIES
    497: 403,  # ACCESS_DENIED
    516: 403,  # AUTHENTICATION_FAILED
}
_TEXT = re.compile(r"(?:Code: (\d+)\. DB::Exception: )+", re.DOTALL)


class StatementError(Exception):
    """A statement that failed, with ClickHouse's error code.

    Attributes:
        code: ClickHouse's number of the error; 1000 when it is unknown.
        text: ``Code: N. DB::Exception: …`` as ClickHouse sends it.
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.text = f"Code: {code}. DB::Exception: {message}"
        super().__init__(self.text)

    @classmethod
    def from_engine(cls, error: BaseException) -> StatementError:
        """Read the engine's exception text.

        The engine repeats its ``Code: N. DB::Exception:`` prefix when an error passes
        through two layers; one is kept.
        """
        text = str(error).strip()
        found = _TEXT.search(text)
        if found is None:
            return cls(UNKNOWN_EXCEPTION, text or "the engine gave no reason")
        return cls(int(found.group(1)), text[found.end() :].strip())

    @property
    def status(self) -> int:
        """The HTTP status ClickHouse answers this error with."""
        return _STATUS.get(self.code, 500)


class StartError(Exception):
    """The store process cannot start; the message says why and what to do."""
