"""Where a running stack answers. Every command asks this first, so nothing heavy is imported."""

import fcntl
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from deploy.native.hold import holder

STACK_FILE = "stack.json"
SUPERVISOR = "supervisor.pid"


@dataclass(frozen=True)
class Endpoints:
    """Where a running stack answers."""

    bootstrap: str
    clickhouse: str
    clickhouse_user: str
    clickhouse_password_file: str
    metrics: list[str]
    page: str | None
    pid: int
    kafka_client: str | None = None

    def clickhouse_url(self) -> str:
        """The store's URL with user and password."""
        password = Path(self.clickhouse_password_file).read_text("utf-8").strip()
        login = f"{quote(self.clickhouse_user, safe='')}:{quote(password, safe='')}"
        return self.clickhouse.replace("://", f"://{login}@", 1)


def occupant(seat: Path) -> int | None:
    """Process number of whoever lives and holds a pid file; ``None`` when nobody does any more.

    What a killed process left in the file does not count: the kernel gave its lock up.
    """
    try:
        with seat.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return holder(seat)
    except FileNotFoundError:
        return None
    return None


def running(data: Path) -> Endpoints | None:
    """The stack that runs on a data folder; ``None`` when none does."""
    if occupant(data / SUPERVISOR) is None:
        return None
    try:
        return Endpoints(**json.loads((data / STACK_FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
