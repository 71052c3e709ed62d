"""For all tests: an engine with every table and view; a busy machine fails no law of Hypothesis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.views import create_views

settings.register_profile("popflow", deadline=None)
settings.load_profile("popflow")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running, running.store() as connected:
        migrate(connected)
        create_views(connected)
        yield connected
