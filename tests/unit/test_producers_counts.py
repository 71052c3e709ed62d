"""Births from counts: every one counted, none twice, all accepted, the same for ever."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.items import Dated, Fault
from producers.sources.counts import CountOptions, read_counts
from producers.sources.files import SourceError
from schemas.clock import day_date, local_day
from schemas.events import Birth
from schemas.reading import check, read

DATA = Path(__file__).parent.parent / "data"
LONDON = DATA / "christenings_london_1629_1710.csv"
STATES = DATA / "births_us_daily_1969_1988.csv"


def births(text: str, folder: Path, **options: object) -> list[Dated | Fault]:
    table = folder / "table.csv"
    table.write_text(text, "utf-8")
    return list(read_counts(table, CountOptions(**options)))


def accepted(message: Dated | Fault) -> Birth:
    assert isinstance(message, Dated)
    event = read(message.value, message.key)
    assert isinstance(event, Birth), event
    known_on = day_date(local_day(message.timestamp_ms))
    assert check(event, message.topic, known_on, {event.source: 1}) is None
    assert message.key == event.person.encode()
    return event


def test_london_to_the_child() -> None:
    sexes: Counter[str] = Counter()
    years: Counter[tuple[str, str]] = Counter()
    last = 0
    for number, birth in enumerate(read_counts(LONDON, CountOptions(shift_years=300))):
        assert isinstance(birth, Dated)
        if number % 500 == 0:
            accepted(birth)
        document = orjson.loads(birth.value)
        sexes[document["sex"]] += 1
        years[document["born_on"][:4], document["sex"]] += 1
        assert birth.timestamp_ms >= last
        last = birth.timestamp_ms
    assert sexes == {"1": 484_382, "2": 453_841}
    assert (years["1929", "1"], years["1929", "2"]) == (5218, 4683)


def test_days_of_the_united_states_stay_days(tmp_path: Path) -> None:
    head = "".join(STATES.read_text("utf-8").splitlines(keepends=True)[:3])
    found = births(head, tmp_path, dataset="us")
    events = [accepted(found[0]), accepted(found[8486]), accepted(found[-1])]
    assert len(found) == 8486 + 9002
    assert [event.born_on for event in events] == [
        date(1969, 1, 1),
        date(1969, 1, 2),
        date(1969, 1, 2),
    ]
    assert [event.record_id for event in events] == [
        "us/1969-01-01/320508/9/1",
        "us/1969-01-02/320508/9/1",
        "us/1969-01-02/320508/9/9002",
    ]
    assert found[0].timestamp_ms == 0


def test_same_file_same_messages_and_a_grown_count_adds_only(tmp_path: Path) -> None:
    text = "year,boys,girls\n1950,1003,977\n"
    first = births(text, tmp_path)
    assert first == births(text, tmp_path)
    grown = births(text.replace("1003", "1500"), tmp_path)
    assert set(first) < set(grown)
    assert len(grown) == len(first) + 497
    assert len({message.key for message in grown}) == len(grown)


@given(st.sampled_from([1900, 1904, 1951, 2024]), st.integers(0, 5000))
def test_year_is_spread_evenly(
    tmp_path_factory: pytest.TempPathFactory, year: int, count: int
) -> None:
    found = births(f"year,births\n{year},{count}\n", tmp_path_factory.mktemp("year"))
    days = Counter(accepted(message).born_on for message in found)
    length = (date(year + 1, 1, 1) - date(year, 1, 1)).days
    assert sum(days.values()) == count
    assert set(days.values()) <= {count // length, count // length + 1}
    serials = {orjson.loads(message.value)["record_id"] for message in found}
    assert serials == {f"table/{year}/320508/9/{n}" for n in range(1, count + 1)}


def test_few_births_of_a_year_are_not_neighbours(tmp_path: Path) -> None:
    found = births("year,births\n1951,4\n", tmp_path)
    days = {(accepted(m).born_on - date(1951, 1, 1)).days: accepted(m).record_id for m in found}
    assert {day: record[-1] for day, record in days.items()} == {
        0: "1",
        226: "2",
        87: "3",
        313: "4",
    }


def test_columns_and_options(tmp_path: Path) -> None:
    found = births(
        "日期,区划,性别,出生数\n2016-01-01,320506,男,1\n2016-01-01,320506,女,2\n2016-01-01,,,1\n",
        tmp_path,
        dataset="d",
        residency="migrant",
        source='health."quoted"',
        recorded_after=40,
    )
    events = [accepted(message) for message in found]
    assert [event.record_id for event in events] == [
        "d/2016-01-01/320506/1/1",
        "d/2016-01-01/320506/2/1",
        "d/2016-01-01/320506/2/2",
        "d/2016-01-01/320508/9/1",
    ]
    assert {event.residency for event in events} == {"migrant"}
    assert {event.source for event in events} == {'health."quoted"'}
    assert {event.recorded_at.date() for event in events} == {date(2016, 1, 1) + timedelta(40)}
    assert {local_day(message.timestamp_ms) for message in found} == {16801 + 40}


def test_archive_that_arrives_on_one_day(tmp_path: Path) -> None:
    text = "year,births\n1986,800\n2016,1\n"
    *found, late = births(text, tmp_path, arrived_on=date(2000, 5, 5))
    assert {day_date(local_day(accepted(m).recorded_at and m.timestamp_ms)) for m in found} == {
        date(2000, 5, 5)
    }
    assert late == Fault(3, "The births are recorded after 2000-05-05, when they arrive.")


def test_wrong_rows_are_told_and_the_others_go_on(tmp_path: Path) -> None:
    text = (
        "day,district,sex,count\n2016-01-01,320506,1,1\n2016-02-30,320506,1,1\n"
        "2016-01-02,320500,1,1\n2016-01-02,320506,3,1\n2016-01-02,320506,1,-4\n"
        "2016-01-01,320506,1,7\n1710-01-01,320506,1,1\n2016-01-03\n2016-01-04,320506,1,1\n"
    )
    found = births(text, tmp_path)
    assert [row.line for row in found if isinstance(row, Fault)] == [3, 4, 5, 6, 7, 8, 9]
    assert len([row for row in found if isinstance(row, Dated)]) == 2
    assert "repeats day, district and sex" in found[5].reason
    assert "before 1900: shift the years" in found[6].reason


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("day,year,births", "either day or year"),
        ("day", "either count or columns"),
        ("day,births,boys", "either count or columns"),
        ("day,births,colour", "'colour' has no meaning"),
        ("day,date,births", "two columns for day"),
        ("day,boys,girls,sex", "a column sex beside"),
    ],
)
def test_header_that_does_not_fit(tmp_path: Path, header: str, fault: str) -> None:
    with pytest.raises(SourceError, match=fault):
        births(header + "\n", tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"dataset": "with blank"},
        {"district": "320500"},
        {"residency": "visitor"},
        {"source": "hospital"},
        {"recorded_after": -1},
    ],
)
def test_options_that_cannot_be(options: dict) -> None:
    with pytest.raises(SourceError):
        CountOptions(**options)
