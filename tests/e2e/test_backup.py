"""A stack backed up, restored and updated: the same figures, and it goes on."""

from __future__ import annotations

import json
import shutil
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from rocksdict import Options, Rdict

from producers.simulate.city import City
from tests.e2e.stack import RunningStack

CITY = City(7, 0.002, date(2016, 1, 1))
TOTALS = (
    "SELECT measure, district, day, known_on, residency, sex, band, sum(value) AS total"
    " FROM population.cells FINAL GROUP BY ALL HAVING total != 0 ORDER BY ALL"
)


def totals(stack: RunningStack) -> list[tuple[Any, ...]]:
    return stack.store.query(TOTALS)


def publish(stack: RunningStack, first: int, last: int) -> None:
    messages = islice(CITY.days(CITY.start, date(2016, 12, 31)), first, last)
    stack.publish((m.topic, m.timestamp_ms, m.value, m.key) for m in messages)
    stack.settle()


def _age(state: Path) -> None:
    """Make a state folder one of the first format, whose keys this version does not read."""
    shutil.rmtree(state)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    old = Rdict(str(state), options)
    old[b"m"] = msgspec.msgpack.encode({"format": 1, "offset": 10_000, "epoch": 0})
    old[b"tx"] = (10_000).to_bytes(8, "little", signed=True)
    old.close()


def test_restored_totals_are_equal_and_an_older_state_is_folded_anew(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "first", "--workers", "2").start()
    publish(stack, 0, 2_000)
    before = totals(stack)
    file = tmp_path / "backup.tar.gz"
    running = stack.popflow("backup", str(file))
    assert running.returncode == 1
    assert "is in use" in running.stderr
    assert not file.exists()
    assert stack.stop() == 0

    done = stack.popflow("backup", str(file), "--json")
    assert json.loads(done.stdout)["bytes"] > 0, done.stderr
    assert file.stat().st_mode & 0o077 == 0
    assert stack.popflow("restore", str(file)).returncode == 1, "the folder is not empty"

    again = RunningStack(tmp_path / "second", "--workers", "2")
    assert again.popflow("restore", str(file)).returncode == 0
    for state in (again.folder / "state").iterdir():
        _age(state)
    again.start()
    assert totals(again) == before
    publish(again, 2_000, 3_000)
    assert totals(again) != before
    audit = again.popflow("audit", "--json")
    assert json.loads(audit.stdout)["different"] == 0
    assert again.stop() == 0
