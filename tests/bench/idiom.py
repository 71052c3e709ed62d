"""Faust's own idiom, measured: counting events by key as its documentation shows.

    python -m tests.bench.idiom --bootstrap 127.0.0.1:9092 --messages 200000

Prints one JSON line with the events a second of one worker process:

- ``dict``: ``async for event in stream`` with JSON values and a dictionary of counts;
- ``table``: the same with a Faust ``Table`` (``counts[key] += 1``), kept in memory, whose changes
  go to its changelog topic.

Each way reads the same messages from the start, in a process of its own. The clock runs from the
first event handled to the last, so starting up is left out.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from typing import Any

import faust
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.journal import Journal, partition_of

PARTITIONS = 4
PERSONS = 20_000
MOMENT = 1_700_000_000_000


def values(messages: int) -> list[tuple[bytes, bytes]]:
    """Key and value of each message: about 150 bytes, as short as an event of ours can be."""
    rows = []
    for number in range(messages):
        person = f"{number * 7919 % PERSONS:032x}"
        event = {"kind": "move", "record_id": f"M-{number}", "person": person, "day": "2024-05-06"}
        rows.append((person.encode(), json.dumps({**event, "district": "320508"}).encode()))
    return rows


async def prepare(bootstrap: str, topic: str, messages: int) -> None:
    """Create the topic and write the messages."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    await admin.close()
    async with Journal(bootstrap, topic) as journal:
        await journal.write(
            [
                (partition_of(key, PARTITIONS), MOMENT + n, key, value, ())
                for n, (key, value) in enumerate(values(messages))
            ]
        )


async def remove(bootstrap: str, topics: list[str]) -> None:
    """Delete what the measurement made."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    kept = set(await admin.list_topics())
    await admin.delete_topics([topic for topic in topics if topic in kept])
    await admin.close()


def work(way: str, bootstrap: str, topic: str, messages: int) -> None:
    """The worker process: count, print the rate, end."""
    app = faust.App(
        f"{topic}-{way}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_partitions=PARTITIONS,
        datadir=tempfile.mkdtemp(),
    )
    source = app.topic(topic, key_type=bytes, value_serializer="json")
    counts: Any = defaultdict(int)
    if way == "table":
        counts = app.Table("counts", default=int, partitions=PARTITIONS)
    handled, began = 0, 0.0

    @app.agent(source)
    async def count(stream: Any) -> None:
        nonlocal handled, began
        async for event in stream:
            if not handled:
                began = time.perf_counter()
            counts[event["person"]] += 1
            handled += 1
            if handled == messages:
                print(messages / (time.perf_counter() - began), flush=True)
                os.kill(os.getpid(), signal.SIGTERM)

    # Faust's spinner writes to its stdout, where the parent expects one number.
    faust.Worker(
        app, loglevel="ERROR", quiet=True, redirect_stdouts=False, stdout=sys.stderr
    ).execute_from_commandline()


def measure(way: str, bootstrap: str, topic: str, messages: int, patience: float) -> float:
    """Events a second of one way, in a new process."""
    argv = [sys.executable, "-m", "tests.bench.idiom", "--bootstrap", bootstrap]
    argv += ["--messages", str(messages), "--work", way, "--topic", topic]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as worker:
        try:
            said, _ = worker.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            worker.kill()
            raise
    return float(said.splitlines()[0])


def main() -> None:
    """Measure both ways and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--patience", type=float, default=300.0, help="seconds for one way")
    parser.add_argument("--work", choices=("dict", "table"), help=argparse.SUPPRESS)
    parser.add_argument("--topic", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work, given.bootstrap, given.topic, given.messages)
        return
    topic = f"idiom-{uuid.uuid4().hex[:8]}"
    asyncio.run(prepare(given.bootstrap, topic, given.messages))
    try:
        rates = {
            way: round(measure(way, given.bootstrap, topic, given.messages, given.patience))
            for way in ("dict", "table")
        }
    finally:
        changelog = f"{topic}-table-counts-changelog"
        asyncio.run(remove(given.bootstrap, [topic, changelog]))
    print(json.dumps({"messages": given.messages, "events_per_second": rates}))


if __name__ == "__main__":
    main()
