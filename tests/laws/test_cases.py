"""Every case of the contract through the ledger, without Kafka; tests/e2e goes all the way."""

from collections import Counter
from pathlib import Path

import pytest

from consumers.audit.recount import Accepted
from tests.cases import Case, load_cases, load_sources
from tests.laws.machine import Machine
from tests.laws.test_ledger import JOINT


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.name)
@pytest.mark.parametrize("backwards", [False, True], ids=["as sent", "backwards"])
def test_the_ledger_keeps_the_case(case: Case, backwards: bool, tmp_path: Path) -> None:
    arrivals = [Accepted(message.event, message.known_on) for message in case.accepted]
    machine = Machine(tmp_path, load_sources(), partitions=2)
    machine.publish(reversed(arrivals) if backwards else arrivals)
    machine.run([2, 3], [])
    daily: Counter[tuple[str, ...]] = Counter()
    for (measure, district, day, _, residency, sex, band), value in machine.cells().items():
        if measure in case.measures:
            daily[day.isoformat(), district, measure, residency, sex, band] += value
    assert {(*row, value) for row, value in daily.items() if value} == set(case.daily)
    findings = Counter(
        (code, person, kind, record_id, day.isoformat() if day else "")
        for code, person, kind, record_id, day in machine.findings().elements()
    )
    assert findings == Counter(row for row in case.findings if row[0] not in JOINT)
