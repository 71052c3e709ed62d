"""``popflow up``: what it says, what it holds, and that nothing of it stays behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import psutil
import pytest

from producers.simulate.city import City
from tests.e2e.stack import POPFLOW, Message, RunningStack, until

PROJECT = Path(__file__).parents[2]
CITY = City(seed=7, scale=0.00005, start=date(2024, 2, 27))


def _events(first: date, last: date) -> list[Message]:
    return [(m.topic, m.timestamp_ms, m.value or b"", m.key) for m in CITY.days(first, last)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningStack, RunningStack]]:
    """Two stacks that are started at the same moment, so that they compete for the usual ports."""
    stacks = [
        RunningStack(tmp_path_factory.mktemp(f"市 {name}"), "--workers", "2") for name in "ab"
    ]
    with ThreadPoolExecutor(2) as together:
        one, other = together.map(RunningStack.start, stacks)
    yield one, other
    for stack in stacks:
        if stack.process is not None and stack.process.poll() is None:
            stack.stop()


@pytest.fixture(scope="module")
def stack(pair: tuple[RunningStack, RunningStack]) -> RunningStack:
    return pair[0]


def _ports(stack: RunningStack) -> set[int | None]:
    said = stack.ready
    urls = [f"kafka://{said['bootstrap']}", said["clickhouse"], said["metrics"], *said["workers"]]
    return {urlsplit(url).port for url in urls}


def test_it_says_where_everything_answers(stack: RunningStack) -> None:
    assert {"bootstrap", "clickhouse", "page", "metrics"} <= stack.ready.keys()
    host, port = stack.ready["bootstrap"].split(":")
    socket.create_connection((host, int(port)), timeout=5).close()
    with urllib.request.urlopen(stack.ready["metrics"], timeout=5) as answer:
        assert b"popflow_events_accepted" in answer.read()


def test_an_unmodified_client_reads_with_the_url_alone(stack: RunningStack) -> None:
    client = clickhouse_connect.get_client(dsn=stack.ready["clickhouse"])
    try:
        rows = client.query("SELECT count() FROM population.districts").result_rows
        assert rows[0][0] >= 10
    finally:
        client.close()


def test_two_stacks_side_by_side_share_no_port(pair: tuple[RunningStack, RunningStack]) -> None:
    one, other = pair
    assert len(_ports(one)) == len(_ports(other)) == 4
    assert not _ports(one) & _ports(other)


def test_everything_listens_on_the_loopback_address_only(
    pair: tuple[RunningStack, RunningStack],
) -> None:
    for stack in pair:
        listening = [
            connection.laddr
            for process in stack.processes()
            for connection in process.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert {address.ip for address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
        assert _ports(stack) <= {address.port for address in listening}


def test_a_second_one_on_the_folder_is_refused_and_changes_nothing(stack: RunningStack) -> None:
    second = stack.popflow("up", "--json", "--headless")
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.count("\n") == 1
    assert stack.process is not None
    assert str(stack.process.pid) in second.stderr
    assert stack.popflow("status", "--json").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["--workers", "0"],
        ["--partitions", "many"],
        ["unexpected"],
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*POPFLOW, "up", "--data", str(tmp_path / "none"), *arguments],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert not (tmp_path / "none").exists()


def test_a_setting_that_does_not_fit_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "popflow.toml").write_text("sesion_seconds = 3\n")
    done = subprocess.run(
        [*POPFLOW, "up", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "sesion_seconds" in done.stderr


def _await_end_of(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive, [process.cmdline() for process in alive]


def test_it_stops_and_continues_with_nothing_lost(pair: tuple[RunningStack, RunningStack]) -> None:
    """Stopped by SIGINT or SIGTERM with work in the stream, then by SIGKILL, and up again."""
    one, other = pair
    first_part = _events(CITY.start, date(2024, 3, 3))
    second_part = _events(date(2024, 3, 4), date(2024, 3, 20))
    other.publish([*first_part, *second_part])
    other.settle()
    right = other.daily()
    everything = other.processes()
    assert len(everything) >= 5  # supervisor, Kafka, store and two workers at least
    assert other.stop(signal.SIGTERM) == 0
    _await_end_of(everything)

    one.publish(first_part)
    everything = one.processes()
    assert one.stop(signal.SIGINT) == 0
    _await_end_of(everything)

    one.start()
    one.publish(second_part)
    everything = one.processes()
    assert one.process is not None
    one.disconnect()
    one.process.kill()
    one.process.wait()
    _await_end_of(everything)
    refused = one.popflow("status", "--json")
    assert refused.returncode == 1
    assert "popflow up" in refused.stderr

    one.start()
    one.publish(first_part)  # all of it once more
    one.settle()
    assert one.daily() == right
    assert one.audit()["different"] == 0


def test_a_signal_while_it_starts_ends_it(tmp_path: Path) -> None:
    """Nothing of a half-started stack stays, and the folder serves the next one."""
    starting = subprocess.Popen(
        [*POPFLOW, "up", "--json", "--headless", "--data", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: (tmp_path / "store" / "store.pid").exists(), "something was started")
    supervisor = psutil.Process(starting.pid)
    everything = [supervisor, *supervisor.children(recursive=True)]
    starting.send_signal(signal.SIGINT)
    said, words = starting.communicate(timeout=60)
    assert (starting.returncode, said) == (130, "")
    assert words.strip() == "popflow: interrupted"
    _await_end_of(everything)
    assert not (tmp_path / "supervisor.pid").exists()


@pytest.mark.long
def test_cold_and_warm_seconds_to_ready(tmp_path: Path) -> None:
    """Measured, not judged: printed with ``-s``."""
    for name in ("cold folder", "warm folder", "warm folder again"):
        stack = RunningStack(tmp_path)
        began = time.monotonic()
        stack.start()
        ready = time.monotonic()
        assert stack.stop() == 0
        stopped = time.monotonic()
        print(f"{name}: ready after {ready - began:.1f} s, stopped in {stopped - ready:.1f} s")
