"""``python -m deploy.k8s``: write Strimzi's topics and users from the specification of topics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from schemas.topics import RAW, TopicSpec, specs

HERE = Path(__file__).parent
CLUSTER = {"strimzi.io/cluster": "population"}
PARTITIONS = 12
REPLICAS = 3


def topic(spec: TopicSpec) -> dict[str, Any]:
    """One topic."""
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": spec.name, "labels": CLUSTER},
        "spec": {
            "partitions": spec.partitions,
            "replicas": REPLICAS,
            "config": {**spec.config, "min.insync.replicas": str(REPLICAS - 1)},
        },
    }


def _user(name: str, acls: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": name, "labels": CLUSTER},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": acls},
        },
    }


def _may(kind: str, name: str, *operations: str, prefix: bool = False) -> dict[str, Any]:
    pattern = {"type": kind, "name": name, "patternType": "prefix" if prefix else "literal"}
    return {"resource": pattern, "operations": list(operations)}


def pipeline() -> dict[str, Any]:
    """The workers: everything of the population topics and of their group."""
    return _user(
        "popflow",
        [
            _may("topic", "population.", "All", prefix=True),
            _may("group", "popflow", "All", prefix=True),
            {"resource": {"type": "cluster"}, "operations": ["IdempotentWrite", "Describe"]},
        ],
    )


def publisher(source: str, *topics: str) -> dict[str, Any]:
    """A publisher: writes its topics, reads none."""
    return _user(source, [_may("topic", name, "Write", "Describe") for name in topics])


def documents() -> dict[Path, str]:
    """Every generated file and its text."""
    births, deaths, moves, permits, discharges = RAW
    users = [
        pipeline(),
        publisher("health.hospital-one", births, deaths, discharges),
        publisher("police.household", births, deaths, moves),
        publisher("police.permits", permits),
    ]
    made = "# Made by python -m deploy.k8s; do not edit.\n"
    return {
        HERE / f"{name}.yaml": made + yaml.safe_dump_all(items, sort_keys=False)
        for name, items in {
            "kafka-topics": [topic(spec) for spec in specs(PARTITIONS, forge_proof=True)],
            "kafka-users": users,
        }.items()
    }


def main() -> None:
    """Write all files."""
    for path, text in documents().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
