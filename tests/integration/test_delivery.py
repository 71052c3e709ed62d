"""Alerts from a real topic to real receivers: each change once, whatever was away."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from pydantic import TypeAdapter

from consumers.delivery import signing
from consumers.delivery.receivers import Receivers
from consumers.delivery.service import Deliveries
from consumers.delivery.silences import Silences, nothing
from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from schemas.topics import ALERTS, specs
from tests.integration.receiving import Receiver, alert, published
from tests.monitoring import alertmanager, asked

# kafka-python leaves a socket whose connecting was cut off by close() to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka"), heap="256m") as server:
        yield server


@pytest.fixture
def producer(kafka: KafkaServer) -> Iterator[KafkaProducer]:
    """Writes to a topic of alerts that is new and empty."""
    from kafka.admin import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    ensure_topics(kafka.bootstrap, [spec for spec in specs(2) if spec.name == ALERTS])
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    yield producer
    producer.close()
    admin.delete_topics([ALERTS])
    admin.close()
    gc.collect()


@contextmanager
def delivering(
    kafka: KafkaServer, folder: Path, silences: Silences = nothing, **receivers: dict[str, Any]
) -> Iterator[None]:
    """The delivery, from when it knows what was told; its end is awaited."""
    (folder / "secret").write_text(SECRET)
    chosen = TypeAdapter(Receivers).validate_python(receivers)
    deliveries = Deliveries(chosen, folder, kafka.bootstrap, silences)
    ended, ready = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            deliveries.run(ended, ready.set)
        except BaseException as error:
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        ended.set()
        thread.join(60)
    assert failures == []


def webhook(receiver: Receiver, **given: Any) -> dict[str, Any]:
    return {
        "kind": "webhook",
        "url": receiver.url,
        "secret_file": "secret",
        "gather_seconds": 0.05,
        **given,
    }


def test_a_change_is_signed_and_arrives_once(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    fired = alert(1)
    with Receiver() as duty, delivering(kafka, tmp_path, one=webhook(duty)):
        published(producer, alert(1, state="pending"), fired, fired)
        published(producer, alert(1, state="withdrawn"))
        duty.wait(lambda it: len(it.told()) == 2)
    assert duty.told() == [f"{fired.id}-firing", f"{fired.id}-withdrawn"]
    for request in duty.taken:
        key = signing.key_of(SECRET)
        assert signing.verified(key, request.headers, request.body, request.at)
        assert not signing.verified(key, request.headers, request.body + b" ", request.at)
    told = duty.taken[0].document["alerts"][0]
    assert {**told, "key": ""} == {"key": "", **fired.model_dump(mode="json")}


def test_a_receiver_that_was_away_gets_everything_once_while_others_do_not_wait(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    changes = [alert(n, state=state) for n in range(20) for state in ("firing", "resolved")]
    with Receiver() as away, Receiver() as duty:
        away.close()
        with delivering(kafka, tmp_path, away=webhook(away), duty=webhook(duty)):
            published(producer, *changes[:20])
            duty.wait(lambda it: len(it.told()) == 20)
        # The delivery itself ends and starts again while there is something to deliver.
        with delivering(kafka, tmp_path, away=webhook(away), duty=webhook(duty)):
            published(producer, *changes[20:])
            duty.wait(lambda it: len(it.told()) == 40)
            assert away.requests == []
            away.open()
            away.wait(lambda it: len(it.told()) >= 40)
    wanted = sorted(f"{one.id}-{one.state}" for one in changes)
    assert sorted(away.told()) == sorted(duty.told()) == wanted
    for episode in {one.id for one in changes}:
        ends = [key for key in away.told() if key.startswith(episode)]
        assert ends == [f"{episode}-firing", f"{episode}-resolved"]


def test_a_new_receiver_is_told_what_fires_not_what_fired(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    published(producer, alert(1), alert(2), alert(1, state="resolved"), alert(3, state="pending"))
    with Receiver() as duty:
        duty.close()
        with delivering(kafka, tmp_path, duty=webhook(duty)):
            published(producer, alert(2, state="resolved"), alert(4))
        duty.open()
        with delivering(kafka, tmp_path, duty=webhook(duty)):
            duty.wait(lambda it: len(it.told()) >= 3)
            published(producer, alert(5))
            duty.wait(lambda it: len(it.told()) >= 4)
    firing, ended = f"{2:032x}-firing", f"{2:032x}-resolved"
    assert sorted(duty.told()) == sorted([firing, ended, alert(4).id + "-firing", duty.told()[-1]])
    assert duty.told().index(firing) < duty.told().index(ended)


def test_a_receiver_without_anything_to_be_told_starts_where_it_was_first_there(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    with Receiver() as duty:
        with delivering(kafka, tmp_path, duty=webhook(duty)):
            pass
        published(producer, alert(1), alert(1, state="resolved"))
        with delivering(kafka, tmp_path, duty=webhook(duty)):
            duty.wait(lambda it: len(it.told()) >= 2)
    assert duty.told() == [f"{1:032x}-firing", f"{1:032x}-resolved"]


def test_a_hundred_alerts_are_few_messages_of_the_severities_wanted(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    quiet = [alert(n, severity="info") for n in range(100, 150)]
    with Receiver() as duty:
        calm = webhook(duty, gather_seconds=1.0, severities=["warning", "critical"], most=60)
        with delivering(kafka, tmp_path, calm=calm):
            published(producer, *quiet, *(alert(n) for n in range(100)))
            duty.wait(lambda it: len(it.told()) >= 100)
    assert sorted(duty.told()) == sorted(f"{n:032x}-firing" for n in range(100))
    assert len(duty.taken) <= 4


def test_what_a_receiver_refuses_is_told_apart_from_what_it_would_take(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    poison = f"{3:032x}".encode()
    with (
        Receiver(lambda it: (422 if poison in it.body else 200, b"")) as duty,
        delivering(kafka, tmp_path, duty=webhook(duty, most=3)),
    ):
        published(producer, *(alert(n) for n in range(1, 6)), b"no alert")
        duty.wait(lambda it: len(it.told()) >= 4)
    assert sorted(duty.told()) == sorted(f"{n:032x}-firing" for n in (1, 2, 4, 5))


def test_what_is_silenced_is_handed_to_nobody(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    silent = frozenset({alert(1).id})
    with Receiver() as duty, delivering(kafka, tmp_path, lambda: silent, duty=webhook(duty)):
        published(producer, alert(1))
        published(producer, alert(2), alert(1, state="resolved"))
        duty.wait(lambda it: len(it.told()) >= 1)
        published(producer, alert(3))
        duty.wait(lambda it: len(it.told()) >= 2)
    assert sorted(duty.told()) == [f"{n:032x}-firing" for n in (2, 3)]


@pytest.mark.long
def test_a_receiver_that_is_away_for_ten_minutes_gets_everything_once(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    numbers = iter(range(1, 10_000))
    sent: list[str] = []

    def flow(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            number = next(numbers)
            changes = [alert(number), alert(number, state="resolved")]
            published(producer, *changes)
            sent.extend(f"{one.id}-{one.state}" for one in changes)
            time.sleep(5)  # the pace, not a wait for anything

    with Receiver() as duty:
        duty.close()
        with delivering(kafka, tmp_path, duty=webhook(duty)):
            flow(300)
        with delivering(kafka, tmp_path, duty=webhook(duty)):
            flow(300)
            duty.open()
            duty.wait(lambda it: len(it.told()) >= len(sent), 120)
            flow(10)
            duty.wait(lambda it: len(it.told()) >= len(sent))
    assert sorted(duty.told()) == sorted(sent)
    assert len(duty.taken) <= 10, "what waited came in few messages"


ALERTMANAGER = """
route:
  receiver: duty
  group_by: [alertname, district]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: duty
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


def by_alertmanager(receiver: Receiver, status: str) -> dict[str, dict[str, Any]]:
    """What Alertmanager has sent on, by episode."""
    documents = [request.document for request in receiver.taken]
    return {
        one["labels"]["episode"]: one
        for document in documents
        for one in document["alerts"]
        if one["status"] == status
    }


def test_alertmanager_is_told_of_beginnings_and_ends_and_again_after_it_forgot(
    kafka: KafkaServer, producer: KafkaProducer, tmp_path: Path
) -> None:
    one, two, three = (f"{n:032x}" for n in (1, 2, 3))
    with Receiver() as duty, alertmanager(tmp_path / "a", ALERTMANAGER.format(url=duty.url)) as url:
        with delivering(kafka, tmp_path, am={"kind": "alertmanager", "urls": [url]}):
            published(producer, alert(1), alert(2), alert(2, state="resolved", severity="info"))
            duty.wait(lambda it: one in by_alertmanager(it, "firing"))
            published(producer, alert(3, district="320500"), alert(1, state="withdrawn"))
            duty.wait(lambda it: three in by_alertmanager(it, "firing"))
            duty.wait(lambda it: one in by_alertmanager(it, "resolved"))
        active = asked(f"{url}/api/v2/alerts?active=true")
    assert {each["labels"]["episode"] for each in active} == {three}
    assert two not in by_alertmanager(duty, "firing"), "it was over before it was told"
    withdrawn = by_alertmanager(duty, "resolved")[one]
    assert withdrawn["annotations"]["state"] == "withdrawn"
    assert withdrawn["labels"] == {
        "alertname": "management_rate_level",
        "origin": "popflow",
        "indicator": "migrant_management_rate",
        "district": "320583",
        "severity": "critical",
        "episode": one,
    }
    # Another Alertmanager, which knows nothing: what fires is said again, with no new message.
    with Receiver() as duty, alertmanager(tmp_path / "b", ALERTMANAGER.format(url=duty.url)) as url:
        with delivering(kafka, tmp_path, am={"kind": "alertmanager", "urls": [url]}):
            duty.wait(lambda it: by_alertmanager(it, "firing"))
        assert by_alertmanager(duty, "firing").keys() == {three}
