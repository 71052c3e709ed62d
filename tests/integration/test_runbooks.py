"""Every query of every runbook runs on the engine, as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from consumers.store.views import create_views
from tests.meta.documents import ROOT, Block, blocks

QUERIES = [
    block
    for path in sorted((ROOT / "deploy/runbooks").glob("*.md"))
    for block in blocks(path)
    if block.language == "sql"
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("store")
    with EmbeddedStore(folder) as running, running.store() as connected:
        migrate(connected)
        create_views(connected)
        yield connected


def test_there_are_some() -> None:
    assert len(QUERIES) >= 8


@pytest.mark.parametrize("block", QUERIES, ids=str)
def test_it_runs(block: Block, reader: Store) -> None:
    assert reader.query(block.code) == []
