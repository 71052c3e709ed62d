"""Baselines and reference facts as loaded: new vintages serve, old figures stay reachable."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from consumers.baseline import load_baseline, read_baseline
from consumers.reference import ReferenceFact, load_reference, read_reference
from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.views import create_views
from schemas.districts import INSIDE

AS_OF = date(2020, 12, 31)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running:
        with running.store() as store:
            migrate(store)
            create_views(store)
        yield running


@pytest.fixture
def reader(engine: EmbeddedStore) -> Iterator[Store]:
    with engine.store(reader=True) as connected:
        yield connected


def as_known(reader: Store, indicator: str, known_on: str, district: str = "320500") -> float:
    """As an outside reader asks."""
    ((value,),) = reader.query(
        "SELECT value FROM population.indicators_as_known(as_of = '2020-12-31',"
        f" known_on = '{known_on}') WHERE indicator = '{indicator}' AND district = '{district}'"
    )
    return value  # type: ignore[no-any-return]


def test_a_restated_census_is_a_new_vintage(
    engine: EmbeddedStore, reader: Store, tmp_path: Path
) -> None:
    """Suzhou's residents of 2020 were 10,749,900 until the census had been counted."""
    with engine.store() as store:
        for known_on, people in (("2021-01-20", 1_074_990), ("2021-05-11", 1_274_830)):
            path = tmp_path / "counts.csv"
            lines = [f"2020-12-31,{known_on},{place},9,1980,{people}" for place in INSIDE]
            path.write_text("as_of,known_on,district,sex,birth_year,value\n" + "\n".join(lines))
            load_baseline(store, read_baseline(path))
    assert as_known(reader, "hukou_population", "2021-01-19") is None
    assert as_known(reader, "hukou_population", "2021-05-10") == 10_749_900
    assert as_known(reader, "hukou_population", "2021-05-11") == 12_748_300


def test_an_extract_of_the_register_serves_as_a_baseline(
    engine: EmbeddedStore, reader: Store, tmp_path: Path
) -> None:
    path = tmp_path / "register.csv"
    people = [f"{place},{sex},1955-06-30" for place in sorted(INSIDE) for sex in "12" * 3]
    people += [f"{place},2,1999-01-01" for place in sorted(INSIDE) for _ in range(2)]
    path.write_text("\n".join(["district,sex,born_on", *people]))
    rows = read_baseline(path, as_of=AS_OF, known_on=date(2022, 1, 20))
    with engine.store() as store:
        assert load_baseline(store, rows) == {(AS_OF, date(2022, 1, 20)): 80}
    assert as_known(reader, "hukou_population", "2022-01-20", "320505") == 8
    assert as_known(reader, "share_60_plus", "2022-01-20") == 75
    assert as_known(reader, "population_sex_ratio", "2022-01-20") == 60


def test_a_reference_fact_that_is_restated_leaves_the_old_one_readable(
    engine: EmbeddedStore, reader: Store, tmp_path: Path
) -> None:
    path = tmp_path / "facts.csv"
    path.write_text(
        "key,district,day,value,source,known_on\n"
        "beds_per_1000,320500,2020-06-30,6.1,yearbook,2020-09-01\n"
        "beds_per_1000,320500,2020-06-30,6.3,yearbook corrected,2021-02-01\n"
    )
    with engine.store() as store:
        assert load_reference(store, read_reference(path, known_on=AS_OF)) == 2
        known = {"indicator": "beds_per_1000", "district": "320500", "as_of": date(2020, 6, 30)}
        again = ReferenceFact(
            **known, known_on=date(2021, 2, 1), value=Decimal("6.4"), source="again"
        )
        load_reference(store, [again])
    assert as_known(reader, "beds_per_1000", "2020-08-31") is None
    assert as_known(reader, "beds_per_1000", "2020-09-01") == pytest.approx(6.1)
    assert as_known(reader, "beds_per_1000", "2021-02-01") == pytest.approx(6.4)
    rows = reader.query("SELECT value, unit, source FROM population.reference ORDER BY known_on")
    assert rows == [
        (Decimal("6.1"), "per 1,000", "yearbook"),
        (Decimal("6.4"), "per 1,000", "again"),
    ]


def test_the_plan_is_a_table(reader: Store) -> None:
    rows = reader.query("SELECT indicator, comparator, low FROM population.targets")
    assert len(rows) == 22
    assert ("birth_rate", "<=", 14.0) in rows
