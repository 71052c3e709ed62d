"""What the page asks the store, on the real engine."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from consumers.page.reads import View, trend
from consumers.store.client import Store
from pipeline.catalogue.evaluate import Cell
from tests.cases.cells import put_cells

MARCH, MAY, LAST = date(2024, 3, 31), date(2024, 5, 31), date(2024, 6, 20)


@pytest.mark.parametrize(
    ("first", "four_weeks"),
    [
        (date(2024, 3, 4), [MARCH, MAY, LAST]),
        (date(2024, 3, 5), [MAY, LAST]),
    ],
)
def test_the_course_has_no_window_that_began_before_the_events(
    store: Store, first: date, four_weeks: list[date]
) -> None:
    counted = [first + timedelta(days=number) for number in range((LAST - first).days + 1)]
    put_cells(
        store,
        (
            Cell("births", "320505", day, day, "hukou", sex, "25-29", 9)
            for day in counted
            for sex in "12"
        ),
    )

    def shown(window: str) -> list[date]:
        view = View(LAST, known_on=LAST)
        rows = trend(store, view, "sex_ratio_at_birth", "", "320500", window)
        return [row["as_of"] for row in rows]

    assert shown("28d") == four_weeks
    assert shown("91d") == [LAST]
    assert shown("364d") == []
