"""The access control lists: a publisher writes its topics, the pipeline does what it needs.

Nobody but the pipeline and administrators reads raw topics, the journal or what was refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.group import GROUP
from schemas.topics import ALERTS, JOURNAL, RAW, READINGS, REJECTED


class Grant(NamedTuple):
    """One principal may do one thing with one resource; all else is denied."""

    principal: str
    operation: str
    kind: str
    name: str

    def command(self) -> str:
        """As arguments of Kafka's own ``kafka-acls.sh --add``."""
        principal = f"--allow-principal '{self.principal}'"
        return f"{principal} --operation {self.operation} --{self.kind} '{self.name}'"


def publisher(user: str, topics: Iterable[str]) -> list[Grant]:
    """What a publisher may do: write to its topics, and see that they exist.

    Raises:
        ValueError: a topic is none that publishers write to.
    """
    wanted = list(topics)
    for topic in wanted:
        if topic not in RAW:
            raise ValueError(f"{topic} is no topic of publishers; these are {', '.join(RAW)}")
    principal = f"User:{user}"
    return [
        Grant(principal, operation, "topic", topic)
        for topic in wanted
        for operation in ("Write", "Describe")
    ]


def pipeline(user: str) -> list[Grant]:
    """What the workers may do. ``Delete`` of raw topics takes identity numbers out of them."""
    principal = f"User:{user}"
    reads = [Grant(principal, op, "topic", t) for t in (*RAW, JOURNAL) for op in ("Read", "Delete")]
    writes = [
        Grant(principal, "Write", "topic", topic) for topic in (JOURNAL, REJECTED, READINGS, ALERTS)
    ]
    group = [Grant(principal, "Read", "group", GROUP)]
    return [*reads, *writes, *group]


def script(grants: Iterable[Grant], bootstrap: str) -> str:
    """Commands that set them on a Kafka of one's own, run as its administrator."""
    tool = f"kafka-acls.sh --bootstrap-server {bootstrap} --command-config admin.properties --add"
    return "".join(f"{tool} {grant.command()}\n" for grant in grants)
