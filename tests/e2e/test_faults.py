"""Whatever dies, stops or is lost while events flow: in the end every figure is right.

What is published is counted again independently (``consumers.audit.recount``) and compared with
the view ``daily``; the audit compares every cell and finding of every day of knowledge.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, Self

import pytest

from consumers.audit.recount import Accepted, recount
from consumers.store.embedded import WRITER, EmbeddedStore
from consumers.store.registry import add_source
from pipeline.group import READY
from producers.simulate.city import City
from schemas.clock import day_date, day_number, local_day
from schemas.sources import Source
from tests.e2e.stack import OWN_PORTS, POPFLOW, DailyRow, Flow, Message, Proxy, RunningStack, until
from tests.laws.nasty import SOURCES, random_city

PRIORITIES = {**SOURCES, "health.hospital-cases": 3}
# kafka-python leaves sockets that could not be connected to a dead broker to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
FIRST_STAMP = date(1970, 1, 1)
QUICK = {
    **OWN_PORTS,
    # Many small batches have many moments to die in.
    "POPFLOW_BATCH_RECORDS": "100",
    "POPFLOW_SESSION_SECONDS": "2",
}


class Campaign:
    """Loads for one stack, and what it has to show after them.

    Loads share no person, so what each of them counts just adds up.
    """

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.expected: Counter[DailyRow] = Counter()
        self._loads = 0
        for name, priority in PRIORITIES.items():
            add_source(stack.store, Source(name, priority))

    def load(self, events: int, *, city: City | None = None, until_day: date | None = None) -> Any:
        """Nasty events, and a simulated city's if one is given: shuffled, some of them twice."""
        self._loads += 1
        rng = Random(self._loads)
        salt = f"{self._loads:08x}"
        accepted = [_renamed(a, salt) for a in random_city(self._loads, events // 8, events)]
        if city is not None and until_day is not None:
            accepted += [
                Accepted(
                    json.loads(message.value or b""), day_date(local_day(message.timestamp_ms))
                )
                for message in city.days(city.start, until_day)
            ]
        accepted += rng.sample(accepted, len(accepted) // 10)
        rng.shuffle(accepted)
        for cell, value in recount(accepted, PRIORITIES).cells.items():
            measure, district, day, _, residency, sex, band = cell
            self.expected[day.isoformat(), district, measure, residency, sex, band] += value
        return [_message(a) for a in accepted]

    def check(self) -> None:
        """Everything published is visible, nothing twice, and the audit agrees."""
        self.stack.settle(120)
        shown = self.stack.answered(self.stack.daily)
        expected = Counter({row: value for row, value in self.expected.items() if value})
        wrong = {row for row in shown.keys() | expected.keys() if shown[row] != expected[row]}
        assert not wrong, [(row, shown[row], expected[row]) for row in sorted(wrong)[:5]]
        assert self.stack.audit()["different"] == 0


def _renamed(accepted: Accepted, salt: str) -> Accepted:
    """The same event about a person of this load; Kafka has no timestamps before 1970."""
    event = dict(accepted.event)
    for name in ("person", "mother"):
        if event.get(name):
            event[name] = salt + event[name][8:]
    event["record_id"] = f"{salt}-{event['record_id']}"
    return Accepted(event, max(accepted.known_on, FIRST_STAMP))


def _message(accepted: Accepted) -> Message:
    noon_ms = day_number(accepted.known_on) * 86_400_000 + 4 * 3_600_000
    value = json.dumps(accepted.event, ensure_ascii=False).encode()
    topic = f"population.{accepted.event['kind']}s.v1"
    return topic, noon_ms, value, accepted.event["person"].encode()


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    """Two workers, for all tests here: each leaves the stack whole, or has found a defect."""
    stack = RunningStack(tmp_path_factory.mktemp("faults"), "--workers", "2", env=QUICK).start()
    yield Campaign(stack)
    assert stack.stop() == 0


def _zombie(stack: RunningStack) -> None:
    """A worker that is silent until the other one has its partitions, then goes on."""
    _await_workers(stack, 2)
    stack.send("worker 0", signal.SIGSTOP)
    until(lambda: stack.positions.workers() == 1, "Kafka gives the stopped worker up")
    stack.send("worker 0", signal.SIGCONT)
    _await_workers(stack, 2)


def _await_workers(stack: RunningStack, number: int) -> None:
    """So many take part, none of them one that was killed and not yet given up by Kafka."""
    until(lambda: stack.positions.workers() == number, f"{number} workers")


def _broker(stack: RunningStack) -> None:
    """The broker dies, and somebody who waits for what was published does not mind."""
    until(stack.waiting, "work in the stream")
    stack.send("kafka", signal.SIGKILL)
    done = stack.popflow("status", "--wait", "60", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["caught_up"] is True


@contextmanager
def _third_worker(stack: RunningStack) -> Iterator[None]:
    """One more worker beside those of the stack, which takes part and leaves in order."""
    log = stack.folder / "third.log"
    with log.open("wb") as words:
        third = subprocess.Popen(
            [*POPFLOW, "worker", "--data", str(stack.folder)], env=stack.env, stderr=words
        )
        try:
            until(lambda: READY in log.read_text("utf-8"), "the third worker is ready")
            yield
        finally:
            third.send_signal(signal.SIGTERM)
            code = third.wait(60)
    assert code == 0, log.read_text()[-2000:]


def _passing_worker(stack: RunningStack) -> None:
    """A third worker takes part for a while."""
    with _third_worker(stack):
        _await_workers(stack, 3)
    _await_workers(stack, 2)


FAULTS: dict[str, Callable[[RunningStack], None]] = {
    "a worker dies": lambda stack: stack.interrupt("worker 0"),
    "both workers die": lambda stack: stack.interrupt("worker 0", "worker 1"),
    "the broker dies": _broker,
    "the store dies": lambda stack: stack.interrupt("store"),
    "a worker joins and leaves": _passing_worker,
    "a worker is a zombie for a while": _zombie,
}
TOGETHER = (
    ("a worker dies", "the broker dies"),
    ("both workers die", "the store dies"),
    ("a worker is a zombie for a while", "a worker joins and leaves"),
)


@pytest.mark.parametrize("faults", TOGETHER, ids=", ".join)
def test_nothing_is_lost_or_counted_twice_when(faults: tuple[str, ...], campaign: Campaign) -> None:
    messages = campaign.load(2500)
    with Flow(campaign.stack.ready["bootstrap"], messages, per_second=700) as flow:
        for share, fault in zip((0.2, 0.5), faults, strict=True):
            flow.await_share(share)
            FAULTS[fault](campaign.stack)
    campaign.check()


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_every_figure_is_right_after_each_fault_alone(fault: str, campaign: Campaign) -> None:
    messages = campaign.load(5000)
    with Flow(campaign.stack.ready["bootstrap"], messages, per_second=500) as flow:
        flow.await_share(0.2)
        FAULTS[fault](campaign.stack)
    campaign.check()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_everything_dies_again_and_again(seed: int, campaign: Campaign) -> None:
    city = City(seed=seed, scale=0.0003, start=date(2020, 2, 20))
    messages = campaign.load(20_000, city=city, until_day=date(2021, 3, 1))
    faults = [*FAULTS.values()] * 2
    Random(seed).shuffle(faults)
    for first, fault in enumerate(faults):
        part = messages[first :: len(faults)]
        with Flow(campaign.stack.ready["bootstrap"], part, per_second=150) as flow:
            flow.await_share(0.1)
            fault(campaign.stack)
    campaign.check()


class Reader:
    """A reader who looks at ``daily`` all the time and keeps every picture that was another."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.looks = 0
        self.pictures: list[Counter[DailyRow]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.is_set():
            shown = self._stack.daily()
            self.looks += 1
            if not self.pictures or shown != self.pictures[-1]:
                self.pictures.append(shown)


def test_readers_see_the_same_figures_all_through_a_rebuild(campaign: Campaign) -> None:
    stack = campaign.stack
    stack.publish(campaign.load(1000))
    campaign.check()
    with Reader(stack) as reader:
        done = stack.popflow("rebuild", "--json")
    assert done.returncode == 0, done.stderr
    assert reader.looks >= 5
    assert reader.pictures == [stack.daily()]
    campaign.check()


def _damage(stack: RunningStack) -> None:
    """What a hand or a bad disk could do: figures invented, changed, hidden and misplaced."""
    cells = "population.cells (measure, district, day, known_on, residency, sex, band, shard,"
    new = "'births', '320505', '1999-01-01', '1999-01-02', 'hukou', '1', 'unknown'"
    for row in (
        f"{new}, 0, 7, 1",
        f"{new}, 3, 3, 18446744073709551615",
        f"{new}, 99, 11, 5",
    ):
        stack.store.command(f"INSERT INTO {cells} value, version) VALUES ({row})")
    for first, change, version in (
        (0, "value + 1", "version + 1"),
        (3, "0", "18446744073709551615"),
    ):
        stack.store.command(
            f"INSERT INTO {cells} value, version)"
            " SELECT measure, district, day, known_on, residency, sex, band, shard,"
            f" {change}, {version} FROM population.cells FINAL"
            f" WHERE measure = 'deaths' AND value != 0 ORDER BY day LIMIT 3 OFFSET {first}"
        )
    stack.store.command(
        "INSERT INTO population.finding_rows SELECT code, person, kind, 'invented', source, day,"
        " district, true, shard, version FROM population.finding_rows FINAL WHERE standing LIMIT 1"
    )
    stack.store.command(
        "INSERT INTO population.reports SELECT * REPLACE ('invented' AS record_id,"
        ' replaceOne(event, concat(\'"record_id": "\', record_id), \'"record_id": "invented\')'
        " AS event) FROM population.reports FINAL WHERE kind = 'discharge' AND NOT void"
        " LIMIT 1"
    )


def test_a_rebuild_mends_damaged_figures_while_events_flow(campaign: Campaign) -> None:
    stack = campaign.stack
    stack.publish(campaign.load(500))
    stack.settle()
    _damage(stack)
    assert stack.audit()["different"] >= 8
    with Flow(stack.ready["bootstrap"], campaign.load(3000), per_second=300) as flow:
        flow.await_share(0.1)
        done = stack.popflow("rebuild", "--json")
        assert done.returncode == 0, done.stderr
    campaign.check()


def test_the_workers_come_back_after_a_killed_rebuild(campaign: Campaign) -> None:
    stack = campaign.stack
    messages = campaign.load(1000)
    rebuild = subprocess.Popen([*POPFLOW, "rebuild", "--data", str(stack.folder)], env=stack.env)
    until((stack.folder / "rebuild.ready").exists, "the workers step aside")
    assert stack.pid("worker 0") is stack.pid("worker 1") is None
    rebuild.kill()
    rebuild.wait()
    stack.publish(messages)
    campaign.check()


@pytest.mark.long
def test_a_rebuild_is_refused_while_another_worker_runs(campaign: Campaign) -> None:
    stack = campaign.stack
    with _third_worker(stack):
        done = stack.popflow("rebuild")
    assert done.returncode == 1
    assert "popflow worker" in done.stderr
    assert done.stderr.count("\n") == 1
    stack.publish(campaign.load(500))
    campaign.check()


def test_lost_and_stale_states_are_made_whole(campaign: Campaign, tmp_path: Path) -> None:
    """News about persons whose entries were lost: what they change depends on all of it."""
    stack, state = campaign.stack, campaign.stack.folder / "state"
    messages = campaign.load(2000)
    stack.publish(messages[:1000])
    stack.settle()
    stack.stop()
    shutil.copytree(state, tmp_path / "older")
    shutil.rmtree(state)

    stack.start()
    stack.publish(messages[1000:])
    campaign.check()

    more = campaign.load(2000)
    stack.publish(more[:1000])
    stack.settle()
    stack.stop()
    shutil.rmtree(state)
    shutil.copytree(tmp_path / "older", state)
    shutil.rmtree(state / "0")

    stack.start()
    stack.publish(more[1000:])
    campaign.check()


def test_a_store_that_refuses_and_resets_connections_for_a_while(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "store") as store, Proxy(store.url) as proxy:
        password = tmp_path / "password"
        password.write_text(store.password)
        env = {
            **QUICK,
            "POPFLOW_CLICKHOUSE": proxy.url,
            "POPFLOW_CLICKHOUSE_USER": WRITER,
            "POPFLOW_CLICKHOUSE_PASSWORD_FILE": str(password),
        }
        stack = RunningStack(tmp_path / "stack", "--workers", "2", env=env).start()
        campaign = Campaign(stack)
        with Flow(stack.ready["bootstrap"], campaign.load(4000), per_second=800) as flow:
            for share in (0.1, 0.3, 0.5):
                flow.await_share(share)
                until(stack.waiting, "work in the stream")
                proxy.reset()
                proxy.refuse()
                flow.await_share(share + 0.15)
                proxy.accept()
        campaign.check()
        assert proxy.reset_connections > 0
        assert stack.stop() == 0
