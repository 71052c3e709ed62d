"""Every command on a running stack: what a program reads, what a person reads, how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from deploy.native.ports import free_ports
from schemas.districts import INSIDE
from schemas.events import KINDS
from schemas.topics import JOURNAL, RAW
from tests.contract.support import LEGAL, event, spelled
from tests.e2e.stack import POPFLOW, RunningStack, until

BIRTHS, DEATHS = KINDS["birth"].topic, KINDS["death"].topic


class Terminal:
    """The command line as a person at a terminal of 100 columns has it."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack

    def __call__(
        self, *arguments: object, code: int = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*POPFLOW, *map(str, arguments), "--data", str(self.stack.folder)],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            env={**self.stack.env, "COLUMNS": "100", **(env or {})},
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def json(self, *arguments: object, code: int = 0) -> Any:
        done = self(*arguments, "--json", code=code)
        assert done.stdout.count("\n") == 1, "one line for a program"
        return json.loads(done.stdout)

    def error(self, *arguments: object, code: int = 1, env: dict[str, str] | None = None) -> str:
        """The one line that says what is wrong; of wrong use click shows the usage before it."""
        done = self(*arguments, code=code, env=env)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1 or "Usage: popflow" in lines[0], done.stderr
        return lines[-1]


@pytest.fixture
def popflow(stack: RunningStack) -> Terminal:
    return Terminal(stack)


def publish(stack: RunningStack, topic: str, value: bytes, key: bytes | None = None) -> None:
    stack.publish([(topic, int(datetime.now(UTC).timestamp() * 1000), value, key)])


SERIAL = iter(range(1, 10_000))


def birth(**changes: Any) -> dict[str, Any]:
    """A valid birth of a person and record of its own."""
    serial = next(SERIAL)
    own = {"person": f"c11{serial:029x}", "record_id": f"CLI-{serial}"}
    return event("birth", **{**own, **changes})


def waiting(popflow: Terminal, **fields: str) -> list[dict[str, Any]]:
    """Refused messages whose value holds these fields."""
    found: list[dict[str, Any]] = []
    for message in popflow.json("rejected", "list"):
        try:
            value = json.loads(message["value"])
        except ValueError:
            continue
        if isinstance(value, dict) and fields.items() <= value.items():
            found.append(message)
    return found


# -- the registry


def test_sources_are_added_listed_and_removed(popflow: Terminal) -> None:
    added = popflow.json("source", "add", "health.cli-one", "--priority", 7)
    assert added == {"name": "health.cli-one", "priority": 7, "changed": True, "rebuild": False}
    assert popflow.json("source", "add", "health.cli-one", "--priority", 7)["changed"] is False
    assert {"name": "health.cli-one", "sector": "health", "priority": 7} in popflow.json(
        "source", "list"
    )
    shown = popflow("source", "list").stdout
    assert "health.cli-one" in shown
    assert "优先级 priority" in shown
    removed = popflow.json("source", "remove", "health.cli-one")
    assert removed == {"name": "health.cli-one", "removed": True}
    assert "popflow source list" in popflow.error("source", "remove", "health.cli-one")


@pytest.mark.parametrize(
    "arguments",
    [
        ("source", "add", "hospital-one", "--priority", 1),
        ("source", "add", "health.", "--priority", 1),
        ("source", "add", "health.a b", "--priority", 1),
        ("source", "add", "health.x", "--priority", 0),
        ("source", "add", "health.x"),
        ("status", "--wait", "soon"),
        ("rejected", "list", "--code", "ugly"),
        ("rejected", "resend", "x", "--set", "no equals sign"),
        ("rejected", "resend", "x", "--mark", "--set", "a=1"),
        ("publish", "/nonexistent.ndjson"),
        ("publish", "/", "--json"),
        ("publish", __file__, "--counts", "--district", "999999"),
        ("simulate", "--start", "1800-01-01"),
        ("simulate", "--start", "2025-01-02", "--until", "2025-01-01"),
        ("simulate", "--scale", 7),
        ("worker", "--bootstrap", "127.0.0.1:1"),
        ("worker", "--metrics-port", 70_000),
        ("frobnicate",),
    ],
    ids=lambda arguments: " ".join(map(str, arguments))[-40:],
)
def test_wrong_use_ends_with_2_and_says_what_is_wrong(
    popflow: Terminal, arguments: tuple[object, ...]
) -> None:
    assert len(popflow.error(*arguments, code=2)) > 20


# -- publishing


def test_a_file_with_wrong_lines_is_published_but_for_these(
    popflow: Terminal, tmp_path: Path
) -> None:
    good = [birth() for _ in range(3)]
    lines = [
        spelled(good[0]),
        b"",
        b'{"kind": "birth"',
        spelled(birth(sex=1)),
        spelled(good[1]),
        spelled(birth(facility=LEGAL)),
        b"\xff",
        spelled(birth(born_on="2099-01-01")),
        spelled(good[2]),
    ]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(lines))
    said = popflow.json("publish", file, code=1)
    assert (said["sent"], said["refused"], said["failed"], said["spooled"]) == (3, 5, 0, 0)
    assert [fault["line"] for fault in said["faults"]] == [3, 4, 6, 7, 8]
    assert {fault["path"] for fault in said["faults"]} == {str(file)}

    done = popflow("publish", file, code=1)
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == ["3", "4", "6", "7", "8"]
    assert LEGAL not in done.stderr + json.dumps(said)
    assert "3 sent 已发送, 5 refused 未通过" in done.stdout
    popflow.stack.settle()
    assert popflow.stack.store.query(
        "SELECT count() FROM population.records WHERE record_id IN {ids:Array(String)}",
        {"ids": [one["record_id"] for one in good]},
    ) == [(3,)]


def test_tables_and_counts_are_published(popflow: Terminal, tmp_path: Path) -> None:
    one = birth()
    fields = {**one, "defects": "Q21.1;Q90"}
    text = io.StringIO()
    table = csv.DictWriter(text, fields)
    table.writeheader()
    table.writerow(fields)
    (tmp_path / "births.csv").write_text(text.getvalue(), "gb18030")
    said = popflow.json(
        "publish", tmp_path / "births.csv", "--kind", "birth", "--encoding", "gb18030"
    )
    assert (said["sent"], said["refused"]) == (1, 0)

    counts = tmp_path / "counts.csv"
    counts.write_text("date,boys,girls\n2016-02-01,2,3\n2016-02-02,x,1\n", "utf-8")
    said = popflow.json("publish", "--counts", counts, "--dataset", "cli", code=1)
    assert (said["sent"], said["refused"]) == (5, 1)
    assert said["faults"][0]["line"] == 3


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "x", "is none of .csv"),
        ("a.csv", "colour\nred\n", "the kind of event"),
        ("a.csv", "kind,colour\nbirth,red\n", "no fields of any event: colour"),
        ("a.ndjson.gz", "x", "cannot be read to its end"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_named(
    popflow: Terminal, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    line = popflow.error("publish", tmp_path / name)
    assert name in line
    assert told in line


def test_two_publish_at_once(popflow: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(spelled(birth()) for _ in range(300)))
    said: list[Any] = []
    threads = [
        threading.Thread(target=lambda: said.append(popflow.json("publish", file)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one["sent"] for one in said] == [300, 300]


def test_without_kafka_events_wait_in_the_spool_until_it_is_there(
    popflow: Terminal, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    file = tmp_path / "events.ndjson"
    file.write_bytes(spelled(birth()))
    env = {
        "POPFLOW_BOOTSTRAP": f"127.0.0.1:{port}",
        "POPFLOW_CLICKHOUSE": popflow.stack.ready["clickhouse"],
    }
    there = Terminal(RunningStack(tmp_path / "elsewhere"))
    away = there("publish", file, code=1, env=env)
    assert "1 kept in the spool" in away.stdout
    assert "the next publishing sends" in away.stderr
    env["POPFLOW_BOOTSTRAP"] = popflow.stack.ready["bootstrap"]
    file.write_bytes(b"")
    assert "1 sent" in there("publish", file, env=env).stdout


def test_the_simulated_city_publishes_and_goes_on_from_its_cursor(
    popflow: Terminal, tmp_path: Path
) -> None:
    until_day = datetime.now(UTC) - timedelta(days=300)
    arguments = ("simulate", "--seed", 77, "--scale", 0.0002, "--cursor", tmp_path / "cursor")
    span = ("--start", f"{until_day - timedelta(days=20):%Y-%m-%d}", "--until", f"{until_day:%F}")
    said = popflow.json(*arguments, *span)
    assert said["sent"] > 10
    assert popflow.json(*arguments, *span)["sent"] == 0
    other = popflow.error("simulate", "--seed", 78, "--cursor", tmp_path / "cursor", *span)
    assert "another city" in other


# -- baselines


def baseline_rows(districts: frozenset[str] | set[str] = INSIDE) -> list[str]:
    rows = [f"2015-12-31,2016-01-20,{d},{sex},1990,{10}" for d in districts for sex in "12"]
    return ["as_of,known_on,district,sex,birth_year,value", *rows]


def test_a_baseline_is_loaded_and_replaced(popflow: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "baseline.csv"
    file.write_text("\n".join(baseline_rows()) + "\n", "utf-8-sig")
    (loaded,) = popflow.json("baseline", "load", file)
    assert loaded == {"as_of": "2015-12-31", "known_on": "2016-01-20", "population": 200}
    assert "200 人" in popflow("baseline", "load", file).stdout
    total = "SELECT sum(value) FROM population.baseline WHERE as_of = '2015-12-31'"
    assert popflow.stack.store.query(total) == [(200,)]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (baseline_rows(set(INSIDE) - {"320581"}), "leaves out 320581"),
        (baseline_rows()[:1], "holds no row"),
        ([*baseline_rows(), "2015-12-31,2016-01-20,320599,1,1990,1"], "line 22: 320599 is no"),
        ([*baseline_rows(), "2015-12-31,2016-01-20,320581,1,1990,-1"], "line 22: value: "),
        ([*baseline_rows(), "2015-12-31,2016-01-20,320581,1,1990"], "line 22: value: "),
        ([*baseline_rows(), "2015-12-31,2016-01-20,320581,1,1990,1,1"], "line 22: it has not the"),
        ([*baseline_rows(), "", "2015-12-31,x,320581,3,1990,1"], "line 23: known_on: "),
        ([*baseline_rows(), baseline_rows()[5]], "line 22: it counts the same people as line 6"),
        ([*baseline_rows(), "2015-12-31,2015-12-30,320581,1,1990,1"], "line 22: as_of and known"),
        ([*baseline_rows(), "2015-12-31,2016-01-20,320581,1,2016,1"], "line 22: birth_year 2016"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused_as_a_whole(
    popflow: Terminal, tmp_path: Path, lines: list[str], told: str
) -> None:
    rows = "SELECT count() FROM population.baseline_rows"
    before = popflow.stack.store.query(rows)
    file = tmp_path / "wrong.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    assert told in popflow.error("baseline", "load", file)
    assert popflow.stack.store.query(rows) == before


def test_reference_facts_are_loaded_with_their_source(popflow: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "facts.csv"
    file.write_text("key,district,day,value\nbeds_per_1000,320500,2015-12-31,5.9\n", "utf-8-sig")
    assert "source: " in popflow.error("reference", "load", file)
    done = popflow.json(
        "reference", "load", file, "--source", "yearbook", "--known-on", "2016-06-01"
    )
    assert done == {"loaded": 1}
    rows = "SELECT indicator, known_on, source FROM population.reference"
    assert popflow.stack.store.query(rows) == [("beds_per_1000", date(2016, 6, 1), "yearbook")]


def test_a_baseline_in_another_encoding_or_no_json_is_named(
    popflow: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "b.csv").write_bytes("区划\n".encode("gb18030"))
    assert "not in UTF-8" in popflow.error("baseline", "load", tmp_path / "b.csv")
    (tmp_path / "b.ndjson").write_text('\n{"as_of":\n', "utf-8")
    assert "line 2: no JSON" in popflow.error("baseline", "load", tmp_path / "b.ndjson")
    assert "does not exist" in popflow.error("baseline", "load", tmp_path / "c", code=2)


# -- status


def test_status_tells_a_program_and_a_person(popflow: Terminal) -> None:
    said = popflow.json("status", "--wait", 60)
    assert {topic["topic"] for topic in said["topics"]} >= {*RAW, JOURNAL}
    assert {topic["waiting"] for topic in said["topics"]} == {0}
    assert said["caught_up"] is True
    assert said["events"]["birth"] > 0
    assert {"bootstrap", "clickhouse", "metrics", "settled_through", "people", "refused"} <= {*said}
    shown = popflow("status").stdout
    assert JOURNAL in shown
    assert "待核查 findings" in shown


# -- refused messages


def test_refused_messages_are_listed_and_shown(popflow: Terminal) -> None:
    one = birth(district="320599", facility_note="苏州")
    publish(popflow.stack, BIRTHS, spelled(one))
    popflow.stack.settle()
    (message,) = waiting(popflow, record_id=one["record_id"])
    keys = {*("id", "code", "reason", "topic", "partition", "offset", "rejected_at"), "value"}
    assert {*message} == {*keys, "bytes", "mended"}
    assert (message["code"], message["topic"], message["mended"]) == ("schema", BIRTHS, False)
    assert datetime.fromisoformat(message["rejected_at"]).utcoffset() == timedelta(hours=8)
    assert message["bytes"] == len(spelled(one))
    assert popflow.json("rejected", "show", message["id"]) == [message]
    shown = popflow("rejected", "show", message["id"]).stdout
    assert message["reason"] in shown.replace("\n", " ").replace("  ", " ")
    assert message["value"] in shown
    listed = popflow("rejected", "list", "--code", "schema").stdout
    assert message["id"] in listed
    assert max(map(len, listed.splitlines())) <= 100
    assert "no refused message zzz" in popflow.error("rejected", "show", "zzz")


def test_a_large_refused_message_is_cut_in_the_list_and_whole_when_shown(
    popflow: Terminal,
) -> None:
    raw = json.dumps({"large": "苏" * 100_000}, ensure_ascii=False)
    publish(popflow.stack, BIRTHS, raw.encode())
    popflow.stack.settle()
    (message,) = popflow.json("rejected", "list", "--code", "too_large")
    assert (message["bytes"], message["value"]) == (len(raw.encode()), raw[:65_536])
    assert popflow.json("rejected", "show", message["id"])[0]["value"] == raw


def test_a_message_is_mended_and_leaves_the_list(popflow: Terminal) -> None:
    one = birth(district="320599", sex=1, parity=None)
    publish(popflow.stack, BIRTHS, spelled({**one, "extra": 1}))
    popflow.stack.settle()
    (message,) = waiting(popflow, record_id=one["record_id"])
    half = popflow.error("rejected", "resend", message["id"], "--set", 'sex="1"')
    assert "would be refused again (schema): extra" in half
    still = popflow.error(
        *("rejected", "resend", message["id"], "--set", 'sex="1"', "--set", "extra=null")
    )
    assert "would be refused again (unknown_district)" in still
    assert waiting(popflow, record_id=one["record_id"]) == [message]
    said = popflow.json(
        *("rejected", "resend", message["id"], "--set", 'sex="1"', "--set", "extra=null"),
        *("--set", 'district="320508"'),
    )
    assert said == {"resent": 1, "mended": 1}
    popflow.stack.settle()
    assert popflow.stack.store.query(
        "SELECT district FROM population.records WHERE record_id = {id:String}",
        {"id": one["record_id"]},
    ) == [("320508",)]
    assert waiting(popflow, record_id=one["record_id"]) == []
    mended = popflow.json("rejected", "list", "--mended")
    assert [m["mended"] for m in mended if m["id"] == message["id"]] == [True]

    publish(popflow.stack, BIRTHS, spelled({**one, "extra": 1}))
    popflow.stack.settle()
    assert waiting(popflow, record_id=one["record_id"]) == [], "a replay takes no mark away"


def test_one_of_a_wrong_topic_goes_to_the_right_one(popflow: Terminal) -> None:
    one = birth()
    publish(popflow.stack, DEATHS, spelled(one))
    popflow.stack.settle()
    (message,) = waiting(popflow, record_id=one["record_id"])
    assert message["code"] == "wrong_topic"
    popflow("rejected", "resend", message["id"])
    popflow.stack.settle()
    assert popflow.stack.store.query(
        "SELECT topic FROM population.records WHERE record_id = {id:String}",
        {"id": one["record_id"]},
    ) == [(BIRTHS,)]


def test_one_of_an_unknown_source_waits_for_the_registry(popflow: Terminal) -> None:
    one = birth(source="health.cli-late")
    publish(popflow.stack, BIRTHS, spelled(one))
    popflow.stack.settle()
    (message,) = waiting(popflow, record_id=one["record_id"])
    assert "popflow source add" in popflow.error("rejected", "resend", message["id"])
    popflow("source", "add", "health.cli-late", "--priority", 9)
    assert "1 sent again" in popflow("rejected", "resend", message["id"]).stdout
    popflow.stack.settle()
    assert waiting(popflow, record_id=one["record_id"]) == []


def test_a_masked_message_is_refused_until_it_is_mended(popflow: Terminal) -> None:
    one = birth(household=LEGAL)
    publish(popflow.stack, BIRTHS, spelled(one))
    popflow.stack.settle()
    (message,) = waiting(popflow, record_id=one["record_id"])
    assert message["code"] == "plain_identity"
    assert "was masked" in popflow.error("rejected", "resend", message["id"])
    line = popflow.error("rejected", "resend", message["id"], "--set", f"household={LEGAL}")
    assert "would be refused again" in line
    assert LEGAL not in line
    popflow("rejected", "resend", message["id"], "--set", f"household={'ab' * 16}")
    assert waiting(popflow, record_id=one["record_id"]) == []


def test_what_is_no_json_can_only_be_marked(popflow: Terminal) -> None:
    publish(popflow.stack, BIRTHS, b'{"cli": "cut off')
    popflow.stack.settle()

    def listed() -> list[str]:
        found = popflow.json("rejected", "list", "--code", "not_json")
        return [m["id"] for m in found if "cut off" in m["value"]]

    (one,) = listed()
    assert "--mark" in popflow.error("rejected", "resend", one)
    assert popflow.json("rejected", "resend", one, "--mark") == {"resent": 0, "mended": 1}
    assert listed() == []


# -- audit, rebuild, documents, settings


def test_rebuild_and_audit_agree(popflow: Terminal) -> None:
    popflow("status", "--wait", 60)
    before = popflow.stack.daily()
    said = popflow.json("rebuild")
    assert said["records"] > 0
    assert said["partitions"] == 4
    assert popflow.stack.daily() == before
    audit = popflow.json("audit")
    assert audit["different"] == 0
    assert {*audit} >= {"reports", "cells", "findings", "differences"}
    assert "0 different" in popflow("audit").stdout


def test_the_contract_is_exported(popflow: Terminal, tmp_path: Path) -> None:
    written = popflow.json("schemas", "export", tmp_path / "out")
    assert {Path(path).name for path in written} >= {"birth.schema.json", "asyncapi.json"}
    for path in written:
        assert json.loads(Path(path).read_text("utf-8"))
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in popflow.error("schemas", "export", tmp_path / "file", code=2)


def test_settings_are_listed_with_their_origin(popflow: Terminal) -> None:
    rows = {row["name"]: row for row in popflow.json("settings")}
    assert {"java", "cache", "maven_repository", "workers"} <= {*rows}
    assert {*rows["workers"]} == {"name", "variable", "value", "from", "meaning"}
    assert rows["data"] | {"meaning": ""} == {
        "name": "data",
        "variable": "POPFLOW_DATA",
        "value": str(popflow.stack.folder),
        "from": "command line",
        "meaning": "",
    }
    done = popflow("settings", env={"POPFLOW_WORKRES": "1", "POPFLOW_JAVA": "/opt/java"})
    assert "POPFLOW_WORKRES" in done.stderr
    assert "/opt/java" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


# -- what is not there, and what is taken


def test_a_port_that_is_taken_is_named(popflow: Terminal) -> None:
    port = urlsplit(popflow.stack.ready["metrics"]).port
    assert f"port {port} is taken" in popflow.error("worker", "--metrics-port", port)


def test_a_folder_in_use_is_named(popflow: Terminal) -> None:
    line = popflow.error("up", "--json")
    assert "is in use by process" in line
    assert str(popflow.stack.folder) in line


@pytest.mark.parametrize("command", [("status",), ("rebuild",)])
def test_kafka_away_is_one_line(
    popflow: Terminal, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (port,) = free_ports(1)
    url = urlsplit(popflow.stack.ready["clickhouse"])
    (tmp_path / "password").write_text(url.password or "", "utf-8")
    env = {
        "POPFLOW_BOOTSTRAP": f"127.0.0.1:{port}",
        "POPFLOW_CLICKHOUSE": f"http://{url.hostname}:{url.port}",
        "POPFLOW_CLICKHOUSE_USER": url.username or "",
        "POPFLOW_CLICKHOUSE_PASSWORD_FILE": str(tmp_path / "password"),
    }
    there = Terminal(RunningStack(tmp_path / "elsewhere"))
    assert "Kafka does not answer" in there.error(*command, env=env)


@pytest.mark.parametrize(
    "command", [("source", "list"), ("rejected", "list"), ("audit",), ("worker",)]
)
def test_clickhouse_away_is_one_line(
    popflow: Terminal, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (port,) = free_ports(1)
    env = {
        "POPFLOW_BOOTSTRAP": popflow.stack.ready["bootstrap"],
        "POPFLOW_CLICKHOUSE": f"http://127.0.0.1:{port}",
    }
    there = Terminal(RunningStack(tmp_path / "elsewhere"))
    done = there(*command, code=1, env=env)
    assert "ClickHouse at 127.0.0.1" in done.stderr.splitlines()[-1]


@pytest.fixture
def small_stack(tmp_path: Path) -> Iterator[RunningStack]:
    """Another one beside the first, with another number of partitions and one worker."""
    running = RunningStack(tmp_path / "small", "--workers", "1", "--partitions", "5").start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def another_worker(small_stack: RunningStack, tmp_path: Path) -> Iterator[Path]:
    """`popflow worker` under settings of its own; gives its log."""
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*POPFLOW, "worker", "--data", str(small_stack.folder)],
            stderr=output,
            env={**os.environ, "POPFLOW_PARTITIONS": "3", "POPFLOW_LOG_LEVEL": "debug"},
        )
    try:
        until(lambda: b"worker is ready" in log.read_bytes(), "the worker is ready")
        yield log
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, log.read_text()


def test_one_more_worker_shares_the_work_whatever_its_settings_say(
    small_stack: RunningStack, another_worker: Path
) -> None:
    """Persons stay on the partitions that Kafka has, so their events are counted once."""
    assert small_stack.positions.workers() == 2
    people = [birth() for _ in range(300)]
    now = int(datetime.now(UTC).timestamp() * 1000)
    reports = [{**one, "revision": revision} for revision in (1, 2) for one in people]
    small_stack.publish((BIRTHS, now, spelled(report), None) for report in reports)
    small_stack.settle()
    split = small_stack.store.query(
        "SELECT person FROM population.reports GROUP BY person HAVING uniqExact(shard) > 1"
    )
    assert split == []
    assert small_stack.store.query("SELECT uniqExact(shard) FROM population.reports") == [(5,)]
    births = "SELECT sum(value) FROM population.daily WHERE measure = 'births'"
    assert small_stack.store.query(births) == [(300,)]
    log = another_worker.read_bytes()
    assert b" DEBUG pipeline" in log
    assert b"CLI-" not in log, "no event in a log, not even at DEBUG"
