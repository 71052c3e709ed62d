"""A listener as a user starts it, with the hospital of the cases."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from kafka import KafkaConsumer, TopicPartition

from schemas.topics import RAW
from tests.e2e.stack import POPFLOW
from tests.sources.edge import KEY


class Listener:
    """``popflow listen KIND --json`` on a free port; ``said`` is what it wrote to stderr."""

    def __init__(self, kind: str, folder: Path, bootstrap: str, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        key = folder / "city.key"
        key.write_text(KEY.hex())
        self.folder = folder
        self._errors = folder / "stderr"
        self._command = [
            *(*POPFLOW, "listen", kind, "--json", "--port", "0", "--bootstrap", bootstrap),
            *("--data", str(folder), "--key-file", str(key), "--source", "health.h7"),
            *("--facility", "H7=320508", "--facility", "H8=320583", *arguments),
        ]
        self.ready: dict[str, Any] = {}
        self.process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={k: v for k, v in os.environ.items() if not k.startswith("POPFLOW_")},
            )
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 60)[0], "the listener did not start"
        line = self.process.stdout.readline()
        assert line, self.said
        self.ready = json.loads(line)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        if error is None:
            assert code == 0, self.said

    @property
    def said(self) -> str:
        return self._errors.read_text("utf-8")

    @property
    def port(self) -> int:
        return int(self.ready["port"])

    @property
    def url(self) -> str:
        return str(self.ready["url"])


def consumed(bootstrap: str) -> list[dict[str, Any]]:
    """Every event in the raw topics."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=10_000)
    try:
        places = [TopicPartition(topic, number) for topic in RAW for number in range(4)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        left = sum(consumer.end_offsets(places).values())
        return [orjson.loads(next(consumer).value) for _ in range(left)]
    finally:
        consumer.close()
