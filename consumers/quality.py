"""What a publisher sent in a week, and how good it was: read from the store, as values."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from consumers.rejected import SOURCE_OF_VALUE
from consumers.store.client import Store

RATIO = 0.05
"""Share of a source's messages refused beyond which somebody should look."""
LEAST = 20
"""Refusals below which a share says nothing."""
_EXAMPLES = 3


@dataclass(frozen=True)
class RefusedOfCode:
    """Refusals of one code: how many, how many were mended since, and some of them (masked)."""

    code: str
    messages: int
    mended: int
    examples: tuple[tuple[str, str], ...]
    """Number of the refused message and its reason; never a value."""


@dataclass(frozen=True)
class Delay:
    """Days from the act to the day on which it became known, of first reports of one kind."""

    kind: str
    reports: int
    median: float
    ninetieth: float
    latest: int


@dataclass(frozen=True)
class Quality:
    """One publisher's week (by the local day on which messages arrived).

    Attributes:
        source: the publisher; empty for messages that name nobody.
        monday: first of the seven days.
        accepted: reports by kind.
        corrections: of them, those with a revision above 1.
        withdrawals: of them, those that are void.
        refused: by code, the most frequent first.
        delays: by kind.
        silent: days of the week without any message.
        findings: standing findings about its records of that week, by code.
    """

    source: str
    monday: date
    accepted: dict[str, int] = field(default_factory=dict)
    corrections: int = 0
    withdrawals: int = 0
    refused: tuple[RefusedOfCode, ...] = ()
    delays: tuple[Delay, ...] = ()
    silent: tuple[date, ...] = ()
    findings: dict[str, int] = field(default_factory=dict)

    @property
    def total_accepted(self) -> int:
        """Reports of all kinds."""
        return sum(self.accepted.values())

    @property
    def total_refused(self) -> int:
        """Refusals of all codes."""
        return sum(one.messages for one in self.refused)

    @property
    def refused_share(self) -> float | None:
        """Of all messages; ``None`` where there were none."""
        total = self.total_accepted + self.total_refused
        return self.total_refused / total if total else None

    @property
    def needs_a_look(self) -> bool:
        """Whether so much was refused that somebody should look."""
        return refusals_exceed(self.total_accepted, self.total_refused)


def refusals_exceed(
    accepted: float, refused: float, *, ratio: float = RATIO, least: float = LEAST
) -> bool:
    """Whether a source's refusals pass a ratio of its messages, and are more than a few.

    The rule of the alert on ``popflow_events_refused_total`` says the same.
    """
    return refused >= least and refused > ratio * (accepted + refused)


def monday_of(week: str) -> date:
    """First day of an ISO week, ``2026-W10``.

    Raises:
        ValueError: it is no week.
    """
    year, found, number = week.partition("-W")
    if not found or len(year) != 4 or len(number) != 2:
        raise ValueError(f"{week!r} is no week: write it like 2026-W10")
    try:
        return date.fromisocalendar(int(year), int(number), 1)
    except ValueError:
        raise ValueError(f"{week!r} is no week: write it like 2026-W10") from None


def week_before(today: date) -> date:
    """Monday of the last week that is over."""
    return today - timedelta(days=today.weekday() + 7)


def quality(store: Store, monday: date, today: date, *, source: str | None = None) -> list[Quality]:
    """The week of every publisher that is registered or sent something, by name.

    Args:
        store: a connection.
        monday: first day of the week.
        today: days after it are not silent yet.
        source: only this one.

    Raises:
        StoreUnavailable: ClickHouse is away.
    """
    week = {"monday": monday, "sunday": monday + timedelta(days=6)}
    accepted = _accepted(store, week)
    refused = _refused(store, week)
    delays = _delays(store, week)
    findings = _findings(store, week)
    active = _active_days(store, week)
    registered = [row[0] for row in store.query("SELECT name FROM population.sources")]
    names = sorted({*registered, *accepted, *refused})
    week_days = [monday + timedelta(days=number) for number in range(7)]
    days = [day for day in week_days if day <= today]
    return [
        Quality(
            name,
            monday,
            *accepted.get(name, ({}, 0, 0)),
            refused.get(name, ()),
            delays.get(name, ()),
            tuple(day for day in days if day not in active.get(name, set())),
            findings.get(name, {}),
        )
        for name in names
        if source in (None, name)
    ]


def _accepted(store: Store, week: dict[str, date]) -> dict[str, tuple[dict[str, int], int, int]]:
    found: dict[str, tuple[dict[str, int], int, int]] = {}
    for name, kind, count, corrections, withdrawals in store.query(
        "SELECT source, kind, count(), countIf(revision > 1), countIf(void)"
        " FROM population.reports FINAL"
        " WHERE known_on BETWEEN {monday:Date32} AND {sunday:Date32}"
        " GROUP BY source, kind ORDER BY source, kind",
        week,
    ):
        kinds, before, voids = found.get(name, ({}, 0, 0))
        found[name] = ({**kinds, kind: count}, before + corrections, voids + withdrawals)
    return found


def _refused(store: Store, week: dict[str, date]) -> dict[str, tuple[RefusedOfCode, ...]]:
    found: dict[str, tuple[RefusedOfCode, ...]] = {}
    for name, code, count, mended, examples in store.query(
        f"SELECT {SOURCE_OF_VALUE} AS claimed, code, count() AS n, countIf(mended),"  # noqa: S608 - constants of ours
        f" groupArray({_EXAMPLES})((id, substringUTF8(reason, 1, 300)))"
        " FROM (SELECT * FROM population.rejected WHERE toDate32(rejected_at)"
        " BETWEEN {monday:Date32} AND {sunday:Date32} ORDER BY rejected_at DESC, id)"
        " GROUP BY claimed, code ORDER BY claimed, n DESC, code",
        week,
    ):
        one = RefusedOfCode(code, count, mended, tuple((i, text) for i, text in examples))
        found[name] = (*found.get(name, ()), one)
    return found


def _delays(store: Store, week: dict[str, date]) -> dict[str, tuple[Delay, ...]]:
    found: dict[str, tuple[Delay, ...]] = {}
    for name, kind, count, (median, ninetieth), latest in store.query(
        "SELECT source, kind, count(), quantilesExactInclusive(0.5, 0.9)(late), max(late) FROM"
        " (SELECT source, kind, toInt32(known_on) - toInt32(assumeNotNull(day)) AS late"
        " FROM population.reports FINAL WHERE known_on BETWEEN {monday:Date32} AND {sunday:Date32}"
        " AND revision = 1 AND NOT void AND day IS NOT NULL)"
        " GROUP BY source, kind ORDER BY source, kind",
        week,
    ):
        one = Delay(kind, count, float(median), float(ninetieth), int(latest))
        found[name] = (*found.get(name, ()), one)
    return found


def _findings(store: Store, week: dict[str, date]) -> dict[str, dict[str, int]]:
    """A finding belongs to the sources of its record; a conflict to the one that caused it."""
    found: dict[str, dict[str, int]] = {}
    rows: list[tuple[Any, ...]] = store.query(
        "SELECT r.source, f.code, count() AS n FROM"
        " (SELECT DISTINCT code, person, kind, record_id FROM population.findings"
        " WHERE code != 'conflicting_revision') AS f"
        " INNER JOIN (SELECT DISTINCT source, person, kind, record_id FROM population.reports"
        " WHERE known_on BETWEEN {monday:Date32} AND {sunday:Date32}) AS r"
        " USING (person, kind, record_id) GROUP BY r.source, f.code"
        " UNION ALL SELECT source, code, count() AS n FROM population.finding_rows FINAL"
        " WHERE standing AND code = 'conflicting_revision' AND (kind, record_id, person, source) IN"
        " (SELECT kind, record_id, person, source FROM population.reports"
        " WHERE known_on BETWEEN {monday:Date32} AND {sunday:Date32}) GROUP BY source, code",
        week,
    )
    for name, code, count in sorted(rows):
        found.setdefault(name, {})[code] = count
    return found


def _active_days(store: Store, week: dict[str, date]) -> dict[str, set[date]]:
    found: dict[str, set[date]] = {}
    for name, day in store.query(
        "SELECT DISTINCT source, known_on FROM population.reports"  # noqa: S608 - as above
        " WHERE known_on BETWEEN {monday:Date32} AND {sunday:Date32}"
        f" UNION ALL SELECT DISTINCT {SOURCE_OF_VALUE} AS source, toDate32(rejected_at) AS known_on"
        " FROM population.rejected WHERE toDate32(rejected_at)"
        " BETWEEN {monday:Date32} AND {sunday:Date32}",
        week,
    ):
        found.setdefault(name, set()).add(day)
    return found
