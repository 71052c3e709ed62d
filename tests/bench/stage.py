"""One stage of the pipeline alone in this process, on real Kafka: events a second of its CPU."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from pathlib import Path
from typing import Any

from consumers.store.client import Store
from pipeline.app import Worker, look_for_cycles_seldom
from pipeline.batch_window import Batch
from pipeline.settings import Settings


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Stage(Worker):
    """A worker of one stage that stops after so many records and knows what they cost."""

    def __init__(self, stage: str, records: int, *arguments: Any) -> None:
        super().__init__(*arguments, stages=(stage,))
        self.left = records
        self.begun: tuple[float, float] | None = None
        self.ended = (0.0, 0.0)
        self.done = asyncio.Event()
        part = self.intake if stage == "intake" else self.ledger
        self._real = part.handle
        part.handle = self._measured  # type: ignore[method-assign]

    async def _measured(self, batch: Batch) -> None:
        if self.begun is None:
            self.begun = (time.perf_counter(), _cpu())
        await self._real(batch)
        self.left -= len(batch)
        if self.left <= 0:
            self.ended = (time.perf_counter(), _cpu())
            self.done.set()


async def measure(options: argparse.Namespace) -> dict[str, float]:
    """Run the stage over what waits for it."""
    settings = Settings(
        data=options.data,
        bootstrap=options.bootstrap,
        clickhouse=options.clickhouse,
        clickhouse_user=options.user,
        metrics_port=0,
    )
    with Store.connect(options.clickhouse, options.user, options.password) as store:
        stage = Stage(options.stage, options.records, settings, store, b"bench")
        working = asyncio.create_task(stage.run())
        await asyncio.wait(
            {working, asyncio.create_task(stage.done.wait())}, return_when="FIRST_COMPLETED"
        )
        await stage.app.stop()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert stage.begun is not None
    wall, cpu = (after - before for after, before in zip(stage.ended, stage.begun, strict=True))
    return {"events": options.records, "wall_seconds": wall, "cpu_seconds": cpu}


def main() -> None:
    """Measure one stage and print one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["intake", "ledger"], required=True)
    for name in ("bootstrap", "clickhouse", "user", "password"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--records", type=int, required=True)
    look_for_cycles_seldom()
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
