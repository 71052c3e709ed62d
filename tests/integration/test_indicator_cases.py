"""Hand-computed indicators: events in, figures out, by SQL on the real engine and in Python."""

from __future__ import annotations

from fractions import Fraction

import pytest

from consumers.indicators import readings
from consumers.store.client import Store
from pipeline.catalogue import INDICATORS
from pipeline.catalogue.evaluate import evaluate
from pipeline.catalogue.selection import select
from pipeline.core.rates import Reading, half_up
from tests.cases.cells import put_cells, put_facts, put_people
from tests.cases.hand import HandCase, load_hand_cases

CASES = load_hand_cases()


def _check(case: HandCase, found: list[Reading]) -> None:
    by_key = {reading.key: reading for reading in found}
    for key, (numerator, denominator, outcome, *note) in case.expect.items():
        reading = by_key[key]  # type: ignore[index]
        shown = reading.reason if reading.value is None else half_up(reading.value)
        wanted = outcome if isinstance(outcome, str) else f"{outcome:.6f}"
        assert (reading.numerator, reading.denominator, shown, reading.note) == (
            None if numerator is None else Fraction(str(numerator)),
            None if denominator is None else Fraction(str(denominator)),
            wanted,
            note[0] if note else "",
        ), key


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_by_sql(case: HandCase, store: Store) -> None:
    put_cells(store, case.cells)
    put_people(store, case.people)
    put_facts(store, case.facts)
    keys = {key for key, *_ in case.expect}
    _check(case, readings(store, case.as_of, case.known_on, indicators=keys))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_in_python(case: HandCase) -> None:
    selection = select(
        {key for key, *_ in case.expect},
        {place for _, _, place, _ in case.expect},
        {window for *_, window in case.expect},
    )
    _check(
        case,
        evaluate(selection, case.as_of, case.known_on, case.cells, case.people, case.facts),
    )


def test_every_indicator_has_a_case_in_every_window_and_on_every_base() -> None:
    held = {(key, base, window) for case in CASES for key, base, _, window in case.expect}
    wanted = {
        (key, base, window)
        for key, entry in INDICATORS.items()
        for base in entry.bases
        for window in entry.windows
    }
    assert held == wanted


def test_the_city_and_its_districts_have_cases() -> None:
    assert {"320500", "320505", "320506"} <= {p for case in CASES for _, _, p, _ in case.expect}
