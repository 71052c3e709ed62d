"""``popflow poll`` on a real database and a real Kafka, killed again and again in mid-work."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from producers.keys import create_key_file
from schemas.topics import specs
from tests.contract.support import LEGAL
from tests.e2e.stack import until

DEATHS = "population.deaths.v1"
ROWS, BATCH, KILLS = 2_000, 50, 3
MAPPING = """
kind = "death"
source = "health.fictional-hospital"
[fields]
record_id = "死亡证编号"
revision = { constant = 1 }
recorded_at = "填报时间"
person = { column = "身份证号", pseudonym = "id" }
died_on = "死亡日期"
district = { constant = "320583" }
residency = { constant = "hukou" }
sex = { column = "性别", codes = "sex" }
"""
CONFIG = f"""
url_file = "url"
view = "v_deaths"
watermark = "updated"
mapping = "deaths.toml"
state = "deaths.state"
every = 0.05
batch = {BATCH}
"""


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path / "kafka", heap="256m") as server:
        ensure_topics(server.bootstrap, specs())
        yield server


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A folder with a database whose rows share few watermarks, and one row that is wrong."""
    folder = tmp_path / "office"
    folder.mkdir()
    create_key_file(folder / "city.key")
    (folder / "deaths.toml").write_text(MAPPING)
    (folder / "poll.toml").write_text(CONFIG)
    (folder / "url").write_text(f"sqlite:///{folder / 'rows.db'}")
    with closing(sqlite3.connect(folder / "rows.db")) as database, database:
        database.execute("CREATE TABLE t (死亡证编号, 填报时间, 身份证号, 死亡日期, 性别, updated)")
        database.execute("CREATE VIEW v_deaths AS SELECT * FROM t")
        rows = [row(number) for number in range(ROWS)]
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
    return folder


def row(number: int, sex: str = "女") -> tuple[str, ...]:
    mark = f"2016-03-07 {number // 300:02}:00:00"
    return (f"D{number}", "2016-03-07 10:00", LEGAL, "2016年3月6日", sex, mark)


def poll(kafka: KafkaServer, office: Path, *arguments: str) -> subprocess.Popen[str]:
    env = {**os.environ, "POPFLOW_BOOTSTRAP": kafka.bootstrap}
    call = (*("poll", "poll.toml", "--key-file", "city.key", "--json"), *arguments)
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *call, "--data", str(office / "none")],
        cwd=office,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def once(kafka: KafkaServer, office: Path) -> tuple[dict[str, object], int, str]:
    process = poll(kafka, office, "--once")
    out, err = process.communicate(timeout=120)
    assert out, err
    return json.loads(out), process.returncode, out + err


def test_killed_at_any_moment_it_goes_on_where_it_was(kafka: KafkaServer, office: Path) -> None:
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, consumer_timeout_ms=10_000)
    places = [TopicPartition(DEATHS, number) for number in range(4)]

    def sent() -> int:
        return sum(consumer.end_offsets(places).values())

    for kill in range(KILLS):
        process = poll(kafka, office)
        goal = (kill + 1) * ROWS // (KILLS + 2)
        until(lambda goal=goal: sent() >= goal, "some rows sent", 120)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert sent() < ROWS, "killed in mid-work"
    said, code, _ = once(kafka, office)
    assert (code, said["refused"]) == (0, 0)
    assert 0 < int(str(said["sent"])) < ROWS
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    messages = [next(consumer) for _ in range(sent())]
    counts = Counter(orjson.loads(message.value)["record_id"] for message in messages)
    assert counts.keys() == {f"D{number}" for number in range(ROWS)}
    assert sum(counts.values()) - ROWS <= KILLS * BATCH
    assert not [message for message in messages if LEGAL.encode() in message.value]

    assert once(kafka, office)[0]["rows"] == 0, "nothing is sent anew"
    with closing(sqlite3.connect(office / "rows.db")) as database, database:
        database.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", row(ROWS - 1, "甲"))
    said, code, told = once(kafka, office)
    assert (said["rows"], said["sent"], said["refused"], code) == (1, 0, 1, 1)
    assert "性别 (sex) is none of" in told
    assert "updated=2016-03-07 06:00:00" in told
    assert once(kafka, office)[0]["refused"] == 0, "told once until the row changes"
    assert LEGAL not in told + (office / "deaths.state").read_text()
    consumer.close()
