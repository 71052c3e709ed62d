"""How to mend a refused message: a suggestion for each code, as precise as the message allows.

Pure. No suggestion holds a value of the message; a name of a field is masked.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import orjson

from schemas.districts import INSIDE
from schemas.events import KINDS
from schemas.identity import mask
from schemas.refusals import MENDS, Code

_MISSING = re.compile(r"([A-Za-z_]+): Field required")
_EXTRA = re.compile(r"([^;:]+): Extra inputs are not permitted")
_OTHER = re.compile(r"(?:^|; )([A-Za-z_]+)(?:\.\d+)?: ")
_FIELD = re.compile(r"^([a-z_]+) is ")


class Suggestion(NamedTuple):
    """What to do, in both languages, with the command where there is one."""

    chinese: str
    english: str
    command: str = ""


def suggestion(code: str, reason: str, value: str, message_id: str = "ID") -> Suggestion:
    """How one refused message is mended.

    Args:
        code: of the refusal.
        reason: its sentence.
        value: the message as it is kept, masked.
        message_id: for the command; ``ID`` where it is about a whole group.
    """
    fix = f"popflow rejected fix {message_id}"
    document = _object(value)
    match code:
        case Code.SCHEMA:
            return _of_schema(reason, document, fix)
        case Code.WRONG_TOPIC:
            return Suggestion(
                "内容无误，直接重发即可，会送到正确的主题。",
                "The event is right: resending puts it on the topic of its kind.",
                f"popflow rejected resend {message_id}",
            )
        case Code.UNKNOWN_SOURCE:
            return Suggestion(
                "登记来源后重发；若名称写错，则更正 source。",
                "Register the source, then resend; if its name is misspelt, set source.",
                "popflow source add NAME --priority N",
            )
        case Code.UNKNOWN_DISTRICT:
            return Suggestion(
                f"改用现行代码：{'、'.join(sorted(INSIDE))}，或真实的市外代码。",
                f"Use a code of today: {', '.join(sorted(INSIDE))}, or a real one outside.",
                f"{fix} --set {_field(reason, 'district')}=CODE",
            )
        case Code.IMPOSSIBLE_DATE:
            return Suggestion(
                "核对原始记录后更正日期。",
                "Compare with the paper record and correct the date.",
                f"{fix} --set {_field(reason, 'recorded_at')}=YYYY-MM-DD",
            )
        case Code.PLAIN_IDENTITY:
            return Suggestion(
                "由发布方换成假名后更正；同时更正其导出程序，避免再次外泄。",
                "The publisher makes the pseudonym; correct its program so that no number leaves "
                "again.",
                f"{fix} --set {_masked_field(document)}=PSEUDONYM",
            )
    mend_zh, mend_en = MENDS[Code(code)] if code in list(Code) else ("", "")
    return Suggestion(
        f"{mend_zh}由发布方重新发送，然后标记。",
        f"{mend_en} Its publisher sends it anew; then mark this one.",
        f"popflow rejected resend {message_id} --mark",
    )


def _of_schema(reason: str, document: Mapping[str, Any] | None, fix: str) -> Suggestion:
    if document is None:
        return Suggestion(
            "消息不是一个 JSON 对象，由发布方重新发送。",
            "It is no JSON object: its publisher sends it anew.",
            fix.replace(" fix ", " resend ") + " --mark",
        )
    model = KINDS.get(str(document.get("kind")))
    known = list(model.model_fields) if model else ["kind"]
    extra = [mask(name.strip()) for name in _EXTRA.findall(reason)]
    missing = _MISSING.findall(reason)
    if extra:
        near = get_close_matches(extra[0], [n for n in known if n not in document], 1)
        if near:
            return Suggestion(
                f"字段 {extra[0]} 不存在，似为 {near[0]}：改名。",
                f"There is no field {extra[0]}; it looks like {near[0]}: rename it.",
                f"{fix} --rename {extra[0]}={near[0]}",
            )
        return Suggestion(
            f"去掉契约没有的字段 {extra[0]}。",
            f"Leave out {extra[0]}, which the contract does not have.",
            f"{fix} --set {extra[0]}=null",
        )
    if missing:
        return Suggestion(
            f"补上必填字段 {'、'.join(missing)}。",
            f"Add what is required: {', '.join(missing)}.",
            f"{fix} " + " ".join(f"--set {name}=VALUE" for name in missing),
        )
    fields = [name for name in _OTHER.findall(reason) if name in known] or ["FIELD"]
    wrongly_typed = [f for f in fields if isinstance(document.get(f), int | float)]
    if "should be a valid string" in reason and wrongly_typed:
        return Suggestion(
            f"{wrongly_typed[0]} 应为字符串：加引号。",
            f"{wrongly_typed[0]} is a string: put it in quotes.",
            f"{fix} --set {wrongly_typed[0]}='\"VALUE\"'",
        )
    return Suggestion(
        f"按 schemas/README 更正 {'、'.join(fields)}。",
        f"Correct {', '.join(fields)} as schemas/README says.",
        f"{fix} " + " ".join(f"--set {name}=VALUE" for name in fields),
    )


def _field(reason: str, usual: str) -> str:
    found = _FIELD.match(reason)
    return found[1] if found else usual


def _masked_field(document: Mapping[str, Any] | None) -> str:
    for name, value in (document or {}).items():
        if isinstance(value, str) and "*" * 15 in value:
            return mask(name)
    return "FIELD"


def _object(value: str) -> Mapping[str, Any] | None:
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
