"""The HL7 listener under load: messages by the CPU seconds of its own process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import psutil

from tests.sources import adt
from tests.sources.listening import Listener

PEERS, WINDOW = 8, 64


def hl7(folder: Path, bootstrap: str, number: int = 10_000) -> dict[str, Any]:
    """Discharges over eight connections with 64 messages on their way each; all are AA."""
    frames = [adt.framed(adt.discharge(f"B{n}", case=f"BA-B{n:06d}")) for n in range(number)]
    with Listener("hl7", folder, bootstrap) as listener:
        process = psutil.Process(listener.process.pid)
        asyncio.run(_send(listener.port, frames[:200]))
        before, began = process.cpu_times(), time.perf_counter()
        asyncio.run(_send(listener.port, frames[200:]))
        wall, after = time.perf_counter() - began, process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return {"messages": number - 200, "cpu_seconds": used, "wall_seconds": wall}


async def _send(port: int, frames: list[bytes]) -> None:
    await asyncio.gather(*(_peer(port, frames[n::PEERS]) for n in range(PEERS)))


async def _peer(port: int, frames: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    room = asyncio.Semaphore(WINDOW)

    async def read() -> None:
        for _ in frames:
            answer = await reader.readuntil(b"\x1c\r")
            assert b"\rMSA|AA|" in answer
            room.release()

    reading = asyncio.create_task(read())
    for frame in frames:
        await room.acquire()
        writer.write(frame)
    await reading
    writer.close()
