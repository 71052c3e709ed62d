"""Baselines and reference facts from the files that offices hand in."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from consumers.baseline import BaselineError, read_baseline
from consumers.reference import ReferenceFactError, read_reference

DAYS = {"as_of": date(2015, 12, 31), "known_on": date(2016, 1, 20)}


def sheet(path: Path, *rows: tuple[Any, ...]) -> Path:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


class TestBaseline:
    def test_an_extract_of_the_register_is_counted(self, tmp_path: Path) -> None:
        text = (
            "区划,性别,出生日期\n320505,男,1990-02-01\n320505,1,1990-12-31\n320506,2,1951-07-01\n"
        )
        rows = read_baseline(written(tmp_path / "extract.csv", text), **DAYS)
        assert [(r.district, r.sex, r.birth_year, r.value) for r in rows] == [
            ("320505", "1", 1990, 2),
            ("320506", "2", 1951, 1),
        ]
        assert {(r.as_of, r.known_on) for r in rows} == {tuple(DAYS.values())}

    def test_a_sheet_of_excel_says_the_same_as_a_table(self, tmp_path: Path) -> None:
        head = ("as_of", "known_on", "district", "sex", "birth_year", "value", "base")
        row = (date(2015, 12, 31), date(2016, 1, 20), 320505, 2, 1990, 12.0, "hukou")
        of_sheet = read_baseline(sheet(tmp_path / "a.xlsx", head, row))
        text = f"{','.join(head)}\n2015-12-31,2016-01-20,320505,2,1990,12,hukou\n"
        assert of_sheet == read_baseline(written(tmp_path / "a.csv", text))

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("district,sex,birth_year,value,base\n320505,1,1990,3,resident\n", "load migrants as"),
            ("district,sex,birth_year,name\n320505,1,1990,x\n", "line 2: name: there is no such"),
            ("district,sex,born_on\n320505,1,1990-13-01\n", "line 2: born_on: it is no day"),
            ("district,sex,birth_year,value\n320505,1,1990,3\n320506,1,1990,\n", "line 3: value: "),
            ("district,sex\n320505,1\n", "line 2: birth_year: it is missing"),
        ],
    )
    def test_what_is_no_baseline_is_refused(self, tmp_path: Path, text: str, told: str) -> None:
        with pytest.raises(BaselineError, match=told):
            read_baseline(written(tmp_path / "wrong.csv", text), **DAYS)

    def test_days_have_to_be_said(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.csv", "district,sex,birth_year,value\n320505,1,1990,3\n")
        with pytest.raises(BaselineError, match="as_of: it is missing"):
            read_baseline(path)

    def test_other_files_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(BaselineError, match=r"a\.txt is none of \.csv"):
            read_baseline(written(tmp_path / "a.txt", ""))
        with pytest.raises(BaselineError, match="no Excel workbook"):
            read_baseline(written(tmp_path / "a.xlsx", "not a workbook"))


class TestReference:
    def test_all_forms_say_the_same(self, tmp_path: Path) -> None:
        head = ("key", "district", "day", "value", "source", "known_on")
        row = ("beds_per_1000", 320500, date(2016, 6, 30), 6.21, "卫健委", date(2016, 8, 1))
        line = "beds_per_1000,320500,2016-06-30,6.21,卫健委,2016-08-01"
        objects = (
            '{"indicator": "beds_per_1000", "district": "320500", "as_of": "2016-06-30",'
            ' "value": 6.21, "source": "卫健委", "known_on": "2016-08-01"}\n'
        )
        known_on = date(2020, 1, 1)
        found = [
            read_reference(path, known_on=known_on)
            for path in (
                sheet(tmp_path / "a.xlsx", head, row),
                written(tmp_path / "a.csv", f"{','.join(head)}\n{line}\n"),
                written(tmp_path / "a.ndjson", objects),
            )
        ]
        assert found[0] == found[1] == found[2]
        (fact,) = found[0]
        assert (fact.value, fact.known_on) == (Decimal("6.21"), date(2016, 8, 1))

    def test_the_day_of_knowledge_and_source_may_be_given(self, tmp_path: Path) -> None:
        path = written(
            tmp_path / "a.csv", "key,district,day,value\nurban_class,320576,2015-12-31,1\n"
        )
        (fact,) = read_reference(path, known_on=date(2016, 3, 1), source="census")
        assert (fact.district, fact.known_on, fact.source) == (
            "320571",
            date(2016, 3, 1),
            "census",
        )

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("birth_rate,320500,2016-01-01,9.9,s", "birth_rate is computed from events"),
            ("doctors,320500,2016-01-01,9.9,s", "there is no reference fact 'doctors'; there are"),
            ("beds_per_1000,320599,2016-01-01,9.9,s", "320599 is no district of the city, nor"),
            ("urban_class,320500,2016-01-01,0.9,s", "320500 is no district of the city"),
            ("urban_class,320505,2016-01-01,74.9,s", "a share from 0 to 1"),
            ("beds_per_1000,320500,2016-01-01,-1,s", "value: "),
            ("beds_per_1000,320500,2016-01-01,1.2345678,s", "value: "),
            ("beds_per_1000,320500,2017-01-01,1,s", "day and known_on are not in order"),
            ("beds_per_1000,320500,2016-01-01,1", "source: "),
        ],
    )
    def test_what_is_no_fact_is_refused(self, tmp_path: Path, line: str, told: str) -> None:
        path = written(tmp_path / "wrong.csv", f"key,district,day,value,source\n{line}\n")
        with pytest.raises(ReferenceFactError, match="line 2") as refused:
            read_reference(path, known_on=date(2016, 6, 1))
        assert told in str(refused.value)

    def test_a_fact_is_said_once(self, tmp_path: Path) -> None:
        line = "beds_per_1000,320500,2016-01-01,1,s\n"
        path = written(tmp_path / "twice.csv", f"key,district,day,value,source\n{line}{line}")
        with pytest.raises(ReferenceFactError, match="the same fact as line 2"):
            read_reference(path, known_on=date(2016, 6, 1))
