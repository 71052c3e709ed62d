"""Free ports on 127.0.0.1."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
"""The one address that anything of the one-machine stack listens on."""


def is_free(port: int) -> bool:
    """Whether nothing listens on the port (connections still closing do not count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Different ports that are free now; another process may still be quicker to take one."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
