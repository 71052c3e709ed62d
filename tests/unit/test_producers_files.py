"""Events from files: types by the contract, faults with their line, the rest goes on."""

import gzip
from pathlib import Path

import orjson
import pytest

from producers.items import Fault, Row
from producers.sources.files import Reading, SourceError, converters, kind_of, read_file
from schemas.events import KINDS, Discharge
from schemas.reading import read

DISCHARGES = """\
record_id,revision,source,recorded_at,person,admitted_on,discharged_on,facility,\
facility_district,district,residency,outcome,diagnoses,scheme,total_fen,in_policy_fen,fund_fen,\
sex,born_on,void
H-1,1,health.hospitals,2016-01-09T10:00:00+08:00,{p},2016-01-01,2016-01-08,苏大附一,320508,\
320506,hukou,1,I10.x00x002;Z37.0|O80.0,employee,100,-90,80,1,,false
H-2,1,health.hospitals,2016-01-09T10:00:00+08:00,{p},2016-01-01,2016-01-08,苏大附一,320508,\
320506,hukou,1,I10,employee,1e3,90,80,1,,
H-3,1,health.hospitals,2016-01-09T10:00:00+08:00,{p},2016-01-01

H-4,1,health.hospitals,2016-01-09T10:00:00+08:00,{p},2016-01-01,2016-01-08,苏大附一,320508,\
320506,hukou,1,I10,employee,100,90,80,1,1980-02-29,nein
""".format(p="a" * 32)


def rows(path: Path, **options: str) -> list[Row | Fault]:
    return list(read_file(path, Reading(**options)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("told", [False, True])
def test_table_becomes_events_and_faults(tmp_path: Path, encoding: str, told: bool) -> None:
    table = tmp_path / "stays.csv"
    table.write_text(DISCHARGES, encoding=encoding)
    first, money, short, truth = rows(table, **({"encoding": encoding} if told else {}))
    assert isinstance(first, Row)
    assert first.line == 2
    event = read(first.value)
    assert isinstance(event, Discharge)
    assert event.facility == "苏大附一"
    assert event.diagnoses == ["I10.x00x002", "Z37.0", "O80.0"]
    assert (event.total_fen, event.in_policy_fen, event.void, event.born_on) == (
        100,
        -90,
        False,
        None,
    )
    assert money == Fault(3, "total_fen: write a whole number.")
    assert short == Fault(4, "The line has 6 cells and the header 20.")
    assert truth == Fault(6, "void: write true or false.")


def test_wrong_encoding_is_named(tmp_path: Path) -> None:
    table = tmp_path / "stays.csv"
    table.write_text(DISCHARGES, encoding="gb18030")
    with pytest.raises(SourceError, match=r"not in utf-8-sig.*gb18030"):
        rows(table, encoding="utf-8-sig")
    with pytest.raises(SourceError, match=r"no encoding latin-99.*utf-8 or gb18030"):
        rows(table, encoding="latin-99")
    table.write_bytes(b"kind,\xff\xff\xff\n")
    with pytest.raises(SourceError, match=r"stays\.csv: .*none of UTF-8 and GB18030"):
        rows(table)


@pytest.mark.parametrize("kind", KINDS)
def test_header_tells_the_kind(kind: str) -> None:
    model = KINDS[kind]
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    assert kind_of(required) == kind
    assert kind_of([*required, "colour"]) is None
    assert kind_of(required[1:]) is None
    assert set(converters(kind)) == set(model.model_fields)


def test_kind_from_a_column_or_the_caller(tmp_path: Path) -> None:
    table = tmp_path / "voids.csv"
    head = "record_id,revision,void,source,recorded_at,person"
    cells = f"R-1,2,true,health.hospitals,2016-01-09T10:00:00+08:00,{'b' * 32}"
    table.write_text(f"kind,{head}\ndeath,{cells}\ndeaths,{cells}\n,{cells}\n")
    good, *bad = rows(table)
    assert isinstance(good, Row)
    assert orjson.loads(good.value)["void"] is True
    assert read(good.value).kind == "death"
    assert [fault.line for fault in bad if isinstance(fault, Fault)] == [3, 4]
    table.write_text(f"{head}\n{cells}\n")
    (row,) = rows(table, kind="birth")
    assert isinstance(row, Row)
    assert read(row.value).kind == "birth"
    with pytest.raises(SourceError, match="header does not tell the kind"):
        rows(table)
    with pytest.raises(SourceError, match="'births' is no kind of event: one of birth, death"):
        rows(table, kind="births")


def test_header_that_does_not_fit(tmp_path: Path) -> None:
    table = tmp_path / "x.csv"
    table.write_text("kind,colour,shape\n")
    with pytest.raises(SourceError, match="no fields of any event: colour, shape"):
        rows(table)
    table.write_text("kind,person,person\n")
    with pytest.raises(SourceError, match="there twice: person"):
        rows(table)


def test_json_lines_keep_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(
        b'\xef\xbb\xbf{"a": 1}\r\n\n  {"b":2} \nbroken\n' + b"x" * 1_100_000 + b'\n{"c":3}'
    )
    assert rows(path) == [
        Row(1, b'{"a": 1}'),
        Row(3, b'{"b":2}'),
        Row(4, b"broken"),
        Fault(5, "The line is longer than 1048576 bytes."),
        Row(6, b'{"c":3}'),
    ]
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"a":1}\n'))
    assert rows(packed) == [Row(1, b'{"a":1}')]
    packed.write_bytes(gzip.compress(b'{"a":1}\n' * 10_000)[:-20])
    with pytest.raises(SourceError, match="cannot be read to its end"):
        rows(packed)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.csv cannot be read: No such file"):
        rows(tmp_path / "missing.csv")
    with pytest.raises(SourceError, match=r"is none of .*\.ndjson"):
        rows(tmp_path / "events.doc")
