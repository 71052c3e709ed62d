"""A stack whose Kafka asks everybody who they are: SASL_SSL both ways, and access rules."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from deploy.kafka.certificates import Authority, write_secret
from producers import access
from tests.contract.support import event, spelled
from tests.e2e.stack import OWN_PORTS, RunningStack

# kafka-python leaves the socket of a refused connection to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

HOSPITAL, POLICE = "health.first-hospital", "police.first-station"
NOW = 1_457_568_000_000


@pytest.fixture
def as_client() -> Iterator[Callable[[Path | None], None]]:
    yield access.use
    access.use(None)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("secure"), "--secure", env=OWN_PORTS)
    # What the running stack itself uses to look in from outside is its administrator's.
    access.use(None)
    running.start(client_file=True)
    yield running
    assert running.stop() == 0
    access.use(None)


@pytest.fixture(scope="module")
def clients(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Client files of two publishers: one of births and stays, one of moves."""
    folder = tmp_path_factory.mktemp("clients")
    made = {}
    for name, kinds in ((HOSPITAL, ("birth", "discharge")), (POLICE, ("move",))):
        options = [word for kind in kinds for word in ("--kind", kind)]
        done = stack.popflow(
            "source", "add", name, "--priority", "3", "--kafka", str(folder / name), *options,
            "--json",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        made[name] = Path(json.loads(done.stdout)["kafka_client"])
    return made


def send(stack: RunningStack, topic: str, document: dict[str, Any]) -> None:
    producer = KafkaProducer(
        bootstrap_servers=stack.ready["bootstrap"], acks="all", max_block_ms=10_000,
        **access.client_settings(),
    )  # fmt: skip
    try:
        producer.send(topic, spelled(document), b"k", timestamp_ms=NOW).get(20)
    finally:
        producer.close()


def test_a_publisher_writes_its_topics_and_it_is_counted(
    stack: RunningStack, clients: dict[str, Path], as_client: Callable[[Path | None], None]
) -> None:
    as_client(clients[HOSPITAL])
    send(stack, "population.births.v1", event("birth", source=HOSPITAL, person="0a" * 16))
    as_client(stack.client_file)
    stack.settle()
    counted = [n for row, n in stack.daily().items() if row[2] == "births"]
    assert counted == [1]


@pytest.mark.parametrize("topic", ["moves", "journal", "rejected", "readings", "alerts"])
def test_a_publisher_cannot_write_another_s_topic(
    stack: RunningStack, clients: dict[str, Path], topic: str,
    as_client: Callable[[Path | None], None],
) -> None:  # fmt: skip
    as_client(clients[HOSPITAL])
    with pytest.raises(TopicAuthorizationFailedError):
        send(stack, f"population.{topic}.v1", event("move", source=POLICE))


def _first(consumer: Any) -> None:
    for _ in range(20):
        assert not consumer.poll(timeout_ms=500)


@pytest.mark.parametrize("topic", ["births", "moves", "journal", "rejected"])
def test_a_publisher_reads_nothing(
    stack: RunningStack, clients: dict[str, Path], topic: str,
    as_client: Callable[[Path | None], None],
) -> None:  # fmt: skip
    as_client(clients[HOSPITAL])
    consumer = KafkaConsumer(
        bootstrap_servers=stack.ready["bootstrap"], enable_auto_commit=False, group_id="popflow",
        **access.client_settings(),
    )  # fmt: skip
    try:
        place = TopicPartition(f"population.{topic}.v1", 0)
        consumer.assign([place])
        with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
            _first(consumer)
    finally:
        consumer.close(autocommit=False)


def publish(stack: RunningStack, client: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "events.ndjson"
    file.write_bytes(spelled(event("birth", source=HOSPITAL, person="0b" * 16)) + b"\n")
    stack.env["POPFLOW_KAFKA_CLIENT"] = str(client)
    try:
        return stack.popflow("publish", str(file))
    finally:
        del stack.env["POPFLOW_KAFKA_CLIENT"]


def forged(tmp_path: Path, client: Path) -> Path:
    """A copy of a client's folder, to be spoilt."""
    shutil.copytree(client.parent, tmp_path / "client")
    return tmp_path / "client" / client.name


def test_a_wrong_password_is_one_clear_line(
    stack: RunningStack, clients: dict[str, Path], tmp_path: Path
) -> None:
    client = forged(tmp_path, clients[HOSPITAL])
    password = access.read(client)["sasl.password"]
    write_secret(client, client.read_bytes().replace(password.encode(), b"guessed"))
    done = publish(stack, client, tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert f"refused the user '{HOSPITAL}' or its password" in line
    assert "guessed" not in line


def test_a_certificate_of_another_authority_is_one_clear_line(
    stack: RunningStack, clients: dict[str, Path], tmp_path: Path
) -> None:
    client = forged(tmp_path, clients[HOSPITAL])
    certificate, key = Authority(tmp_path / "elsewhere").issue(HOSPITAL)
    write_secret(client.parent / "client.pem", certificate)
    write_secret(client.parent / "client.key", key)
    done = publish(stack, client, tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "does not take the certificate" in line
    assert "client.pem" in line


def test_a_broker_of_another_authority_is_one_clear_line(
    stack: RunningStack, clients: dict[str, Path], tmp_path: Path
) -> None:
    client = forged(tmp_path, clients[HOSPITAL])
    other = Authority(tmp_path / "elsewhere")
    (client.parent / "ca.pem").write_bytes(other.file.read_bytes())
    done = publish(stack, client, tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "is not to be trusted" in line


def test_an_expired_certificate_is_one_clear_line(
    stack: RunningStack, clients: dict[str, Path], tmp_path: Path
) -> None:
    client = forged(tmp_path, clients[HOSPITAL])
    yesterday = datetime.now(UTC) - timedelta(days=1)
    authority = Authority(stack.folder / "trust")
    certificate, key = authority.issue(HOSPITAL, until=yesterday)
    write_secret(client.parent / "client.pem", certificate)
    write_secret(client.parent / "client.key", key)
    done = publish(stack, client, tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert f"expired on {yesterday:%Y-%m-%d}" in line


def test_nobody_comes_in_without_a_certificate(stack: RunningStack) -> None:
    with pytest.raises(KafkaError):
        KafkaProducer(bootstrap_servers=stack.ready["bootstrap"], bootstrap_timeout_ms=3000)
