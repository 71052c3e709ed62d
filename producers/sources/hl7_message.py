"""One HL7 v2 message in ER7 form, read field by field.

Only what is asked for is split, since a message has some hundred fields and a mapping reads twenty
of them: 25 µs where python-hl7, which splits everything, takes 522. Escapes are unfolded here too:
python-hl7 logs the field where it meets one that it does not know.
"""

import re
from datetime import datetime, timedelta, timezone

from producers.sources.clinical import MISSING, FaultError
from schemas.clock import ZONE
from schemas.refusals import Code

CHARSETS = {
    "": "utf-8",
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "GB 18030-2000": "gb18030",
    "GB 18030-2005": "gb18030",
    "GB18030": "gb18030",
    "GB 18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "GB 2312": "gb18030",
}
"""MSH-18 (HL7 table 0211, and what is written instead) to the codec."""

NULL = '""'
"""HL7's explicit null: the value is deleted. Here the same as none."""

_MOMENT = re.compile(
    r"(?P<day>[0-9]{8})(?P<hour>[0-9]{2})?(?P<minute>[0-9]{2})?(?P<second>[0-9]{2})?"
    r"(?P<fraction>\.[0-9]{1,6})?(?P<offset>[+-][0-9]{4})?"
)
_BREAK = re.compile(r"\r\n|\n")
_HEX = re.compile(r"X(?:[0-7][0-9A-Fa-f])+")
_DELIMITERS = re.compile(r"MSH([^\w\s])([^\w\s])([^\w\s])([^\w\s])([^\w\s])[^\w\s]?\1")


class UnreadableError(Exception):
    """No HL7 message at all; ``code`` of HL7 table 0357, and a sentence without any value."""

    def __init__(self, code: str, place: str, sentence: str, zh: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.place = place
        self.sentence = sentence
        self.zh = zh


class Message:
    """A message by segment, field, repetition and component, numbered as the standard does."""

    def __init__(self, text: str, charset: str) -> None:
        found = _DELIMITERS.match(text)
        if found is None or len(set(found.groups())) < 5:
            raise UnreadableError(
                "100", "MSH-1", "The message does not begin with MSH and its separators", "缺少 MSH"
            )
        self.charset = charset
        self.separator, self._component, self._repetition, self._escape, self._sub = found.groups()
        self._segments: dict[str, list[list[str]]] = {}
        for line in _BREAK.sub("\r", text).split("\r"):
            if line:
                fields = line.split(self.separator)
                self._segments.setdefault(fields[0], []).append(fields)

    def segments(self, name: str) -> list["Segment"]:
        """The segments of a name, in their order."""
        return [
            Segment(self, name, number, fields)
            for number, fields in enumerate(self._segments.get(name, ()), 1)
        ]

    def segment(self, name: str) -> "Segment":
        """The first segment of a name; an empty one when there is none."""
        found = self._segments.get(name)
        return Segment(self, name, 1, found[0] if found else [name])

    def has(self, name: str) -> bool:
        """Whether there is such a segment."""
        return name in self._segments

    def split(self, field: str) -> list[str]:
        """Repetitions of a field."""
        return field.split(self._repetition) if field else []

    def piece(self, repetition: str, component: int) -> str:
        """First subcomponent of a component (from 1), with escapes unfolded."""
        if self._component in repetition:
            pieces = repetition.split(self._component, component)
            text = pieces[component - 1] if len(pieces) >= component else ""
        else:
            text = repetition if component == 1 else ""
        if self._sub in text:
            text = text.partition(self._sub)[0]
        text = text.strip()
        if text == NULL:
            return ""
        return self._unfold(text) if self._escape in text else text

    def first(self, field: str, component: int) -> str:
        """The same of the first repetition of a field."""
        if self._repetition in field:
            field = field.partition(self._repetition)[0]
        return self.piece(field, component)

    def _unfold(self, text: str) -> str:
        """Escape sequences of separators and hex; what only formats text is dropped."""
        parts = text.split(self._escape)
        known = {
            "F": self.separator,
            "S": self._component,
            "R": self._repetition,
            "E": self._escape,
            "T": self._sub,
        }
        for place in range(1, len(parts), 2):
            code = parts[place]
            if _HEX.fullmatch(code):
                parts[place] = bytes.fromhex(code[1:]).decode("ascii")
            else:
                parts[place] = known.get(code, "")
        return "".join(parts)


class Segment:
    """One segment of a message."""

    def __init__(self, message: Message, name: str, number: int, fields: list[str]) -> None:
        self._message = message
        self._name = name
        self._fields = fields
        # MSH-1 is the separator itself, so its fields stand one place further on.
        self._shift = 1 if name == "MSH" else 0
        self._number = number

    def place(self, field: int, component: int = 0) -> str:
        """Name of a place: ``PID-3``, ``DG1(2)-3.1``."""
        number = f"({self._number})" if self._number > 1 else ""
        return f"{self._name}{number}-{field}" + (f".{component}" if component else "")

    def raw(self, field: int) -> str:
        """A whole field as it was written."""
        index = field - self._shift
        return self._fields[index] if 0 < index < len(self._fields) else ""

    def repetitions(self, field: int) -> list[str]:
        """The repetitions of a field, for :meth:`Message.piece`."""
        return self._message.split(self.raw(field))

    def text(self, field: int, component: int = 1) -> str:
        """A component of the first repetition; empty when it is not there."""
        index = field - self._shift
        if not 0 < index < len(self._fields):
            return ""
        written = self._fields[index]
        return self._message.first(written, component) if written else ""

    def moment(self, field: int) -> datetime | None:
        """A point in time (DTM), local where no offset is written; ``None`` when empty."""
        text = self.text(field)
        if not text:
            return None
        try:
            return _moment(text)
        except (ValueError, OverflowError):
            raise FaultError(
                Code.SCHEMA,
                self.place(field),
                "The time is not YYYYMMDD[HHMM[SS]][+ZZZZ] of a day that exists.",
                "时间格式应为 YYYYMMDD[HHMM[SS]]。",
            ) from None

    def needed(self, field: int) -> datetime:
        """A point in time that must be there."""
        found = self.moment(field)
        if found is None:
            raise FaultError(MISSING, self.place(field), "The time is missing.", "缺少时间。")
        return found


def _moment(text: str) -> datetime:
    found = _MOMENT.fullmatch(text)
    if found is None or (found["fraction"] and not found["second"]):
        raise ValueError
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    micros = int(float(found["fraction"] or 0) * 1_000_000)
    day = found["day"]
    date = int(day[:4]), int(day[4:6]), int(day[6:])
    written = datetime(*date, hour, minute, second, micros, tzinfo=ZONE)
    offset = found["offset"]
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[3:])
        zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
        written = written.replace(tzinfo=zone).astimezone(ZONE)
    return written


def decode(frame: bytes, usual: str = "utf-8") -> Message:
    """The message of a frame, in the character set that its MSH-18 names.

    Args:
        frame: what stands between MLLP's marks.
        usual: the codec of a message that names none.

    Raises:
        UnreadableError: no message, or not in that character set.
    """
    head = frame.lstrip(b"\r\n ")
    line = re.split(rb"[\r\n]", head, maxsplit=1)[0]
    codec = _named(line) or usual
    try:
        text = head.decode(codec)
    except UnicodeDecodeError:
        raise UnreadableError(
            "102",
            "MSH-18",
            "The message is not in the character set that MSH-18 names",
            "字符集与 MSH-18 不符",
        ) from None
    return Message(text, codec)


def _named(line: bytes) -> str | None:
    """Codec that MSH-18 names; the line itself may hold characters of it, so each is tried."""
    for codec in ("utf-8", "gb18030"):
        try:
            fields = line.decode(codec).split(chr(line[3]) if len(line) > 3 else "|")
        except UnicodeDecodeError:
            continue
        name = fields[17].split("~")[0].strip().upper() if len(fields) > 17 else ""
        if not name:
            return None
        if name not in CHARSETS:
            raise UnreadableError(
                "103",
                "MSH-18",
                "MSH-18 names no character set that is understood: UNICODE UTF-8, GB 18030-2000 "
                "or ASCII",
                "MSH-18 字符集不支持",
            )
        if CHARSETS[name] in (codec, "ascii"):
            return CHARSETS[name]
    raise UnreadableError(
        "102", "MSH-18", "MSH is not in the character set that MSH-18 names", "字符集与 MSH-18 不符"
    )
