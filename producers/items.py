"""What sources yield, and what becomes of it: messages with their day, rows, faults, a summary."""

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.refusals import MENDS, Refusal


class Dated(NamedTuple):
    """One message ready to be sent, with the moment at which it becomes known (CreateTime)."""

    timestamp_ms: int
    topic: str
    key: bytes
    value: bytes


class Row(NamedTuple):
    """One event of a file as JSON, not yet checked; ``line`` counts from 1."""

    line: int
    value: bytes


class Fault(NamedTuple):
    """One line of a file that is no event, or that the pipeline would refuse.

    ``code`` is the refusal's, ``cell`` for cells that cannot be read, or empty for a line that is
    no row at all.
    """

    line: int
    reason: str
    path: str = ""
    code: str = ""
    mend: str = ""

    @property
    def told(self) -> str:
        """What is wrong and how to mend it."""
        return f"{self.reason} {self.mend}".rstrip()


def refused(line: int, refusal: Refusal, detail: str = "") -> Fault:
    """The fault that a refusal is; ``detail`` says it in the words of the table."""
    _, mend_en = MENDS[refusal.code]
    mend = f"{mend_en} {refusal.chinese}"
    return Fault(line, detail or refusal.detail, code=refusal.code.value, mend=mend)


MOST_FAULTS = 1000
"""Faults kept in a summary; further ones are only counted."""


@dataclass
class Summary:
    """What publishing came to.

    Attributes:
        sent: messages confirmed by Kafka, those included that waited in the spool before.
        refused: rows found wrong before sending; the first of them in ``faults``.
        failed: messages that Kafka will never take.
        spooled: messages that wait in the spool, for the next start.
    """

    sent: int = 0
    refused: int = 0
    failed: int = 0
    spooled: int = 0
    faults: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Count one wrong row."""
        self.refused += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)
