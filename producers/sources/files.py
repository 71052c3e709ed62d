"""Events from files: one JSON object a line, or a table whose header names the contract's fields.

In a table an empty cell is a field left out, lists are separated by ``;`` or ``|``, booleans are
``true`` or ``false``. The kind is told by a column ``kind``, by the caller, or by the header when
only one kind has its fields. Rows are read one at a time; a wrong one is a :class:`Fault` with its
line and the others go on.
"""

import csv
import gzip
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

import orjson

from producers.items import Fault, Row
from schemas.events import KINDS

SUFFIXES = (".ndjson", ".jsonl", ".json", ".csv")
"""Kinds of files, each also with ``.gz`` behind."""

_LIST = re.compile(r"[;|]")
_BOOLEANS = {"true": True, "false": False}
_LONGEST_LINE = 1 << 20


class SourceError(ValueError):
    """A file that cannot be read at all; says why and what would do."""


def read_file(
    path: Path, *, kind: str | None = None, encoding: str = "utf-8-sig"
) -> Iterator[Row | Fault]:
    """The events of one file, in its order.

    Args:
        path: ``.ndjson``, ``.jsonl``, ``.json`` (one object a line) or ``.csv``; ``.gz`` behind.
        kind: of all rows of a table that has no column ``kind``.
        encoding: of a table; tables of Chinese spreadsheets are often ``gb18030``.

    Raises:
        SourceError: no such file, another suffix, or a header that does not fit.
    """
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix not in SUFFIXES:
        raise SourceError(f"{path} is none of {', '.join(SUFFIXES)} (or with .gz behind)")
    try:
        opened = _opened(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    with opened as file:
        try:
            if suffix == ".csv":
                yield from _table_rows(path, file, kind, encoding)
            else:
                yield from _json_lines(file)
        except (OSError, EOFError) as error:
            raise SourceError(f"{path} cannot be read to its end: {error}") from None
        except (UnicodeDecodeError, LookupError):
            raise SourceError(
                f"{path} is not in {encoding}: name its encoding, for example gb18030"
            ) from None
        except csv.Error as error:
            raise SourceError(f"{path} is no table: {error}") from None


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.GzipFile(path))
    return path.open("rb")


def _json_lines(file: IO[bytes]) -> Iterator[Row | Fault]:
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if not line.endswith(b"\n") and len(line) >= _LONGEST_LINE:
            while rest := file.readline(_LONGEST_LINE):
                if rest.endswith(b"\n"):
                    break
            yield Fault(number, f"The line is longer than {_LONGEST_LINE} bytes.")
            continue
        value = line.strip().removeprefix(b"\xef\xbb\xbf")
        if value:
            yield Row(number, value)


def _table_rows(
    path: Path, file: IO[bytes], kind: str | None, encoding: str
) -> Iterator[Row | Fault]:
    # The wrapper closes the file; the caller does so again, which is harmless.
    with io.TextIOWrapper(file, encoding, newline="") as text:
        yield from _text_rows(path, text, kind)


def _text_rows(path: Path, text: IO[str], kind: str | None) -> Iterator[Row | Fault]:
    table = csv.reader(text, strict=True)
    header = [name.strip() for name in next(table, [])]
    fixed = kind or kind_of(header)
    if fixed is None and "kind" not in header:
        raise SourceError(
            f"{path}: the header does not tell the kind of event: add a column kind, or name the "
            f"kind ({', '.join(KINDS)})"
        )
    _check_header(path, header, fixed)
    for cells in table:
        if not any(cells):
            continue
        if len(cells) != len(header):
            yield Fault(
                table.line_num, f"The line has {len(cells)} cells and the header {len(header)}."
            )
            continue
        yield _row(table.line_num, header, cells, fixed)


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


def _row(line: int, header: Sequence[str], cells: Sequence[str], kind: str | None) -> Row | Fault:
    document: dict[str, Any] = {"kind": kind} if kind else {}
    for name, cell in zip(header, cells, strict=True):
        if text := cell.strip():
            document[name] = text
    fields = converters(str(document.get("kind")))
    for name, text in document.items():
        convert = fields.get(name)
        if convert is None:
            return Fault(
                line, f"{name} is no field of a {document.get('kind', 'row without kind')}."
            )
        try:
            document[name] = convert(text)
        except ValueError as error:
            return Fault(line, f"{name}: {error}.")
    return Row(line, orjson.dumps(document))


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
