"""A broker with every topic, for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from schemas.topics import specs


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as kafka:
        ensure_topics(kafka.bootstrap, specs(1))
        yield kafka.bootstrap
