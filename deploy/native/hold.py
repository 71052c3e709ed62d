"""One owner of a folder: a pid file that is locked as long as its process lives.

The lock (``flock``) belongs to the open file, which the child inherits and the parent closes. So
the kernel gives it up at the very moment the process ends, however it ends: nothing can be stale,
and a number used again by another process cannot be taken for the owner.
"""

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from deploy.native.errors import NativeError


class FolderHeldError(NativeError):
    """Another live process owns the folder."""


class Hold:
    """The right to run one process on a folder, taken with ``take`` and handed to a child.

    Args:
        path: the pid file, ``{"pid", "started", "argv0"}`` once the owner runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> int:
        """Lock the pid file and return its descriptor, which a child may inherit.

        Raises:
            FolderHeldError: a live process holds it; the message names its pid.
            NativeError: the folder cannot be written.
        """
        if self._descriptor is not None:
            return self._descriptor
        while True:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise FolderHeldError(self._held()) from None
            if self._still_there(descriptor):
                os.ftruncate(descriptor, 0)  # what a dead owner wrote
                self._descriptor = descriptor
                return descriptor
            os.close(descriptor)  # the last owner removed it between open and lock

    def give(self, pid: int, argv0: str) -> None:
        """Record the child that inherited the descriptor and let go of our own copy."""
        descriptor = self.take()
        owner = {
            "pid": pid,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "argv0": argv0,
        }
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        self._close()

    def free(self) -> None:
        """Remove the pid file, unless another process owns it by now."""
        try:
            self.take()
        except FolderHeldError:
            return
        self.path.unlink(missing_ok=True)
        self._close()

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise NativeError(
                f"{self.path.parent} cannot be written ({error.strerror}): "
                "choose another folder, or get the right to write there."
            ) from error

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def _held(self) -> str:
        pid = holder(self.path)
        who = f"process {pid}" if pid else "a process that is just starting"
        way_out = f"stop it first (kill {pid})" if pid else "wait a moment"
        return f"{self.path.parent} is in use by {who}: {way_out}, or choose another folder."


def holder(path: Path) -> int | None:
    """The process number in a pid file; None when there is none (yet)."""
    try:
        return int(json.loads(path.read_bytes())["pid"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
