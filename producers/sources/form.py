"""What a source of events is, and how those that are installed are found.

Each source is one module with one object of :class:`Source`, named by an entry point of the group
``popflow.sources``; a package of somebody else adds a source by an entry point of its own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import IO, Any, NamedTuple

from producers.cells import SPREADSHEET_EPOCH
from producers.items import Fault
from schemas.identity import mask_runs

GROUP = "popflow.sources"


class SourceError(ValueError):
    """A source that cannot be read at all; says why and what would do, never a number."""

    def __init__(self, message: str) -> None:
        super().__init__(mask_runs(message))


class Record(NamedTuple):
    """One row as it was found: cells by their column; ``raw`` where it is JSON already."""

    line: int
    cells: Mapping[str, Any]
    raw: bytes = b""


class Records(NamedTuple):
    """The rows of one table.

    Attributes:
        columns: of the header; ``None`` where each row names its own.
        rows: in the order of the table, broken ones as faults.
        epoch: day 0 of serial dates.
    """

    columns: tuple[str, ...] | None
    rows: Iterator[Record | Fault]
    epoch: datetime = SPREADSHEET_EPOCH


@dataclass(frozen=True)
class Layout:
    """How a table is written, as far as it does not say itself.

    Attributes:
        encoding: of text; ``auto`` looks for a mark, then tries UTF-8, then GB18030.
        delimiter: between cells of text.
        sheet: of a workbook; ``None`` is its first.
        header: line of the header, from 1.
    """

    encoding: str = "auto"
    delimiter: str = ","
    sheet: str | None = None
    header: int = 1


@dataclass(frozen=True)
class Source:
    """One source of events.

    Attributes:
        name: as its entry point calls it.
        title: Chinese and English.
        command: the command that uses it.
    """

    name: str
    title: tuple[str, str]
    command: str


@dataclass(frozen=True)
class FileSource(Source):
    """A source that reads files.

    Attributes:
        suffixes: of the files, each also with ``.gz`` behind.
        read: the rows of an open file; raises ``SourceError``, ``UnicodeDecodeError`` or
            ``csv.Error`` for one that is not what its suffix says.
    """

    suffixes: tuple[str, ...]
    read: Callable[[IO[bytes], Layout], Records]


@cache
def sources() -> Mapping[str, Source]:
    """All installed sources by name.

    Raises:
        SourceError: none is installed, or an entry point leads to something else.
    """
    found: dict[str, Source] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        source = entry.load()
        if not isinstance(source, Source) or source.name != entry.name:
            raise SourceError(
                f"The entry point {entry.name} of {GROUP} ({entry.value}) is no source of that name"
            )
        found[entry.name] = source
    if not found:
        raise SourceError("No sources are installed: install popflow again (make install)")
    return found


def file_sources() -> Mapping[str, FileSource]:
    """The sources of files by suffix."""
    return {
        suffix: source
        for source in sources().values()
        if isinstance(source, FileSource)
        for suffix in source.suffixes
    }
