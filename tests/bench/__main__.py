"""``make bench``: the figures of the README, on real Kafka and the real engine, in one run.

Writes ``bench-results.json``: machine, versions, and a list of ``{name, value, unit}``. Events a
second and core are events by the CPU seconds of the stage's own process; end to end has
publisher, Kafka, workers and store on this one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.registry import seed_sources
from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from producers.kit import Publisher
from schemas.sources import DEMONSTRATION
from schemas.topics import specs
from tests.bench import listen, panels, readings
from tests.bench.alerts import PROBES as ALERT_PROBES
from tests.bench.alerts import alerts
from tests.bench.page import page_figures
from tests.bench.workload import events
from tests.e2e.stack import RunningStack

PACKAGES = (
    *("faust-streaming", "aiokafka", "kafka-python", "pydantic", "clickhouse-connect", "chdb"),
    *("rocksdict", "orjson", "msgspec"),
)
RATE = 1_000
PROBES = 150
READING_PROBES = 15
FIRST_PROBE = date(1950, 1, 1)
console = Console(stderr=True, highlight=False)


def _result(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 1), "unit": unit}


def stages(folder: Path, number: int) -> list[dict[str, Any]]:
    """Intake alone, then the ledger alone on the journal that intake wrote; Faust's idiom."""
    results = []
    with KafkaServer(folder / "kafka") as kafka, EmbeddedStore(folder / "store") as engine:
        ensure_topics(kafka.bootstrap, specs(4))
        with engine.store() as store:
            migrate(store)
            seed_sources(store, DEMONSTRATION)
        console.print(f"publishing {number:,} events")
        with Publisher(kafka.bootstrap) as publisher:
            for message in events(number):
                publisher.publish_raw(
                    message.topic, message.key, message.value, message.timestamp_ms
                )
        for stage in ("intake", "ledger"):
            console.print(f"measuring {stage}")
            told = _run_stage(stage, kafka.bootstrap, engine, folder / stage, number)
            console.print(told)
            rate = told["events"] / told["cpu_seconds"]
            results.append(_result(f"{stage}_events_per_second_core", rate, "events/s"))
        console.print("measuring the HL7 listener")
        told = listen.hl7(folder / "hl7", kafka.bootstrap)
        console.print(told)
        rate = told["messages"] / told["cpu_seconds"]
        results.append(_result("hl7_messages_per_second_core", rate, "messages/s"))
        console.print("measuring Faust's own idiom")
        told = _run("tests.bench.idiom", "--bootstrap", kafka.bootstrap, "--messages", str(number))
        console.print(told)
        rates = told["events_per_second"]
        results.append(_result("faust_idiom_events_per_second", rates["dict"], "events/s"))
        results.append(_result("faust_table_events_per_second", rates["table"], "events/s"))
    return results


def _run_stage(
    stage: str, bootstrap: str, engine: EmbeddedStore, folder: Path, number: int
) -> dict[str, Any]:
    return _run(
        "tests.bench.stage",
        *("--stage", stage, "--bootstrap", bootstrap, "--clickhouse", engine.url),
        *("--user", engine.user, f"--password={engine.password}"),
        *("--data", str(folder), "--records", str(number)),
    )


def _run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def end_to_end(folder: Path, number: int, workers: int) -> list[dict[str, Any]]:
    """From the first event published to the last one visible, everything on this machine."""
    stack = RunningStack(folder, "--workers", str(workers)).start()
    try:
        messages = list(events(number))
        console.print(f"{number:,} events through the whole stack, {workers} workers")
        began = time.perf_counter()
        with Publisher(stack.ready["bootstrap"]) as publisher:
            for message in messages:
                publisher.publish_raw(
                    message.topic, message.key, message.value, message.timestamp_ms
                )
        stack.settle(600)
        rate = number / (time.perf_counter() - began)
        console.print(f"{rate:,.0f} events/s")
        return [
            _result("end_to_end_events_per_second", rate, "events/s"),
            *reading_freshness(stack),
            *freshness(stack),
            *(_result(name, value, "ms") for name, value in page_figures(stack).items()),
        ]
    finally:
        stack.stop()


def freshness(stack: RunningStack) -> list[dict[str, Any]]:
    """From publishing an event to seeing it in ``daily``, at a thousand events a second."""
    console.print(f"freshness at {RATE:,} events/s")
    ended = threading.Event()
    load = threading.Thread(target=_load, args=(stack.ready["bootstrap"], ended), daemon=True)
    load.start()
    seconds = [_probe(stack, place) for place in range(PROBES)]
    ended.set()
    load.join()
    cuts = statistics.quantiles(seconds, n=100)
    console.print(f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms")
    return [
        _result("freshness_p50_ms", cuts[49] * 1000, "ms"),
        _result("freshness_p99_ms", cuts[98] * 1000, "ms"),
    ]


def reading_freshness(stack: RunningStack) -> list[dict[str, Any]]:
    """From publishing an event of today to the reading published with it, on a calm stack."""
    console.print("freshness of readings")
    for place in range(2):  # the first makes the sums of today
        _probe_reading(stack, place)
    seconds = [_probe_reading(stack, 2 + place) for place in range(READING_PROBES)]
    return [_result("reading_freshness_p50_ms", statistics.median(seconds) * 1000, "ms")]


def _probe_reading(stack: RunningStack, place: int) -> float:
    """A boy born today, published and watched for in the sex ratio of his district."""
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
    question = (
        "SELECT max(numerator) FROM population.readings WHERE indicator = 'sex_ratio_at_birth'"
        " AND district = '320505' AND `window` = '28d' AND as_of = {day:Date32}"
    )
    before = stack.store.query(question, {"day": today})[0][0] or 0
    began = time.perf_counter()
    _publish_birth(stack, f"reading-{place}", today, 1_000_000 + place)
    while (stack.store.query(question, {"day": today})[0][0] or 0) <= before:
        time.sleep(0.01)
    return time.perf_counter() - began


def _load(bootstrap: str, ended: threading.Event) -> None:
    with Publisher(bootstrap) as publisher:
        began = time.perf_counter()
        for place, message in enumerate(events(10_000_000)):
            if ended.is_set():
                return
            publisher.publish_raw(message.topic, message.key, message.value, message.timestamp_ms)
            if place % 20 == 0:
                ahead = place / RATE - (time.perf_counter() - began)
                if ahead > 0:
                    publisher.poll()
                    ended.wait(ahead)


def _probe(stack: RunningStack, place: int) -> float:
    """A birth on a day of its own, published and watched for."""
    day = (FIRST_PROBE + timedelta(days=place)).isoformat()
    began = time.perf_counter()
    _publish_birth(stack, f"probe-{place}", day, place)
    question = (
        "SELECT sum(value) FROM population.daily WHERE measure = 'births' AND day = {day:Date32}"
    )
    while not stack.store.query(question, {"day": day})[0][0]:
        pass
    return time.perf_counter() - began


def _publish_birth(stack: RunningStack, record_id: str, day: str, person: int) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(time.time() + 8 * 3600))
    event = {
        "kind": "birth",
        "record_id": record_id,
        "revision": 1,
        "source": "health.birth-certificates",
        "recorded_at": now,
        "person": f"{person:032x}",
        "born_on": day,
        "district": "320505",
        "residency": "migrant",
        "sex": "1",
        "mother": "f" * 32,
    }
    stack.producer.send(
        "population.births.v1", json.dumps(event).encode(), timestamp_ms=int(time.time() * 1000)
    )
    stack.producer.flush()


def main() -> None:
    """Measure everything and write the results."""
    parser = argparse.ArgumentParser(description="popflow's figures on this machine")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("bench-results.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="popflow-bench-") as name:
        folder = Path(name)
        results = stages(folder / "stages", options.events)
        console.print("readings over ten years of cells")
        figures = readings.measure(folder / "readings")
        console.print("every panel of the dashboards over ten million cells")
        figures += panels.measure(folder / "panels")
        results += [{"name": n, "value": round(v, 3), "unit": unit} for n, v, unit in figures]
        results += end_to_end(folder / "whole", options.events, options.workers)
        console.print(
            f"{ALERT_PROBES} alerts, and {ALERT_PROBES} events that change one, to a webhook"
        )
        results += [_result(name, ms, "ms") for name, ms in alerts(folder / "alerts")]
    report = {
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.processor() or platform.machine(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in PACKAGES},
        "workload": {"events": options.events, "workers": options.workers},
        "results": results,
    }
    options.output.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    drawn = Table("figure", "value", "unit")
    for result in results:
        drawn.add_row(result["name"], f"{result['value']:,.1f}", result["unit"])
    console.print(drawn)


if __name__ == "__main__":
    main()
