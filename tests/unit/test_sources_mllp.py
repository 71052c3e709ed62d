"""The MLLP server's limits, and a Kafka that is away; nothing here needs a broker."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from deploy.native.ports import free_ports
from producers.handover import Handover, Ready, UnconfirmedError
from producers.kit import Publisher
from producers.link import OnDelivery
from producers.sources.hl7_server import Limits, MllpServer
from tests.sources import adt
from tests.sources.edge import ON, SENDER

# kafka-python leaves sockets that were refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*<socket\.socket fd:pytest.PytestUnraisableExceptionWarning"
)
AWAY = f"127.0.0.1:{free_ports(1)[0]}"
WRONG = adt.framed(adt.discharge("W1", pv1={36: ""}))
"""Answered without Kafka."""


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


def _publisher(note: OnDelivery) -> Publisher:
    return Publisher(AWAY, patience=0.3, on_delivery=note)


@asynccontextmanager
async def listening(limits: Limits) -> AsyncIterator[tuple[MllpServer, int]]:
    async with Handover(_publisher, answer_seconds=0.5) as handover:
        server = MllpServer(SENDER, handover, limits=limits, today=lambda: ON)
        port = await server.start("127.0.0.1", 0)
        async with server:
            yield server, port


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 30)


async def test_without_kafka_nothing_is_accepted() -> None:
    async with listening(Limits()) as (server, port):
        reader, writer = await _connected(port)
        for control in ("A1", "A1", "A2"):
            writer.write(adt.framed(adt.discharge(control)))
            answer = await _answer(reader)
            assert b"MSA|AR|%s" % control.encode() in answer
            assert b"207^Application internal error^HL70357|E|kafka_away" in answer
        assert server.answers == {"AR": 3}, "what was not confirmed is tried again"
        writer.write(adt.framed(adt.discharge("A3", "A01", pv1={45: ""})))
        assert b"MSA|AA|A3" in await _answer(reader), "what reports nothing needs no Kafka"
        writer.close()


async def test_half_a_message_is_not_waited_for_for_ever() -> None:
    async with listening(Limits(patience=0.2)) as (server, port):
        slow, slow_writer = await _connected(port)
        idle, idle_writer = await _connected(port)
        slow_writer.write(WRONG[:50])
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await _answer(slow)
        idle_writer.write(WRONG)
        assert b"MSA|AE" in await _answer(idle), "a peer that owes nothing may be quiet"
        assert len(server.connections) == 1
        slow_writer.close()
        idle_writer.close()


async def test_a_peer_that_does_not_read_is_cut_off() -> None:
    async with listening(Limits(patience=0.5, pipeline=50)) as (server, port):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, ("127.0.0.1", port))
        with connection, pytest.raises((ConnectionError, TimeoutError)):
            await _send_for_ever(connection)
        assert not server.connections


async def _send_for_ever(connection: socket.socket) -> None:
    """Until the other side ends it."""
    while True:
        sending = asyncio.get_running_loop().sock_sendall(connection, WRONG * 20)
        await asyncio.wait_for(sending, 30)


async def test_too_many_connections_are_turned_away() -> None:
    async with listening(Limits(connections=2)) as (_, port):
        taken = [await _connected(port) for _ in range(2)]
        for reader, writer in taken:
            writer.write(WRONG)
            await _answer(reader)
        reader, writer = await _connected(port)
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        taken[0][1].close()
        await taken[0][1].wait_closed()
        for _ in range(100):
            reader, writer = await _connected(port)
            writer.write(WRONG)
            got = await asyncio.wait_for(reader.read(10), 30)
            writer.close()
            if got:
                break
        assert got, "there is room again"
        taken[1][1].close()


async def test_a_long_message_is_not_gathered() -> None:
    async with listening(Limits(frame_bytes=1000)) as (_, port):
        for sent in (b"\x0b" + b"x" * 1500, b"\x0b" + b"x" * 1500 + b"\x1c\r"):
            reader, writer = await _connected(port)
            writer.write(sent)
            answer = await _answer(reader)
            assert b"MSA|AR" in answer
            assert b"more than 1000 bytes" in answer
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()


async def test_handover_turns_away_what_does_not_fit() -> None:
    ready = Ready("population.deaths.v1", b"k", b"{}")
    async with Handover(_publisher, answer_seconds=0.5, most_waiting=3) as handover:
        assert await handover.submit([]) == []
        first = handover.submit([ready, ready])
        with pytest.raises(UnconfirmedError, match="Too many"):
            await handover.submit([ready, ready])
        with pytest.raises(UnconfirmedError):
            await first
        with pytest.raises(UnconfirmedError, match=r"in time|did not answer"):
            await handover.submit([ready])
        assert not handover.kafka_answers


async def test_a_publisher_that_breaks_is_replaced() -> None:
    opened = []

    def breaks_once(note: OnDelivery) -> Publisher:
        opened.append(1)
        if len(opened) == 1:
            raise RuntimeError("a defect")
        return _publisher(note)

    ready = Ready("population.deaths.v1", b"k", b"{}")
    async with Handover(breaks_once, answer_seconds=0.5) as handover:
        with pytest.raises(UnconfirmedError, match="RuntimeError"):
            await handover.submit([ready])
        with pytest.raises(UnconfirmedError, match=r"in time|did not answer"):
            await handover.submit([ready])
    assert len(opened) == 2
