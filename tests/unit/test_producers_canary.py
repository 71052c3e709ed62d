"""The canary: a number in every place of every file, and nowhere in what we say or keep."""

from __future__ import annotations

import gzip
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from deploy.native.ports import free_ports
from pipeline.cli import main as popflow
from producers.keys import create_key_file
from producers.kit import Publisher
from producers.mapping import read_mapping
from producers.pseudonyms import Pseudonymizer
from producers.publishing import publish_files
from producers.sources.files import Reading
from tests.contract.support import LEGAL, event, number, spelled

SHORT = "320502500615001"
WRONG = LEGAL[:17] + "7"
OTHER = number("11010519491231002")
CANARIES = (LEGAL, SHORT, WRONG, OTHER, OTHER.lower(), LEGAL[:17])
MAPPING = """
kind = "death"
source = "health.hospitals"
[fields]
record_id = "证号"
revision = { column = "版本", default = 1 }
recorded_at = "填报"
person = { column = "身份证", pseudonym = "id" }
died_on = "日期"
district = { column = "区划", codes = "district" }
residency = { column = "户籍", codes = "residency" }
sex = { column = "性别", codes = "sex" }
cause = "死因"
"""
HEADER = ["证号", "版本", "填报", "身份证", "日期", "区划", "户籍", "性别", "死因"]
GOOD = ["D1", "1", "2016-03-06 10:00", LEGAL, "2016-03-05", "昆山", "本市", "男", "I21"]


def rows() -> list[list[str]]:
    """The good row with each canary in the place of each cell, and beside it."""
    found = [GOOD, [LEGAL, *GOOD[1:]]]
    for place in range(len(GOOD)):
        for canary in (WRONG, OTHER, SHORT, f"号{LEGAL}", f"a{LEGAL}b", LEGAL[:17]):
            found += [[*GOOD[:place], canary, *GOOD[place + 1 :]]]
    return found


@pytest.fixture
def office(tmp_path: Path) -> Path:
    create_key_file(tmp_path / "city.key")
    (tmp_path / "m.toml").write_text(MAPPING)
    lines = [",".join(row) for row in [HEADER, *rows(), [LEGAL], [LEGAL] * 40]]
    (tmp_path / "cells.csv").write_text("\n".join(lines), "gb18030")
    (tmp_path / "cells.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (tmp_path / f"{LEGAL}.csv").write_text("\n".join(lines))
    (tmp_path / "headless.csv").write_text("\n".join(lines[1:]))
    (tmp_path / "quote.csv").write_text(f'{lines[0]}\n"{LEGAL}')
    (tmp_path / "bytes.csv").write_bytes(
        lines[0].encode() + b"\n" + LEGAL.encode() + b"\xff\xff\xff"
    )
    contract = [f"kind,record_id,{LEGAL}", "kind,record_id,a320502195006150016b"]
    for serial, text in enumerate(contract):
        (tmp_path / f"contract{serial}.csv").write_text(f"{text}\n{LEGAL},{LEGAL},{LEGAL}")
    (tmp_path / "kind.csv").write_text(f"kind,record_id,revision\n{LEGAL},{LEGAL},{WRONG}")
    book = openpyxl.Workbook()
    for row in [HEADER, *rows()]:
        book.active.append(row)
    book.active.append([int(LEGAL), float(LEGAL), *GOOD[2:]])
    book.save(tmp_path / "cells.xlsx")
    documents = [
        *(event("move", **{name: canary}) for canary in CANARIES for name in ("person", "note")),
        *(event("move", **{canary: 1, f"x{canary}y": 1}) for canary in CANARIES),
        event("move", moved_on=LEGAL),
    ]
    (tmp_path / "events.ndjson").write_bytes(
        b"\n".join([*map(spelled, documents), b'{"a": "' + LEGAL.encode(), LEGAL.encode()])
    )
    with closing(sqlite3.connect(tmp_path / "rows.db")) as database, database:
        database.execute(f"CREATE TABLE v ({', '.join(HEADER)}, mark)")
        marks = "?, " * len(HEADER) + "?"
        database.executemany(f"INSERT INTO v VALUES ({marks})", [[*row, 1] for row in rows()])
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path / 'rows.db'}")
    poll = 'url_file = "url"\nview = "v"\nmapping = "m.toml"\nstate = "s"\n'
    (tmp_path / "poll.toml").write_text(f'{poll}watermark = "mark"')
    (tmp_path / "poll2.toml").write_text(f'{poll}watermark = "身份证"')
    return tmp_path


def tables(office: Path) -> list[Path]:
    return sorted(p for p in office.iterdir() if p.suffix in (".csv", ".gz", ".xlsx", ".ndjson"))


def clean(text: str, what: str, canaries: tuple[str, ...] = CANARIES) -> None:
    for canary in canaries:
        assert canary not in text, f"{what} shows a number"


def calls(office: Path) -> list[list[str]]:
    key, mapping = ["--key-file", str(office / "city.key")], ["--mapping", str(office / "m.toml")]
    found = []
    for path in tables(office):
        for how in ([*key, *mapping], ["--kind", "death"], []):
            found += [["publish", str(path), *how, "--check"]]
    polls = [office / "poll.toml", office / "poll2.toml"]
    return found + [["poll", str(config), *key, "--check"] for config in polls]


def test_no_dry_run_shows_a_number(office: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = CliRunner()
    wrong = 0
    with caplog.at_level(logging.DEBUG):
        for call in calls(office):
            for shown in ([], ["--json"]):
                done = run.invoke(popflow, [*call, *shown, "--data", str(office / "none")])
                assert done.exit_code in (0, 1), (call, done.output, done.exception)
                wrong += done.exit_code
                clean(done.output.replace(f"/{LEGAL}.csv", ""), f"{call}")
    clean(caplog.text, "the log")
    assert wrong > len(calls(office)), "most were wrong"


def test_no_spool_keeps_a_number(office: Path, caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    mapped = Reading(
        mapping=read_mapping(office / "m.toml"),
        pseudonyms=Pseudonymizer.from_file(office / "city.key"),
    )
    spool = office / "spool"
    with (
        caplog.at_level(logging.DEBUG),
        Publisher(f"127.0.0.1:{port}", spool=spool, patience=0.01) as publisher,
    ):
        names = ["cells.csv", "cells.csv.gz", "cells.xlsx", f"{LEGAL}.csv"]
        summary = publish_files([office / name for name in names], publisher, mapped)
        plain = publish_files([office / "events.ndjson"], publisher, Reading())
    assert summary.spooled >= len(names), "good rows are in the spool"
    assert summary.refused > 100
    assert plain.refused > 10
    kept = b"".join(path.read_bytes() for path in spool.iterdir())
    assert b"health.hospitals" in kept
    # A record number of 17 digits, or with another check digit, is nobody's number: it is sent.
    clean(kept.decode("utf-8", "replace"), "the spool", (LEGAL, SHORT, OTHER))
    clean(caplog.text, "the log")
    for fault in (*summary.faults, *plain.faults):
        clean(f"{fault.told} {fault.path}", "a fault")
