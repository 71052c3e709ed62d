"""Arithmetic on day numbers: completed years, months before, age groups."""

from datetime import date

from schemas.clock import EPOCH


class _Parts(dict[int, tuple[int, int]]):
    """Year and month·100 + day of a day number, remembered: a city has few different days."""

    def __missing__(self, day: int) -> tuple[int, int]:
        civil = date.fromordinal(day + EPOCH)
        parts = self[day] = (civil.year, civil.month * 100 + civil.day)
        return parts


class _Days(dict[str, int]):
    """Day number of a date as the contract spells it, remembered."""

    def __missing__(self, spelled: str) -> int:
        day = self[spelled] = date.fromisoformat(spelled).toordinal() - EPOCH
        return day


PARTS = _Parts()
DAYS = _Days()


def year_of(day: int) -> int:
    """Calendar year of a day."""
    return PARTS[day][0]


def completed_years(born: int, day: int) -> int:
    """Age in completed years; somebody born on 29 February is a year older on 1 March."""
    born_year, born_rest = PARTS[born]
    year, rest = PARTS[day]
    return year - born_year - (rest < born_rest)


def month_before(day: int) -> int:
    """Same day of the month before, or that month's last day (31 March → 28 February)."""
    year, rest = PARTS[day]
    month, of_month = divmod(rest, 100)
    first_of_month = day - of_month + 1
    year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    length = first_of_month - (date(year, month, 1).toordinal() - EPOCH)
    return first_of_month - length + min(of_month, length) - 1


def _five_year_bands(first: int, last: int) -> list[str]:
    return [f"{age}-{age + 4}" for age in range(first, last + 1, 5)]


_MOTHER_BANDS = ["unknown", "unknown", *_five_year_bands(10, 50)]
_DEATH_BANDS = ["0", "1-4", "1-4", "1-4", "1-4"]
_DEATH_BANDS += [band for band in _five_year_bands(5, 80) for _ in range(5)]


def mother_band(born: int | None, day: int) -> str:
    """Mother's age group at a birth: ``10-14`` … ``50-54``, ``55+``, else ``unknown``."""
    if born is None:
        return "unknown"
    age = completed_years(born, day)
    return _MOTHER_BANDS[max(age, 0) // 5] if age < 55 else "55+"


def death_band(born: int | None, day: int) -> str:
    """Age group at death: ``0``, ``1-4``, ``5-9`` … ``80-84``, ``85+``, ``unknown``."""
    if born is None:
        return "unknown"
    age = completed_years(born, day)
    return _DEATH_BANDS[max(age, 0)] if age < 85 else "85+"
