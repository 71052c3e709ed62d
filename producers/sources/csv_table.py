"""Rows of text tables: comma-separated, or tab-separated (``.tsv``), in any encoding."""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import IO

from producers.items import Fault
from producers.sources.form import FileSource, Layout, Record, Records, SourceError

AUTO = "auto"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TRIED = ("utf-8", "gb18030")
_PIECE = 1 << 16
_LONGEST_LINE = 1 << 20
_LINE_END = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")


def read_csv(file: IO[bytes], layout: Layout) -> Records:
    """The rows of an open table.

    Raises:
        SourceError: an encoding that does not exist, or none that fits.
        UnicodeDecodeError: the table is not in the encoding that was told.
        csv.Error: it is no table.
    """
    encoding = detected(file) if layout.encoding == AUTO else layout.encoding
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise SourceError(
            f"There is no encoding {encoding}: write auto, utf-8 or gb18030, for example"
        ) from None
    table = csv.reader(_lines(file, decoder), strict=True, delimiter=layout.delimiter)
    for _ in islice(table, layout.header - 1):
        pass
    header = tuple(name.strip() for name in next(table, []))
    return Records(header, _rows(table, lambda: table.line_num, header))


def read_tsv(file: IO[bytes], layout: Layout) -> Records:
    """The same with tabs between the cells, unless the layout says otherwise."""
    tabs = Layout(layout.encoding, "\t", layout.sheet, layout.header)
    return read_csv(file, tabs if layout.delimiter == "," else layout)


def detected(file: IO[bytes]) -> str:
    """The encoding of a file, which is read to its end and then begun again.

    Raises:
        SourceError: it is none of those that are tried.
    """
    start = file.read(4)
    file.seek(0)
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    for encoding in _TRIED:
        if _fits(file, encoding):
            return encoding
    raise SourceError("The table is in none of UTF-8 and GB18030: name its encoding")


def _fits(file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while piece := file.read(_PIECE):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(0)
    return True


def _lines(file: IO[bytes], decoder: codecs.IncrementalDecoder) -> Iterator[str]:
    """Lines with their ends, which may be those of any system."""
    rest = ""
    while piece := file.read(_PIECE):
        rest += decoder.decode(piece)
        held = rest.endswith("\r")  # the rest of the line's end may follow
        lines = _LINE_END.split(rest[:-1] if held else rest)
        rest = lines.pop() + ("\r" if held else "")
        if len(rest) > _LONGEST_LINE:
            raise csv.Error(f"a line is longer than {_LONGEST_LINE} characters")
        yield from lines
    rest += decoder.decode(b"", final=True)
    yield from (line for line in _LINE_END.split(rest) if line)


def _rows(
    table: Iterator[list[str]], line: Callable[[], int], header: Sequence[str]
) -> Iterator[Record | Fault]:
    for cells in table:
        if not any(cells):
            continue
        if len(cells) != len(header):
            yield Fault(line(), f"The line has {len(cells)} cells and the header {len(header)}.")
            continue
        yield Record(line(), dict(zip(header, cells, strict=True)))


SOURCE = FileSource(
    "csv", ("逗号分隔表格", "comma-separated table"), "popflow publish", (".csv",), read_csv
)
TABS = FileSource(
    "tsv", ("制表符分隔表格", "tab-separated table"), "popflow publish", (".tsv", ".tab"), read_tsv
)
