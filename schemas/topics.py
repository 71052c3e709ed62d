"""Topics of the pipeline with the settings they are created with."""

from dataclasses import dataclass, field

from schemas.events import TOPIC_KINDS

JOURNAL = "population.journal.v1"
"""Accepted events, unchanged bytes, keyed and partitioned by person, kept for ever."""
REJECTED = "population.rejected.v1"
READINGS = "population.readings.v1"
ALERTS = "population.alerts.v1"
RAW = tuple(TOPIC_KINDS)
"""Where publishers write: one topic for each kind of event."""

MAX_EVENT_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""What the broker takes, far above the limit of an event: a refusal must be able to hold it."""

PARTITIONS = 4


@dataclass(frozen=True)
class TopicSpec:
    """One topic as it is created; ``config`` as Kafka names its topic settings."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


def specs(partitions: int = PARTITIONS, *, forge_proof: bool = False) -> list[TopicSpec]:
    """All topics.

    Args:
        partitions: of every topic; the raw topics and the journal need not agree, but one number
            keeps the assignment of workers even.
        forge_proof: the broker stamps raw messages (LogAppendTime), so that no publisher can
            choose its ``known_on``. Off on one machine, where history is replayed with the
            publisher's own timestamps.
    """
    for_ever = {
        "retention.ms": "-1",
        # Segments roll by event time: a replay of ten years would make hundreds of them.
        "segment.ms": str(2**63 - 1),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
    }
    stamp = "LogAppendTime" if forge_proof else "CreateTime"
    raw = [
        TopicSpec(name, partitions, {**for_ever, "message.timestamp.type": stamp}) for name in RAW
    ]
    ours = [
        TopicSpec(name, partitions, {**for_ever, "message.timestamp.type": "CreateTime"})
        for name in (JOURNAL, REJECTED, READINGS, ALERTS)
    ]
    return raw + ours
