"""The ``server.properties`` of a broker that is alone on one machine."""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.native.ports import HOST

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""The largest batch taken: a 5 MB message must reach the intake to be refused with a reason."""

_FOREVER = 2**63 - 1


def server_properties(
    logs: Path, broker_port: int, controller_port: int, more: Mapping[str, str] | None = None
) -> str:
    """The settings file (KRaft, broker and controller in one process, one replica of all).

    Args:
        logs: folder of Kafka's logs.
        broker_port: where clients connect, on 127.0.0.1.
        controller_port: the KRaft quorum's own port, on 127.0.0.1.
        more: settings over these: those of a broker that asks who comes.
    """
    broker, controller = f"{HOST}:{broker_port}", f"{HOST}:{controller_port}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": controller,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENTS",
        "listeners": f"CLIENTS://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"CLIENTS://{broker}",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": _escaped(logs),
        # A misspelt topic must be an error, not a new topic.
        "auto.create.topics.enable": "false",
        # Kept for ever, and history may be replayed with its own timestamps. Segments are rolled
        # by size alone: by time, ten replayed years would be 520 segments a partition.
        "log.retention.ms": -1,
        "log.roll.ms": _FOREVER,
        "log.message.timestamp.before.max.ms": _FOREVER,
        "log.message.timestamp.after.max.ms": _FOREVER,
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
        # A stack that was off for longer than the usual seven days goes on where it stopped.
        "offsets.retention.minutes": 2**31 - 1,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # The setting session_seconds may be less than the usual 6.
        "group.min.session.timeout.ms": 1000,
        # After a crash the controller, which starts with it, refuses the broker until the session
        # of the dead one runs out: 11.7 s to start with the usual 9 s.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        # A laptop, not a data centre: the cleaner alone would take 128 MB of the heap.
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    settings |= {key: _escaped(value) for key, value in (more or {}).items()}
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _escaped(text: Path | str) -> str:
    r"""A text for a Java properties file, which escapes as JSON does: ``\\`` and ``\u0000``."""
    return json.dumps(str(text))[1:-1]
