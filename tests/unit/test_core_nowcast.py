"""What recent days will have in the end."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.nowcast import WINDOW, learn, nowcast, shares_known
from tests.laws.coverage import as_seen


def steady(days: int, *by_delay: int) -> np.ndarray:
    """The same reports for every day, as far as they are known on the last."""
    return as_seen(np.array([[float(n) for n in by_delay]] * days), days - 1)


def test_shares_are_those_of_the_days_old_enough_to_show_them() -> None:
    assert shares_known(steady(50, 5, 3, 2)) == pytest.approx([0.5, 0.8, 1.0])


def test_shares_follow_a_change_of_reporting() -> None:
    then, now = [[5.0, 3.0, 2.0]] * 200, [[9.0, 1.0, 0.0]] * (WINDOW + 5)
    counts = as_seen(np.array(then + now), 200 + WINDOW + 4)
    assert shares_known(counts) == pytest.approx([0.9, 1.0, 1.0])


def test_a_steady_city_is_foreseen() -> None:
    *_, before, yesterday, today = nowcast(steady(60, 50, 30, 20), 10) or ()
    assert (before.known, before.low, before.expected, before.high) == (100, 100, 100, 100)
    assert (yesterday.known, today.known) == (80, 50)
    for each in (yesterday, today):
        assert each.expected == pytest.approx(100, abs=0.5)
        assert each.known <= each.low < 100 < each.high


def test_a_day_without_any_report_is_not_expected_to_stay_without() -> None:
    counts = steady(60, 50, 30, 20)
    counts[-1] = counts[-2] = 0
    *_, yesterday, today = nowcast(counts, 10) or ()
    assert (yesterday.known, today.known) == (0, 0)
    assert 10 < yesterday.expected < today.expected < 100
    assert today.high > 30
    assert yesterday.low >= 0


def test_it_never_falls_below_what_is_known() -> None:
    chance = np.random.default_rng(7)
    counts = as_seen(chance.poisson(2.0, (90, 9)).astype(float), 89)
    for each in nowcast(counts, 20) or pytest.fail("nothing was said"):
        assert each.known <= each.low <= each.high
        assert each.known <= each.expected <= each.high + 1


def test_too_little_says_nothing() -> None:
    assert nowcast(steady(5, 5, 3, 2), 3) is None
    assert nowcast(steady(60, 0, 0, 0), 3) is None


def test_the_future_is_not_looked_at() -> None:
    counts = np.random.default_rng(1).poisson(9.0, (100, 6)).astype(float)
    assert nowcast(as_seen(counts, 79), 9) == nowcast(as_seen(counts[:80] + 0, 79), 9)


def test_weekdays_have_their_level() -> None:
    week = [20.0, 20, 20, 20, 20, 10, 10]
    counts = as_seen(np.array([[n / 2, n / 2] for n in week * 20]), 139)
    pattern = learn(counts)
    assert pattern is not None
    assert pattern.level[-1] == pytest.approx(10, rel=0.1)
    assert pattern.level[-3] == pytest.approx(20, rel=0.1)


def test_days_that_were_further_off_widen_the_interval() -> None:
    chance = np.random.default_rng(3)
    calm = chance.multinomial(100, [0.5, 0.3, 0.2], 120).astype(float)
    wild = np.array([chance.multinomial(100, chance.dirichlet([5, 3, 2])) for _ in range(120)])
    widths = []
    for counts in (calm, wild.astype(float)):
        today = (nowcast(as_seen(counts, 119), 3) or [])[-1]
        widths.append(today.high - today.low)
    assert widths[1] > 1.5 * widths[0]
