"""What facts add, one by one, is what their person comes to; and states have facts behind them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, given, settings

from consumers.audit.recount import Accepted
from pipeline.core.body import DAY
from pipeline.core.lineage import STANDS, STATES, behind, counted, shares, standing
from pipeline.core.project import project
from pipeline.core.reports import DIGEST, KNOWN_ON, Report, report
from pipeline.core.tally import Tally
from schemas.clock import day_number
from tests.laws.nasty import SOURCES, random_city
from tests.laws.strategies import accepted_sets


def persons(arrivals: list[Accepted]) -> list[list[Report]]:
    """Each person's reports, each once, as the ledger keeps them."""
    entries: dict[str, dict[bytes, Report]] = defaultdict(dict)
    for accepted in arrivals:
        raw = json.dumps(dict(accepted.event), ensure_ascii=False).encode()
        told = report(raw, day_number(accepted.known_on))
        entry = entries[accepted.event["person"]]
        known = entry.get(told[DIGEST])
        if known is None or told[KNOWN_ON] < known[KNOWN_ON]:
            entry[told[DIGEST]] = told
    return [list(entry.values()) for entry in entries.values()]


def _check(arrivals: list[Accepted]) -> int:
    seen = 0
    for entry in persons(arrivals):
        tally = project(entry, SOURCES)
        _facts_add_up(tally)
        _states_have_facts(tally)
        stands = {
            (r[0], r[1]) for r, how in zip(entry, standing(entry), strict=True) if how == STANDS
        }
        assert stands == {(fact.kind, fact.record_id) for fact in tally.facts}
        seen += len(tally.cells)
    return seen


def _facts_add_up(tally: Tally) -> None:
    together: Counter[object] = Counter()
    for share in shares(tally):
        assert share.fact in counted(tally)
        together[share.cell] += share.value
    expected = {
        cell: value
        for cell, value in tally.cells.items()
        if value and cell[0] not in STATES and cell[0] != "findings"
    }
    assert {cell: value for cell, value in together.items() if value} == expected


def _states_have_facts(tally: Tally) -> None:
    if tally.presence is None:
        return
    for measure, name in STATES.items():
        for start, end, *_ in getattr(tally.presence, name):
            for day in {start, end - 1}:
                facts = behind(tally, measure, day, day)
                assert facts
                assert all(fact.body[DAY] <= day for fact in facts)


@pytest.mark.parametrize("seed", range(60))
def test_facts_add_up_to_their_person(seed: int) -> None:
    assert _check(random_city(seed, 1 + seed % 4, 40)) > 0


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(arrivals=accepted_sets())
def test_facts_of_anybody_add_up(arrivals: list[Accepted]) -> None:
    _check(arrivals)
