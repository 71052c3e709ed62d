"""What the contract's tests share: the examples, one verdict, identity numbers made up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from schemas.events import KINDS
from schemas.export import json_schemas
from schemas.identity import check_digit
from schemas.reading import check, read
from schemas.refusals import Refusal
from schemas.sources import DEMONSTRATION

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
SOURCES = {source.name: source.priority for source in DEMONSTRATION}
KNOWN_ON = date(2016, 3, 10)
LEGAL = "320502195006150016"
"""A legal number that python-stdnum refuses: its district has been merged away."""


@dataclass(frozen=True)
class Example:
    """One message of `schemas/examples`; `refused` is empty where it is valid."""

    kind: str
    title: str
    text: str
    refused: str
    known_on: date

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


def examples(kind: str) -> Iterator[Example]:
    """All examples of one kind."""
    written = json.loads((EXAMPLES / f"{kind}.json").read_text("utf-8"))
    known_on = date.fromisoformat(written["known_on"])
    for example in (*written["valid"], *written["invalid"]):
        text = example.get("text") or json.dumps(example["event"], ensure_ascii=False)
        yield Example(kind, example["title"], text, example.get("refused", ""), known_on)


ALL = [example for kind in KINDS for example in examples(kind)]
SMALLEST = {
    kind: json.loads(next(e.text for e in ALL if e.kind == kind and not e.refused))
    for kind in KINDS
}
"""A valid event of each kind with its required fields only."""


def event(kind: str, **changes: Any) -> dict[str, Any]:
    """The smallest event of a kind with some fields changed; `...` takes one out."""
    return {
        name: value for name, value in {**SMALLEST[kind], **changes}.items() if value is not ...
    }


def spelled(document: Any) -> bytes:
    """A document as JSON in UTF-8."""
    return json.dumps(document, ensure_ascii=False).encode()


def verdict(
    message: bytes | str | dict[str, Any],
    *,
    topic: str | None = None,
    known_on: date = KNOWN_ON,
    key: bytes | None = None,
) -> str:
    """Code of a message's refusal, empty when it is accepted.

    Without a topic the message is on the one of its kind.
    """
    if isinstance(message, dict):
        message = spelled(message)
    raw = message.encode() if isinstance(message, str) else message
    found = read(raw, key)
    if isinstance(found, Refusal):
        return str(found.code)
    refusal = check(found, topic or found.topic, known_on, SOURCES)
    return "" if refusal is None else str(refusal.code)


def number(first17: str) -> str:
    """An identity number: 17 digits with their check digit."""
    return first17 + check_digit(first17)


def _is_integer(_: Any, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _pattern(_: Validator, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not re.search(pattern.removesuffix("$") + r"\Z", value):
        yield ValidationError(f"{value!r} does not match")


_Validator: Any = extend(
    Draft202012Validator,
    validators={"pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
SCHEMAS: dict[str, Any] = {kind: _Validator(schema) for kind, schema in json_schemas().items()}
"""Validators of the JSON Schemas: `$` is the end as ECMA-262 has it (Python's also stands before
a last newline), and 1.0 is no integer, which JSON Schema by itself cannot say."""
