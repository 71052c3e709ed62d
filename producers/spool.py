"""Messages on disk until Kafka has confirmed them: an append-only queue that outlives a crash.

A folder with segments named by the position (bytes since the first message ever) they begin at,
and a cursor: all before it is confirmed. A segment is a run of frames: length and CRC-32 of the
payload, then the payload. Confirmed segments are deleted. A crash while a frame is written leaves
a torn tail, which is cut off on opening: that message was never accepted. The cursor is written
after the confirmations, so a crash repeats messages but loses none.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from producers.delivery import Message, PublishingError
from schemas.topics import MAX_MESSAGE_BYTES

_FRAME = struct.Struct("<II")
_HEAD = struct.Struct("<qHii")
_CURSOR = struct.Struct("<QI")
_SUFFIX = ".spool"
_LARGEST = MAX_MESSAGE_BYTES + (1 << 20)
"""No frame is longer; a longer length is damage, not a frame that a crash cut short."""


class SpoolError(PublishingError):
    """The spool cannot be used: in use, full or damaged."""


class SpoolHeldError(SpoolError):
    """Another publisher uses the spool."""


class Spooled(NamedTuple):
    """One message of the spool and the position after it."""

    end: int
    message: Message


def encode(message: Message) -> bytes:
    """One frame."""
    topic = message.topic.encode()
    key, value = message.key, message.value
    payload = b"".join(
        (
            _HEAD.pack(
                message.timestamp_ms,
                len(topic),
                -1 if key is None else len(key),
                -1 if value is None else len(value),
            ),
            topic,
            key or b"",
            value or b"",
        )
    )
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def decode(payload: bytes) -> Message:
    """The message of one frame's payload."""
    timestamp_ms, topic_size, key_size, value_size = _HEAD.unpack_from(payload)
    key_at = _HEAD.size + topic_size
    value_at = key_at + max(key_size, 0)
    return Message(
        payload[_HEAD.size : key_at].decode(),
        None if key_size < 0 else payload[key_at:value_at],
        None if value_size < 0 else payload[value_at : value_at + value_size],
        timestamp_ms,
    )


class Spool:
    """The queue; one process at a time.

    Args:
        folder: created when missing.
        fsync: every message is on the disk, not only with the operating system, before
            :meth:`append` returns: survives a power cut, costs a disk write a message.
        segment_bytes: size from which a new segment is begun.
        limit_bytes: room for unconfirmed messages; beyond it :meth:`append` raises.

    Raises:
        SpoolError: another process uses the folder, or a segment is damaged before its tail.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fsync: bool = False,
        segment_bytes: int = 64 << 20,
        limit_bytes: int = 8 << 30,
    ) -> None:
        self.folder = folder
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._limit_bytes = limit_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock_folder()
        self._cursor_file = os.open(folder / "cursor", os.O_RDWR | os.O_CREAT, 0o600)
        self._bases = sorted(int(path.stem) for path in folder.glob(f"*{_SUFFIX}"))
        self.begin = self._read_cursor()
        """Position up to which everything is confirmed."""
        self.end, self.found = self._recover()
        """Position after the last message; how many an earlier run left unconfirmed."""
        self._file = self._open_last()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, message: Message) -> int:
        """Keep one message.

        Returns:
            The position after it, for :meth:`confirm`.
        """
        frame = encode(message)
        if self.end + len(frame) - self.begin > self._limit_bytes:
            raise SpoolError(
                f"The spool {self.folder} holds {self.end - self.begin} bytes and may hold "
                f"{self._limit_bytes}: bring Kafka back, or give the spool more room"
            )
        if self.end - self._bases[-1] >= self._segment_bytes:
            os.close(self._file)
            self._bases.append(self.end)
            self._file = self._open_last()
        self._write(frame)
        self.end += len(frame)
        return self.end

    def read(self, position: int) -> Iterator[Spooled]:
        """Messages from a position on, until the end as it is when reached."""
        while position < self.end:
            base = max(base for base in self._bases if base <= position)
            reached = position
            with self._path(base).open("rb") as segment:
                segment.seek(position - base)
                for payload in _payloads(segment):
                    position += _FRAME.size + len(payload)
                    yield Spooled(position, decode(payload))
            if position == reached:
                raise self._damaged(str(self._path(base)), position - base)

    def confirm(self, position: int) -> None:
        """Everything before the position is with Kafka; segments that it empties are deleted."""
        self.begin = position
        packed = struct.pack("<Q", position)
        os.pwrite(self._cursor_file, packed + struct.pack("<I", zlib.crc32(packed)), 0)
        while len(self._bases) > 1 and self._bases[1] <= position:
            self._path(self._bases.pop(0)).unlink()

    def close(self) -> None:
        """Give the folder back; unconfirmed messages stay in it."""
        if self._file >= 0:
            for descriptor in (self._file, self._cursor_file, self._lock):
                os.close(descriptor)
            self._file = -1

    def _lock_folder(self) -> int:
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise SpoolHeldError(
                f"Another publisher uses the spool {self.folder}: give each its own folder"
            ) from None
        return lock

    def _path(self, base: int) -> Path:
        return self.folder / f"{base:020d}{_SUFFIX}"

    def _open_last(self) -> int:
        if not self._bases or self._bases[-1] + self._size_of_last() != self.end:
            self._bases.append(self.end)
        return os.open(self._path(self._bases[-1]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _size_of_last(self) -> int:
        path = self._path(self._bases[-1])
        return path.stat().st_size if path.exists() else 0

    def _read_cursor(self) -> int:
        first = self._bases[0] if self._bases else 0
        packed = os.pread(self._cursor_file, _CURSOR.size, 0)
        if len(packed) < _CURSOR.size:
            return first
        position: int
        position, crc = _CURSOR.unpack(packed)
        return max(position, first) if zlib.crc32(packed[:8]) == crc else first

    def _recover(self) -> tuple[int, int]:
        """Cut off a torn tail; the end of the spool and how many messages are unconfirmed."""
        end, found = self.begin, 0
        for number, base in enumerate(self._bases):
            last = number == len(self._bases) - 1
            size = self._path(base).stat().st_size
            if not last and base + size <= self.begin:
                continue
            with self._path(base).open("r+b") as segment:
                segment.seek(max(self.begin - base, 0))
                for payload in _payloads(segment):
                    end = max(end, base) + _FRAME.size + len(payload)
                    found += 1
                whole = max(end - base, 0)
                if whole < size:
                    self._cut(segment, whole, size, last=last)
        return end, found

    def _cut(self, segment: BinaryIO, whole: int, size: int, *, last: bool) -> None:
        segment.seek(whole)
        head = segment.read(_FRAME.size)
        if not (last and _is_torn(head, size - whole)):
            raise self._damaged(segment.name, whole)
        segment.truncate(whole)

    @staticmethod
    def _damaged(name: str, at: int) -> SpoolError:
        return SpoolError(
            f"{name} is damaged at byte {at}: move the file away to go on without the messages "
            "behind that byte"
        )

    def _write(self, frame: bytes) -> None:
        written = 0
        try:
            while written < len(frame):
                written += os.write(self._file, frame[written:])
            if self._fsync:
                os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self.end - self._bases[-1])
            raise SpoolError(
                f"The spool {self.folder} cannot be written ({error.strerror}): make room"
            ) from None


def _payloads(segment: BinaryIO) -> Iterator[bytes]:
    """Payloads of whole frames from where the file stands; ends at the first that is not whole."""
    while len(head := segment.read(_FRAME.size)) == _FRAME.size:
        size, crc = _FRAME.unpack(head)
        if not _HEAD.size <= size <= _LARGEST:
            return
        payload = segment.read(size)
        if len(payload) < size or zlib.crc32(payload) != crc:
            return
        yield payload


def _is_torn(head: bytes, rest: int) -> bool:
    """Whether an unreadable frame with ``rest`` bytes to the end is one that a crash cut short.

    After a power cut the tail of a file may also be there as zeros.
    """
    if len(head) < _FRAME.size or not any(head):
        return True
    size: int = _FRAME.unpack(head)[0]
    return size <= _LARGEST and _FRAME.size + size >= rest
