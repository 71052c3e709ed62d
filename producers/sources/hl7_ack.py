"""Acknowledgements in HL7's original mode: AA, AE and AR with an ERR segment.

AA: Kafka has every event of the message. AE: the content gives no event; mend it. AR: this kind of
message is not taken, or not now (207: send it again). Nothing of the message is repeated but its
header, masked.
"""

import itertools
import os
import time
from dataclasses import dataclass

from producers.codes import spelling
from producers.sources.clinical import MISSING, FaultError, holds_identity
from producers.sources.hl7_header import VERSION
from producers.sources.hl7_message import Message, UnreadableError
from schemas.identity import mask
from schemas.refusals import Code

CONDITIONS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "207": "Application internal error",
}
"""HL7 table 0357."""

_CONDITION_OF = {
    MISSING: "101",
    Code.UNKNOWN_DISTRICT: "103",
    Code.UNKNOWN_SOURCE: "204",
    Code.SOURCE_MISMATCH: "204",
}
_LONGEST = 199
_ESCAPES = {
    **dict.fromkeys(range(32), " "),
    **{ord(c): f"\\{code}\\" for c, code in zip("|^~&\\", "FSRTE", strict=True)},
}
_numbers = itertools.count(1)
_PROCESS = f"{os.getpid():x}{int(time.time()):x}"[:12]


@dataclass(frozen=True)
class Complaint:
    """One ERR segment."""

    condition: str
    severity: str
    place: str
    code: str
    english: str
    chinese: str


def complaint_of(error: FaultError | UnreadableError) -> Complaint:
    """What is wrong with a message, as HL7 says it."""
    if isinstance(error, UnreadableError):
        return Complaint(error.code, "E", error.place, "", f"{error.sentence}.", error.zh)
    condition = _CONDITION_OF.get(error.reason, "102")
    return Complaint(condition, "E", error.place, str(error.reason), error.sentence, error.zh)


def later() -> Complaint:
    """Kafka has not confirmed; the same message may be sent again at any time."""
    return Complaint(
        "207",
        "E",
        "",
        "kafka_away",
        "Kafka has not confirmed the events. Send the message again later; a repeat is counted "
        "once.",
        "暂未入库，请稍后重发；重复消息只计一次。",
    )


def defect(place: str) -> Complaint:
    """Something in us broke; ``place`` in the code, never a value."""
    return Complaint(
        "207", "E", "", "defect", f"A defect of the listener ({place}).", "监听程序缺陷。"
    )


def note(text: str) -> Complaint:
    """Accepted, but somebody should know."""
    return Complaint("0", "W", "", "note", text, "")


def acknowledge(message: Message | None, code: str, complaints: list[Complaint]) -> bytes:
    """The answer to a message, without MLLP's marks, in the message's own character set.

    Args:
        message: what is answered; ``None`` when it could not be read.
        code: ``AA``, ``AE`` or ``AR``.
        complaints: one ERR segment each.
    """
    sep, comp = "|", "^"
    head = message.segment("MSH") if message is not None else None

    def field(number: int, part: int = 1) -> str:
        return _echo(head.text(number, part)) if head is not None else ""

    def route(number: int) -> str:
        first = field(number)
        if head is None or len(head.raw(number)) == len(first):
            return first
        return comp.join([first, *(_echo(head.text(number, part)) for part in (2, 3))]).rstrip(comp)

    version = field(12) if VERSION.fullmatch(field(12)) else "2.5"
    event = field(9, 2)
    kind = comp.join(["ACK", event, "ACK"]) if event else "ACK"
    first = sep.join(
        [
            f"MSH{sep}{comp}~\\&",
            *(route(5), route(6), route(3), route(4)),
            time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600)) + "+0800",
            *("", kind, f"{_PROCESS}{next(_numbers)}", field(11) or "P", version),
            *("", "", "", "", "", field(18) if head is not None else "UNICODE UTF-8"),
        ]
    ).rstrip(sep)
    codec = message.charset if message is not None else "utf-8"
    chinese = codec != "ascii"
    text = _said(complaints[0], chinese=chinese) if complaints else ""
    lines = [first, sep.join(["MSA", code, field(10), text]).rstrip(sep)]
    lines += [_error(one, version, chinese=chinese) for one in complaints]
    return mask("".join(f"{line}\r" for line in lines)).encode(codec, "replace")


def _error(complaint: Complaint, version: str, *, chinese: bool) -> str:
    """ERR as of 2.5; for older peers the place and condition in ERR-1 as well."""
    segment, _, rest = complaint.place.partition("-")
    number = "".join(itertools.takewhile(str.isdigit, rest))
    segment, _, sequence = segment.partition("(")
    name = segment if segment.isalnum() and len(segment) == 3 else ""
    place = f"{name}^{sequence.rstrip(')') or '1'}^{number}".rstrip("^") if name else ""
    condition = f"{complaint.condition}^{CONDITIONS[complaint.condition]}^HL70357"
    old = f"{place or '^^'}^{condition.replace('^', '&')}" if version < "2.5" else ""
    words = _said(complaint, chinese=chinese)
    fields = ["ERR", old, place, condition, complaint.severity, complaint.code, "", "", words]
    return "|".join(fields)


def _said(complaint: Complaint, *, chinese: bool) -> str:
    where = f"{complaint.place}: " if complaint.place else ""
    words = f"{where}{complaint.english}"
    if chinese and complaint.chinese:
        words = f"{words} {complaint.chinese}"
    elif not chinese:
        words = words.encode("ascii", "ignore").decode()
    return _safe(words)


def _echo(text: str) -> str:
    """What is handed back of a header: not what may be an identity number."""
    return "masked" if holds_identity(spelling(text)) else _safe(text[:_LONGEST])


def _safe(text: str) -> str:
    """A text without HL7's separators and breaks."""
    return text.translate(_ESCAPES)
