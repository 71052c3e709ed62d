"""London's christenings of 1629–1710 through a stream that is killed again and again.

82 years and 938,223 births that anybody can add up: in the end ``daily`` shows exactly the file.
"""

from __future__ import annotations

import csv
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

from tests.e2e.stack import OWN_PORTS, POPFLOW, RunningStack, until

# kafka-python leaves sockets that could not be connected to a dead broker to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
CHRISTENINGS = Path(__file__).parents[1] / "data" / "christenings_london_1629_1710.csv"
SHIFT = 300
IN_ALL = 938_223
SOMETHING = 500
"""Messages that have to come between two deaths, so that each meets the stream at work."""
DEATHS = (
    ("worker 0",),
    ("kafka",),
    ("publisher",),
    ("store",),
    ("worker 0", "worker 1"),
    ("publisher", "worker 1"),
)


class Interrupted:
    """One file published into one stack; the publisher does not outlive the test."""

    def __init__(self, stack: RunningStack, table: Path) -> None:
        self.stack = stack
        self.deaths = 0
        self._command = [
            *[*POPFLOW, "publish", "--counts", str(table), "--json"],
            *["--shift-years", str(SHIFT), "--data", str(stack.folder)],
        ]
        self._publisher = self._publish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._publisher.kill()
        self._publisher.communicate()

    def _publish(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command, env=self.stack.env, stdout=subprocess.PIPE, text=True
        )

    def _published(self) -> int:
        return self.stack.messages("population.births.v1")

    def die(self, names: Sequence[str]) -> None:
        """After some more messages, with work in the stream: SIGKILL."""
        so_far = self._published()
        until(lambda: self._is_at_work(so_far), "more messages, and work in the stream")
        if "publisher" in names:
            self._publisher.kill()
            self._publisher.communicate()
            self._publisher = self._publish()
            self.deaths += 1
        others = [name for name in names if name != "publisher"]
        self.stack.kill(*others)
        self.deaths += len(others)

    def _is_at_work(self, so_far: int) -> bool:
        if self._publisher.poll() is not None:  # the stream was quicker: once more, it counts once
            self.finish()
            self._publisher = self._publish()
        return self._published() >= so_far + SOMETHING and self.stack.waiting() > 0

    def finish(self) -> None:
        """The last run of the publisher has to say that all of the file is with Kafka."""
        said, _ = self._publisher.communicate(timeout=300)
        assert self._publisher.returncode == 0
        report = json.loads(said)
        assert report["failed"] == report["spooled"] == report["refused"] == 0


@pytest.fixture
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningStack]:
    """Its parameter: records in a batch; many small ones have many moments to die in."""
    env = {
        **OWN_PORTS,
        "POPFLOW_SESSION_SECONDS": "2",
        "POPFLOW_BATCH_RECORDS": str(request.param),
    }
    running = RunningStack(tmp_path / "stack", "--workers", "2", env=env).start()
    yield running
    assert running.stop() == 0


def _expected(table: Path) -> dict[tuple[int, str], int]:
    with table.open(newline="") as file:
        return {
            (int(row["year"]) + SHIFT, sex): int(row[name])
            for row in csv.DictReader(file)
            for sex, name in (("1", "boys"), ("2", "girls"))
        }


def _shown(stack: RunningStack) -> dict[tuple[int, str], int]:
    rows = stack.store.query(
        "SELECT toYear(day) AS year, sex, sum(value) FROM population.daily"
        " WHERE measure = 'births' GROUP BY year, sex"
    )
    return {(year, sex): births for year, sex, births in rows}


@pytest.mark.parametrize("stack", [500], indirect=True)
def test_three_years_and_five_deaths(stack: RunningStack, tmp_path: Path) -> None:
    table = tmp_path / "three.csv"
    first = CHRISTENINGS.read_text("utf-8").splitlines()[:4]
    table.write_text("\n".join(first), "utf-8")
    expected = _expected(table)
    with Interrupted(stack, table) as run:
        for names in DEATHS[:5]:
            run.die(names)
        run.finish()
    assert run.deaths >= 5
    stack.settle(120)
    assert _shown(stack) == expected
    assert stack.audit()["different"] == 0


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stack", [10_000], indirect=True)
def test_all_of_london(stack: RunningStack) -> None:
    expected = _expected(CHRISTENINGS)
    assert sum(expected.values()) == IN_ALL
    began = time.monotonic()
    with Interrupted(stack, CHRISTENINGS) as run:
        for place, names in enumerate((*DEATHS, *DEATHS), 1):
            _await_share(stack, place / (2 * len(DEATHS) + 1))
            run.die(names)
        run.finish()
    published = time.monotonic() - began
    stack.settle(600)
    counted = time.monotonic() - began
    assert _shown(stack) == expected
    print(f"{run.deaths} deaths; published in {published:.0f} s, counted in {counted:.0f} s")
    assert stack.audit()["different"] == 0
    print(f"audited in {time.monotonic() - began - counted:.0f} s")


def _await_share(stack: RunningStack, share: float) -> None:
    def counted() -> bool:
        return sum(stack.answered(lambda: _shown(stack)).values()) >= share * IN_ALL

    until(counted, f"{share:.0%} of the births counted", 600)
