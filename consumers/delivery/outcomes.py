"""What can become of a message on its way to a receiver."""

from __future__ import annotations

OUTCOMES = ("delivered", "silenced", "away", "refused", "given_up")
"""Of a message: taken; of silenced alerts only, so not sent; not taken now, tried again; refused;
of an alert: refused to the end and set aside."""


class Away(Exception):
    """The receiver did not take it now; the same may be taken later.

    Attributes:
        retry_after: seconds that the receiver asked to be left alone.
    """

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(Exception):
    """The receiver will never take this very message."""
