"""A worker for the tests of the batch transport; run as a program.

It reports each batch and each change of ownership as a JSON line, and misbehaves as told.
"""

import asyncio
import json
import logging
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.batching import TP, Batch, BatchApp, Limits, WorkerFailedError, consume


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def run_worker(bootstrap: str, group: str, folder: str, options: dict[str, Any]) -> int:  # noqa: C901
    """Build the app as the options say and serve; the exit code."""
    logging.basicConfig(level="WARNING")
    app = BatchApp(
        group,
        bootstrap=bootstrap,
        folder=Path(folder),
        limits=Limits(**options.get("limits", {})),
        lead_topic=options["topics"][0],
        broker_commit_interval=options.get("commit", 0.2),
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
    )
    gate = asyncio.Event()
    running = handled = 0

    async def handle(batch: Batch) -> None:
        nonlocal running, handled
        now = time.time()
        running += 1
        try:
            if options.get("wait_for_gate") and not gate.is_set():
                say(blocked=[batch.partition, batch.first_offset])
                await gate.wait()
            if options.get("poison") in {record.value.decode() for record in batch.records}:
                raise ValueError(f"cannot take {options['poison']}")
            if "slow" in options:
                await asyncio.sleep(options["slow"])
        finally:
            running -= 1
        say(
            batch=[batch.topic, batch.partition],
            offsets=[record.offset for record in batch.records],
            values=[record.value.decode() for record in batch.records],
            keys=[record.key.decode() if record.key else None for record in batch.records],
            timestamps=[record.timestamp for record in batch.records],
            headers=[[(k, v.decode()) for k, v in r.headers] for r in batch.records],
            at=now,
        )
        handled += len(batch)
        if options.get("drift") and handled == 20:
            app.consumer._adrift = True

    async def agent(stream: Any) -> None:
        await consume(stream, handle, at_once=options.get("at_once", 1))

    for number in range(options.get("agents", 1)):
        app.agent(app.batches(*options["topics"]), name=f"agent{number}")(agent)

    @app.on_assigned
    async def take(tps: set[TP]) -> None:
        if options.get("refuse"):
            raise OSError(28, "No space left on device")
        say(assigned=sorted(tps), leader=app.is_leader())

    @app.on_revoked
    async def give(tps: set[TP]) -> None:
        say(revoked=sorted(tps), running=running)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, gate.set)
        first = TP(options["topics"][0], 0)
        loop.add_signal_handler(
            signal.SIGUSR2, lambda: say(window=len(app.consumer.window._open[first]))
        )
        await app.serve()

    try:
        asyncio.run(main())
    except WorkerFailedError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_worker(sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])))
