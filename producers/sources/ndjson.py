"""Events or rows as JSON, one object a line."""

from collections.abc import Iterator
from typing import IO

import orjson

from producers.items import Fault
from producers.sources.form import FileSource, Layout, Record, Records

LONGEST_LINE = 1 << 20
_MEND = "Write one JSON object a line. 每行写一个 JSON 对象。"


def read_ndjson(file: IO[bytes], layout: Layout) -> Records:  # noqa: ARG001 - JSON is UTF-8
    """The lines of an open file; what is no object has no cells, and its bytes as they are."""
    return Records(None, _lines(file))


def cells_of(record: Record) -> Record | Fault:
    """The same line as cells, for a mapping."""
    try:
        document = orjson.loads(record.raw)
    except orjson.JSONDecodeError:
        return Fault(record.line, "The line is no JSON in UTF-8. 该行不是 JSON。", mend=_MEND)
    if not isinstance(document, dict):
        return Fault(record.line, "The line is no JSON object. 该行不是 JSON 对象。", mend=_MEND)
    return record._replace(cells=document)


def _lines(file: IO[bytes]) -> Iterator[Record | Fault]:
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if not line.endswith(b"\n") and len(line) >= LONGEST_LINE:
            while rest := file.readline(LONGEST_LINE):
                if rest.endswith(b"\n"):
                    break
            yield Fault(number, f"The line is longer than {LONGEST_LINE} bytes.")
            continue
        value = line.strip().removeprefix(b"\xef\xbb\xbf")
        if value:
            yield Record(number, {}, value)


SOURCE = FileSource(
    "ndjson",
    ("JSON 行文件", "JSON, one object a line"),
    "popflow publish",
    (".ndjson", ".jsonl", ".json"),
    read_ndjson,
)
