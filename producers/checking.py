"""A dry run: files looked at as publishing and the pipeline would, and nothing sent."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from producers.items import MOST_FAULTS, Fault, Row, refused
from producers.kit import judged
from producers.mapped import named
from producers.mapping import MappingFile
from producers.publishing import Stamp, recorded
from producers.sources.files import Reading, read_file
from schemas.events import Event
from schemas.identity import mask_runs
from schemas.refusals import Refusal
from schemas.sources import Priorities


@dataclass
class Checked:
    """What a dry run came to.

    Attributes:
        accepted: events that publishing would send and the pipeline accept, by kind.
        withdrawn: those of them that withdraw a report.
        refused: rows found wrong; the first of them in ``faults``.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    refused: int = 0
    faults: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Count one wrong row."""
        self.refused += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)


def check_files(
    paths: Iterable[Path],
    how: Reading | None = None,
    *,
    stamp: Stamp = "now",
    registered: Priorities | None = None,
) -> Checked:
    """Look at all rows of files.

    Args:
        paths: in this order.
        how: what their columns mean and how they are written.
        stamp: when the events would become known.
        registered: the registry of sources; without it that is not looked at.

    Raises:
        SourceError: a file cannot be read.
        MappingError: a file does not have what the mapping names.
    """
    mapping = how.mapping if how else None
    checked = Checked()
    for path in paths:
        check_rows(
            read_file(path, how),
            mapping,
            stamp=stamp,
            registered=registered,
            path=mask_runs(str(path)),
            into=checked,
        )
    return checked


def check_rows(
    rows: Iterable[Row | Fault],
    mapping: MappingFile | None = None,
    *,
    stamp: Stamp = "now",
    registered: Priorities | None = None,
    path: str = "",
    into: Checked | None = None,
) -> Checked:
    """Look at the rows of any source, and add what is found to what was found before."""
    checked = Checked() if into is None else into
    for row in rows:
        if isinstance(row, Fault):
            checked.add(row._replace(path=path or row.path))
            continue
        found = _judged(row.value, stamp, registered)
        if isinstance(found, Refusal):
            fault = refused(row.line, found, named(mapping, found.detail))
            checked.add(fault._replace(path=path))
        else:
            checked.accepted[found.kind] += 1  # type: ignore[attr-defined]
            checked.withdrawn += found.void
    return checked


def _judged(value: bytes, stamp: Stamp, registered: Priorities | None) -> Event | Refusal:
    when = recorded(value) if stamp == "recorded" else None
    now = int(time.time() * 1000)
    return judged(value, now if when is None else when, registered=registered)
