"""Local civil days: all days of the contract are Asia/Shanghai's.

Days inside the pipeline are whole numbers counted from 1970-01-01, as ClickHouse's Date32 and
Kafka's timestamps count them.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
EPOCH = date(1970, 1, 1).toordinal()
FIRST_DAY = date(1900, 1, 1)
LAST_VALID = date(2299, 12, 30)
"""Last day a permit may be valid; its lapse is then the last day that Date32 holds."""
LAST_DAY = date(2299, 12, 31).toordinal() - EPOCH

_HOURS_8 = 8 * 3_600_000
_DAY_MS = 86_400_000
_OFFSET = timedelta(hours=8)
_FIXED_SINCE_YEAR = 1992
_FIXED_SINCE_MS = 694_224_000_000
"""1992-01-01: since then the zone is +08:00 without exception (summer time ended in 1991)."""


def day_number(day: date) -> int:
    """Days since 1970-01-01; negative before."""
    return day.toordinal() - EPOCH


@lru_cache(maxsize=4096)
def day_date(number: int) -> date:
    """The date of a day number."""
    return date.fromordinal(number + EPOCH)


def local_day(timestamp_ms: int) -> int:
    """Local day of a Kafka timestamp, as a day number."""
    if timestamp_ms >= _FIXED_SINCE_MS:
        return (timestamp_ms + _HOURS_8) // _DAY_MS
    instant = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=timestamp_ms)
    return day_number(instant.astimezone(ZONE).date())


def local_date(instant: datetime) -> date:
    """Local date of a moment; the ends of the calendar stay what they are."""
    if instant.utcoffset() == _OFFSET and instant.year >= _FIXED_SINCE_YEAR:
        return instant.date()
    try:
        return instant.astimezone(ZONE).date()
    except OverflowError:
        return instant.date()
