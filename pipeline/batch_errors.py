"""What may be said of an error: its type and place, never its text, which may quote an event."""

import logging
from collections.abc import Iterator
from pathlib import Path
from traceback import extract_tb
from typing import Any


class WorkerFailedError(Exception):
    """The worker cannot go on; the message says what happened, without any value of an event."""


class ErrorsWithoutValues(logging.Filter):
    """For log handlers: an error keeps its type and place, not its text: that may quote an event.

    Faust and mode log whatever ends a service with its text and traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it always passes."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                place_of(arg) if isinstance(arg, BaseException) else arg for arg in record.args
            )
        if record.exc_info and record.exc_info[1] is not None:
            record.msg = f"{record.msg} ({place_of(record.exc_info[1]).replace('%', '%%')})"
            record.exc_info = record.exc_text = None
        return True


def place_of(error: BaseException) -> str:
    """Type and place of an error; its text may quote an event, so it is left out."""
    frames: Iterator[Any] = reversed(extract_tb(error.__traceback__))
    ours = [f for f in frames if "site-packages" not in f.filename]
    place = f" at {Path(ours[0].filename).name}:{ours[0].lineno}" if ours else ""
    cause = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    return f"{name_of(error)}{cause}{place}"


def name_of(error: BaseException) -> str:
    """Type of an error."""
    return type(error).__name__
