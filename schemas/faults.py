"""What does not fit in an event, field by field, in words of both languages.

Nothing here repeats what was sent but the names of fields.
"""

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas import identity
from schemas.events import KINDS
from schemas.fields import EXAMPLES

_MOST = 8
_LONGEST_PLACE = 80
_CHINESE = {
    "missing": "缺失",
    "extra_forbidden": "不是契约中的字段",
    "string_type": "应为字符串",
    "string_pattern_mismatch": "格式不符",
    "int_type": "应为整数",
    "bool_type": "应为 true 或 false",
    "list_type": "应为列表",
    "too_short": "至少须有一项",
    "greater_than_equal": "不得小于 {ge}",
    "less_than_equal": "不得大于 {le}",
    "literal_error": "应为 {expected} 之一",
    "date_parsing": "不是日历上的日期",
    "date_from_datetime_parsing": "不是日历上的日期",
    "datetime_parsing": "不是真实的时刻",
    "datetime_from_date_parsing": "不是真实的时刻",
    "no_end": "除注销外必须填写 valid_until",
}
"""By the type of pydantic's error; a part in braces is of its context."""


def described(error: ValidationError) -> tuple[str, str]:
    """The fields that do not fit, without what they held: Chinese, English."""
    faults = error.errors(include_url=False, include_input=False)[:_MOST]
    chinese, english = zip(*map(_described, faults), strict=True)
    return identity.mask("；".join(chinese)) + "。", identity.mask("; ".join(english)) + "."


def _described(fault: ErrorDetails) -> tuple[str, str]:
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        # pydantic's own words quote what was sent or speak of discriminators.
        return f"kind 应为 {'、'.join(KINDS)} 之一", (
            f"kind: Input should be one of {', '.join(KINDS)}"
        )
    place, context = _place(fault["loc"]), fault.get("ctx", {})
    if context.get("pattern") in EXAMPLES:
        asked_zh, asked, example = EXAMPLES[context["pattern"]]
        return f"{place} 应为{asked_zh}，例如 {example}", (
            f"{place}: Input should be {asked}, such as {example}"
        )
    chinese = _CHINESE.get(fault["type"], "填写有误").format_map(context)
    return (
        f"{place} {chinese.replace(', ', '、').replace(' or ', '、')}",
        f"{place}: {fault['msg']}",
    )


def _place(steps: Sequence[int | str]) -> str:
    """Path of a field; an unknown one may have any name, of which the beginning is enough.

    A long run of digits in it may be a number of somebody, though letters stand beside it.
    """
    path = identity.mask_runs(".".join(map(str, steps[1:])) or "event")
    return path if len(path) <= _LONGEST_PLACE else f"{path[:_LONGEST_PLACE]}…"
