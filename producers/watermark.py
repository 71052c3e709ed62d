"""How far a view has been read: a watermark, and which rows at and just before it were taken.

Pure but for the file. Rows that share the watermark's value, and with an overlap those a little
before it, are read again every time and told apart by keyed digests, so neither ties nor a
transaction that commits late loses a row, and none is sent twice unless the process dies between
Kafka's confirmation and the note of it. The file holds the watermark and digests, never a cell.
"""

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from schemas.identity import mask

Mark = str | int | float | Decimal | datetime | date | bytes
"""Value of a watermark column, as the database's driver gives it."""

_DIGEST_BYTES = 16
_TYPES: dict[str, Any] = {
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "bytes": (bytes, bytes.hex, bytes.fromhex),
    "int": (int, int, int),
    "float": (float, float, float),
    "str": (str, str, str),
}


class WatermarkError(ValueError):
    """A watermark, or the file that keeps it, that cannot be used; says the way out."""


@dataclass
class Position:
    """Where reading stands.

    Attributes:
        mark: the greatest value taken; ``None`` before the first row.
        recent: digests of the rows taken at or after ``mark`` less the overlap, with their marks.
        secret: keys the digests, since an unkeyed one of a row could be searched for.
    """

    mark: Mark | None = None
    recent: dict[str, Mark] = field(default_factory=dict)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def digest(self, row: Mapping[str, Any]) -> str:
        """What tells one row from another; any change of a cell changes it."""
        text = repr(sorted((name, repr(cell)) for name, cell in row.items()))
        return blake2b(text.encode(), key=self.secret, digest_size=_DIGEST_BYTES).hexdigest()

    def begin(self, overlap: float) -> Mark | None:
        """From which mark to read on, itself included; ``None`` from the beginning.

        Raises:
            WatermarkError: an overlap with marks that have no differences.
        """
        return None if self.mark is None else before(self.mark, overlap)

    def take(self, rows: Mapping[str, Mark], overlap: float) -> None:
        """Note rows that Kafka has confirmed.

        Raises:
            WatermarkError: their marks are of several types.
        """
        self.recent.update(rows)
        try:
            greatest: Any = max([*rows.values(), *([] if self.mark is None else [self.mark])])
            self.mark = greatest
            first: Any = before(greatest, overlap)
            self.recent = {d: m for d, m in self.recent.items() if m >= first}
        except TypeError:
            raise WatermarkError(
                "The watermark's values are of several types: have the view convert them to one"
            ) from None


def before(mark: Mark, overlap: float) -> Mark:
    """A mark moved back, by seconds where it is a time, by units where it is a number.

    Raises:
        WatermarkError: it is neither, and the overlap is not 0.
    """
    if not overlap:
        return mark
    if isinstance(mark, datetime):
        return mark - timedelta(seconds=overlap)
    if isinstance(mark, Decimal):
        return mark - Decimal(str(overlap))
    if isinstance(mark, int):
        return mark - int(overlap)
    if isinstance(mark, float):
        return mark - overlap
    raise WatermarkError(
        "An overlap needs a watermark that is a time or a number, and this one is neither: choose "
        "another column, or overlap = 0"
    )


class Note:
    """The file that keeps a position, of one view and one column.

    Args:
        path: written anew as a whole each time, readable by its owner only.
        view: of the database.
        column: the watermark's.
    """

    def __init__(self, path: Path, view: str, column: str) -> None:
        self.path = path
        self._about = {"view": view, "column": column}

    def read(self) -> Position:
        """The position that was saved last, or the beginning.

        Raises:
            WatermarkError: the file is of another view, damaged or unreadable.
        """
        try:
            written = json.loads(self.path.read_text("utf-8"))
            about = {name: written[name] for name in self._about}
            position = Position(
                _mark(written["mark"]),
                {digest: _mark(mark) for digest, mark in written["recent"]},
                bytes.fromhex(written["secret"]),
            )
        except FileNotFoundError:
            return Position()
        except OSError as error:
            raise WatermarkError(f"{self.path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, ArithmeticError):
            raise WatermarkError(
                f"{self.path} is no note of how far a view was read: remove it to read from the "
                "beginning (what was sent already counts once)"
            ) from None
        if about != self._about:
            raise WatermarkError(
                f"{self.path} is about {about['view']} by {about['column']}: name another state "
                "file, or remove it to read from the beginning"
            )
        return position

    def save(self, position: Position) -> None:
        """Keep a position; after this returns it is on the disk.

        Raises:
            WatermarkError: the mark looks like an identity number, or the disk takes nothing.
        """
        text = json.dumps(
            {
                **self._about,
                "mark": _written(position.mark),
                "recent": [[d, _written(mark)] for d, mark in position.recent.items()],
                "secret": position.secret.hex(),
            }
        )
        if mask(text) != text:
            raise WatermarkError("The watermark column holds identity numbers: choose another")
        try:
            number, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except OSError as error:
            raise WatermarkError(f"{self.path} cannot be written: {error.strerror}") from None


class Hold:
    """A lock on a note: one process reads on from it at a time."""

    def __init__(self, note: Note) -> None:
        self._path = note.path.with_name(f".{note.path.name}.lock")

    def __enter__(self) -> Self:
        import fcntl

        try:
            self._file = self._path.open("a")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise WatermarkError(
                f"{self._path.name[1:-5]} is in use by another process: stop that one first"
            ) from None
        except OSError as error:
            raise WatermarkError(f"{self._path} cannot be written: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _written(mark: Mark | None) -> Any:
    if mark is None:
        return None
    for name, (kind, write, _) in _TYPES.items():
        if isinstance(mark, kind):
            return {name: write(mark)}
    raise WatermarkError(
        f"A watermark cannot be a {type(mark).__name__}: choose a column of times or numbers"
    )


def _mark(written: Any) -> Any:
    if written is None:
        return None
    ((name, text),) = written.items()
    return _TYPES[name][2](text)
