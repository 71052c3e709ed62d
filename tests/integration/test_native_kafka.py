"""A real Apache Kafka broker: start, settings, durability, ownership, no orphan."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from deploy.native.errors import NativeError
from deploy.native.hold import FolderHeldError
from deploy.native.kafka import KafkaServer
from deploy.native.kafka_jars import classpath
from deploy.native.ports import free_ports
from deploy.native.topics import TopicError, ensure_topics

PROJECT = Path(__file__).parents[2]
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Wanted:
    name: str
    partitions: int = 1
    config: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session", autouse=True)
def _program_files() -> None:
    """Once a machine: 41 MB, then the user's cache serves."""
    classpath()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("空 格") / "kafka"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[KafkaServer]:
    server = KafkaServer(folder)
    yield server
    server.stop()


@pytest.fixture
def broker(server: KafkaServer) -> KafkaServer:
    """The module's broker, running: started again when the test before took it down."""
    server.start()
    return server


def publish(bootstrap: str, topic: str, values: list[bytes], *, timestamp: int = 0) -> None:
    """Send and await every acknowledgement."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_request_size=8 * 1024 * 1024
    )
    try:
        stamp = timestamp or None
        sent = [producer.send(topic, value, timestamp_ms=stamp) for value in values]
        for acknowledgement in sent:
            acknowledgement.get(timeout=20)
    finally:
        producer.close()


def read(bootstrap: str, topic: str, count: int) -> list[tuple[bytes, int]]:
    """Value and timestamp of the first ``count`` messages of partition 0."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    found: list[tuple[bytes, int]] = []
    deadline = time.monotonic() + 20
    try:
        consumer.assign([TopicPartition(topic, 0)])
        while len(found) < count and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=1000).values():
                found.extend((record.value, record.timestamp) for record in records)
    finally:
        consumer.close()
    return found


def settings(bootstrap: str, topic: str) -> dict[str, str]:
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        described = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all"
        )
    return {key: entry["value"] for key, entry in described["topic"][topic].items()}


def test_a_cold_start_prepares_an_empty_folder(server: KafkaServer, folder: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    bootstrap = server.start(progress=lambda *step: steps.append(step))
    host, port = bootstrap.split(":")
    with socket.create_connection((host, int(port)), timeout=5):
        pass
    assert [step for step, done, total in steps if done == total] == [
        "preparing Kafka's folder",
        "starting Apache Kafka",
    ]
    assert server.alive()
    assert (folder / "logs" / "meta.properties").exists()
    assert not (folder / "logs.new").exists()


def test_it_listens_on_the_loopback_address_only(broker: KafkaServer) -> None:
    listening = [
        connection.laddr
        for connection in psutil.Process(broker.pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 2  # clients and controller
    assert {address.ip for address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert broker.bootstrap.split(":")[1] in {str(address.port) for address in listening}


def test_messages_come_back_as_they_were_sent(broker: KafkaServer) -> None:
    ensure_topics(broker.bootstrap, [Wanted("round.trip")])
    values = [f"第{n}条".encode() for n in range(1000)]
    publish(broker.bootstrap, "round.trip", values)
    assert [value for value, _ in read(broker.bootstrap, "round.trip", 1000)] == values


def test_a_five_megabyte_message_can_be_refused_by_us_not_by_kafka(broker: KafkaServer) -> None:
    ensure_topics(broker.bootstrap, [Wanted("large")])
    value = os.urandom(5_000_000)
    publish(broker.bootstrap, "large", [value])
    assert read(broker.bootstrap, "large", 1)[0][0] == value


def test_ten_years_are_replayed_with_their_own_times_in_one_segment(
    broker: KafkaServer, folder: Path
) -> None:
    ensure_topics(broker.bootstrap, [Wanted("history", config={"retention.ms": "-1"})])
    days = [DAY_MS * day for day in range(16_000, 19_650, 365)]
    for day in days:
        publish(broker.bootstrap, "history", [b"event"], timestamp=day)
    assert [stamp for _, stamp in read(broker.bootstrap, "history", len(days))] == days
    assert len(list((folder / "logs" / "history-0").glob("*.log"))) == 1


def test_a_misspelt_topic_is_not_created(broker: KafkaServer) -> None:
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        admin.describe_topics(["population.birth.v1"])
        assert "population.birth.v1" not in admin.list_topics()


def test_topics_get_their_partitions_and_settings(broker: KafkaServer) -> None:
    wanted = [
        Wanted("made.a", 3, {"message.timestamp.type": "LogAppendTime"}),
        Wanted("made.b", 2),
    ]
    ensure_topics(broker.bootstrap, wanted)
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        described = admin.describe_topics(["made.a", "made.b"])
    assert {t["name"]: len(t["partitions"]) for t in described} == {"made.a": 3, "made.b": 2}
    assert settings(broker.bootstrap, "made.a")["message.timestamp.type"] == "LogAppendTime"
    assert settings(broker.bootstrap, "made.b")["message.timestamp.type"] == "CreateTime"


def test_settings_that_drifted_are_set_again_and_others_left_alone(broker: KafkaServer) -> None:
    ensure_topics(broker.bootstrap, [Wanted("drift", 1, {"retention.ms": "-1"})])
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        changed = {"retention.ms": "1000000000", "segment.bytes": "1048576"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "drift", changed)])
    ensure_topics(broker.bootstrap, [Wanted("drift", 1, {"retention.ms": "-1"})])
    in_force = settings(broker.bootstrap, "drift")
    assert in_force["retention.ms"] == "-1"
    assert in_force["segment.bytes"] == "1048576"


def test_another_number_of_partitions_is_refused(broker: KafkaServer) -> None:
    ensure_topics(broker.bootstrap, [Wanted("fixed", 2)])
    with pytest.raises(TopicError, match=r"Topic fixed has 2 partitions, but 4"):
        ensure_topics(broker.bootstrap, [Wanted("fixed", 4), Wanted("never")])
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        assert "never" not in admin.list_topics()


@pytest.mark.parametrize("existing", [False, True])
def test_a_setting_that_kafka_does_not_know_is_named(broker: KafkaServer, existing: bool) -> None:
    name = f"unknown.{existing}"
    if existing:
        ensure_topics(broker.bootstrap, [Wanted(name)])
    with pytest.raises(TopicError, match=r"retention\.days"):
        ensure_topics(broker.bootstrap, [Wanted(name, 1, {"retention.days": "3"})])


def test_a_second_broker_on_the_folder_is_refused(broker: KafkaServer, folder: Path) -> None:
    with pytest.raises(FolderHeldError, match=rf"in use by process {broker.pid}:"):
        KafkaServer(folder).start()
    assert broker.alive()


PUBLISHER = """
import sys
from kafka import KafkaProducer

producer = KafkaProducer(bootstrap_servers=sys.argv[1], acks="all", linger_ms=0)
for number in range(1_000_000):
    sent = producer.send("survivors", b"%d" % number)
    sent.add_callback(lambda _where, number=number: print(number, flush=True))
    if number % 100 == 99:
        sent.get(timeout=60)
"""


def test_a_killed_broker_comes_back_with_everything_acknowledged(broker: KafkaServer) -> None:
    """Killed while a publisher sends: all that was acknowledged is there, in its order."""
    ensure_topics(broker.bootstrap, [Wanted("survivors")])
    bootstrap, pid = broker.bootstrap, broker.pid
    assert pid is not None
    with subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, bootstrap], stdout=subprocess.PIPE
    ) as publisher:
        assert publisher.stdout is not None
        acknowledged = [int(publisher.stdout.readline()) for _ in range(1000)]
        os.kill(pid, signal.SIGKILL)
        assert broker.wait(20) == -signal.SIGKILL
        publisher.kill()
        # The last line may have been cut by the kill.
        acknowledged += [int(line) for line in publisher.stdout if line.endswith(b"\n")]

    assert broker.start() == bootstrap  # the same port
    found = [int(value) for value, _ in read(bootstrap, "survivors", len(acknowledged))]
    assert set(acknowledged) <= set(found)
    assert found == list(range(len(found)))


def test_stop_ends_the_process_and_a_warm_start_has_everything(
    broker: KafkaServer, folder: Path
) -> None:
    ensure_topics(broker.bootstrap, [Wanted("kept")])
    publish(broker.bootstrap, "kept", [b"before"])
    pid, bootstrap = broker.pid, broker.bootstrap
    assert pid is not None
    assert broker.stop() == 143  # an orderly stop: the Java machine ends with 128 + SIGTERM
    assert not psutil.pid_exists(pid)
    assert not (folder / "kafka.pid").exists()
    assert "shut down completed" in (folder / "kafka.log").read_text()

    left_behind = folder / "tmp" / "libsomething.so"
    left_behind.write_text("by a killed broker")
    steps: list[str] = []
    assert broker.start(progress=lambda step, *_: steps.append(step)) == bootstrap
    assert set(steps) == {"starting Apache Kafka"}
    assert not left_behind.exists()
    assert [value for value, _ in read(bootstrap, "kept", 1)] == [b"before"]


def test_another_port_is_taken_when_the_last_one_is_gone(broker: KafkaServer) -> None:
    before = broker.bootstrap
    broker.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int(before.split(":")[1])))
        squatter.listen()
        assert broker.start() != before
        ensure_topics(broker.bootstrap, [Wanted("elsewhere")])


def test_a_wanted_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        server = KafkaServer(tmp_path / "kafka", port=port)
        with pytest.raises(NativeError, match=rf"Port {port} on 127\.0\.0\.1 is taken"):
            server.start()
    assert not server.alive()
    assert not (tmp_path / "kafka" / "kafka.pid").exists()


def test_a_folder_that_kafka_would_read_as_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NativeError, match="without comma"):
        KafkaServer(tmp_path / "a,b").start()


def test_a_folder_that_cannot_be_prepared_says_where_the_reason_is(tmp_path: Path) -> None:
    folder = tmp_path / "kafka"
    folder.mkdir()
    (folder / "logs.new").write_text("a file where Kafka needs a folder")
    with pytest.raises(NativeError, match=r"could not be prepared.*kafka\.out"):
        KafkaServer(folder).start()
    assert not (folder / "logs").exists()
    assert not (folder / "kafka.pid").exists()


def test_topics_without_a_broker_say_where_it_was_looked_for() -> None:
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(TopicError, match=f"No Kafka broker answers at {nobody}"):
        ensure_topics(nobody, [Wanted("x")])


SUPERVISOR = """
import signal, sys
from pathlib import Path
from deploy.native.kafka import KafkaServer

server = KafkaServer(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no parent-death signal")
def test_the_broker_dies_with_a_killed_supervisor(broker: KafkaServer, folder: Path) -> None:
    broker.stop()
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as supervisor:
        assert supervisor.stdout is not None
        orphan = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
        orphan.wait(20)
    broker.start()  # the folder is free again
