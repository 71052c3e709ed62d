"""The life of an alert, by hand: one episode is one alert, however often it is derived anew."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.alerts import Standing, Stretch, changes
from schemas.alert import OPEN, Alert, State, alert_id
from schemas.clock import ZONE

DAY = date(2016, 6, 1)
AT = datetime(2016, 6, 1, 0, 5, tzinfo=ZONE)
SUBJECT = ("sex_ratio_shift", "sex_ratio_at_birth", "320506")


def day(number: int) -> date:
    return DAY + timedelta(number)


def figures(last: int, state: State = "firing", district: str = SUBJECT[2]) -> Alert:
    return Alert(
        id="0" * 32,
        monitor=SUBJECT[0],
        indicator=SUBJECT[1],
        district=district,
        state=state,
        severity="warning",
        since=DAY,
        as_of=day(last),
        known_on=day(last),
        numerator=1.0,
        denominator=1.0,
        value=100.0,
        low=None,
        high=None,
        completeness=0.99,
        limit="= 105.0",
        statistic=6.0,
        threshold=5.3,
        late_reporting_could_explain=False,
        summary_zh="摘要",
        summary_en="summary",
        runbook="sex_ratio_shift.md",
        worklist="",
        at=AT,
    )


def standing(
    last: int, *stretches: tuple[int, int, int | None], state: State = "firing"
) -> dict[tuple[str, str, str], Standing]:
    made = [Stretch(day(s), day(a), None if e is None else day(e)) for s, a, e in stretches]
    return {SUBJECT: Standing(made, figures(last, state))}


class Told:
    """What was told so far; looks again and again."""

    def __init__(self) -> None:
        self.newest: dict[str, Alert] = {}
        self.messages: list[Alert] = []

    def look(self, last: int, standings: dict[tuple[str, str, str], Standing]) -> list[str]:
        at = AT + timedelta(days=last, minutes=len(self.messages))
        news = changes(self.newest.values(), standings, day(last), at)
        self.messages += news
        self.newest |= {alert.id: alert for alert in news}
        return [alert.state for alert in news]


@pytest.fixture
def told() -> Told:
    return Told()


def test_it_fires_once_and_ends_once(told: Told) -> None:
    assert told.look(40, standing(40, (0, 30, None))) == ["firing"]
    assert told.look(41, standing(41, (0, 30, None))) == []
    assert told.look(60, standing(60, (0, 30, 55))) == ["resolved"]
    assert told.look(61, standing(61, (0, 30, 55))) == []
    (alert,) = told.newest.values()
    assert alert.id == alert_id(*SUBJECT, DAY)
    assert (alert.since, alert.as_of, alert.known_on) == (DAY, day(60), day(60))


def test_doubt_becomes_certainty_and_never_the_other_way(told: Told) -> None:
    assert told.look(40, standing(40, (0, 30, None), state="pending")) == ["pending"]
    assert told.look(41, standing(41, (0, 30, None))) == ["firing"]
    assert told.look(42, standing(42, (0, 30, None), state="pending")) == []
    assert len(told.newest) == 1


def test_late_reports_that_move_the_beginning_are_no_second_alert(told: Told) -> None:
    told.look(40, standing(40, (0, 30, None)))
    assert told.look(41, standing(41, (9, 33, None))) == []
    assert told.look(42, standing(42, (-12, 25, None))) == []
    assert told.look(60, standing(60, (-12, 25, 58))) == ["resolved"]
    assert len(told.newest) == 1


def test_late_reports_that_explain_it_withdraw_it(told: Told) -> None:
    told.look(40, standing(40, (0, 30, None)))
    assert told.look(41, {}) == ["withdrawn"]
    assert told.look(42, {}) == []
    told.look(43, standing(43, (0, 30, None)))
    assert told.look(44, standing(44)) == ["withdrawn"]
    assert len(told.newest) == 1, "it is the same alert that came back"
    assert [alert.state for alert in told.messages] == [
        *("firing", "withdrawn"),
        *("firing", "withdrawn"),
    ]


def test_what_was_over_before_anybody_looked_is_not_told(told: Told) -> None:
    assert told.look(900, standing(900, (0, 30, 55), (400, 420, 500))) == []


def test_another_episode_is_another_alert(told: Told) -> None:
    told.look(40, standing(40, (0, 30, None)))
    told.look(60, standing(60, (0, 30, 55)))
    assert told.look(300, standing(300, (0, 30, 55), (250, 290, None))) == ["firing"]
    assert len(told.newest) == 2


def test_one_ended_and_another_began_while_nobody_looked(told: Told) -> None:
    told.look(40, standing(40, (0, 30, None)))
    assert told.look(300, standing(300, (0, 30, 55), (250, 290, None))) == ["resolved", "firing"]
    assert {alert.since for alert in told.newest.values()} == {DAY, day(250)}


def test_a_level_that_is_left_again_the_next_day_is_a_new_alert(told: Told) -> None:
    told.look(0, standing(0, (0, 0, None)))
    assert told.look(1, standing(1, (0, 0, 1))) == ["resolved"]
    assert told.look(2, standing(2, (0, 0, 1), (2, 2, None))) == ["firing"]
    assert len(told.newest) == 2


episodes = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 60), st.integers(1, 200)), max_size=4
)


@given(st.lists(st.tuples(episodes, st.booleans(), st.booleans()), max_size=8))
def test_laws(looks: list[tuple[list[tuple[int, int, int]], bool, bool]]) -> None:
    """Whatever is derived in whatever order, what is told makes sense."""
    told = Told()
    for number, (drawn, lasting, sure) in enumerate(looks):
        last = 2000 + number
        stretches: list[tuple[int, int, int | None]] = []
        after = 0
        for start, until_alarm, length in sorted(drawn):
            since = max(start, after)
            after = since + until_alarm + length
            stretches.append((since, since + until_alarm, after))
        if stretches and lasting:
            since, alarm, _ = stretches[-1]
            stretches[-1] = (since, alarm, None)
        seen = standing(last, *stretches, state="firing" if sure else "pending")
        told.look(last, seen)
        is_open = [a for a in told.newest.values() if a.state in OPEN]
        assert len(is_open) == bool(stretches and lasting), "one alert for what lasts, else none"
        assert told.look(last, seen) == [], "told once"
    states: dict[str, list[str]] = {}
    for alert in told.messages:
        states.setdefault(alert.id, []).append(alert.state)
    for told_states in states.values():
        assert told_states[0] in OPEN, "nothing ends that was not told of"
        for one, following in pairwise(told_states):
            assert one != following
            assert (one, following) != ("firing", "pending")
