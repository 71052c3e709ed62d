"""``popflow forget`` on a real stack: nothing of the person is left, no published figure moves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from pipeline.state import PartitionState
from schemas.topics import JOURNAL, RAW, REJECTED
from tests.contract.support import event, spelled
from tests.e2e.stack import OWN_PORTS, RunningStack

ADA, BOB, EVE = "a1" * 16, "b2" * 16, "e5" * 16
NOW = 1_457_568_000_000
"""2016-03-10, when the contract's examples arrive."""
DAY = 86_400_000
HOLDS = ("reports", "records", "people_rows", "people", "finding_rows", "findings")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path / "stack", env=OWN_PORTS).start()
    yield running
    assert running.stop() == 0


def messages(person: str, number: int) -> list[tuple[str, int, bytes, bytes]]:
    """A whole life: a birth and its correction, a move, a permit, a stay in hospital."""
    told: list[tuple[str, dict[str, Any]]] = [
        ("births", event("birth", person=person, record_id=f"B-{number}")),
        ("births", event("birth", person=person, record_id=f"B-{number}", revision=2, sex="1")),
        ("births", event("birth", person=person, record_id=f"C-{number}")),
        ("moves", event("move", person=person, record_id=f"M-{number}")),
        ("permits", event("permit", person=person, record_id=f"P-{number}")),
        ("discharges", event("discharge", person=person, record_id=f"D-{number}")),
    ]
    return [
        (f"population.{topic}.v1", NOW + place * DAY, spelled(document), person.encode())
        for place, (topic, document) in enumerate(told)
    ]


def everything(stack: RunningStack, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    """Key and value of all that can be read of a topic."""
    consumer = KafkaConsumer(bootstrap_servers=stack.ready["bootstrap"], enable_auto_commit=False)
    try:
        places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=200).values():
                found += [(record.key, record.value) for record in records]
        return found
    finally:
        consumer.close(autocommit=False)


def held(stack: RunningStack, person: str) -> dict[str, int]:
    """Where the person still is, and how often."""
    found = {
        table: stack.store.query(
            f"SELECT count() FROM population.{table} WHERE person = '{person}'"
        )[0][0]
        for table in HOLDS
    }
    needle = f"%{person}%"
    found["rejected"] = stack.store.query(
        f"SELECT count() FROM population.rejected_rows WHERE value LIKE '{needle}'"
    )[0][0]
    for topic in (JOURNAL, REJECTED, *RAW):
        found[topic] = sum(
            person.encode() in (key or b"") + (value or b"")
            for key, value in everything(stack, topic)
        )
    return {place: number for place, number in found.items() if number}


def test_a_forgotten_person_is_nowhere_and_every_figure_stays(stack: RunningStack) -> None:
    for person, number in ((ADA, 1), (BOB, 2), (EVE, 3)):
        stack.publish(messages(person, number))
    refused = spelled(event("birth", person=ADA, record_id="R-1", district="320599"))
    stack.publish([("population.births.v1", NOW, refused, ADA.encode())])
    stack.settle()
    daily, vintage = stack.daily(), stack.daily("2016-03-11")
    assert set(held(stack, ADA)) >= {"reports", "people", "findings", "rejected", JOURNAL, *RAW[:1]}
    others = held(stack, BOB)

    done = stack.popflow("forget", ADA, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["journal"] == 6
    assert said["reports"]["reports"] == 6
    assert said["left"] == []

    stack.settle()
    assert held(stack, ADA) == {}
    after = held(stack, BOB)
    assert {k: v for k, v in after.items() if k not in RAW} == {
        k: v for k, v in others.items() if k not in RAW
    }
    assert stack.daily() == daily
    assert stack.daily("2016-03-11") == vintage
    assert stack.audit()["different"] == 0

    certificate = Path(said["certificate"])
    assert ADA not in certificate.read_text("utf-8")
    assert stack.popflow("forget", "--verify", str(certificate)).returncode == 0
    forged = certificate.with_name("forged.json")
    forged.write_text(certificate.read_text("utf-8").replace('"journal": 6', '"journal": 5'))
    wrong = stack.popflow("forget", "--verify", str(forged))
    assert wrong.returncode == 1
    assert "was changed" in wrong.stderr

    # What comes again is refused, and kept nowhere.
    stack.publish(messages(ADA, 1))
    stack.publish(messages(BOB, 2))
    stack.settle()
    assert stack.daily() == daily
    assert stack.refusals()["forgotten"] == 6
    assert held(stack, ADA) == {}

    assert stack.audit()["different"] == 0

    # Somebody unknown; something that is no pseudonym.
    unknown = stack.popflow("forget", "d4" * 16)
    assert (unknown.returncode, "nothing is known" in unknown.stderr) == (1, True)
    mistaken = stack.popflow("forget", "320508199102031236")
    assert mistaken.returncode == 2
    assert "320508199102031236" not in mistaken.stderr + mistaken.stdout


@pytest.mark.long
def test_a_state_that_is_lost_afterwards_is_made_anew(stack: RunningStack) -> None:
    for person, number in ((ADA, 1), (BOB, 2), (EVE, 3)):
        stack.publish(messages(person, number))
    stack.settle()
    daily = stack.daily()
    assert stack.popflow("forget", ADA).returncode == 0
    assert json.loads(stack.popflow("rebuild", "--json").stdout)["partitions"] == 4
    assert stack.daily() == daily
    assert stack.audit()["different"] == 0
    again = RunningStack(stack.folder, env=OWN_PORTS)
    assert stack.stop() == 0
    shutil.rmtree(stack.folder / "state")
    stack.__dict__.update(again.start().__dict__)
    stack.publish(messages("c3" * 16, 4))
    stack.settle()
    assert stack.audit()["different"] == 0
    assert not any(stack.daily()[row] < number for row, number in daily.items() if number > 0)

    # Once more, and two others.
    assert stack.popflow("forget", ADA, BOB, EVE).returncode == 0
    assert (held(stack, BOB), held(stack, EVE)) == ({}, {})
    assert stack.audit()["different"] == 0


def test_the_state_on_disk_holds_no_byte_of_a_forgotten_person(tmp_path: Path) -> None:
    ada, bob = "8f3a1c5e7b9d02461357fedc8a6b4c20", "17d2e4f6089abc135790acbd2468ef31"
    state = PartitionState(tmp_path / "0")
    report = ("birth", "B-1", "health.one", 1, False, b"d" * 16, 16_000, None)
    state.commit(3, [(ada, [report]), (bob, [report])], {})
    state.forget([ada], {})
    assert state.entries([ada, bob]) == [[], [report]]
    assert [person for person, _ in state.all_entries()] == [bob]
    state.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "0").glob("*.sst"))
    assert bytes.fromhex(bob) in kept
    assert bytes.fromhex(ada) not in kept
