"""The scorecard from the store: a small plan's worth of figures that anybody can compute."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from fractions import Fraction
from html.parser import HTMLParser

import pytest
from openpyxl import load_workbook

from consumers.scorecard import Row, Scorecard, known_through, scorecard
from consumers.scorecard.page import page
from consumers.scorecard.plain import as_csv, as_json
from consumers.scorecard.sheet import workbook
from consumers.scorecard.shown import contradiction, lines
from consumers.scorecard.words import LANGUAGES, TARGET_NOTES, WHYS, WORDS
from consumers.store.client import Store
from pipeline.catalogue import TARGETS
from pipeline.catalogue.evaluate import Cell, Imported, Person
from schemas.districts import CITY, INSIDE
from tests.cases.cells import put_cells, put_facts, put_people

END = date(2018, 12, 31)
PLACE = "320505"
NOW = (0,)
"""Without a trend."""
BOYS = {2016: 560, 2017: 545, 2018: 530}


def counted(
    measure: str, day: date, value: int, known: date | None = None, sex: str = "1", band: str = ""
) -> Cell:
    known = known or day + timedelta(days=5)
    return Cell(measure, PLACE, day, known, "hukou", sex, band, value)


def cells() -> Iterator[Cell]:
    """1,000 births and 300 deaths a month, fewer boys every year; 99.6 % of migrants managed."""
    for year, boys in BOYS.items():
        for month in range(1, 13):
            day = date(year, month, 15)
            yield counted("births", day, boys, band="25-29")
            yield counted("births", day, 1000 - boys, sex="2", band="25-29")
            yield counted("deaths", day, 300, band="80-84")
    yield counted("births", date(1999, 1, 1), 1, date(2016, 5, 1), band="unknown")
    for measure, value in (("migrants_known", 100_000), ("migrants_managed", 99_600)):
        yield Cell(measure, PLACE, date(2016, 1, 2), date(2016, 1, 2), "migrant", "1", "", value)
    # A correction that became known when the year was over.
    yield counted("births", date(2018, 3, 15), 2400, date(2019, 2, 1), band="25-29")


@pytest.fixture(scope="module")
def store(store: Store) -> Store:
    put_cells(store, cells())
    people = [Person(date(2015, 12, 31), date(2016, 1, 20), p, "2", 1990, 0) for p in INSIDE]
    people.append(Person(date(2015, 12, 31), date(2016, 1, 20), PLACE, "2", 1991, 1_000_000))
    put_people(store, people)
    doctors = {2015: "2", 2016: "2.2", 2017: "2.4"}
    put_facts(
        store,
        [
            Imported(
                "physicians_per_1000", CITY, date(year, 12, 31), date(year + 1, 2, 1),
                Fraction(value),
            )
            for year, value in doctors.items()
        ],
    )  # fmt: skip
    return store


@pytest.fixture(scope="module")
def card(store: Store) -> Scorecard:
    return scorecard(store, END, END)


def row(card: Scorecard, indicator: str) -> Row:
    return next(each for each in card.rows if each.target.indicator == indicator)


def test_every_target_has_its_row(card: Scorecard) -> None:
    assert [each.target for each in card.rows] == list(TARGETS)
    assert len(card.rows) == 22
    assert (card.district, card.as_of, card.known_on, card.heard) == (CITY, END, END, END)
    assert card.death_rate == Fraction(36, 10)


WANTED = {
    # 12,000 births of a million: 12 ‰ of at most 14
    "birth_rate": ("12", "met", "inside"),
    "natural_growth_rate": ("8.4", "not_met", "above"),
    "sex_ratio_at_birth": (str(Fraction(5300, 47)), "cannot_tell", "approaching"),
    "migrant_management_rate": ("99.6", "met", "inside"),
    "physicians_per_1000": ("2.4", "not_met", "below"),
    "resident_population": ("1000000", "not_met", "below"),
    "share_60_plus": ("0", "watched", "no_target"),
}


@pytest.mark.parametrize("indicator", WANTED)
def test_verdict(card: Scorecard, indicator: str) -> None:
    value, outcome, why = WANTED[indicator]
    found = row(card, indicator)
    assert found.reading.value == Fraction(value)
    assert (found.verdict.outcome, found.verdict.why) == (outcome, why)


def test_without_data_nobody_can_tell(card: Scorecard) -> None:
    beds = row(card, "beds_per_1000")
    assert (beds.verdict.outcome, beds.verdict.why) == ("cannot_tell", "no_reference")
    assert (beds.series, beds.slope, beds.outlook.needed) == ((), None, None)


def test_the_trend_is_of_years_that_are_covered(card: Scorecard) -> None:
    """The stray birth of 1999 does not make 2013 a year of data."""
    births = row(card, "birth_rate")
    assert [point.day for point in births.points] == [
        END - timedelta(days=364 * n) for n in (2, 1, 0)
    ]
    assert births.slope is not None
    assert births.slope.direction == "level"
    ratio = row(card, "sex_ratio_at_birth")
    assert ratio.slope is not None
    assert ratio.slope.direction == "down"
    doctors = row(card, "physicians_per_1000")
    assert [float(point.value) for point in doctors.points] == [2.0, 2.2, 2.4]


def test_the_mid_term_evaluation(card: Scorecard) -> None:
    doctors = row(card, "physicians_per_1000").outlook
    # a tenth in the 731 days that are left
    assert doctors.needed == Fraction(1, 10) / (Fraction(731 * 4, 1461))
    assert float(doctors.projected or 0) == pytest.approx(3.0, abs=0.001)
    assert doctors.course == "on_course"
    assert row(card, "birth_rate").outlook.course == "on_course"
    assert row(card, "natural_growth_rate").outlook.course == "off_course"
    assert row(card, "natural_growth_rate").outlook.needed < 0  # type: ignore[operator]


def test_as_known_later_it_is_another_verdict(store: Store) -> None:
    later = row(scorecard(store, END, date(2019, 3, 1), steps=NOW), "birth_rate")
    assert later.reading.value == Fraction(144, 10)
    assert (later.verdict.outcome, later.verdict.why) == ("not_met", "above")
    newest = scorecard(store, END, steps=NOW)
    assert row(newest, "birth_rate").reading.value == Fraction(144, 10)
    assert newest.heard == known_through(store) == date(2019, 2, 1)


def test_a_district_has_no_target_for_the_city(store: Store) -> None:
    found = scorecard(store, END, END, PLACE, steps=NOW)
    people = row(found, "resident_population")
    assert (people.verdict.outcome, people.verdict.why) == ("watched", "of_the_city")
    assert row(found, "birth_rate").verdict.outcome == "met"
    empty = scorecard(store, END, END, "320585", steps=NOW)
    assert row(empty, "birth_rate").verdict.why == "zero_denominator"


def test_a_provisional_figure_leaves_room(store: Store) -> None:
    """Of a fortnight's births some reports are on their way; the interval is widened by them."""
    found = row(scorecard(store, date(2018, 12, 16), date(2018, 12, 16), steps=NOW), "birth_rate")
    assert found.completeness is not None
    assert found.completeness < 0.995
    assert found.status == "provisional"
    assert row(scorecard(store, date(2016, 12, 31), steps=NOW), "birth_rate").status == "final"


def test_what_was_final_and_changed_is_revised(store: Store) -> None:
    names = (
        "indicator",
        "base",
        "district",
        "window",
        "as_of",
        "known_on",
        "status",
        "published_at",
    )
    key = ("birth_rate", "resident", CITY, "year", END)
    rows = [(*key, date(2019, 1, 9), "final", 1), (*key, date(2019, 2, 1), "revised", 2)]
    store.insert("readings", dict(zip(names, zip(*rows, strict=True), strict=True)))
    try:
        assert (
            row(scorecard(store, END, date(2019, 1, 31), steps=NOW), "birth_rate").status
            != "revised"
        )
        assert (
            row(scorecard(store, END, date(2019, 2, 1), steps=NOW), "birth_rate").status
            == "revised"
        )
    finally:
        store.command("TRUNCATE TABLE readings")


# -- what is written


def test_csv_and_json_hold_the_same_figures(card: Scorecard) -> None:
    written = as_csv(card)
    assert written.startswith(b"\xef\xbb\xbf"), "Excel takes it for UTF-8 by this mark"
    table = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"))))
    said = json.loads(as_json(card, "en", simulated=False))
    outcomes = [each.verdict.outcome for each in card.rows]
    assert said["counts"] == {key: outcomes.count(key) for key in said["counts"]}
    assert sum(said["counts"].values()) == 22
    assert said["as_of"] == "2018-12-31"
    assert len(table) == len(said["targets"]) == 22
    for left, right in zip(table, said["targets"], strict=True):
        for name, value in left.items():
            assert value == ("" if right[name] is None else str(right[name])), name
    births = said["targets"][0]
    assert births["value"] == 12
    assert births["low"] < 12 < births["high"]
    assert [point["as_of"] for point in births["trend"] if point["in_slope"]][-1] == "2018-12-31"


def test_the_workbook_holds_numbers_and_days(card: Scorecard) -> None:
    for language in LANGUAGES:
        book = load_workbook(io.BytesIO(workbook(card, language, simulated=True)))
        table, trends, notes = book.worksheets
        head = [cell.value for cell in table[1]]
        births = dict(zip(head, [cell.value for cell in table[2]], strict=True))
        value, start = (WORDS[key][LANGUAGES.index(language)] for key in ("value", "start"))
        assert births[value] == 12
        assert births[start] == "≤ 10"
        assert dict(zip(head, [c.value for c in table[8]], strict=True))[start] == 5.55
        assert isinstance(trends["B2"].value, datetime)
        assert isinstance(trends["C2"].value, float)
        assert table.max_row == 23
        told = " ".join(str(cell.value) for cell in notes["A"])
        assert contradiction(card, language) in told
        assert WORDS["simulated"][LANGUAGES.index(language)] in told


class Outline(HTMLParser):
    """What a page consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "col"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_needs_nothing_from_elsewhere(card: Scorecard, language: str) -> None:
    written = page(card, language, simulated=True)  # type: ignore[arg-type]
    outline = Outline()
    outline.feed(written)
    assert outline.open == []
    names = {tag for tag, _ in outline.tags}
    assert not names & {"script", "link", "img", "iframe"}
    assert not re.search(r"https?:|url\((?!#)|@import|src=", written)
    place = LANGUAGES.index(language)  # type: ignore[arg-type]
    for key in ("title", "simulated", "outlook"):
        assert WORDS[key][place] in outline.text
    for line in lines(card, language):  # type: ignore[arg-type]
        assert line.name in outline.text
        assert line.verdict in outline.text
    charts = [attrs for tag, attrs in outline.tags if tag == "svg"]
    assert len(charts) == sum(1 for each in card.rows if each.series)
    assert all(attrs["aria-label"] for attrs in charts)
    limits = [attrs for tag, attrs in outline.tags if tag == "line" and attrs["class"] == "limit"]
    assert len(limits) >= len([c for c in card.rows if c.series and not c.band.free])


def test_the_plan_contradicts_itself(card: Scorecard) -> None:
    """At 3.6 deaths growth of 4 allows 7.6 births, so 14 cannot bind."""
    assert "3.60 ‰" in contradiction(card, "en")
    assert "7.60" in contradiction(card, "en")
    assert "never binds" in contradiction(card, "en")
    assert "≤7.60‰" in contradiction(card, "zh")


def test_everything_said_is_said_in_both_languages() -> None:
    noted = {target.indicator for target in TARGETS if target.note}
    assert noted == set(TARGET_NOTES)
    for pair in (*WORDS.values(), *WHYS.values(), *TARGET_NOTES.values()):
        assert all(pair)
        assert pair[0] != pair[1]
