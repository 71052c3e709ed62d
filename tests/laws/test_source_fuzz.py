"""Files and rows that were damaged at random: no crash, no hang, nothing wrong accepted.

Valid inputs of each format are mutated, in their bytes or in their cells. What comes out as an
event must pass a second reading that shares no code with the first: the JSON Schema, dates read by
``strptime``, codes by a list written here. Every refusal must say why, and nothing may show the
identity number that is in the inputs.
"""

from __future__ import annotations

import io
import json
import random
import re
import signal
import sqlite3
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import openpyxl
import pytest

from producers.checking import check_rows
from producers.items import Fault, Row
from producers.mapped import RowMapper
from producers.mapping import MappingError, mapping_of
from producers.polling import dry_run
from producers.pseudonyms import Pseudonymizer
from producers.sources.files import Reading, SourceError, read_file
from producers.sources.sql import Polled, View
from producers.watermark import Note, WatermarkError
from schemas.identity import check_digit
from schemas.refusals import Code
from tests.contract.support import LEGAL, SCHEMAS

SECONDS = 30
"""No input takes longer, or it hangs."""
KEY = Pseudonymizer(bytes(range(32)))
HEADER = [
    "证号",
    "版本",
    "作废",
    "填报",
    "身份证",
    "日期",
    "区划",
    "户籍",
    "性别",
    "死因",
    "孕产妇",
]
MAPPING = mapping_of(
    {
        "kind": "death",
        "source": "health.hospitals",
        "fields": {
            "record_id": "证号",
            "revision": {"column": "版本", "default": 1},
            "void": "作废",
            "recorded_at": "填报",
            "person": {"column": "身份证", "pseudonym": "id"},
            "died_on": "日期",
            "district": {"column": "区划", "codes": "district"},
            "residency": {"column": "户籍", "codes": "residency"},
            "sex": {"column": "性别", "codes": "sex"},
            "cause": "死因",
            "maternal": "孕产妇",
        },
    },
    "fuzz",
)
ROWS = [
    [
        "D1",
        "1",
        "",
        "2016-03-07 10:00",
        LEGAL,
        "2016年3月5日",
        "320508",
        "本市",
        "女",
        "I21.9",
        "否",
    ],
    ["D2", "2", "是", "2016/3/7", "11010519491231002x", "", "", "", "", "", ""],
    ["D-3", "", "否", "20160307", "320502500615001", "20160305", "昆山市", "外地", "1", "", ""],
    ["D/4", "3", "", "42436", LEGAL, "42434", "110105", "流动人口", "９", "o72.1", "是"],
]
PLAIN = re.compile(r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
SCRAPS = [
    *("", " ", "\t", "\n", "\r\n", '"', '""', ",", ";", "|", "\0", "\ufeff", "　", "Ａ", "１", "٣"),
    *("-", "/", ".", "年", "月", "日", "号", "0", "1", "9", "x", "X", "e", "E+17", "null", "true"),
    *("NaN", "1e309", "-0", "2016-02-30", "0000-00-00", "99999", "9999999", LEGAL, "#N/A", "=1+1"),
    *(
        "\U0001f600",
        "\ud7ff",
        "{",
        "}",
        "[",
        "]",
        ":",
        "\\",
        "\\u0033",
        "&lt;",
        "<",
        ">",
        "😀" * 50,
    ),
]
CELLS = [
    *(None, True, 0, -1, 42434, 20160305, 42434.5, float("nan"), float("inf"), 10**17),
    *(Decimal("1E+5"), Decimal(LEGAL), b"\xff", date(2016, 3, 5), [1], {}, "", LEGAL),
    *(datetime.fromisoformat("2016-03-05T10:00"), timedelta(1), "1" * 5000),
]
FORMS = [
    f"{day}{clock}"
    for day in (
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%Y.%m.%d",
        "%Y%m%d",
        "%Y年%m月%d日",
        "%Y年%m月%d号",
        "%Y年%m月%d",
    )
    for clock in ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "%H:%M", "%H:%M:%S", "%H%M%S")
]
SEXES = {"0": "0", "1": "1", "2": "2", "9": "9", "男": "1", "女": "2", "M": "1", "F": "2"}


# -- mutation


class Dice(random.Random):
    """Mutates bytes, text and cells; one seed, one input."""

    def of_text(self, text: str) -> str:
        for _ in range(self.choice((1, 1, 1, 2, 5))):
            at = self.randrange(len(text) + 1)
            upto = min(len(text), at + self.choice((0, 0, 1, 1, 2, 8)))
            scrap = self.choice(
                (
                    *SCRAPS,
                    text[self.randrange(len(text) or 1) :][:9],
                    chr(self.randrange(32, 0x3000)),
                )
            )
            text = text[:at] + scrap + text[upto:]
        return text

    def of_bytes(self, raw: bytes) -> bytes:
        changed = bytearray(raw)
        for _ in range(self.choice((1, 1, 2, 5, 20))):
            at = self.randrange(len(changed) + 1)
            how = self.randrange(4)
            if how == 0 and at < len(changed):
                changed[at] ^= 1 << self.randrange(8)
            elif how == 1:
                changed[at:at] = self.randbytes(self.choice((1, 2, 9)))
            elif how == 2:
                del changed[at : at + self.choice((1, 2, 50))]
            else:
                start = self.randrange(len(changed) or 1)
                changed[at:at] = changed[start : start + self.choice((1, 5, 60))]
        return bytes(changed)

    def of_cell(self, cell: Any) -> Any:
        if self.random() < 0.3:
            return self.choice(CELLS)
        return self.of_text(str(cell))

    def of_rows(self) -> list[list[Any]]:
        rows = [list(self.choice(ROWS)) for _ in range(self.randrange(1, 4))]
        for row in rows:
            for _ in range(self.choice((0, 1, 1, 2, 4))):
                place = self.randrange(len(row))
                row[place] = self.of_cell(row[place])
        return rows


def csv_bytes(rows: list[list[Any]]) -> bytes:
    lines = [",".join(f'"{c}"' if "," in str(c) else str(c) for c in row) for row in rows]
    return "\n".join(lines).encode("gb18030", "replace")


@cache
def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (HEADER, *ROWS):
        book.active.append(row)
    book.active.append(
        ["D5", 1, None, datetime.fromisoformat("2016-03-07"), LEGAL, 42434, 320508, "本市", 1]
    )
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def other_workbook(dice: Dice) -> bytes:
    """A workbook with one part of it changed and packed anew, or with its bytes changed."""
    if dice.random() < 0.2:
        return dice.of_bytes(workbook())
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook())) as old, zipfile.ZipFile(packed, "w") as new:
        parts = old.namelist()
        chosen = dice.choice([*parts, *["xl/worksheets/sheet1.xml"] * 12])
        for part in parts:
            raw = old.read(part)
            if part == chosen:
                text = raw.decode()
                tags = [m.start() for m in re.finditer(r">[^<]+<|\"[^\"]*\"", text)]
                if dice.random() < 0.6 and tags:
                    at = dice.choice(tags) + 1
                    end = re.compile(r"[<\"]").search(text, at)
                    upto = end.start() if end else at
                    text = text[:at] + dice.of_text(text[at:upto]) + text[upto:]
                    raw = text.encode("utf-8", "surrogatepass")
                else:
                    raw = dice.of_bytes(raw)
            new.writestr(part, raw)
    return packed.getvalue()


# -- the second reading


def strict_day(cell: Any) -> str:
    """A date by other means, or an error."""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bool):
        raise ValueError
    text = unicodedata.normalize("NFKC", str(cell)).strip()
    serial = re.fullmatch(r"\d{5,7}(\.\d+)?", text, re.ASCII)
    if serial and (len(text.partition(".")[0]) == 5 or not isinstance(cell, str)):
        return (date(1899, 12, 30) + timedelta(days=int(float(text)))).isoformat()
    if not isinstance(cell, str):
        text = str(int(cell))
    text = re.sub(r"(\d{2}:\d{2}:\d{2})\.\d{1,9}$", r"\1", text, flags=re.ASCII)
    text = re.sub(r"(?<=[日号\d])[T ]+(?=\d{1,2}:)", " ", text, flags=re.ASCII)
    assert text.isascii() or re.search("[年月]", text)
    for form in FORMS:
        try:
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007
        except ValueError:
            continue
    raise ValueError


def strict_number(cell: Any) -> str:
    """An identity number by other means: 18 characters whose sum over 13-based digits is right."""
    text = unicodedata.normalize("NFKC", str(cell)).upper()
    text = re.sub(r"[\s-]", "", text)
    if len(text) == 15:
        text = text[:6] + "19" + text[6:]
        text += check_digit(text)
    assert re.fullmatch(r"[0-9]{17}[0-9X]", text)
    digits = [10 if c == "X" else int(c) for c in text]
    assert sum(d * pow(2, 17 - i, 11) for i, d in enumerate(digits)) % 11 == 1
    datetime.strptime(text[6:14], "%Y%m%d")  # noqa: DTZ007
    return text


def second_reading(raw: bytes, row: dict[str, Any] | None) -> None:
    document = json.loads(raw)
    SCHEMAS[document["kind"]].validate(document)
    date.fromisoformat(document.get("died_on", "2016-03-05"))
    assert datetime.fromisoformat(document["recorded_at"]).tzinfo is not None
    for text in PLAIN.findall(raw.decode()):
        assert check_digit(text[:17]) != text[17].upper() or text[:2] == "99"
    if row is None:
        return
    assert document["person"] == KEY.citizen(strict_number(row["身份证"]))
    if not document.get("void"):
        assert document["died_on"] == strict_day(row["日期"])
        sex = unicodedata.normalize("NFKC", str(row["性别"])).upper()
        sex = "".join(sex.split())
        assert document["sex"] == SEXES.get(sex, document["sex"])
        assert sex in SEXES or sex in (
            "男性",
            "女性",
            "男婴",
            "女婴",
            "男孩",
            "女孩",
            "未知",
            "不详",
        )
    recorded = document["recorded_at"][:10]
    assert recorded == strict_day(row["填报"])


# -- the judge


@contextmanager
def in_time() -> Iterator[None]:
    def hangs(_: int, __: FrameType | None) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(
    read: Callable[[], Iterator[Row | Fault]], rows: dict[int, dict[str, Any]]
) -> Counter[str]:
    """Read one input to its end and judge all that comes out."""
    unreadable = ""
    outcome: Counter[str] = Counter()
    try:
        for found in read():
            checked = check_rows([found], MAPPING)
            for fault in checked.faults:
                assert fault.reason.rstrip().endswith((".", "。"))
                assert fault.code in ("", "cell", *Code)
                assert fault.mend or fault.code == ""
                assert LEGAL not in fault.told
                outcome["refused"] += 1
            if not checked.faults and isinstance(found, Row):
                second_reading(found.value, rows.get(found.line))
                outcome["accepted"] += 1
    except (SourceError, MappingError, WatermarkError) as error:
        unreadable = str(error)
        outcome["unreadable"] += 1
    assert len(unreadable) > 10 or not outcome["unreadable"]
    assert LEGAL not in unreadable
    return outcome


def damaged_csv(dice: Dice, folder: Path) -> Counter[str]:
    path = folder / "t.csv"
    known = {}
    if dice.random() < 0.5:
        rows = [["" if c is None else str(c) for c in row] for row in dice.of_rows()]
        text = "\n".join(",".join(row) for row in [HEADER, *rows])
        path.write_text(text, "utf-8", "surrogatepass")
        if not any(set('",\r\n\0') & set(c) for row in rows for c in row):
            known = {n: dict(zip(HEADER, r, strict=True)) for n, r in enumerate(rows, 2)}
    elif dice.random() < 0.8:
        path.write_bytes(dice.of_bytes(csv_bytes([HEADER, *ROWS])))
    else:
        text = csv_bytes([HEADER, *ROWS]).decode("gb18030")
        path.write_bytes(dice.of_text(text).encode("gb18030", "replace"))
    return judge(lambda: read_file(path, Reading(mapping=MAPPING, pseudonyms=KEY)), known)


def damaged_ndjson(dice: Dice, folder: Path) -> Counter[str]:
    path = folder / "t.ndjson"
    mapped = dice.random() < 0.5
    documents = [dict(zip(HEADER, row, strict=True)) for row in ROWS] if mapped else EVENTS
    lines = [json.dumps(document, ensure_ascii=dice.random() < 0.5) for document in documents]
    raw = "\n".join(lines)
    if dice.random() < 0.5:
        path.write_bytes(dice.of_bytes(raw.encode()))
    else:
        path.write_bytes(dice.of_text(raw).encode("utf-8", "surrogatepass"))
    how = Reading(mapping=MAPPING, pseudonyms=KEY) if mapped else Reading()
    return judge(lambda: read_file(path, how), {})


def damaged_workbook(dice: Dice, folder: Path) -> Counter[str]:
    path = folder / "t.xlsx"
    path.write_bytes(other_workbook(dice))
    return judge(lambda: read_file(path, Reading(mapping=MAPPING, pseudonyms=KEY)), {})


def damaged_rows(dice: Dice, folder: Path) -> Counter[str]:  # noqa: ARG001 - of one form with the others
    rows = {n: dict(zip(HEADER, row, strict=True)) for n, row in enumerate(dice.of_rows(), 1)}
    mapper = RowMapper(MAPPING, KEY)
    return judge(lambda: (found for n, row in rows.items() for found in mapper.rows(n, row)), rows)


def storable(cell: Any) -> Any:
    """A cell as SQLite can hold it."""
    if isinstance(cell, float | bytes | None) or (isinstance(cell, int) and abs(cell) < 2**63):
        return cell
    return str(cell).encode("utf-8", "replace").decode()


def damaged_view(dice: Dice, folder: Path) -> Counter[str]:
    """The same through a real database, with marks of any type."""
    rows = [[storable(cell) for cell in row] for row in dice.of_rows()]
    with closing(sqlite3.connect(folder / "v.db")) as database, database:
        database.execute("DROP TABLE IF EXISTS v")
        database.execute(f"CREATE TABLE v ({', '.join(HEADER)}, mark)")
        marks = [dice.choice((1, 1, 2, "2016", 2.5, b"\1", None)) for _ in rows]
        database.executemany(
            f"INSERT INTO v VALUES ({', '.join('?' * (len(HEADER) + 1))})",
            [[*row, mark] for row, mark in zip(rows, marks, strict=True)],
        )
    (folder / "url").write_text(f"sqlite:///{folder / 'v.db'}")
    how = Polled(url_file="url", view="v", watermark="mark", mapping="", state="s", batch=2)
    with View(folder, how) as view:
        note = Note(folder / "s", "v", "mark")
        return judge(lambda: dry_run(view, how, RowMapper(MAPPING, KEY), note), {})


OF_ALL = {"revision": 1, "recorded_at": "2016-03-06T10:00:00+08:00", "person": "a" * 32}
EVENTS = [
    {
        **OF_ALL,
        "kind": "death",
        "record_id": "D1",
        "source": "health.hospitals",
        "sex": "1",
        "died_on": "2016-03-05",
        "district": "320508",
        "residency": "hukou",
        "cause": "I21.9",
    },
    {
        **OF_ALL,
        "kind": "move",
        "record_id": "M1",
        "source": "police.household",
        "residency": "hukou",
        "moved_on": "2016-03-05",
        "from_district": "000000",
        "to_district": "320508",
    },
]
FORMATS = {
    "csv": (damaged_csv, 6),
    "ndjson": (damaged_ndjson, 6),
    "xlsx": (damaged_workbook, 2),
    "rows": (damaged_rows, 5),
    "view": (damaged_view, 1),
}
"""With their shares in twenty inputs."""


def run(name: str, inputs: int, folder: Path, first: int) -> Counter[str]:
    damaged, share = FORMATS[name]
    total: Counter[str] = Counter()
    for seed in range(first, first + inputs * share // 20):
        try:
            with in_time():
                total += damaged(Dice(seed), folder)
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {error!r}") from error
    return total


@pytest.mark.parametrize("name", FORMATS)
def test_two_thousand_damaged_inputs(name: str, tmp_path: Path) -> None:
    total = run(name, 2_000, tmp_path, 1)
    assert total["accepted"] > 0, "the mutations spare some"
    assert total["refused"] + total["unreadable"] > 0, "and damage some"


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", FORMATS)
def test_a_hundred_thousand_damaged_inputs(name: str, tmp_path: Path) -> None:
    run(name, 100_000, tmp_path, 1_000_000)
