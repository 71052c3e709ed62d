"""From the cells of tables, spreadsheets and databases to the contract's values.

Pure. A cell is what its reader gives: text, a number, a truth, a date, a moment, or nothing. Every
error says what is wrong and how to mend it, and never holds what the cell held.
"""

import re
import unicodedata
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from producers.problems import CellError as CellError
from producers.problems import Problem
from schemas.clock import ZONE

SPREADSHEET_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a civil date
"""Day 0 of serial dates as they are since 1900-03-01 (spreadsheets think 1900 a leap year)."""

_MOST_DIGITS = 15
"""Digits of a number that spreadsheets keep."""
_MOST_PLACES = 40
_YMD = r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})"
_CHINESE = r"(?P<cy>\d{4})年(?P<cm>\d{1,2})月(?P<cd>\d{1,2})[日号]?"
_PACKED = r"(?P<py>\d{4})(?P<pm>\d{2})(?P<pd>\d{2})"
_CLOCK = (
    r"(?:(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.(?P<F>\d{1,9}))?)?"
    r"|(?P<cH>\d{1,2})[时点](?:(?P<cM>\d{1,2})分(?:(?P<cS>\d{1,2})秒)?)?)"
)
_OFFSET = r"(?P<o>Z|[+-]\d{2}:?\d{2})"
_MOMENT = re.compile(rf"(?:{_YMD}|{_CHINESE}|{_PACKED})(?:[T ]*{_CLOCK} *{_OFFSET}?)?", re.ASCII)
_PACKED_MOMENT = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})", re.ASCII)
_SERIAL = re.compile(r"\d{5}(?:\.\d+)?", re.ASCII)
_MONTH_ONLY = re.compile(r"\d{4}(?:[-/.年])\d{1,2}月?", re.ASCII)
_SHORT_YEAR = re.compile(r"\d{1,2}[-/.年]\d{1,2}[-/.月]\d{1,2}日?.*", re.ASCII)
_CUT = re.compile(r"\d(?:\.\d+)?E\+?\d+", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_MONEY = re.compile(
    r"(?P<sign>[+-]?)[¥￥]?(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.(?P<part>\d+))?元?", re.ASCII
)
_WEEKS = re.compile(r"(\d{1,2})(?:周|周?\+[0-6]天?|周[0-6]天)?", re.ASCII)
_LIST = re.compile(r"[;|；、]")
_DIGITS = str.maketrans("〇○零一二三四五六七八九", "000123456789")
_NUMERAL = "一二三四五六七八九"
_IN_WORDS = re.compile(
    f"([〇○零{_NUMERAL}]{{4}})年([{_NUMERAL}十]{{1,3}})月([{_NUMERAL}十]{{1,3}})[日号]"
)
_BEYOND = 10**8
_LATEST_SERIAL = 2_958_465
"""9999-12-31."""


class Damaged:
    """A cell in whose place a spreadsheet shows an error, such as ``#N/A``."""


def is_empty(cell: Any) -> bool:
    """Whether there is nothing in a cell."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def text(cell: Any) -> str:
    """A cell as text; whole numbers without ``.0``.

    Raises:
        CellError: a number of which a spreadsheet keeps no more than fifteen digits, or no value.
    """
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float | Decimal):
        return _number_as_text(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, bytes):
        raise CellError(Problem.BYTES)
    if isinstance(cell, Damaged):
        raise CellError(Problem.DAMAGED)
    raise CellError(Problem.NESTED)


def narrow(cell: Any) -> str:
    """A cell as text with full-width letters and digits narrowed."""
    return unicodedata.normalize("NFKC", text(cell)).strip()


def document_number(cell: Any) -> str:
    """The number of a document.

    Raises:
        CellError: a spreadsheet has cut its digits off.
    """
    found = narrow(cell)
    if _CUT.fullmatch(found):
        raise CellError(Problem.DIGITS_LOST)
    return found


def day(cell: Any, epoch: datetime = SPREADSHEET_EPOCH) -> str:
    """A local civil date as ``YYYY-MM-DD``.

    Args:
        cell: a date, a moment (a local one, or one with its offset), or a text or a serial number
            of a spreadsheet that says one.
        epoch: day 0 of serial numbers.

    Raises:
        CellError: it is no date.
    """
    found = _when(cell, epoch)
    if isinstance(found, datetime) and found.tzinfo is not None:
        found = _local(found)
    return f"{found.year:04}-{found.month:02}-{found.day:02}"


def instant(cell: Any, epoch: datetime = SPREADSHEET_EPOCH) -> str:
    """A moment with its offset; one without is Asia/Shanghai's, a mere date its beginning.

    Raises:
        CellError: it is no moment.
    """
    found = _when(cell, epoch)
    if not isinstance(found, datetime):
        found = datetime.combine(found, time())
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZONE)
    offset = found.utcoffset() or timedelta()
    if offset % timedelta(minutes=1):  # before 1901 the zone had seconds, RFC 3339 has none
        offset -= offset % timedelta(minutes=1)
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta() else "+"
    written = found.replace(tzinfo=None).isoformat(timespec="seconds")
    return f"{written}{sign}{minutes // 60:02}:{minutes % 60:02}"


def whole(cell: Any) -> int:
    """A whole number.

    Raises:
        CellError: it is none.
    """
    found = narrow(cell).replace(",", "")
    if not isinstance(cell, bool) and _WHOLE.fullmatch(found):
        return int(found)
    raise CellError(Problem.NO_WHOLE)


def fen(cell: Any) -> int:
    """An amount in yuan, in fen.

    Raises:
        CellError: it is no amount, or has parts of a fen.
    """
    if isinstance(cell, float):
        cell = f"{cell:.6f}"
    found = None if isinstance(cell, bool) else _MONEY.fullmatch(narrow(cell))
    if found is None:
        raise CellError(Problem.NO_AMOUNT)
    part = (found["part"] or "").rstrip("0")
    if len(part) > 2:
        raise CellError(Problem.PART_OF_FEN)
    amount = int(found["whole"].replace(",", "")) * 100 + int(f"{part:0<2}")
    return -amount if found["sign"] == "-" else amount


def weeks(cell: Any) -> int:
    """Completed weeks of gestation, of ``39``, ``39+2`` or ``39周+2天``.

    Raises:
        CellError: it is none of these.
    """
    found = _WEEKS.fullmatch("".join(narrow(cell).split()))
    if found is None:
        raise CellError(Problem.NO_WEEKS)
    return int(found[1])


def several(cell: Any) -> list[str]:
    """A list, separated by ``;`` or ``|``."""
    return [part.strip() for part in _LIST.split(narrow(cell)) if part.strip()]


def icd(code: str) -> str:
    """A code of ICD-10 with its letter upper-case and no blanks."""
    joined = "".join(code.split())
    return joined[:1].upper() + joined[1:]


def _number_as_text(cell: float | Decimal) -> str:
    if isinstance(cell, int):
        return str(cell)
    number = Decimal(str(cell))
    if not number.is_finite() or number.adjusted() > _MOST_PLACES:
        raise CellError(Problem.NO_NUMBER)
    if number != number.to_integral_value():
        return f"{number:f}"
    if isinstance(cell, float) and number.adjusted() >= _MOST_DIGITS:
        raise CellError(Problem.DIGITS_LOST)
    return str(int(number))


def _when(cell: Any, epoch: datetime) -> date | datetime:
    if isinstance(cell, datetime):
        return cell.replace(microsecond=0)
    if isinstance(cell, date):
        return cell
    if isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        number = _within(cell)
        if number >= 10**7:  # 20160305 kept as a number
            return _spelled(str(int(number)))
        return _serial(number, epoch)
    found = narrow(cell)
    if _SERIAL.fullmatch(found):
        return _serial(float(found), epoch)
    return _spelled(_in_digits(found))


def _within(cell: float | Decimal) -> float:
    """The number, or one beyond all dates for what is none or not finite."""
    if isinstance(cell, Decimal) and not cell.is_finite():
        return -1.0
    return float(cell) if -1 < cell < _BEYOND else -1.0


def _serial(number: float, epoch: datetime) -> datetime:
    if not 61 <= number <= _LATEST_SERIAL:
        raise CellError(Problem.NO_DATE)
    # Rounded: fractions of days leave noise behind the seconds.
    moment = epoch + timedelta(days=number, microseconds=500_000)
    return moment.replace(microsecond=0)


def _in_digits(found: str) -> str:
    words = _IN_WORDS.fullmatch(found)
    if words is None:
        return found
    year, month, day_of_month = words.groups()
    return f"{year.translate(_DIGITS)}年{_tens(month)}月{_tens(day_of_month)}日"


def _tens(words: str) -> str:
    """一 to 三十一 as digits."""
    before, ten, after = words.partition("十")
    if not ten:
        return words.translate(_DIGITS)
    return (before.translate(_DIGITS) or "1") + (after.translate(_DIGITS) or "0")


def _spelled(found: str) -> date | datetime:
    packed = _PACKED_MOMENT.fullmatch(found)
    if packed is not None:
        return _moment(*(int(part) for part in packed.groups()))
    parts = _MOMENT.fullmatch(found)
    if parts is None:
        raise CellError(_why_no_date(found))
    year, month, of_month = (
        int(parts[a] or parts[b] or parts[c])
        for a, b, c in (("y", "cy", "py"), ("m", "cm", "pm"), ("d", "cd", "pd"))
    )
    hour = parts["H"] or parts["cH"]
    if hour is None:
        return _moment(year, month, of_month).date()
    minute, second = parts["M"] or parts["cM"] or 0, parts["S"] or parts["cS"] or 0
    moment = _moment(year, month, of_month, int(hour), int(minute), int(second))
    return moment if parts["o"] is None else _with_offset(moment, parts["o"])


def _moment(
    year: int, month: int, of_month: int, hour: int = 0, minute: int = 0, second: int = 0
) -> datetime:
    try:
        return datetime(year, month, of_month, hour, minute, second)  # noqa: DTZ001 - added later
    except ValueError:
        raise CellError(Problem.NO_SUCH_DAY) from None


def _with_offset(moment: datetime, offset: str) -> datetime:
    written = "+0000" if offset == "Z" else offset.replace(":", "")
    try:
        return datetime.strptime(f"{moment:%Y%m%d%H%M%S}".zfill(14) + written, "%Y%m%d%H%M%S%z")
    except ValueError:
        raise CellError(Problem.NO_OFFSET) from None


def _local(moment: datetime) -> datetime:
    try:
        return moment.astimezone(ZONE)
    except OverflowError:
        raise CellError(Problem.NO_SUCH_DAY) from None


def _why_no_date(found: str) -> Problem:
    if _MONTH_ONLY.fullmatch(found):
        return Problem.NO_DAY
    if _SHORT_YEAR.fullmatch(found):
        return Problem.DAY_FIRST
    return Problem.NO_DATE
