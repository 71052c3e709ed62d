"""Local civil days."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from schemas.clock import (
    LAST_DAY,
    LAST_VALID,
    ZONE,
    day_date,
    day_number,
    local_date,
    local_day,
)

DAY_MS = 86_400_000


def ms(spelled: str) -> int:
    return int(datetime.fromisoformat(spelled).timestamp() * 1000)


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(1969, 12, 31), date(2299, 12, 31)])
def test_day_number_and_back(day: date) -> None:
    assert day_date(day_number(day)) == day
    assert day_number(date(1970, 1, 1)) == 0


def test_calendar_ends_where_date32_does() -> None:
    assert day_date(LAST_DAY) == date(2299, 12, 31)
    assert day_number(LAST_VALID) + 1 == LAST_DAY


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        *(("2016-01-01T00:30:00+08:00", "2016-01-01"), ("2015-12-31T16:00:00+00:00", "2016-01-01")),
        *(("2015-12-31T15:59:59.999+00:00", "2015-12-31"), ("1970-01-01T00:00:00Z", "1970-01-01")),
        *(("1988-07-01T15:00:00Z", "1988-07-02"), ("1988-07-01T14:59:59Z", "1988-07-01")),
        *(("1991-12-31T16:00:00Z", "1992-01-01"), ("1991-12-31T15:59:59Z", "1991-12-31")),
        *(("1969-12-31T15:59:59Z", "1969-12-31"), ("1969-12-31T16:00:00Z", "1970-01-01")),
    ],
)
def test_local_day(instant: str, day: str) -> None:
    assert day_date(local_day(ms(instant))) == date.fromisoformat(day)
    assert local_date(datetime.fromisoformat(instant)) == date.fromisoformat(day)


def test_quick_way_and_zone_agree() -> None:
    """Every half year from 1980 to 2030, one millisecond around each local midnight."""
    for number in range(3653, 22_000, 183):
        midnight = datetime.combine(day_date(number), datetime.min.time(), ZONE)
        at = round(midnight.timestamp() * 1000)
        assert local_day(at) == number
        assert local_day(at - 1) == number - 1


def test_ends_of_the_calendar_stay() -> None:
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    assert local_date(first) == date.min
    assert local_date(datetime.max.replace(tzinfo=UTC)) == date.max
