"""Events from files: what an installed source reads, with the contract's names or a mapping.

Without a mapping the header names the contract's fields: an empty cell is a field left out, lists
are separated by ``;`` or ``|``, booleans are ``true`` or ``false``. The kind is told by a column
``kind``, by the caller, or by the header when only one kind has its fields. With a mapping the
columns are what it says. Rows are read one at a time; a wrong one is a :class:`Fault` with its
line and the others go on.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

import orjson

from producers import cells
from producers.items import Fault, Row
from producers.mapped import RowMapper
from producers.mapping import MappingFile, check_columns
from producers.pseudonyms import Pseudonymizer
from producers.sources.form import FileSource, Layout, Record, Records, file_sources
from producers.sources.form import SourceError as SourceError
from producers.sources.ndjson import cells_of
from schemas.events import KINDS

_LIST = re.compile(r"[;|]")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Reading:
    """How files become events.

    Attributes:
        kind: of all rows of a table that has no column ``kind`` and no mapping.
        encoding: of text tables; the mapping's when left out.
        mapping: what the columns mean.
        pseudonyms: with the city's key, for a mapping that needs it.
        rotate: see :class:`~producers.mapped.RowMapper`.
    """

    kind: str | None = None
    encoding: str | None = None
    mapping: MappingFile | None = None
    pseudonyms: Pseudonymizer | None = None
    rotate: bool = False

    @property
    def layout(self) -> Layout:
        """How the tables are written."""
        if self.mapping is None:
            return Layout(self.encoding or "auto")
        written = self.mapping
        return Layout(
            self.encoding or written.encoding, written.delimiter, written.sheet, written.header
        )

    def mapper(self, records: Records) -> RowMapper | None:
        """What makes events of rows, where there is a mapping."""
        if self.mapping is None:
            return None
        return RowMapper(self.mapping, self.pseudonyms, epoch=records.epoch, rotate=self.rotate)


def read_file(path: Path, how: Reading | None = None) -> Iterator[Row | Fault]:
    """The events of one file, in its order.

    Args:
        path: with one of the suffixes of :func:`~producers.sources.form.file_sources`, perhaps
            with ``.gz`` behind.
        how: see :class:`Reading`.

    Raises:
        SourceError: no such file, another suffix, or a header that does not fit.
        MappingError: the mapping names what is not there.
    """
    how = how or Reading()
    source = _source(path)
    try:
        opened = _opened(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    with opened as file:
        try:
            records = source.read(file, how.layout)
            mapper = how.mapper(records)
            if mapper is not None:
                yield from _mapped(path, records, mapper)
            elif records.columns is None:
                yield from _as_they_are(records)
            else:
                yield from _named(path, records.columns, records.rows, how.kind)
        except SourceError as error:
            raise error if str(path) in str(error) else SourceError(f"{path}: {error}") from None
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"{path} cannot be read to its end: {error}") from None
        except UnicodeDecodeError:
            raise SourceError(
                f"{path} is not in {how.layout.encoding}: name its encoding, for example gb18030"
            ) from None
        except csv.Error as error:
            raise SourceError(f"{path} is no table: {error}") from None


def _source(path: Path) -> FileSource:
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    known = file_sources()
    if suffix.lower() not in known:
        raise SourceError(f"{path} is none of {', '.join(known)} (or with .gz behind)")
    return known[suffix.lower()]


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.GzipFile(path))
    return path.open("rb")


def _as_they_are(records: Records) -> Iterator[Row | Fault]:
    for record in records.rows:
        yield record if isinstance(record, Fault) else Row(record.line, record.raw)


def _mapped(path: Path, records: Records, mapper: RowMapper) -> Iterator[Row | Fault]:
    if records.columns is not None:
        check_columns(mapper.mapping, records.columns, str(path))
    for record in records.rows:
        row: Record | Fault = record
        if isinstance(row, Record) and records.columns is None:
            row = cells_of(row)
        if isinstance(row, Fault):
            yield row
        else:
            yield from mapper.rows(row.line, row.cells)


def _named(
    path: Path, header: Sequence[str], rows: Iterator[Record | Fault], kind: str | None
) -> Iterator[Row | Fault]:
    fixed = kind or kind_of(header)
    if fixed is None and "kind" not in header:
        raise SourceError(
            f"{path}: the header does not tell the kind of event: add a column kind, name the "
            f"kind ({', '.join(KINDS)}), or say in a mapping what the columns mean"
        )
    _check_header(path, header, fixed)
    for record in rows:
        yield record if isinstance(record, Fault) else _row(record, fixed)


def _check_header(path: Path, header: Sequence[str], kind: str | None) -> None:
    if kind is not None and kind not in KINDS:
        raise SourceError(f"{kind!r} is no kind of event: one of {', '.join(KINDS)}")
    known = set(converters(kind)) if kind else set().union(*(converters(one) for one in KINDS))
    unknown = [name for name in header if name not in known]
    if unknown:
        of = f"a {kind}" if kind else "any event"
        raise SourceError(f"{path}: no fields of {of}: {', '.join(unknown)}")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SourceError(f"{path}: columns that are there twice: {', '.join(twice)}")


def _row(record: Record, kind: str | None) -> Row | Fault:
    document: dict[str, Any] = {"kind": kind} if kind else {}
    name = ""
    try:
        for name, cell in record.cells.items():
            if text := _text(name, cell):
                document[name] = text
        if document.get("kind") not in KINDS:
            return Fault(record.line, f"kind is none of {', '.join(KINDS)}.")
        fields = converters(document["kind"])
        for name, text in document.items():
            if name not in fields:
                return Fault(record.line, f"{name} is no field of a {document['kind']}.")
            document[name] = fields[name](text)
    except ValueError as error:
        return Fault(record.line, f"{name}: {error}.")
    return Row(record.line, orjson.dumps(document))


def _text(name: str, cell: Any) -> str:
    """A cell as the contract writes it; the dates of a workbook too."""
    if isinstance(cell, date):
        return cells.instant(cell) if name == "recorded_at" else cells.day(cell)
    return "" if cell is None else cells.text(cell)


def kind_of(header: Sequence[str]) -> str | None:
    """The only kind that has all these fields and needs no further ones; else ``None``."""
    names = set(header)
    fitting = [
        kind
        for kind, model in KINDS.items()
        if names <= set(model.model_fields)
        and names >= {name for name, field in model.model_fields.items() if field.is_required()}
    ]
    return fitting[0] if len(fitting) == 1 else None


@cache
def converters(kind: str) -> dict[str, Callable[[str], Any]]:
    """From a cell's text to the JSON type of each field of a kind; none for an unknown kind."""
    if kind not in KINDS:
        return {"kind": str}
    properties = KINDS[kind].model_json_schema()["properties"]
    return {name: _converter(schema) for name, schema in properties.items()}


def _converter(schema: dict[str, Any]) -> Callable[[str], Any]:
    types = {schema.get("type")} | {one.get("type") for one in schema.get("anyOf", ())}
    for name, convert in (("array", _listed), ("boolean", _truth), ("integer", _whole)):
        if name in types:
            return convert
    return str


def _listed(text: str) -> list[str]:
    return [part.strip() for part in _LIST.split(text) if part.strip()]


def _truth(text: str) -> bool:
    truth = _BOOLEANS.get(text.lower())
    if truth is None:
        raise ValueError("write true or false")
    return truth


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError("write a whole number")
    return int(text)
