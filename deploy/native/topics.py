"""Create the stack's topics and keep their settings as specified."""

import socket
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from deploy.native.errors import NativeError
from producers.access import client_settings
from producers.diagnosis import explain

_BOOTSTRAP_SECONDS = 15


class Spec(Protocol):
    """What a topic should be; ``config`` as Kafka names its topic settings."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def partitions(self) -> int: ...  # noqa: D102
    @property
    def config(self) -> Mapping[str, str]: ...  # noqa: D102


class TopicError(NativeError):
    """A topic cannot be made what its specification says."""


def ensure_topics(bootstrap: str, specs: Sequence[Spec], *, replication_factor: int = 1) -> None:
    """Create missing topics and set settings that differ; returns when all have leaders.

    Settings outside the specification stay as an operator set them.

    Args:
        bootstrap: ``host:port`` of a broker, or several with commas between them.
        specs: the topics wanted.
        replication_factor: for topics created now; existing ones keep theirs.

    Raises:
        TopicError: an existing topic has another number of partitions (which moves persons
            between partitions, so it is never changed here), or the broker refuses or is away.
    """
    _check_reachable(bootstrap)
    try:
        with _connected(bootstrap) as admin:
            existing = {
                topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()
            }
            known = [spec for spec in specs if spec.name in existing]
            _check_partitions(known, existing)
            _create(admin, [s for s in specs if s.name not in existing], replication_factor)
            _mend_settings(admin, known)
            admin.wait_for_topics([spec.name for spec in specs])
    except (KafkaError, ValueError) as error:  # ValueError: a setting Kafka does not know
        explain(bootstrap)
        raise TopicError(f"Kafka at {bootstrap} did not take the topics: {error}.") from error


def _check_reachable(bootstrap: str) -> None:
    """Ask by TCP first: an admin client that finds no broker leaves a thread and sockets behind."""
    for broker in bootstrap.split(","):
        host, _, port = broker.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_BOOTSTRAP_SECONDS).close()
        except (OSError, ValueError):  # ValueError: no port, or none that is a number
            continue
        return
    raise TopicError(
        f"No Kafka broker answers at {bootstrap}: start it (popflow up does), or correct the "
        "address (host:port)."
    )


# kafka-python has no type hints; these two are where it is entered.
def _connected(bootstrap: str) -> Any:
    timeout_ms = _BOOTSTRAP_SECONDS * 1000
    return KafkaAdminClient(
        bootstrap_servers=bootstrap, bootstrap_timeout_ms=timeout_ms, **client_settings()
    )


def _settings_of(topic: str, settings: list[str] | dict[str, str]) -> Any:
    return ConfigResource(ConfigResourceType.TOPIC, topic, settings)


def _check_partitions(known: Sequence[Spec], existing: Mapping[str, int]) -> None:
    for spec in known:
        if existing[spec.name] != spec.partitions:
            raise TopicError(
                f"Topic {spec.name} has {existing[spec.name]} partitions, but {spec.partitions} "
                "are wanted. The number cannot change once a stack holds events, since persons "
                f"would change partition: keep {existing[spec.name]}, or start a new stack in "
                "another folder."
            )


def _create(admin: Any, missing: Sequence[Spec], replication_factor: int) -> None:
    if missing:
        admin.create_topics(
            {
                spec.name: {
                    "num_partitions": spec.partitions,
                    "replication_factor": replication_factor,
                    "configs": dict(spec.config),
                }
                for spec in missing
            }
        )


def _mend_settings(admin: Any, known: Sequence[Spec]) -> None:
    """Set what differs, by value in force: one that equals the broker's default is no drift."""
    configured = [spec for spec in known if spec.config]
    if not configured:
        return
    asked = [_settings_of(s.name, list(s.config)) for s in configured]
    in_force = admin.describe_configs(asked, config_filter="all")["topic"]
    drifted = [
        _settings_of(spec.name, differing)
        for spec in configured
        if (differing := _differing(spec.config, in_force[spec.name]))
    ]
    if not drifted:
        return
    for name, answer in admin.alter_configs(drifted)["topic"].items():
        if answer != "OK":
            raise TopicError(f"Kafka refused the settings of topic {name}: {answer}.")


def _differing(
    wanted: Mapping[str, str], in_force: Mapping[str, Mapping[str, object]]
) -> dict[str, str]:
    return {
        key: value
        for key, value in wanted.items()
        if key not in in_force or in_force[key]["value"] != value
    }
