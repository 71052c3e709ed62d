"""The tables of this folder's README, made from the contract itself.

Each stands between ``<!-- table: NAME -->`` and ``<!-- end -->``.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from schemas.alert import Alert
from schemas.districts import DISTRICTS
from schemas.events import KINDS, Event
from schemas.refusals import MENDS, TITLES
from schemas.topics import ALERTS, JOURNAL, READINGS, REJECTED, specs

_REGION = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """The text with every marked table as it is today.

    Raises:
        KeyError: a marker names a table that does not exist.
    """
    made = tables()
    return _REGION.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", text)


def tables() -> dict[str, str]:
    """Every table in Markdown, by its name."""
    return {
        "fields": _fields(),
        "topics": _topics(),
        "alert": _alert(),
        "refusals": _refusals(),
        "districts": _districts(),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fields() -> str:
    kinds = " ".join(f"`{kind}`" for kind in KINDS)
    parts = [f"**Every event / 每个事件** has its `kind` / 类别, one of {kinds}, and"]
    parts.append(_fields_of(Event, set()))
    for kind, model in KINDS.items():
        parts.append(f"**{kind}** {model.title[0]} — {model.__doc__}")
        parts.append(_fields_of(model, set(Event.model_fields) | {"kind"}))
    return "\n\n".join(parts)


def _fields_of(model: type[Event], above: set[str]) -> str:
    schema = model.model_json_schema()
    rows = [
        (
            f"`{name}`" if name in schema["required"] else f"`{name}?`",
            field["title"],
            _rule(field),
        )
        for name, field in schema["properties"].items()
        if name not in above
    ]
    return _table(("field", "名称 / name", "rule"), rows)


def _rule(field: dict[str, Any]) -> str:
    described = field.get("description")
    default = field.get("default")
    words = [_type(field)]
    if described:
        words.append(described)
    if default is not None:
        words.append(f"default `{str(default).lower()}`")
    return "; ".join(words)


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return _type(field["anyOf"][0])
    if "enum" in field:
        return " ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'])}" + (", not empty" if "minItems" in field else "")
    if field["type"] == "integer":
        return f"integer ≥ {field['minimum']}" if field["minimum"] >= 0 else "integer"
    if field.get("format") == "date":
        return "date `YYYY-MM-DD`"
    if field.get("format") == "date-time":
        return "datetime with `T` and offset"
    pattern = field.get("pattern")
    if pattern is None:
        return str(field["type"])
    if "T(" in pattern:
        return "datetime with `T` and offset"
    escaped = pattern.replace("|", "\\|")
    return f"`{escaped}`"


def _alert() -> str:
    schema = Alert.model_json_schema(mode="serialization")
    rows = [(f"`{name}`", f["title"], _rule(f)) for name, f in schema["properties"].items()]
    return _table(("field", "名称 / name", "rule"), rows)


def _topics() -> str:
    uses = {model.topic: f"events `{kind}` ({model.title[0]})" for kind, model in KINDS.items()}
    uses |= {
        JOURNAL: "accepted events, unchanged, by person, kept for ever",
        REJECTED: "refused messages, masked, with the reason",
        READINGS: "published values",
        ALERTS: "alarms",
    }
    writers = {topic: "publishers" for topic in uses if topic not in _OURS}
    rows = [
        (f"`{spec.name}`", writers.get(spec.name, "popflow"), uses[spec.name]) for spec in specs()
    ]
    return _table(("topic", "written by", "what"), rows)


_OURS = (JOURNAL, REJECTED, READINGS, ALERTS)


def _refusals() -> str:
    rows = [(f"`{code}`", TITLES[code][0], MENDS[code][1], MENDS[code][0]) for code in TITLES]
    return _table(("code", "名称", "what to do", "如何处理"), rows)


def _districts() -> str:
    rows = []
    for district in DISTRICTS:
        counted = "" if district.code == district.counted_as else f"`{district.counted_as}`"
        years = " ".join(
            part
            for part in (
                f"from {district.valid_from}" if district.valid_from else "",
                f"until {district.valid_to}" if district.valid_to else "",
            )
            if part
        )
        rows.append((f"`{district.code}`", district.name_zh, district.name_en, counted, years))
    return _table(("code", "名称", "name", "counted as", "in GB/T 2260"), rows)
