"""Becomes the program it is given, which then dies with the supervisor.

Run as ``python -I -S launcher.py SUPERVISOR_PID PROGRAM ARGUMENT…`` (no shell, no code between
fork and exec in the supervisor, and the same process number before and after).

Linux kills the program when the supervisor ends, even by SIGKILL (``PR_SET_PDEATHSIG``, which
lasts over exec). macOS has no such call: there the program outlives a killed supervisor, and the
pid file names it at the next start.

A program that crashes writes its memory nowhere: it may hold what publishers sent by mistake.
(Where the system pipes core dumps to a program of its own, it does not ask for this limit.)
"""

import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _die_with(supervisor: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != supervisor:  # it died before the call
        sys.exit("the supervisor is gone")


if __name__ == "__main__":
    if sys.platform == "linux":
        _die_with(int(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
