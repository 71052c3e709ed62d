"""Age groups, diagnosis chapters and month arithmetic of the independent recount."""

from __future__ import annotations

import calendar
from datetime import date

# First and last three-character code of each ICD-10 chapter (WHO, volume 1).
CHAPTERS = (
    ("I", "A00", "B99"),
    ("II", "C00", "D48"),
    ("III", "D50", "D89"),
    ("IV", "E00", "E90"),
    ("V", "F00", "F99"),
    ("VI", "G00", "G99"),
    ("VII", "H00", "H59"),
    ("VIII", "H60", "H95"),
    ("IX", "I00", "I99"),
    ("X", "J00", "J99"),
    ("XI", "K00", "K93"),
    ("XII", "L00", "L99"),
    ("XIII", "M00", "M99"),
    ("XIV", "N00", "N99"),
    ("XV", "O00", "O99"),
    ("XVI", "P00", "P96"),
    ("XVII", "Q00", "Q99"),
    ("XVIII", "R00", "R99"),
    ("XIX", "S00", "T98"),
    ("XX", "V01", "Y98"),
    ("XXI", "Z00", "Z99"),
    ("XXII", "U00", "U99"),
)

DELIVERIES = frozenset(("Z37", "O80", "O81", "O82", "O83", "O84"))


def chapter(diagnosis: str) -> str:
    """ICD-10 chapter of a diagnosis as a Roman numeral.

    "ICD-10 chapter of the main diagnosis by its first three characters, Roman numeral; a gap
    `unknown`"
    """
    category = diagnosis[:3].upper()
    for numeral, first, last in CHAPTERS:
        if first <= category <= last:
            return numeral
    return "unknown"


def is_delivery(diagnoses: list[str]) -> bool:
    """Whether any diagnosis tells of a delivery: "`deliveries` (any Z37, O80–O84)"."""
    return any(diagnosis[:3].upper() in DELIVERIES for diagnosis in diagnoses)


def completed_years(born_on: date, day: date) -> int:
    """Birthdays had by `day`; who was born on 29 February has one on 1 March of a common year."""
    before_birthday = (day.month, day.day) < (born_on.month, born_on.day)
    return day.year - born_on.year - before_birthday


def age_group_at_death(years: int | None) -> str:
    """`0`, `1-4`, `5-9`…`80-84`, `85+`, or `unknown` for None."""
    if years is None:
        return "unknown"
    if years < 1:
        return "0"
    if years < 5:
        return "1-4"
    return "85+" if years >= 85 else five_years(years)


def age_group_of_mother(years: int | None) -> str:
    """`10-14`…`50-54`, `55+`, or `unknown` for None and also under 10."""
    if years is None or years < 10:
        return "unknown"
    return "55+" if years >= 55 else five_years(years)


def five_years(years: int) -> str:
    """The group of five years that holds `years`, as `20-24`."""
    first = years // 5 * 5
    return f"{first}-{first + 4}"


def month_before(day: date) -> date:
    """The same day of the month before, "clamped to the month's end"."""
    year, month = (day.year, day.month - 1) if day.month > 1 else (day.year - 1, 12)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
