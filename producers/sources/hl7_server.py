"""MLLP: HL7 v2 over TCP, a thousand messages on their way at once, each answered in its order.

An AA goes out when Kafka has confirmed every event of the message (acks=all), never before. Peers
that send half a message, or do not read their answers, are cut off; the others do not notice.
"""

import asyncio
import hashlib
import logging
import socket
import ssl
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from types import TracebackType
from typing import Any, Self

from producers.handover import Handover, Place
from producers.sources import clinical, hl7_ack
from producers.sources.clinical import FaultError, Sender
from producers.sources.hl7 import interpret
from producers.sources.hl7_message import Message, UnreadableError, decode

START, END = b"\x0b", b"\x1c\x0d"
_LOG = logging.getLogger(__name__)
_SWEEP_SECONDS = 0.5
_FAREWELL_SECONDS = 5.0
_REMEMBERED = 50_000
_SEND_BYTES = 128 * 1024


@dataclass(frozen=True)
class Limits:
    """What one listener puts up with.

    Attributes:
        frame_bytes: of one message.
        connections: at once; further ones are closed at once.
        pipeline: messages of one connection that wait for their answer.
        patience: seconds for the rest of a message, and for a peer to read its answers.
    """

    frame_bytes: int = 1 << 20
    connections: int = 256
    pipeline: int = 1_000
    patience: float = 30.0


class MllpServer:
    """Listens; ``async with`` starts and stops it.

    Args:
        sender: whose hospital speaks here.
        handover: to Kafka; already open.
        charset: codec of messages whose MSH-18 is empty.
        limits: see :class:`Limits`.
        today: the local day now.
        on_answer: told the code of every answer, ``repeat`` of those that were known.
    """

    def __init__(
        self,
        sender: Sender,
        handover: Handover,
        *,
        charset: str = "utf-8",
        limits: Limits | None = None,
        today: Callable[[], date] = clinical.today,
        on_answer: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.limits = limits or Limits()
        self.answers: Counter[str] = Counter()
        """Answers given so far, by code; ``repeat`` of them without publishing again."""
        self._on_answer = on_answer
        self.connections: set[_Connection] = set()
        self._sender = sender
        self._handover = handover
        self._charset = charset
        self._today = today
        self._known: OrderedDict[bytes, asyncio.Future[bytes]] = OrderedDict()
        self._server: asyncio.Server
        self._sweeping: asyncio.Task[None]

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Begin to listen; gives the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), host, port, ssl=tls, backlog=256
        )
        self._sweeping = asyncio.create_task(self._sweep())
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        waiting = [one for connection in self.connections for one in connection.answers]
        if waiting:
            await asyncio.wait(waiting, timeout=self._handover.answer_seconds)
        for connection in list(self.connections):
            connection.close()
        self._sweeping.cancel()
        await asyncio.gather(self._sweeping, return_exceptions=True)
        try:
            await asyncio.wait_for(self._server.wait_closed(), _FAREWELL_SECONDS)
        except TimeoutError:
            for connection in list(self.connections):
                connection.cut_off()

    def answer(self, frame: bytes) -> "asyncio.Future[bytes]":
        """The acknowledgement of one frame, as soon as it can be given; never raises."""
        digest = hashlib.blake2b(frame, digest_size=16).digest()
        known = self._known.get(digest)
        if known is not None:
            self._known.move_to_end(digest)
            self._count("repeat")
            return known
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        message: Message | None = None
        try:
            message = decode(frame, self._charset)
            mapped = interpret(message, self._sender, self._today())
        except UnreadableError as error:
            complaint = [hl7_ack.complaint_of(error)]
            answer.set_result(self._said(message, "AR", complaint))
        except FaultError as error:
            answer.set_result(self._said(message, "AE", [hl7_ack.complaint_of(error)]))
        except Exception as error:  # one message never ends the listener
            _LOG.exception("A message could not be mapped")
            answer.set_result(self._said(message, "AR", [hl7_ack.defect(type(error).__name__)]))
        else:
            self._known[digest] = answer
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            notes = [hl7_ack.note(note) for note in mapped.notes]
            confirmed = self._handover.submit(mapped.events)
            confirmed.add_done_callback(
                partial(self._confirmed, answer=answer, message=message, notes=notes, digest=digest)
            )
        return answer

    def _confirmed(
        self,
        confirmed: "asyncio.Future[list[Place]]",
        *,
        answer: "asyncio.Future[bytes]",
        message: Message,
        notes: list[hl7_ack.Complaint],
        digest: bytes,
    ) -> None:
        if not confirmed.cancelled() and confirmed.exception() is None:
            text = self._said(message, "AA", notes)
        else:
            self._known.pop(digest, None)
            text = self._said(message, "AR", [hl7_ack.later()])
        if not answer.done():
            answer.set_result(text)

    def _said(self, message: Message | None, code: str, about: list[hl7_ack.Complaint]) -> bytes:
        self._count(code)
        return hl7_ack.acknowledge(message, code, about)

    def _count(self, code: str) -> None:
        self.answers[code] += 1
        self._on_answer(code)

    def too_long(self) -> bytes:
        """The answer to a frame over the limit, which is not read."""
        fault = UnreadableError(
            "207",
            "MSH",
            f"The message has more than {self.limits.frame_bytes} bytes",
            "消息过长",
        )
        return self._said(None, "AR", [hl7_ack.complaint_of(fault)])

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            oldest = loop.time() - self.limits.patience
            for connection in list(self.connections):
                if connection.stuck_since is not None and connection.stuck_since < oldest:
                    _LOG.warning("A peer is cut off: it sends, or reads, too slowly")
                    connection.cut_off()


class _Connection(asyncio.Protocol):
    """One peer."""

    def __init__(self, server: MllpServer) -> None:
        self.answers: deque[asyncio.Future[bytes]] = deque()
        self._server = server
        self._transport: Any = None
        self._buffer = bytearray()
        self._scanned = 0
        self._begun: float | None = None
        self._unread_since: float | None = None
        self._ending = False

    @property
    def stuck_since(self) -> float | None:
        """Since when this peer owes us the rest of a message, or does not read its answers."""
        owed = self._begun if not self.answers else None
        return owed if self._unread_since is None else self._unread_since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if len(self._server.connections) >= self._server.limits.connections:
            _LOG.warning("A connection is turned away: %d are open", len(self._server.connections))
            self._transport.close()
            return
        # Answers are small: what a peer does not read is not gathered by the megabyte.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._server.connections.discard(self)
        self.answers.clear()
        self._buffer.clear()

    def eof_received(self) -> bool:
        """The peer sends no more; what it sent is still answered."""
        self._ending = True
        self._send_answers()
        return bool(self.answers)

    def pause_writing(self) -> None:
        self._unread_since = asyncio.get_running_loop().time()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._unread_since = None
        self._send_answers()

    def close(self) -> None:
        """End, with what was written."""
        self._transport.close()

    def cut_off(self) -> None:
        """End at once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        self._buffer += data
        self._read()

    def _read(self) -> None:
        limits = self._server.limits
        while len(self.answers) < limits.pipeline:
            if not self._at_start():
                break
            end = self._buffer.find(END, self._scanned)
            if end < 0:
                self._scanned = max(len(self._buffer) - 1, 1)
                if len(self._buffer) > limits.frame_bytes:
                    self._refuse_and_end()
                break
            frame = bytes(self._buffer[1:end])
            del self._buffer[: end + len(END)]
            self._scanned, self._begun = 1, None
            if len(frame) > limits.frame_bytes:
                self._refuse_and_end()
                break
            answer = self._server.answer(frame[frame.rfind(START) + 1 :])
            self.answers.append(answer)
            if not answer.done():
                answer.add_done_callback(self._send_answers)
        if len(self.answers) >= limits.pipeline:
            self._transport.pause_reading()
        self._send_answers()

    def _at_start(self) -> bool:
        """Whether a frame begins; what stands between frames is skipped."""
        start = self._buffer.find(START)
        if start < 0:
            self._buffer.clear()
            self._begun = None
            return False
        if start:
            del self._buffer[:start]
            self._scanned = 1
        if self._begun is None:
            self._begun = asyncio.get_running_loop().time()
        return True

    def _refuse_and_end(self) -> None:
        refused: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        refused.set_result(self._server.too_long())
        self.answers.append(refused)
        self._buffer.clear()
        self._ending = True
        self._transport.pause_reading()

    def _send_answers(self, _: object = None) -> None:
        """Write the answers that are there, in the order of the messages."""
        if self._transport is None or self._transport.is_closing():
            return
        ready = []
        while self.answers and self.answers[0].done():
            ready.append(START + self.answers.popleft().result() + END)
        if ready:
            self._transport.write(b"".join(ready))
        if self._ending and not self.answers:
            self._transport.close()
        elif ready and self._unread_since is None and not self._ending:
            self._transport.resume_reading()
            if self._buffer:
                self._read()
