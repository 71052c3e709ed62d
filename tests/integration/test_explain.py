"""Figures of a simulated city taken apart: what the records add up to is what is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from consumers.audit.people import outcome_of_person
from consumers.audit.recount import Accepted
from consumers.audit.timeline import walk
from consumers.explain import Explanation, Part, explain
from consumers.explain.records import KINDS
from consumers.explain.terms import districts_of
from consumers.indicators import readings
from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.views import create_views
from pipeline.catalogue import INDICATORS, REFERENCE_KEYS, CatalogueError
from pipeline.catalogue.evaluate import Imported
from pipeline.catalogue.formulas import Told, formula
from pipeline.catalogue.selection import AREAS
from pipeline.catalogue.vocabulary import MEASURES
from pipeline.core.lineage import STATES
from producers.items import Dated
from producers.simulate.city import City
from schemas.districts import CITY
from schemas.events import KINDS as EVENTS
from schemas.sources import DEMONSTRATION
from tests.cases.cells import put_facts
from tests.cases.city import fill, settle
from tests.contract.support import SMALLEST

FIRST, LAST = date(2016, 1, 1), date(2017, 6, 30)
PRIORITIES = {source.name: source.priority for source in DEMONSTRATION}
BORN = date(2017, 12, 24)
"""A day after the city's last, for events of our own."""
CHILD = "c" * 32


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("city")
    with EmbeddedStore(folder / "store") as running, running.store() as connected:
        migrate(connected)
        create_views(connected)
        fill(connected, folder / "0", City(3, 0.0002, FIRST).days(FIRST, LAST), PRIORITIES)
        fill(connected, folder / "1", life_of_a_report(), PRIORITIES, shard=1)
        settle(connected, date(2015, 12, 31), date(2016, 1, 20), 4)
        settle(connected, date(2016, 12, 31), date(2017, 1, 20), 5)
        put_facts(
            connected,
            [
                Imported(key, place, date(2016, 6, 30), date(2016, 7, 9), Fraction(749, 1000))
                for key in REFERENCE_KEYS
                for place in AREAS
            ],
        )
        yield connected


def life_of_a_report() -> Iterator[Dated]:
    """A birth: told by a hospital, by the police, moved to another district, then withdrawn."""
    told: list[tuple[int, dict[str, Any]]] = [
        (1, {"source": "health.birth-certificates", "district": "320585"}),
        (2, {"source": "police.household", "district": "320585"}),
        (9, {"source": "health.birth-certificates", "district": "320583", "revision": 2}),
        (20, {"source": "health.birth-certificates", "revision": 3, "void": True}),
    ]
    for days, changes in told:
        known = BORN + timedelta(days=days)
        event = {
            **SMALLEST["birth"],
            "record_id": "B-1",
            "person": CHILD,
            "born_on": BORN.isoformat(),
            "recorded_at": f"{known}T12:00:00+08:00",
            **changes,
        }
        yield dated(event, known)


def dated(event: dict[str, Any], known: date) -> Dated:
    noon_ms = (known.toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000 + 4 * 3_600_000
    topic = EVENTS[event["kind"]].topic
    return Dated(noon_ms, topic, event["person"].encode(), json.dumps(event).encode())


def records_amount(part: Part) -> Fraction:
    """What the records and the baselines of a part come to."""
    assert part.records is not None
    assert part.records.more == 0
    return part.records.amount + sum((base.amount for base in part.bases), Fraction(0))


def check(found: Explanation, store: Store) -> int:
    """The parts, their cells and their records all come to what is read elsewhere."""
    reading = found.reading
    (same,) = [
        each
        for each in readings(
            store,
            reading.as_of,
            reading.known_on,
            indicators=[reading.indicator],
            districts=[reading.district],
            windows=[reading.window],
        )
        if each.base == reading.base
    ]
    assert same == reading
    assert found.adds_up
    acts = 0
    for part in found.parts:
        if part.records is None:
            assert not part.cells
            continue
        cells = sum((line.amount for line in part.cells), Fraction(0))
        assert part.cells_more == 0
        assert cells + sum((base.amount for base in part.bases), Fraction(0)) == part.amount
        assert records_amount(part) == part.amount
        for each in part.records.shown:
            assert each.records
            assert all(told.reports for told in each.records)
            acts += len(each.records)
    if found.entry.less is None and reading.numerator is not None:
        assert found.sum_of("numerator") == reading.numerator
    return acts


def random_key(key: str, chance: Random) -> dict[str, Any]:
    entry = INDICATORS[key]
    as_of = FIRST + timedelta(days=chance.randrange(40, (LAST - FIRST).days))
    return {
        "indicator": key,
        "area": chance.choice([CITY, *AREAS]),
        "as_of": as_of,
        "known_on": chance.choice([None, as_of, as_of + timedelta(days=chance.randrange(90))]),
        "window": chance.choice(entry.windows),
        "base": chance.choice(entry.bases),
    }


@pytest.mark.parametrize("key", INDICATORS)
def test_records_make_the_figure(store: Store, key: str) -> None:
    asked = random_key(key, Random(key))
    check(explain(store, **asked, limit=None), store)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(300))
def test_records_make_any_figure(store: Store, seed: int) -> None:
    chance = Random(seed)
    check(explain(store, **random_key(chance.choice(list(INDICATORS)), chance), limit=None), store)


@pytest.mark.parametrize(
    ("indicator", "window", "as_of"),
    [
        ("birth_rate", "364d", date(2017, 3, 1)),  # the baseline lies inside the window
        ("birth_rate", "year", date(2016, 9, 30)),  # and behind it
        ("hukou_population", "1d", date(2016, 5, 1)),
    ],
)
def test_changes_count_from_the_baseline_on(
    store: Store, indicator: str, window: str, as_of: date
) -> None:
    found = explain(store, indicator, CITY, as_of, LAST, window=window, base="hukou", limit=None)
    check(found, store)
    (population,) = [part for part in found.parts if part.bases]
    assert [base.as_of for base in population.bases] == [date(2016, 12, 31)]
    assert any(line.amount * line.value < 0 for line in population.cells), "taken off backwards"


def test_what_is_not_shown_is_counted(store: Store) -> None:
    asked: dict[str, Any] = {"indicator": "registered_in_time_rate", "area": CITY, "as_of": LAST}
    whole, some = explain(store, **asked, limit=None), explain(store, **asked, limit=2)
    for all_of_it, shown in zip(whole.parts, some.parts, strict=True):
        assert all_of_it.records is not None
        assert shown.records is not None
        assert shown.records.shown == all_of_it.records.shown[:2]
        assert shown.records.more == len(all_of_it.records.shown) - 2
        assert shown.cells == all_of_it.cells[:2]
        assert shown.cells_more == len(all_of_it.cells) - 2
        assert shown.amount == all_of_it.amount
    assert some.adds_up


def test_of_many_persons_the_newest_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what is read whole the same come first, and what is left is told by the cells."""
    asked: dict[str, Any] = {"indicator": "in_migration_rate", "area": CITY, "as_of": LAST}
    (whole, *_) = explain(store, **asked, base="resident", limit=3).parts
    monkeypatch.setattr("consumers.explain.records.SCANNED", 10)
    (some, *others) = explain(store, **asked, base="resident", limit=3).parts
    assert some == whole
    known = next(part for part in others if part.measures == ("migrants_resident",))
    assert known.records is not None
    assert known.records.more is None
    assert len(known.records.shown) == 3


def test_the_list_to_work_through(store: Store) -> None:
    """Whom an independent walk through each life finds known and not managed on the day."""
    as_of, known_on = date(2017, 3, 1), date(2017, 4, 1)
    found = explain(store, "migrant_management_rate", CITY, as_of, known_on, limit=None)
    (left,) = [part for part in found.parts if part.role == "left_over"]
    assert left.records is not None
    expected = set()
    lives: dict[str, list[Accepted]] = {}
    for person, event, known in store.query(
        "SELECT person, event, known_on FROM population.reports FINAL"
        " WHERE known_on <= {known_on:Date32}",
        {"known_on": known_on},
    ):
        lives.setdefault(person, []).append(Accepted(json.loads(event), known))
    for person, told in lives.items():
        end = state(told, as_of)
        if end.known is not None and end.managed is None:
            expected.add(person)
    assert {each.person for each in left.records.shown} == expected
    assert len(expected) == found.reading.denominator - found.reading.numerator  # type: ignore[operator]
    newest = [max(record.day for record in each.records) for each in left.records.shown]
    assert newest == sorted(newest, reverse=True)


def state(told: list[Accepted], day: date) -> Any:
    """How a day ended for one person, by the audit's own walk."""
    outcome = outcome_of_person(told, PRIORITIES)
    left_out = {(f[2], f[3]) for f in outcome.findings if f[0] in ("second_birth", "second_death")}
    counted = [f for f in outcome.facts if (f.kind, f.record_id) not in left_out]
    deaths = [fact.day for fact in counted if fact.kind == "death"]
    died = min(deaths, default=None)
    return walk([f for f in counted if died is None or f.day <= died], died).end_of(day)


REPORTS = [
    # days after the birth; births of Taicang, of Kunshan; how each report stands
    (1, 1, 0, ["stands"]),
    (2, 1, 0, ["stands", "stands"]),
    (9, 0, 1, ["superseded", "stands", "stands"]),
    # the police's word is left, and says Taicang
    (20, 1, 0, ["superseded", "superseded", "withdrawn", "stands"]),
]


@pytest.mark.parametrize(("days", "taicang", "kunshan", "stand"), REPORTS)
def test_a_record_with_its_revisions(
    store: Store, days: int, taicang: int, kunshan: int, stand: list[str]
) -> None:
    known = BORN + timedelta(days=days)
    for area, births in (("320585", taicang), ("320583", kunshan)):
        found = explain(store, "sex_ratio_at_birth", area, BORN, known, window="28d")
        parts = {part.role: part for part in found.parts}
        boys = parts["numerator" if SMALLEST["birth"]["sex"] == "1" else "denominator"]
        assert boys.records is not None
        assert boys.amount == births
        assert [each.person for each in boys.records.shown] == [CHILD] * births
        for each in boys.records.shown:
            (record,) = each.records
            assert (record.kind, record.record_id, record.day) == ("birth", "B-1", BORN)
            assert [told.stands for told in record.reports] == stand
            assert {told.topic for told in record.reports} == {"population.births.v1"}
            assert sorted(told.offset for told in record.reports) == list(range(len(stand)))
            assert all(told.known_on <= known for told in record.reports)


def test_what_was_taken_back_shows_in_the_cells(store: Store) -> None:
    found = explain(store, "birth_rate", "320585", BORN, window="28d", base="hukou")
    lines = [line for line in found.parts[0].cells if line.day == BORN]
    assert [(line.known_on - BORN, line.value) for line in lines] == [
        (timedelta(days=20), 1),
        (timedelta(days=9), -1),
        (timedelta(days=1), 1),
    ]


def test_a_reference_fact_says_where_it_comes_from(store: Store) -> None:
    found = explain(store, "urban_share", CITY, LAST)
    assert found.adds_up
    facts = found.parts[0].facts
    assert {fact.district for fact in facts} == districts_of(CITY)
    assert {(fact.source, fact.known_on) for fact in facts} == {("test", date(2016, 7, 9))}
    (beds, _) = explain(store, "beds_per_1000", CITY, LAST).parts
    assert [fact.value for fact in beds.facts] == [Fraction(749, 1000)]


def test_what_is_missing_is_said(store: Store) -> None:
    found = explain(store, "birth_rate", CITY, date(2016, 1, 10), date(2016, 1, 12))
    assert found.reading.reason == "no_baseline"
    assert found.adds_up
    assert found.parts[0].role == "numerator"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"indicator": "birth_rat"}, "did you mean 'birth_rate'"),
        ({"area": "320511"}, "'320500'"),
        ({"window": "29d"}, "There are '28d'"),
        ({"window": "1d"}, "'364d', 'year'"),
        ({"base": "everybody"}, "hukou (registered population), resident (residents)"),
    ],
)
def test_a_wrong_name_lists_the_right_ones(store: Store, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(CatalogueError) as error:
        explain(store, **{"indicator": "birth_rate", "area": CITY, "as_of": LAST, **asked})
    assert told in str(error.value)


def test_every_formula_is_said_in_both_languages() -> None:
    for entry in INDICATORS.values():
        for base in entry.bases:
            for window in entry.windows:
                chinese, english = formula(entry, Told(base, window, LAST))
                assert entry.name_zh in chinese
                assert entry.name_en in english
                assert chinese != english
    said = formula(INDICATORS["birth_rate"], Told("resident", "year", date(2016, 3, 31)))
    assert said[1].startswith("birth rate [residents, calendar year to date] = live births ÷")
    assert said[1].endswith("× 1,000 (‰) × 366 ÷ 91 (per year)")


def test_every_measure_says_what_it_counts() -> None:
    assert {*KINDS, *STATES} == set(MEASURES)
