from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.stack import RunningStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One stack for all tests that only add to it."""
    running = RunningStack(tmp_path_factory.mktemp("stack"), "--workers", "2").start()
    yield running
    assert running.stop() == 0
