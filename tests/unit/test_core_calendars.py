"""Ages, months and age groups by hand."""

import pytest

from pipeline.core.calendars import (
    DAYS,
    completed_years,
    death_band,
    month_before,
    mother_band,
    year_of,
)


@pytest.mark.parametrize(
    ("spelled", "number", "year"),
    [("1970-01-01", 0, 1970), ("1969-12-31", -1, 1969), ("1900-01-01", -25567, 1900)],
)
def test_days_are_counted_from_1970(spelled: str, number: int, year: int) -> None:
    assert DAYS[spelled] == number
    assert year_of(number) == year


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        *(("2000-05-01", "2000-05-01", 0), ("2000-05-01", "2001-04-30", 0)),
        *(("2000-05-01", "2001-05-01", 1), ("2000-02-29", "2001-02-28", 0)),
        *(("2000-02-29", "2001-03-01", 1), ("2000-02-29", "2004-02-28", 3)),
        *(("2000-02-29", "2004-02-29", 4), ("1999-12-31", "2000-01-01", 0)),
    ],
)
def test_completed_years(born: str, day: str, years: int) -> None:
    assert completed_years(DAYS[born], DAYS[day]) == years


@pytest.mark.parametrize(
    ("day", "before"),
    [
        *(("2016-03-31", "2016-02-29"), ("2015-03-31", "2015-02-28"), ("2016-03-01", "2016-02-01")),
        *(("2016-01-31", "2015-12-31"), ("2016-01-01", "2015-12-01"), ("2016-12-31", "2016-11-30")),
        *(("2016-05-31", "2016-04-30"), ("1970-01-31", "1969-12-31")),
    ],
)
def test_month_before_is_clamped(day: str, before: str) -> None:
    assert month_before(DAYS[day]) == DAYS[before]


@pytest.mark.parametrize(
    ("born", "band"),
    [
        *(("2006-03-02", "unknown"), ("2006-03-01", "10-14"), ("2001-03-01", "15-19")),
        *(("1996-03-02", "15-19"), ("1996-03-01", "20-24"), ("1961-03-02", "50-54")),
        *(("1961-03-01", "55+"), ("1900-01-01", "55+"), ("2016-03-01", "unknown")),
    ],
)
def test_mother_band(born: str, band: str) -> None:
    assert mother_band(DAYS[born], DAYS["2016-03-01"]) == band


@pytest.mark.parametrize(
    ("born", "band"),
    [
        *(("2016-03-01", "0"), ("2015-03-02", "0"), ("2015-03-01", "1-4"), ("2011-03-02", "1-4")),
        *(("2011-03-01", "5-9"), ("1931-03-02", "80-84"), ("1931-03-01", "85+")),
        *(("1900-01-01", "85+"),),
    ],
)
def test_death_band(born: str, band: str) -> None:
    assert death_band(DAYS[born], DAYS["2016-03-01"]) == band


def test_unknown_births() -> None:
    assert mother_band(None, 0) == death_band(None, 0) == "unknown"
