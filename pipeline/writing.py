"""Writing to a store that may be away: nothing is acknowledged meanwhile, nothing is lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from consumers.store.client import Store
from consumers.store.errors import StoreUnavailable
from pipeline.folding import Columns, by_column
from pipeline.metrics import STORE_RETRIES

log = logging.getLogger(__name__)
Result = TypeVar("Result")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


async def until_stored(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Try until the store answers, with growing pauses.

    The caller's batch stays unacknowledged, so the transport stops fetching once its window is
    full: that is the back-pressure. An error that trying again cannot mend is raised.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return await attempt()
        except StoreUnavailable as error:
            STORE_RETRIES.inc()
            log.warning("The store does not answer (%s); trying again in %.1f s", error, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


async def insert(
    store: Store, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Write rows, if there are any; returns when every reader sees them."""
    if rows:
        await insert_columns(store, table, by_column(columns, rows))


async def insert_columns(store: Store, table: str, columns: Columns) -> None:
    """Write rows given as columns; returns when every reader sees them."""
    await until_stored(lambda: asyncio.to_thread(store.insert, table, columns))
