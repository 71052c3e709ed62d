"""Cells of every kind of reader become the contract's values, or say what is wrong and no value."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import cells
from producers.codes import spelling, tables
from producers.problems import CellError, Problem
from schemas.districts import DISTRICTS, INSIDE, counted_as
from schemas.fields import INSTANT_PATTERN
from tests.contract.support import LEGAL

MARCH_5 = [
    "2016年3月5日",
    "2016年03月05日",
    "2016年3月5号",
    "二〇一六年三月五日",
    "二○一六年三月五号",
    "2016-3-5",
    "2016-03-05",
    "2016/03/05",
    "2016/3/5",
    "2016.3.5",
    "２０１６－３－５",
    "20160305",
    "20160305143000",
    "2016-03-05 14:30",
    "2016-03-05T14:30:00.5",
    "2016年3月5日 14时30分",
    "2016年3月5日14:30:00",
    "42434",
    "42434.75",
    42434,
    42434.999,
    20160305,
    Decimal(42434),
    date(2016, 3, 5),
    datetime.fromisoformat("2016-03-05T23:59:59.999"),
    datetime.fromisoformat("2016-03-04T17:00:00+00:00"),
]


@pytest.mark.parametrize("cell", MARCH_5)
def test_every_usual_form_of_a_day(cell: Any) -> None:
    assert cells.day(cell) == "2016-03-05"


def test_a_moment_elsewhere_is_a_day_here() -> None:
    assert cells.day("2016-03-04T23:30:00Z") == "2016-03-05"
    assert cells.day("2016-03-05T00:30:00+0900") == "2016-03-04"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("2016年3月5日 14时30分5秒", "2016-03-05T14:30:05+08:00"),
        ("2016-03-05 14:30", "2016-03-05T14:30:00+08:00"),
        ("2016-03-05", "2016-03-05T00:00:00+08:00"),
        ("2016-03-05T06:30:00Z", "2016-03-05T06:30:00+00:00"),
        ("2016-03-05T06:30:00-0330", "2016-03-05T06:30:00-03:30"),
        ("1988-07-01 12:00", "1988-07-01T12:00:00+09:00"),
        ("1900-06-01 12:00", "1900-06-01T12:00:00+08:05"),
        (42434.5, "2016-03-05T12:00:00+08:00"),
        (42434 + 10 / 24, "2016-03-05T10:00:00+08:00"),
        (datetime.fromisoformat("2016-03-05T14:30:05.7"), "2016-03-05T14:30:05+08:00"),
    ],
)
def test_moments_have_an_offset(cell: Any, written: str) -> None:
    assert cells.instant(cell) == written


def test_a_workbook_may_count_days_from_1904() -> None:
    assert cells.day(40972, datetime.fromisoformat("1904-01-01")) == "2016-03-05"


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("2016年3月", Problem.NO_DAY),
        ("2016-03", Problem.NO_DAY),
        ("16-3-5", Problem.DAY_FIRST),
        ("5/3/2016", Problem.DAY_FIRST),
        ("2016-2-30", Problem.NO_SUCH_DAY),
        ("20150229", Problem.NO_SUCH_DAY),
        ("2016-3-5 25:00", Problem.NO_SUCH_DAY),
        ("2016-03-05T10:00:00+99:99", Problem.NO_OFFSET),
        ("9999-12-31T23:00:00-10:00", Problem.NO_SUCH_DAY),
        ("2016-3/5", Problem.NO_DATE),
        ("yesterday", Problem.NO_DATE),
        ("123", Problem.NO_DATE),
        (60, Problem.NO_DATE),
        (-1, Problem.NO_DATE),
        (float("nan"), Problem.NO_DATE),
        (float("inf"), Problem.NO_DATE),
        (10**9, Problem.NO_DATE),
        (True, Problem.NO_DATE),
        (b"2016", Problem.BYTES),
        ([2016], Problem.NESTED),
        (cells.Damaged(), Problem.DAMAGED),
    ],
)
def test_what_is_no_day(cell: Any, problem: Problem) -> None:
    with pytest.raises(CellError) as caught:
        cells.day(cell)
    assert caught.value.problem is problem
    assert caught.value.mend


def test_the_ends_of_the_calendar() -> None:
    assert cells.day("0001-01-01") == "0001-01-01"
    for beyond in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-10:00"):
        with pytest.raises(CellError, match="does not exist"):
            cells.day(beyond)


@pytest.mark.parametrize(
    ("read", "cell", "value"),
    [
        (cells.whole, "3,250", 3250),
        (cells.whole, "－12", -12),
        (cells.whole, 3.0, 3),
        (cells.whole, Decimal(7), 7),
        (cells.fen, "¥8,123.50", 812350),
        (cells.fen, "-12.5元", -1250),
        (cells.fen, 0.1 + 0.2, 30),
        (cells.fen, 100, 10000),
        (cells.fen, Decimal("1.10"), 110),
        (cells.weeks, "39+2", 39),
        (cells.weeks, "39周+2天", 39),
        (cells.weeks, "39周2天", 39),
        (cells.weeks, 40, 40),
        (cells.several, "I10；E11;J18.9|K29、", ["I10", "E11", "J18.9", "K29"]),
        (cells.document_number, 320502500615001, "320502500615001"),
        (cells.document_number, 320502195006150016, LEGAL),
        (cells.document_number, Decimal(LEGAL), LEGAL),
        (cells.icd, "i10.x00 x002", "I10.x00x002"),
        (cells.text, 12.5, "12.5"),
        (cells.text, 1e-7, "0.0000001"),
    ],
)
def test_other_cells(read: Any, cell: Any, value: Any) -> None:
    assert read(cell) == value


@pytest.mark.parametrize(
    ("read", "cell", "problem"),
    [
        (cells.whole, "1e3", Problem.NO_WHOLE),
        (cells.whole, 2.5, Problem.NO_WHOLE),
        (cells.whole, True, Problem.NO_WHOLE),
        (cells.fen, "1.234", Problem.PART_OF_FEN),
        (cells.fen, "1,23", Problem.NO_AMOUNT),
        (cells.fen, False, Problem.NO_AMOUNT),
        (cells.weeks, "392", Problem.NO_WEEKS),
        (cells.weeks, "39+9", Problem.NO_WEEKS),
        (cells.document_number, float(LEGAL[:17] + "6"), Problem.DIGITS_LOST),
        (cells.document_number, "3.20502E+17", Problem.DIGITS_LOST),
        (cells.text, float("inf"), Problem.NO_NUMBER),
        (cells.text, Decimal("1e999999"), Problem.NO_NUMBER),
    ],
)
def test_other_cells_that_cannot_be_read(read: Any, cell: Any, problem: Problem) -> None:
    with pytest.raises(CellError) as caught:
        read(cell)
    assert caught.value.problem is problem


@given(
    st.one_of(
        st.text(max_size=30),
        st.integers(),
        st.floats(),
        st.decimals(),
        st.datetimes(),
        st.dates(),
        st.timedeltas(),
        st.binary(max_size=5),
        st.booleans(),
        st.from_regex(r"[0-9年月日/.:T +-]{4,25}", fullmatch=True),
    )
)
def test_no_cell_breaks_a_reader(cell: Any) -> None:
    readers = (cells.day, cells.instant, cells.whole, cells.fen, cells.weeks, cells.document_number)
    for read in readers:
        with suppress(CellError):
            assert read(cell) == read(cell)
    with suppress(CellError):
        assert re.match(INSTANT_PATTERN, cells.instant(cell)), "the contract's spelling"


@given(st.dates(date(1900, 3, 1), date(2299, 12, 30)))
def test_every_day_is_read_from_every_form(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    forms: list[Any] = [
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year}-{day.month}-{day.day}",
        f"{day.year}/{day.month:02}/{day.day:02}",
        f"{day:%Y%m%d}",
        day,
        serial,
    ]
    assert {cells.day(form) for form in forms} == {day.isoformat()}
    assert cells.day(serial + timedelta(seconds=86_399) / timedelta(days=1)) == day.isoformat()


def test_code_tables_hold_what_the_contract_knows() -> None:
    held = tables()
    assert set(held) >= {"sex", "outcome", "payment", "residency", "action", "truth", "district"}
    assert held["sex"].codes[spelling(" 女 ")] == "2"
    assert held["payment"].codes["1.1"] == "employee"
    assert held["payment"].codes["07"] == "none"
    districts = held["district"].codes
    assert {counted_as(str(code)) for code in districts.values()} == INSIDE
    assert all(districts[district.code] == district.code for district in DISTRICTS)
    for name, code in {"姑苏": "320508", "高新区": "320505", "苏州市昆山市": "320583"}.items():
        assert districts[name] == code
