"""The store process as a process: starting, ending, crashing, what it finds at start."""

import json
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from consumers.store.embedded import EmbeddedStore, server_command, users
from consumers.store.errors import StoreError, StoreUnavailable

ROWS = 2_000


def wait_for_end(pid: int, seconds: float) -> bool:
    """Wait until a process that is not our child has ended."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], seconds)[0])
    finally:
        os.close(watched)


def test_killed_in_mid_insert_every_acknowledged_row_is_there(tmp_path):
    server = EmbeddedStore(tmp_path / "store")
    server.start()
    acknowledged: list[int] = []
    enough = threading.Event()
    with server.store() as store:
        store.command("CREATE DATABASE population", in_database=False)
        store.command(
            "CREATE TABLE b (batch Int64, number Int64, text String)"
            " ENGINE = MergeTree ORDER BY (batch, number)"
        )

        def write() -> None:
            batch = 0
            try:
                while True:
                    store.insert(
                        "b",
                        {"batch": [batch] * ROWS, "number": list(range(ROWS)),
                         "text": [str(batch)] * ROWS},
                    )  # fmt: skip
                    acknowledged.append(batch)
                    batch += 1
                    if batch >= 30:
                        enough.set()
            except StoreUnavailable:
                pass

        writer = threading.Thread(target=write)
        writer.start()
        assert enough.wait(60)
        server.kill()
        writer.join(30)
    with server, server.store() as store:
        held = store.query(
            "SELECT batch, count(), uniqExact(number), min(text = toString(batch))"
            " FROM b GROUP BY batch"
        )
        whole = {
            batch
            for batch, count, distinct, right in held
            if (count, distinct, right) == (ROWS, ROWS, 1)
        }
        assert whole == {row[0] for row in held}
        assert whole >= set(acknowledged)
        assert server.detached_parts == 0


def test_a_held_folder_names_its_holder(tmp_path):
    with EmbeddedStore(tmp_path) as first:
        with pytest.raises(StoreUnavailable) as caught:
            EmbeddedStore(tmp_path).start()
        assert f"held by process {first.pid}" in str(caught.value)
        assert "choose another folder" in str(caught.value)
        with first.store() as store:
            assert store.alive()
    with EmbeddedStore(tmp_path) as again, again.store() as store:
        assert store.alive()


def test_the_process_ends_with_its_parent(tmp_path):
    script = (
        "import sys, pathlib, threading\n"
        "from consumers.store.embedded import EmbeddedStore\n"
        "server = EmbeddedStore(pathlib.Path(sys.argv[1]))\n"
        "starter = threading.Thread(target=server.start); starter.start(); starter.join()\n"
        "print(server.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    pid = int(parent.stdout.readline())
    assert not wait_for_end(pid, 0.2)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    parent.stdin.close()
    assert wait_for_end(pid, 30)


def test_terminated_while_a_statement_runs_it_ends_in_time(tmp_path):
    held = users(tmp_path)
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        server_command(tmp_path, held.path, ready_file=ready), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    announced = json.loads(process.stdout.readline())
    assert json.loads(ready.read_text()) == announced
    from consumers.store.client import Store

    store = Store.connect(announced["url"], "popflow_writer", held.writer_password)
    store.command("CREATE DATABASE population", in_database=False)
    failed = threading.Event()

    def run() -> None:
        try:
            store.query("SELECT sum(sleepEachRow(1)) FROM numbers(100) SETTINGS max_block_size=1,"
                        " function_sleep_max_microseconds_per_block = 100000000")  # fmt: skip
        except StoreError:
            failed.set()

    started = threading.Thread(target=run)
    started.start()
    assert not failed.wait(0.5)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(25) == 0
    assert time.monotonic() - begun < 20
    process.stdout.close()
    started.join(30)
    assert failed.is_set()


def test_a_damaged_part_is_reported_loudly(tmp_path):
    server = EmbeddedStore(tmp_path)
    with server, server.store() as store:
        store.command("CREATE DATABASE population", in_database=False)
        store.command("CREATE TABLE d (a Int64, b String) ENGINE = MergeTree ORDER BY a")
        store.insert("d", {"a": list(range(5000)), "b": [str(n) * 9 for n in range(5000)]})
        assert server.detached_parts == 0
        path = store.query(
            "SELECT path FROM system.parts WHERE database = 'population' AND table = 'd' AND active"
        )[0][0]
    data = next(Path(path).glob("*.bin"))
    os.truncate(data, data.stat().st_size // 2)
    with server:
        assert server.detached_parts == 1
    assert "DATA SET ASIDE" in (tmp_path / "server.log").read_text()


def test_our_configuration_is_the_only_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.xml").write_text("<clickhouse><timezone>Asia/Tokyo</timezone><broken>")
    server = EmbeddedStore(tmp_path / "store", memory_mib=700, fsync=True)
    with server, server.store() as store:
        store.command("CREATE DATABASE population", in_database=False)
        settings = dict(store.query("SELECT name, value FROM system.server_settings WHERE changed"))
        assert settings["max_server_memory_usage"] == str(700 << 20)
        assert settings["config-file"].startswith(str(tmp_path / "store"))
        assert store.query("SELECT timezone()") == [("Asia/Shanghai",)]
        fsync = dict(
            store.query("SELECT name, value FROM system.merge_tree_settings WHERE changed")
        )
        assert fsync["fsync_after_insert"] == "1"
        assert fsync["fsync_part_directory"] == "1"


def test_secrets_are_for_the_owner_only(tmp_path):
    folder = tmp_path / "store"
    made = users(folder)
    assert users(folder) == made
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    made.path.chmod(0o644)
    with pytest.raises(StoreUnavailable, match="chmod 600") as caught:
        EmbeddedStore(folder).start()
    assert made.writer_password not in str(caught.value)
