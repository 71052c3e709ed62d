"""The life of an alert: what the newest paths say, compared with what was said before.

Nothing is remembered beside the published alerts themselves. A late event gives another path; an
episode of that path which overlaps a published alert is that alert, so it keeps its id, and a
path without one withdraws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from schemas.alert import OPEN, Alert, alert_id

SLACK = timedelta(days=28)
"""How far the estimated beginning of one episode may move when it is derived anew."""

Subject = tuple[str, str, str]


@dataclass(frozen=True)
class Stretch:
    """Days of alarm, as the newest path has them; ``end`` is None while it lasts."""

    since: date
    alarm: date
    end: date | None


@dataclass(frozen=True)
class Standing:
    """How one monitor sees one series now.

    Attributes:
        stretches: its alarms, in order of time; the last may still be open.
        figures: the alert with present figures, in state ``pending`` or ``firing`` for an open
            stretch; its id and beginning are settled here.
    """

    stretches: Sequence[Stretch]
    figures: Alert

    @property
    def lasting(self) -> Stretch | None:
        """The alarm that lasts."""
        last = self.stretches[-1] if self.stretches else None
        return last if last is not None and last.end is None else None


def changes(
    before: Iterable[Alert], standings: Mapping[Subject, Standing], known_on: date, at: datetime
) -> list[Alert]:
    """The alerts to publish: only where a state is another than before.

    Args:
        before: the newest state of every alert there ever was.
        standings: what is seen now, by monitor, indicator and district. A subject that is not
            there any more withdraws its alerts.
        known_on: by what was known on this day.
        at: when they are published.

    Returns:
        First what ended, then what began, each in the order of the subjects.
    """
    told: dict[Subject, list[Alert]] = {}
    for alert in before:
        told.setdefault(alert.subject, []).append(alert)
    ended, begun = [], []
    for subject in (*standings, *(key for key in told if key not in standings)):
        standing = standings.get(subject)
        alerts = told.get(subject, [])
        same = None
        if standing is not None and standing.lasting is not None:
            same = _same(alerts, standing.lasting)
            begun += _begun(same, standing, standing.lasting)
        ended += [
            _ended(alert, standing)
            for alert in alerts
            if alert.state in OPEN and (same is None or alert.id != same.id)
        ]
    dated = {"known_on": known_on, "at": at}
    return [alert.model_copy(update=dated) for alert in (*ended, *begun)]


def _overlap(alert: Alert, stretch: Stretch) -> bool:
    return alert.since - SLACK <= (stretch.end or date.max) and stretch.since <= (
        alert.as_of + SLACK if alert.state in OPEN else alert.as_of
    )


def _same(alerts: Iterable[Alert], stretch: Stretch) -> Alert | None:
    """The alert that told of an open stretch; an open one before one that was ended too early."""
    candidates = [alert for alert in alerts if _overlap(alert, stretch)]
    candidates.sort(key=lambda alert: (alert.state in OPEN, alert.at))
    return candidates[-1] if candidates else None


def _begun(same: Alert | None, standing: Standing, stretch: Stretch) -> list[Alert]:
    figures = standing.figures
    if same is not None and same.state in (figures.state, "firing"):
        return []  # what fires does not go back to being doubtful
    known = same.id if same else alert_id(*figures.subject, stretch.since)
    return [figures.model_copy(update={"id": known, "since": stretch.since})]


def _ended(alert: Alert, standing: Standing | None) -> Alert:
    """Resolved if the newest path had an alarm then, else withdrawn."""
    if standing is None:
        return alert.model_copy(update={"state": "withdrawn"})
    was_so = any(_overlap(alert, stretch) for stretch in standing.stretches)
    state = "resolved" if was_so else "withdrawn"
    return standing.figures.model_copy(
        update={"id": alert.id, "state": state, "since": alert.since}
    )
