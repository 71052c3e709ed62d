"""The simulated city: accepted by intake rules, in order, reproducible, and in Suzhou's measure."""

import math
import threading
import time
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.items import Dated
from producers.simulate.city import City
from producers.simulate.figures import BIRTHS_BY_WEEKDAY, suzhou
from producers.simulate.progress import Cursor, CursorError, Pace, first_day
from schemas.clock import day_date, local_day
from schemas.districts import INSIDE
from schemas.events import Event
from schemas.icd10 import is_delivery
from schemas.reading import check, read
from schemas.sources import DEMONSTRATION

SOURCES = {source.name: source.priority for source in DEMONSTRATION}
SMALL = 0.0003
MEDIUM = 0.004


def accepted(message: Dated) -> Event:
    event = read(message.value, message.key)
    assert isinstance(event, Event), (event, message)
    refusal = check(event, message.topic, day_date(local_day(message.timestamp_ms)), SOURCES)
    assert refusal is None, (refusal, message)
    assert message.key == event.person.encode()
    return event


@settings(max_examples=8)
@given(st.integers(0, 10**9), st.dates(date(2000, 1, 1), date(2150, 1, 1)), st.integers(0, 500))
def test_every_message_is_accepted_and_in_order(seed: int, start: date, length: int) -> None:
    last = 0
    for message in City(seed, SMALL, start).days(start, start + timedelta(length)):
        accepted(message)
        assert start <= day_date(local_day(message.timestamp_ms)) <= start + timedelta(length)
        assert message.timestamp_ms >= last
        last = message.timestamp_ms


@settings(max_examples=8)
@given(st.integers(0, 100), st.integers(0, 90), st.integers(0, 90))
def test_going_on_is_the_same_as_not_having_stopped(seed: int, first: int, more: int) -> None:
    start = date(2016, 1, 1)
    city = City(seed, SMALL, start)
    middle, end = start + timedelta(first), start + timedelta(first + more)
    whole = list(city.days(start, end))
    parts = [*city.days(start, middle), *city.days(middle + timedelta(1), end)]
    assert parts == whole
    assert whole == list(City(seed, SMALL, start).days(start, end))


def test_two_cities_share_nobody() -> None:
    start = date(2016, 1, 1)
    cities = [City(1, SMALL, start), City(2, SMALL, start), City(1, SMALL * 2, start)]
    people = [{m.key for m in city.days(start, start + timedelta(30))} for city in cities]
    assert all(people)
    assert len(set.union(*people)) == sum(map(len, people))


@pytest.fixture(scope="module")
def two_years() -> list[tuple[date, dict]]:
    city = City(7, MEDIUM, date(2016, 1, 1))
    return [
        (day_date(local_day(message.timestamp_ms)), orjson.loads(message.value))
        for message in city.days(date(2016, 1, 1), date(2017, 12, 31))
    ]


@pytest.fixture(scope="module")
def facts(two_years: list[tuple[date, dict]]) -> dict[str, dict[str, dict]]:
    """By kind and record id: the newest revision that any source reports; voided ones left out."""
    newest: dict[tuple, dict] = {}
    for _, event in two_years:
        name = (event["kind"], event["record_id"], event["source"])
        if name not in newest or newest[name]["revision"] <= event["revision"]:
            newest[name] = event
    found: dict[str, dict[str, dict]] = defaultdict(dict)
    for event in newest.values():
        if not event.get("void"):
            found[event["kind"]][event["record_id"]] = event
    return found


def near(count: int, expected: float) -> bool:
    """Within five standard deviations of chance."""
    return abs(count - expected) <= 5 * math.sqrt(expected)


def test_as_many_as_in_suzhou(facts: dict[str, dict[str, dict]]) -> None:
    yearly = suzhou().yearly
    births = [b for b in facts["birth"].values() if b["born_on"] < "2017-09-01"]
    share = MEDIUM * (366 + 243) / 365.25
    hukou = [birth for birth in births if birth["residency"] == "hukou"]
    assert near(len(hukou), yearly["births_hukou"] * share)
    migrant = len(births) - len(hukou)
    assert 0.85 <= migrant / (yearly["births_migrant"] * share) <= 1.15
    deaths = [d for d in facts["death"].values() if d["died_on"] < "2017-09-01"]
    assert near(sum(d["residency"] == "hukou" for d in deaths), yearly["deaths_hukou"] * share)
    boys = sum(birth["sex"] == "1" for birth in births)
    assert near(boys, len(births) * 1.06 / 2.06)
    came, went = (
        sum(
            move["residency"] == "hukou"
            and (move[end] in INSIDE) > (move[other] in INSIDE)
            and move["moved_on"] < "2017-09-01"
            for move in facts["move"].values()
        )
        for end, other in (("to_district", "from_district"), ("from_district", "to_district"))
    )
    assert near(came, yearly["moves_in_hukou"] * share)
    assert near(went, yearly["moves_out_hukou"] * share)


def test_week_of_births(facts: dict[str, dict[str, dict]]) -> None:
    days = Counter(
        date.fromisoformat(birth["born_on"]).weekday()
        for birth in facts["birth"].values()
        if birth["residency"] == "hukou"
    )
    for weekday, shape in enumerate(BIRTHS_BY_WEEKDAY):
        assert near(days[weekday], days.total() * shape / 7)


def test_migrants_fill_the_districts(facts: dict[str, dict[str, dict]]) -> None:
    came = Counter(
        move["to_district"]
        for move in facts["move"].values()
        if move["residency"] == "migrant"
        and move["to_district"] in INSIDE
        and move["moved_on"] < "2016-01-01"
    )
    expected = suzhou().migrants
    assert came.total() == round(sum(expected.values()) * MEDIUM)
    for district, people in expected.items():
        assert near(came[district], people * MEDIUM)


def test_hospital_agrees_with_births_and_deaths(facts: dict[str, dict[str, dict]]) -> None:
    stays = facts["discharge"].values()
    mothers = {birth["mother"] for birth in facts["birth"].values()}
    deliveries = [stay for stay in stays if any(map(is_delivery, stay["diagnoses"]))]
    told = [stay for stay in deliveries if stay["discharged_on"] < "2017-09-01"]
    assert sum(stay["person"] in mothers for stay in told) > 0.99 * len(told) > 500
    died = {(d["person"], d["died_on"]) for d in facts["death"].values()}
    ended = [s for s in stays if s["outcome"] == "5" and s["discharged_on"] < "2017-09-01"]
    met = sum((stay["person"], stay["discharged_on"]) in died for stay in ended)
    assert met > 0.98 * len(ended) > 90


def test_offices_behave_as_offices_do(two_years: list[tuple[date, dict]]) -> None:
    seen: Counter[str] = Counter()
    reports: dict[tuple, list[dict]] = defaultdict(list)
    sectors: dict[tuple, set[str]] = defaultdict(set)
    for known_on, event in two_years:
        act = next(event[name] for name in event if name.endswith("_on")) if len(event) > 8 else ""
        record = (event["kind"], event["record_id"])
        reports[(*record, event["source"], event["revision"])].append(event)
        sectors[record].add(event["source"].split(".")[0])
        seen["corrected"] += event["revision"] == 2 and not event.get("void")
        seen["void"] += bool(event.get("void"))
        seen["late"] += bool(act) and (known_on - date.fromisoformat(act)).days > 30
    for same in reports.values():
        seen["repeated"] += same.count(same[0]) > 1
        seen["conflicting"] += any(one != same[0] for one in same)
    seen["both"] = sum(len(both) == 2 for both in sectors.values())
    assert set(+seen) == {"corrected", "void", "late", "repeated", "conflicting", "both"}


def test_registrations_are_renewed_in_time_late_or_never(
    facts: dict[str, dict[str, dict]],
) -> None:
    acts: dict[str, list[dict]] = defaultdict(list)
    for permit in facts["permit"].values():
        acts[permit["person"]].append(permit)
    seen: Counter[str] = Counter()
    for held in acts.values():
        held.sort(key=lambda permit: permit["effective_on"])
        for one, following in zip(held, [*held[1:], None], strict=True):
            lapses = one.get("valid_until")
            if one["action"] not in ("issue", "endorse") or not lapses or lapses > "2017-06-01":
                continue
            if following is None:
                seen["never"] += 1
                continue
            late = date.fromisoformat(following["effective_on"]) - date.fromisoformat(lapses)
            seen["in time" if late.days <= 0 else "late" if late.days <= 30 else "too late"] += 1
    assert seen["in time"] > seen["late"] > seen["too late"] > 0 < seen["never"]
    assert {permit["action"] for permit in facts["permit"].values()} == {
        "register",
        "issue",
        "endorse",
        "cancel",
    }


@pytest.mark.parametrize("parts", [{"scale": 0}, {"scale": 1.5}, {"start": date(1990, 1, 1)}])
def test_cities_that_cannot_be(parts: dict) -> None:
    with pytest.raises(ValueError, match=r"scale is|start is"):
        City(**parts)


def test_cursor_goes_on_after_its_day_with_its_city_only(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "cursor.json"
    city = City(3, SMALL, date(2016, 1, 1))
    assert first_day(city, path) == city.start
    Cursor.of(city, date(2016, 2, 28)).write(path)
    assert first_day(city, path) == date(2016, 2, 29)
    found = Cursor.read(path)
    assert found is not None
    assert found.city == city
    with pytest.raises(CursorError, match=r"another city \(seed 3"):
        first_day(City(4, SMALL, date(2016, 1, 1)), path)
    for broken in ("", "{}", '{"seed":1,"scale":1,"start":"2016-01-01","through":"x"}'):
        path.write_text(broken)
        with pytest.raises(CursorError, match="delete it to begin anew"):
            first_day(city, path)


def test_pace() -> None:
    stop = threading.Event()
    began = time.monotonic()
    pace = Pace(10.0)
    assert pace.await_due(0, stop)
    assert pace.await_due(86_400_000, stop)
    assert 0.09 < time.monotonic() - began < 0.5
    real = Pace.real_time()
    assert real.is_real_time
    assert not pace.is_real_time
    assert real.await_due(int(time.time() * 1000) - 5000, stop)
    began = time.monotonic()
    assert real.await_due(int(time.time() * 1000) + 100, stop)
    assert 0.05 < time.monotonic() - began < 0.5
    stop.set()
    assert not real.await_due(int(time.time() * 1000) + 10**9, stop)
    assert not Pace().await_due(0, stop)
    with pytest.raises(ValueError, match="above 0"):
        Pace(0)
