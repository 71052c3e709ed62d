"""Alerts that somebody does not want to hear of for some days (``popflow alerts``)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from consumers.store.client import Store
from consumers.store.errors import StoreError

log = logging.getLogger(__name__)

Silences = Callable[[], frozenset[str]]
"""Gives the ids of the alerts that are silenced now."""


def nothing() -> frozenset[str]:
    """No alert is silenced."""
    return frozenset()


class Silenced:
    """The silences of a store; while it is away none: better told too often than not.

    Args:
        connect: to the store; tried when it is first needed, and again until it answers.
    """

    def __init__(self, connect: Callable[[], Store]) -> None:
        self._connect = connect
        self._store: Store | None = None
        self._turn = threading.Lock()

    def __call__(self) -> frozenset[str]:
        """Those of now."""
        try:
            rows = self._connected().query(
                "SELECT id FROM population.alerts"
                " WHERE silenced_by != '' AND silenced_until > now64(3)"
            )
        except StoreError as error:
            log.warning("silences are not known: %s", error)
            return frozenset()
        return frozenset(row[0] for row in rows)

    def _connected(self) -> Store:
        with self._turn:
            if self._store is None:
                self._store = self._connect()
            return self._store
