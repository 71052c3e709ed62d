"""From what the monitors see to the alerts that would be told now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from fractions import Fraction

from consumers.drift.paths import value_of
from consumers.drift.watch import PERMITS, Seen, Sight
from consumers.drift.words import Figures, limit_of, summaries, worklist
from consumers.store.client import Store
from pipeline.catalogue.model import Count
from pipeline.catalogue.monitors import OF_COUNTS, OF_STOCKS, AtLeast, Fall
from pipeline.core.alerts import Standing, Stretch, Subject
from pipeline.core.delays import completeness
from pipeline.core.drift.cusum import Episode
from pipeline.core.drift.silence import Pause
from pipeline.core.rates import Ingredients, quotient
from schemas.alert import OPEN, Alert, State, alert_id
from schemas.districts import CITY


def standings(
    store: Store, sight: Sight, before: Iterable[Alert], at: datetime
) -> dict[Subject, Standing]:
    """How each monitor stands, where that may matter: an alarm now, or an alert not yet ended.

    Args:
        store: A connection, asked for a few figures of open alarms only.
        sight: What is seen.
        before: The newest state of every alert.
        at: When it was looked.
    """
    told: dict[Subject, Alert] = {a.subject: a for a in before if a.state in OPEN}
    found = {}
    for subject, seen in sight.seen.items():
        lasting = _lasting(seen)
        if lasting is None and subject not in told:
            continue
        since = lasting.since if lasting is not None else told[subject].since
        stretches = [Stretch(e.since, e.alarm, e.end) for e in seen.stretches]
        found[subject] = Standing(stretches, _alert(store, sight, seen, since, at))
    return found


def _lasting(seen: Seen) -> Episode | Pause | None:
    last = seen.stretches[-1] if seen.stretches else None
    return last if last is not None and last.end is None else None


def _alert(store: Store, sight: Sight, seen: Seen, since: date, at: datetime) -> Alert:
    monitor, lasting = seen.monitor, _lasting(seen)
    figures = _figures(seen, since)
    pause = lasting if isinstance(lasting, Pause) else None
    statistic, threshold = _compared(seen)
    zh, en = summaries(monitor, seen.name, seen.district, lasting, figures, since, seen.last)
    state: State = "firing" if seen.certain else "pending"
    return Alert(
        id=alert_id(*seen.subject, since),
        monitor=monitor.key,
        indicator=seen.name,
        district=seen.district,
        state=state,
        severity=monitor.severity_in(whole_city=seen.district == CITY),
        since=since,
        as_of=seen.last,
        known_on=sight.today,
        numerator=figures.numerator,
        denominator=figures.denominator,
        value=figures.value,
        low=figures.low,
        high=figures.high,
        completeness=_completeness(sight, seen, since),
        limit=limit_of(monitor, figures, pause),
        statistic=statistic,
        threshold=threshold,
        late_reporting_could_explain=_could_explain(store, sight, seen, figures, since),
        summary_zh=zh,
        summary_en=en,
        runbook=monitor.runbook,
        worklist=worklist(monitor, seen.name, seen.district, since, seen.last),
        at=at,
    )


def _figures(seen: Seen, since: date) -> Figures:
    """Numbers since the drift began; of a stock on the last day."""
    monitor, path = seen.monitor, seen.path
    if path is None:
        return Figures()
    series = path.series
    stock = isinstance(monitor.rule, OF_STOCKS)
    some, all_ = series.between(seen.last if stock else since, seen.last)
    other = all_ - some if monitor.odds else all_
    entry = monitor.entry
    parts = Ingredients(
        Fraction(round(some)), Fraction(round(other)), Fraction(entry.scale), "", (1.0,)
    )
    made = quotient(parts, entry.interval)
    lasting = path.lasting
    normal = None if lasting is None or stock else value_of(monitor, lasting.normal)
    value = None if made.value is None else float(made.value)
    return Figures(some, other, value, made.low, made.high, normal)


def _compared(seen: Seen) -> tuple[float, float]:
    """The statistic now, or at its highest since the alarm, and its limit."""
    lasting = _lasting(seen)
    if isinstance(lasting, Pause):
        return float(lasting.days), float(lasting.limit)
    path = seen.path
    if path is None:
        return 0.0, 0.0
    if lasting is not None and not isinstance(seen.monitor.rule, AtLeast):
        return lasting.statistic, lasting.limit
    newest = [float(x[-1]) for x in (path.up, path.down) if x[-1] == x[-1]]
    limit = float(path.limits[-1])
    return max(newest, default=0.0), limit if limit == limit else 0.0


def _completeness(sight: Sight, seen: Seen, since: date) -> float | None:
    """Expected share of the facts since the drift began that are known."""
    monitor = seen.monitor
    if not isinstance(monitor.rule, OF_COUNTS):
        return None
    bottom = monitor.entry.denominator
    shares = sight.shares.get(bottom.measure) if isinstance(bottom, Count) else None
    if shares is None:
        return None
    days = max((seen.last - since).days + 1, 1)
    return min(max(completeness(shares, (sight.today - seen.last).days, days), 0.0), 1.0)


def _could_explain(store: Store, sight: Sight, seen: Seen, figures: Figures, since: date) -> bool:
    """Whether reports that are still to come could make it normal again.

    Counts: if all that is expected to be missing were of the rarer kind. Levels: if the acts
    expected to be on their way were all registrations that are missed. Either way, if the feed
    that counts is silent.
    """
    monitor, path = seen.monitor, seen.path
    if path is None or figures.numerator is None or figures.denominator is None:
        return False
    if isinstance(monitor.rule, AtLeast | Fall):
        if _silent(sight, "police", "permit", seen.district):
            return True
        if path.lasting is None or not figures.denominator:
            return False
        rule, now = monitor.rule, float(path.down[-1])
        short = rule.limit - now if isinstance(rule, AtLeast) else now - rule.points
        coming = _permits_on_their_way(store, sight, seen.district)
        return 100 * coming >= short * figures.denominator
    if _silent(sight, "health", "birth", seen.district):
        return True
    lasting, complete = path.lasting, _completeness(sight, seen, since)
    if lasting is None or not complete:
        return lasting is not None
    some, all_ = path.series.between(since, seen.last)
    missing = all_ * (1 / complete - 1)
    if lasting.direction == "up":
        return some <= lasting.normal * (all_ + missing)
    return some + missing >= lasting.normal * (all_ + missing)


def _silent(sight: Sight, sector: str, kind: str, district: str) -> bool:
    """Whether a source of the sector is silent, or its events of the kind there."""
    return any(
        name == f"{sector}.{kind}" and (place == district or district == CITY)
        if place != CITY
        else name.startswith(f"{sector}.")
        for name, place in sight.quiet
    )


def _permits_on_their_way(store: Store, sight: Sight, district: str) -> float:
    """Registrations of the last four weeks' pace that are expected to be reported yet."""
    shares = sight.shares.get(PERMITS)
    if shares is None:
        return 0.0
    place = "" if district == CITY else " AND district = {district:String}"
    rows = store.query(
        "SELECT sum(value) FROM population.cells FINAL WHERE measure = 'permits'"  # noqa: S608
        " AND band != 'cancel' AND day <= {today:Date32} AND day > {today:Date32} - 28" + place,
        {"today": sight.today, "district": district},
    )
    return max(float(rows[0][0]), 0.0) / 28 * sum(1 - share for share in shares)
