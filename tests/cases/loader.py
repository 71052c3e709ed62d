"""Reading `contract.json`; its `format` field says what each part means."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

CONTRACT = Path(__file__).with_name("contract.json")
LOCAL = ZoneInfo("Asia/Shanghai")

DailyRow = tuple[str, str, str, str, str, str, int]
"""(day, district, measure, residency, sex, band, value), as in the view `daily`"""

FindingRow = tuple[str, str, str, str, str]
"""(code, person, kind, record_id, day), day empty where no fact stands"""


@dataclass(frozen=True)
class Message:
    """One message as a publisher sends it.

    Attributes:
        topic: Kafka topic.
        timestamp: Kafka timestamp in milliseconds.
        value: A JSON object, or raw text that need not be JSON.
        refused: The code intake must refuse it with, None when it is accepted.
    """

    topic: str
    timestamp: int
    value: dict[str, Any] | str
    refused: str | None = None

    @property
    def known_on(self) -> date:
        """Local day of the Kafka timestamp."""
        return datetime.fromtimestamp(self.timestamp / 1000, LOCAL).date()

    @property
    def raw(self) -> bytes:
        """The bytes to publish."""
        text = self.value
        if not isinstance(text, str):
            text = json.dumps(text, ensure_ascii=False)
        return text.encode("utf-8")

    @property
    def event(self) -> dict[str, Any]:
        """The object of an accepted message."""
        if self.refused is not None or isinstance(self.value, str):
            raise ValueError("this message is refused; it carries no event")
        return self.value


@dataclass(frozen=True)
class AsKnown:
    """Figures and findings as known at the end of the day `until`."""

    until: date
    measures: frozenset[str]
    daily: Counter[DailyRow]
    findings: Counter[FindingRow]


@dataclass(frozen=True)
class Case:
    """One sentence of the contract with what it means for a few messages."""

    name: str
    rule: str
    messages: tuple[Message, ...]
    measures: frozenset[str]
    daily: Counter[DailyRow]
    findings: Counter[FindingRow]
    known: tuple[AsKnown, ...]
    baselines: tuple[dict[str, Any], ...]
    indicators: tuple[dict[str, Any], ...]

    @property
    def accepted(self) -> list[Message]:
        """The messages that pass intake."""
        return [message for message in self.messages if message.refused is None]

    @property
    def rejects(self) -> Counter[str]:
        """How many refusals of each code intake must give."""
        return Counter(message.refused for message in self.messages if message.refused)


def load_sources() -> dict[str, int]:
    """The source registry of all cases: name to priority number."""
    sources: dict[str, int] = json.loads(CONTRACT.read_text("utf-8"))["sources"]
    return sources


def load_cases() -> list[Case]:
    """All cases, in the order of the file."""
    return [_case(written) for written in json.loads(CONTRACT.read_text("utf-8"))["cases"]]


def _case(written: dict[str, Any]) -> Case:
    return Case(
        name=written["name"],
        rule=written["rule"],
        messages=tuple(Message(**message) for message in written["messages"]),
        measures=frozenset(written["measures"]),
        daily=Counter(tuple(row) for row in written["daily"]),
        findings=Counter(tuple(row) for row in written["findings"]),
        known=tuple(_as_known(known) for known in written.get("known", ())),
        baselines=tuple(written.get("baselines", ())),
        indicators=tuple(written.get("indicators", ())),
    )


def _as_known(written: dict[str, Any]) -> AsKnown:
    return AsKnown(
        until=date.fromisoformat(written["until"]),
        measures=frozenset(written["measures"]),
        daily=Counter(tuple(row) for row in written["daily"]),
        findings=Counter(tuple(row) for row in written["findings"]),
    )
