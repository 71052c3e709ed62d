"""A worker that breaks down over a message with an identity number shows it to nobody."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.topics import RAW
from tests.contract.support import event, number, spelled
from tests.e2e.stack import OWN_PORTS, RunningStack, until

CANARY = number("32050819910203123")
SHORT = "320508910203123"
NOW = 1_457_568_000_000


def test_a_worker_that_breaks_down_shows_no_identity_number(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "stack", env=OWN_PORTS).start()
    try:
        first = stack.pid("worker 0")
        limits = Path(f"/proc/{first}/limits").read_text("ascii")
        (cores,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert cores.split()[4:6] == ["0", "0"], "its memory may be written nowhere"
        # From now on the store refuses what intake and ledger write: no repeat mends that.
        for table in ("rejected_rows", "reports"):
            stack.store.command(f"RENAME TABLE population.{table} TO population.{table}_away")
        bad = [spelled(event("birth", record_id=CANARY)), f'{{"broken": "{CANARY}'.encode(),
               spelled(event("birth", note=SHORT))]  # fmt: skip
        good = spelled(event("birth", person="0d" * 16))
        stack.publish([(RAW[0], NOW, value, None) for value in (*bad, good)])
        log = stack.folder / "logs/worker-0.log"
        until(lambda: "StoreRefused" in log.read_text("utf-8"), "the worker broke down")
        until(lambda: stack.pid("worker 0") not in (None, first), "it was started again")
        for table in ("rejected_rows", "reports"):
            stack.store.command(f"RENAME TABLE population.{table}_away TO population.{table}")
        stack.settle(120)
        assert sum(stack.refusals().values()) == 3
        assert sum(n for row, n in stack.daily().items() if row[2] == "births") == 1
        said = stack.popflow("rejected", "list", "--json")
        assert len(json.loads(said.stdout)) == 3
        written = [said.stdout.encode(), said.stderr.encode()]
        # The publisher's own bytes lie in the raw topic's segments until Kafka drops them.
        segments = {stack.folder / "kafka/logs" / f"{topic}-{p}" for topic in RAW for p in range(4)}
        files = [path for path in stack.folder.rglob("*") if path.is_file()]
        written += [path.read_bytes() for path in files if path.parent not in segments]
        assert log in files
        for text in (CANARY, CANARY.lower(), SHORT):
            assert not any(text.encode() in part for part in written)
    finally:
        assert stack.stop() == 0
