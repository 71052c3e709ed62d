"""An engine with every table and view, and a broker with every topic, for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.views import create_views
from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from schemas.topics import specs


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running, running.store() as connected:
        migrate(connected)
        create_views(connected)
        yield connected


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as kafka:
        ensure_topics(kafka.bootstrap, specs(1))
        yield kafka.bootstrap
