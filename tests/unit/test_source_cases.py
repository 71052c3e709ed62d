"""The cases of each source, as data: what is in its file, what comes out, what is refused."""

from __future__ import annotations

import datetime
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import orjson
import pytest
import yaml

from producers.checking import check_rows
from producers.items import Fault, Row
from producers.mapped import RowMapper
from producers.mapping import MappingFile, mapping_of
from producers.polling import dry_run
from producers.pseudonyms import Document, Domain, Pseudonymizer
from producers.sources.files import Reading, read_file
from producers.sources.sql import Polled, View
from producers.watermark import Note

FOLDER = Path(__file__).parents[1] / "cases" / "sources"
PSEUDONYMS = Pseudonymizer(bytes(range(32)))


class Case(NamedTuple):
    source: str
    title: str
    written: dict[str, Any]
    encoding: str

    def __str__(self) -> str:
        return f"{self.source}: {self.title} ({self.encoding})"

    @property
    def mapping(self) -> MappingFile | None:
        text = self.written.get("mapping")
        return None if text is None else mapping_of(tomllib.loads(text), self.title)


def cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for written in yaml.safe_load(path.read_text("utf-8")):
            for encoding in written.get("encodings", ["utf-8"]):
                yield Case(path.stem, written["title"], written, encoding)


def rows_of(case: Case, folder: Path) -> list[Row | Fault]:
    if case.source == "sql":
        return polled(case, folder)
    path = folder / f"table.{ {'csv': 'csv', 'ndjson': 'ndjson', 'excel': 'xlsx'}[case.source] }"
    if case.source == "excel":
        workbook(case, path)
    else:
        path.write_text(case.written["text"], case.encoding)
    return list(read_file(path, Reading(mapping=case.mapping, pseudonyms=PSEUDONYMS)))


def workbook(case: Case, path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.create_sheet(case.written.get("sheet", "表"), 0)
    for row in case.written["rows"]:
        sheet.append([civil(cell) for cell in row])
    book.save(path)


def civil(cell: Any) -> Any:
    return cell.replace(tzinfo=None) if isinstance(cell, datetime.datetime) else cell


def polled(case: Case, folder: Path) -> list[Row | Fault]:
    (folder / "url").write_text(f"sqlite:///{folder / 'rows.db'}")
    header, *rows = case.written["rows"]
    with closing(sqlite3.connect(folder / "rows.db")) as database, database:
        database.execute(f"CREATE TABLE v ({', '.join(header)})")
        database.executemany(f"INSERT INTO v VALUES ({', '.join('?' * len(header))})", rows)
    how = Polled(url_file="url", view="v", watermark="changed", mapping="", state="s", batch=2)
    assert case.mapping is not None
    with View(folder, how) as view:
        note = Note(folder / "s", "v", "changed")
        return list(dry_run(view, how, RowMapper(case.mapping, PSEUDONYMS), note))


def expected(case: Case, event: dict[str, Any]) -> dict[str, Any]:
    whole = {name: value for name, value in event.items() if name != "line"}
    mapping = case.mapping
    if mapping is not None:
        whole["kind"] = mapping.kind
        if mapping.source is not None:
            whole["source"] = mapping.source
    for name in ("person", "mother", "household"):
        domain, colon, number = whole.get(name, "").partition(":")
        if colon:
            whole[name] = PSEUDONYMS.of(Document(Domain(domain), number))
    return whole


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_case(case: Case, tmp_path: Path) -> None:
    rows = rows_of(case, tmp_path)
    documents = {row.line: orjson.loads(row.value) for row in rows if isinstance(row, Row)}
    checked = check_rows(rows, case.mapping)
    wrong = {fault.line: fault for fault in checked.faults}
    refused = {one["line"]: one for one in case.written["refused"]}
    accepted = {one["line"]: expected(case, one) for one in case.written["events"]}
    assert {n: d for n, d in documents.items() if n not in refused} == accepted
    assert wrong.keys() == refused.keys()
    for line, one in refused.items():
        fault = wrong[line]
        assert fault.code == one["code"], fault
        for part in one["reasons"]:
            assert part in fault.reason, fault
        for part in one.get("mends", []):
            assert part in fault.mend, fault
        if fault.code == "cell":
            assert fault.mend


def test_every_source_that_reads_rows_has_cases() -> None:
    assert {case.source for case in cases()} == {"csv", "excel", "ndjson", "sql"}
