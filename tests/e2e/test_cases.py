"""Every case of the contract, through real Kafka and Faust into the real ClickHouse engine."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from consumers.audit.recount import Accepted, recount
from tests.cases import Case, load_cases, load_sources
from tests.cases.loader import Message
from tests.e2e.stack import RunningStack

SOURCES = load_sources()


@pytest.fixture(scope="module", autouse=True)
def registered(stack: RunningStack) -> None:
    for name, priority in SOURCES.items():
        done = stack.popflow("source", "add", name, "--priority", str(priority))
        assert done.returncode == 0, done.stderr


def _renamed(value: Any, salt: str) -> Any:
    """The same message about persons and records of its own, so that cases share one stack.

    Record ids keep their order; only lower-case hexadecimal pseudonyms are changed.
    """
    if not isinstance(value, dict):
        return value
    changed = dict(value)
    for name in ("person", "mother", "household"):
        if isinstance(changed.get(name), str) and len(changed[name]) == 32:
            changed[name] = hashlib.md5(f"{salt}{changed[name]}".encode()).hexdigest()
    record_id = changed.get("record_id")
    if isinstance(record_id, str) and len(record_id) <= 4:
        changed["record_id"] = f"{salt}-{record_id}"
    return changed


def _salted(case: Case) -> tuple[str, list[Message]]:
    """Messages under a salt with which the digests decide as they do in the case."""
    for attempt in range(200):
        salt = hashlib.md5(f"{case.name}{attempt}".encode()).hexdigest()[:8]
        messages = [replace(m, value=_renamed(m.value, salt)) for m in case.messages]
        accepted = [Accepted(m.event, m.known_on) for m in messages if m.refused is None]
        daily: Counter[tuple[str, ...]] = Counter()
        for cell, value in recount(accepted, SOURCES).cells.items():
            measure, district, day, _, residency, sex, band = cell
            if measure in case.measures:
                daily[day.isoformat(), district, measure, residency, sex, band] += value
        if {(*row, value) for row, value in daily.items() if value} == set(case.daily):
            return salt, messages
    raise AssertionError("no salt keeps the order of the digests")


def _raw(messages: list[Message]) -> Iterator[tuple[str, int, bytes, bytes | None]]:
    for message in messages:
        text = message.value
        raw = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
        yield message.topic, message.timestamp, raw.encode(), None


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.name)
def test_case(case: Case, stack: RunningStack) -> None:
    salt, messages = _salted(case)
    untils = [known.until.isoformat() for known in case.known]
    daily, findings, refusals = stack.daily(), stack.findings(), stack.refusals()
    known_before = [stack.daily(until) for until in untils]

    stack.publish(_raw(messages))
    stack.settle()

    _same_rows(stack.daily() - daily, daily - stack.daily(), case.measures, case.daily)
    for known, until, before in zip(case.known, untils, known_before, strict=True):
        now = stack.daily(until)
        gained, lost = Counter(now), Counter(before)
        gained.subtract(lost)
        assert {
            (*row, value) for row, value in gained.items() if value and row[2] in known.measures
        } == set(known.daily)
    persons = {_renamed({"person": f[1]}, salt)["person"]: f[1] for f in case.findings}
    found = Counter(
        (f[0], persons.get(f[1], f[1]), f[2], f[3].removeprefix(f"{salt}-"), f[4])
        for f in (stack.findings() - findings).elements()
    )
    assert found == case.findings
    assert stack.refusals() - refusals == case.rejects


def _same_rows(
    gained: Counter[Any], lost: Counter[Any], measures: frozenset[str], expected: Counter[Any]
) -> None:
    changes: Counter[Any] = Counter(gained)
    changes.subtract(lost)
    rows = {(*row, value) for row, value in changes.items() if value and row[2] in measures}
    assert rows == set(expected)


def test_the_audit_finds_nothing_different(stack: RunningStack) -> None:
    done = stack.popflow("audit", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["different"] == 0
