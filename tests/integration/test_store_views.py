"""The schema: migrations, and views that are exact whatever has been merged."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from consumers.store import migrate as migrations
from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.errors import StoreRefused
from consumers.store.migrate import Migration, MigrationError, migrate, seed_districts

TABLES = [
    "cells", "reports", "people_rows", "finding_rows", "rejected_rows", "sources_rows",
    "district_rows", "baseline_rows",
]  # fmt: skip
ANNA, BEA, CARA = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def connected(server) -> Iterator[Store]:
    with server.store() as store:
        assert len(migrate(store)) == len(migrations.bundled())
        yield store


@pytest.fixture
def store(connected) -> Store:
    for table in TABLES:
        connected.command(f"TRUNCATE TABLE {table}")
        # Without merges, duplicates stay duplicates.
        connected.command(f"SYSTEM STOP MERGES population.{table}")
    return connected


def put(store, table, *rows):
    """Insert rows one by one, so that each is a part of its own."""
    for row in rows:
        store.insert(table, {name: [value] for name, value in row.items()})


def cell(value, version, day=0, known_on=0, shard=0, measure="births", band="25-29"):
    return {
        "measure": measure, "district": "320508", "day": day, "known_on": known_on,
        "residency": "hukou", "sex": "1", "band": band, "shard": shard, "value": value,
        "version": version,
    }  # fmt: skip


def report(kind, record_id, person, source="health.one", revision=1, version=1, **more):
    event = more.pop("event", {})
    return {
        "person": person, "kind": kind, "record_id": record_id, "source": source,
        "revision": revision, "void": False, "digest": "d", "known_on": 20_000,
        "accepted_at": 1_700_000_000_000, "topic": f"population.{kind}s.v1", "partition": 0,
        "offset": 7, "day": 19_000, "district": "320508", "household": "", "shard": 1,
        "event": json.dumps({"kind": kind, **event}), "journal_offset": 9, "version": version,
        **more,
    }  # fmt: skip


def test_migrating_again_does_nothing(connected):
    assert migrate(connected) == []
    held = connected.query("SELECT number, name, length(hash) FROM migrations FINAL ORDER BY 1")
    assert held == [(entry.number, entry.name, 64) for entry in migrations.bundled()]


def test_a_changed_or_unknown_migration_is_refused(connected):
    first, *rest = migrations.bundled()
    changed = Migration(first.number, first.name, first.script + "-- x")
    with pytest.raises(MigrationError, match=f"{first.name} was changed"):
        migrate(connected, [changed, *rest])
    with pytest.raises(MigrationError, match="newer popflow"):
        migrate(connected, [first, *rest[:-1]])


def test_a_failed_migration_is_not_recorded(connected):
    held = migrations.bundled()
    broken = Migration(9_998, "9998_broken.sql", "CREATE TABLE IF NOT EXISTS broken (a Nonsense);")
    with pytest.raises(StoreRefused, match="Nonsense"):
        migrate(connected, [*held, broken])
    assert migrate(connected) == []


def test_the_contracts_columns(connected):
    def columns(table):
        return " ".join(row[0] for row in connected.query(f"DESCRIBE TABLE {table}"))

    assert columns("daily") == "day district measure residency sex band value"
    assert columns("findings") == "code person kind record_id day district"
    assert columns("sources") == "name sector priority added_at"
    assert columns("rejected") == "id code reason topic partition offset rejected_at value mended"
    assert columns("people") == (
        "person alive died_on born_on sex district residency household known managed resident"
        " known_from known_until managed_from managed_until resident_from resident_until"
        " registered_until points last_evidence"
    )
    assert columns("records") == (
        "kind record_id person source revision void digest known_on accepted_at topic partition"
        " offset day district household event shard journal_offset version"
    )


def test_daily_counts_each_cell_once(store):
    put(
        store, "cells",
        cell(5, version=1), cell(7, version=2), cell(7, version=2), cell(6, version=1),
        cell(10, version=1, shard=3), cell(-2, version=1, known_on=4),
        cell(3, version=1, day=-9_000, band="x"),
        cell(-3, version=2, day=-9_000, band="x", shard=1),
    )  # fmt: skip
    assert store.query("SELECT * FROM daily") == [
        (date(1970, 1, 1), "320508", "births", "hukou", "1", "25-29", 15)
    ]
    known = "SELECT value FROM daily_as_known(known_on = {d:Date32}) WHERE band = '25-29'"
    assert store.query(known, {"d": date(1970, 1, 4)}) == [(17,)]
    assert store.query(known, {"d": date(1970, 1, 5)}) == [(15,)]
    assert store.query(known, {"d": date(1969, 12, 31)}) == []
    assert store.query("SELECT value FROM daily WHERE measure = 'deaths'") == []


def test_records_hold_the_newest_report_of_each_source(store):
    put(
        store, "reports",
        report("birth", "r1", ANNA, revision=2, digest="b", version=5),
        report("birth", "r1", ANNA, revision=1, digest="z", version=9),
        report("birth", "r1", ANNA, revision=2, digest="a", version=9),
        report("birth", "r1", ANNA, revision=2, digest="b", version=4, district="320505"),
        report("birth", "r1", ANNA, source="police.one", day=None, void=True),
        report("birth", "r2", BEA, revision=3, digest="z"),
        report("birth", "r2", BEA, revision=3, digest="a", void=True),
    )  # fmt: skip
    sql = "SELECT record_id, source, revision, void, digest, district, day FROM records"
    day = date(2022, 1, 8)
    assert store.query(f"{sql} ORDER BY 1, 2") == [
        ("r1", "health.one", 2, False, "b", "320508", day),
        ("r1", "police.one", 1, True, "d", "320508", None),
        ("r2", "health.one", 3, True, "a", "320508", day),
    ]
    # Conditions apply to what stands, never to what it superseded.
    assert store.query(f"{sql} WHERE revision = 1 AND NOT void") == []
    assert store.query(f"{sql} WHERE digest = 'z' OR district = '320505'") == []
    assert len(store.query(f"{sql} WHERE person = {{p:String}}", {"p": ANNA})) == 2


def test_the_first_standing_source_gives_the_content(store):
    put(
        store, "sources_rows",
        *({"name": name, "sector": name.split(".")[0], "priority": priority, "added_at": 0,
           "removed": name == "health.b", "version": 1}
          for name, priority in (("health.a", 9), ("health.b", 1), ("police.a", 0))),
    )  # fmt: skip
    for kind in ("birth", "permit"):
        put(
            store, "reports",
            *(report(kind, "r", ANNA, source=name, district=name)
              for name in ("health.a", "health.b", "health.unlisted", "police.a", "police.b")),
            report(kind, "r", ANNA, source="health.b", district="void", revision=2, void=True),
        )  # fmt: skip
    facts = "SELECT kind, source, district FROM facts ORDER BY kind"
    assert store.query(facts) == [
        ("birth", "health.a", "health.a"), ("permit", "police.a", "police.a"),
    ]  # fmt: skip


def test_one_record_of_two_persons(store):
    put(
        store, "reports",
        report("birth", "shared", ANNA, district="320505", day=100),
        report("birth", "shared", BEA, source="police.one", district="320506", day=101),
        report("birth", "shared", BEA, district="320507", day=102),
        report("birth", "mended", ANNA),
        report("birth", "mended", BEA),
        report("birth", "mended", BEA, revision=2, void=True, day=None, district=""),
        report("death", "mended", CARA),
    )  # fmt: skip
    assert store.query("SELECT * FROM findings ORDER BY person") == [
        ("same_record_two_persons", ANNA, "birth", "shared", date(1970, 4, 11), "320505"),
        ("same_record_two_persons", BEA, "birth", "shared", date(1970, 4, 13), "320507"),
    ]
    put(store, "reports", report("birth", "shared", ANNA, revision=2, void=True))
    assert store.query("SELECT * FROM findings") == []


def stay(record_id, mother, codes, admitted="2022-01-05", **more):
    event = {"admitted_on": admitted, "diagnoses": codes}
    return report("discharge", record_id, mother, event=event, **more)


@pytest.mark.parametrize(
    ("codes", "born", "birth", "found"),
    [
        (["O80.0"], None, {}, True),
        (["I10.x00x002", "Z37.900"], None, {}, True),
        (["O84"], 19_000, {}, False),
        (["O84"], 19_000, {"live": False}, False),
        (["O80"], 18_997 - 30, {}, False),
        (["O80"], 18_997 - 31, {}, True),
        (["O80"], 19_000 + 30, {}, False),
        (["O80"], 19_000 + 31, {}, True),
        (["O85", "Z38", "O79"], None, {}, False),
    ],
)
def test_a_delivery_needs_a_birth(store, codes, born, birth, found):
    put(store, "reports", stay("s", ANNA, codes))
    if born is not None:
        # The day of a birth is born_on; its person is the child.
        put(store, "reports", report("birth", "b", CARA, day=born, event={"mother": ANNA, **birth}))
    expected = [("delivery_without_birth", ANNA, "discharge", "s", date(2022, 2, 7), "320508")]
    assert store.query("SELECT * FROM findings") == (expected if found else [])


def test_deliveries_and_births_are_taken_as_they_stand(store):
    put(
        store, "reports",
        stay("s", ANNA, ["O80"]),
        report("birth", "b", CARA, event={"mother": ANNA}),
        report("birth", "b", CARA, revision=2, void=True, day=None, event={}),
        stay("t", BEA, ["O80"]),
        stay("t", BEA, ["I10"], revision=2),
    )  # fmt: skip
    assert [row[1] for row in store.query("SELECT * FROM findings")] == [ANNA]
    put(store, "reports", report("birth", "b", CARA, revision=3, event={"mother": ANNA}))
    assert store.query("SELECT * FROM findings") == []


def test_only_standing_findings_are_seen(store):
    def found(standing, version, day):
        return {"code": "second_birth", "person": ANNA, "kind": "birth", "record_id": "r",
                "source": "", "day": day, "district": "", "standing": standing, "shard": 0,
                "version": version}  # fmt: skip

    put(store, "finding_rows", found(True, 1, 5), found(True, 2, None))
    expected = [("second_birth", ANNA, "birth", "r", None, "")]
    assert store.query("SELECT * FROM findings") == expected
    assert store.query("SELECT * FROM findings WHERE code = 'second_birth'") == expected
    put(store, "finding_rows", found(False, 3, None), found(True, 1, 5))
    assert store.query("SELECT * FROM findings") == []


def test_people_are_known_managed_and_resident_as_of_today(store):
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    yesterday, tomorrow = (today + timedelta(days=step) for step in (-1, 1))
    row = {
        "person": ANNA, "alive": True, "sex": "2", "district": "320508", "residency": "migrant",
        "known_from": yesterday, "known_until": None, "managed_from": yesterday,
        "managed_until": today, "resident_from": tomorrow, "resident_until": None, "version": 2,
    }  # fmt: skip
    put(store, "people_rows", row, {**row, "district": "320505", "version": 1})
    sql = "SELECT district, known, managed, resident, points, born_on FROM people"
    assert store.query(sql) == [("320508", True, False, False, None, None)]
    put(
        store, "people_rows",
        {**row, "known_from": None, "managed_until": tomorrow, "resident_from": today,
         "points": -3, "born_on": date(1931, 5, 6), "version": 3},
    )  # fmt: skip
    assert store.query(sql) == [("320508", False, True, True, -3, date(1931, 5, 6))]


def test_a_mended_refusal_stays_mended(store):
    row = {"topic": "population.births.v1", "digest": "ab" * 32, "code": "schema",
           "reason": "x", "partition": 1, "offset": 5, "rejected_at": 0, "key": "",
           "value": "{}", "version": 7}  # fmt: skip
    put(store, "rejected_rows", row, row, {**row, "topic": "population.deaths.v1"})
    sql = "SELECT id, topic, offset, mended FROM rejected ORDER BY topic"
    births = ("ababababababab"[:12], "population.births.v1", 5)
    deaths = ("ababababababab"[:12], "population.deaths.v1", 5, False)
    assert store.query(sql) == [(*births, False), deaths]
    put(store, "rejected_rows", {**row, "mended": True, "version": (1 << 63) | 7})
    put(store, "rejected_rows", {**row, "offset": 99, "version": 1 << 50})
    assert store.query(sql) == [(*births, True), deaths]


def test_the_registry_has_a_version_and_forgets_removed_sources(store):
    row = {"name": "health.one", "sector": "health", "priority": 3,
           "added_at": datetime(2026, 1, 2, tzinfo=UTC), "removed": False,
           "version": 11}  # fmt: skip
    put(store, "sources_rows", row, {**row, "priority": 4, "version": 12})
    assert store.query("SELECT name, sector, priority FROM sources") == [
        ("health.one", "health", 4)
    ]
    assert store.query("SELECT max(version) FROM sources_rows") == [(12,)]
    put(store, "sources_rows", {**row, "removed": True, "version": 13})
    assert store.query("SELECT * FROM sources") == []


def test_a_baseline_loaded_again_replaces_the_whole(store):
    def row(district, value, version, as_of=date(2020, 11, 1)):
        return {"as_of": as_of, "known_on": date(2021, 5, 18), "district": district, "sex": "1",
                "birth_year": 1950, "value": value, "loaded_at": 0, "version": version}  # fmt: skip

    put(store, "baseline_rows", row("320505", 5, 1), row("320508", 8, 1), row("320505", 6, 2),
        row("320508", 9, 1, as_of=date(2010, 11, 1)))  # fmt: skip
    assert store.query("SELECT as_of, district, value FROM baseline ORDER BY as_of") == [
        (date(2010, 11, 1), "320508", 9), (date(2020, 11, 1), "320505", 6),
    ]  # fmt: skip


def test_districts_are_seeded_once(store):
    rows = [
        {"code": "320508", "name_zh": "姑苏", "name_en": "Gusu", "alias_of": "",
         "valid_from": date(2012, 9, 1), "valid_to": None, "in_city": True},
        {"code": "320502", "name_zh": "沧浪", "name_en": "Canglang", "alias_of": "320508",
         "valid_from": None, "valid_to": 15_583, "in_city": True},
    ]  # fmt: skip
    assert seed_districts(store, rows)
    assert not seed_districts(store, reversed(rows))
    assert seed_districts(store, rows[:1])
    assert store.query("SELECT * FROM districts") == [
        ("320508", "姑苏", "Gusu", "", date(2012, 9, 1), None, True)
    ]
    assert seed_districts(store, rows)
    assert store.query("SELECT code, valid_to FROM districts ORDER BY code") == [
        ("320502", date(2012, 8, 31)), ("320508", None),
    ]  # fmt: skip
