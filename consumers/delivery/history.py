"""What of the alerts' topic is news to a receiver: values in, values out."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from schemas.alert import Alert

PENDING, FIRING = "pending", "firing"


class Change(NamedTuple):
    """One change of an alert that somebody has to be told.

    Attributes:
        key: ``ID-STATE``, the same however often it is sent; ``ID-STATE-2`` when the same episode
            comes to that state a second time (withdrawn, then firing after all).
        alert: as published.
        beginning: the alert as it was when it began to fire; itself when that is not known.
    """

    key: str
    alert: Alert
    beginning: Alert


class History:
    """The changes of a topic as they come, each new one once.

    Attributes:
        firing: what fires now, by episode.
    """

    def __init__(self) -> None:
        self.firing: dict[str, Change] = {}
        self._began: dict[str, Alert] = {}
        self._last: dict[str, str] = {}
        self._seen: set[tuple[str, str, str]] = set()
        self._times: Counter[tuple[str, str]] = Counter()

    def add(self, alert: Alert) -> Change | None:
        """Note a change; gives it when somebody has to be told.

        Nobody is told of ``pending``, of a repeat, or of the end of what was pending only: nobody
        knew of it. Of an end whose beginning is not in the topic somebody is told all the same.
        """
        last = self._last.get(alert.id)
        written = (alert.id, alert.state, alert.at.isoformat())
        if last == alert.state or written in self._seen:
            return None
        self._seen.add(written)
        self._last[alert.id] = alert.state
        if alert.state == PENDING:
            return None
        if alert.state == FIRING:
            self._began[alert.id] = alert
            change = self._change(alert)
            self.firing[alert.id] = change
            return change
        self.firing.pop(alert.id, None)
        return self._change(alert) if last is None or alert.id in self._began else None

    def _change(self, alert: Alert) -> Change:
        name = (alert.id, alert.state)
        self._times[name] += 1
        times = self._times[name]
        key = "-".join(name) if times == 1 else f"{alert.id}-{alert.state}-{times}"
        return Change(key, alert, self._began.get(alert.id, alert))
