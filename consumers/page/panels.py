"""What each panel of the page shows, put together from the store's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from math import exp
from typing import TYPE_CHECKING, Any

from consumers.page import reads
from consumers.page.errors import QuestionError
from consumers.page.reads import Row, View
from consumers.store.client import Store
from consumers.store.public import STEP
from pipeline.catalogue import INDICATORS, TARGETS, Target
from pipeline.catalogue.monitors import MONITORS, shift_of
from pipeline.catalogue.vocabulary import MEASURES
from pipeline.core.scorecard import Figure, Verdict, accepted, judge, printed_start
from schemas.districts import CITY, INSIDE

if TYPE_CHECKING:
    from consumers.drift.paths import Paths

MANAGEMENT = ("migrant_management_rate", "registered_in_time_rate", "endorsed_in_time_rate")
RATIO = "sex_ratio_at_birth"
RATIO_WINDOW = "364d"
MONITOR = "sex_ratio_shift"
NORMAL_RATIO = 105.0
"""Boys to a hundred girls, against which a path is drawn before its own baseline is known."""
COUNTED_DAYS = 364
FUNNEL_STEPS = 60
IMPROBABLE = 7.0
"""Reports expected in a silence that is worth a word: none of so many has odds of a thousandth."""


def which(params: Mapping[str, str]) -> tuple[str, str, str]:
    """Indicator, base and window that are asked for; base and window have defaults.

    Raises:
        QuestionError: a name that does not exist; the message lists those that do.
    """
    key = params.get("key", "")
    if key not in INDICATORS:
        raise QuestionError(f"there is no indicator {key[:40]!r}; there are {_listed(INDICATORS)}")
    entry = INDICATORS[key]
    base = params.get("base", entry.bases[0])
    window = params.get("window", entry.windows[0])
    if base not in entry.bases:
        raise QuestionError(f"{key} has no base {base[:40]!r}; it has {_listed(entry.bases)}")
    if window not in entry.windows:
        raise QuestionError(f"{key} has no window {window[:40]!r}; it has {_listed(entry.windows)}")
    return key, base, window


def area(params: Mapping[str, str]) -> str:
    """The district that is asked for; the city by default.

    Raises:
        QuestionError: it is none of the ten, nor the city.
    """
    code = params.get("district", CITY)
    if code != CITY and code not in INSIDE:
        raise QuestionError(
            f"there is no district {code[:40]!r}; there are {_listed(sorted(INSIDE))},"
            f" and {CITY} for the city"
        )
    return code


def by_district(store: Store, view: View, key: str, base: str, window: str) -> list[Row]:
    """One indicator in every district and the city."""
    found = reads.figures(store, view, indicators=[key], windows=[window])
    return [row for row in found if row["base"] == base]


def targets(store: Store, view: View) -> list[Row]:
    """The city's figure for each target of the plan, with what it says of the target."""
    found = reads.targets(store, view)
    plan = {(t.indicator, t.base, t.window): t for t in TARGETS}
    for row in found:
        judged = verdict(plan[row["indicator"], row["base"], row["window"]], row)
        row["verdict"], row["why"] = judged.outcome, judged.why
    return found


def verdict(target: Target, row: Row) -> Verdict:
    """Whether the figure of a row meets its target, by the scorecard's rules."""
    band = accepted(target.comparator, target.low, target.high, printed_start(target.baseline))
    figure = Figure(
        None if row["value"] is None else Fraction(row["value"]),
        row["low"],
        row["high"],
        row["completeness"],
        row["reason"],
        row["note"] == "unknown_sex",
    )
    return judge(figure, band)


def management(store: Store, view: View) -> list[Row]:
    """The three rates of the management of migrants, by district."""
    found = reads.figures(store, view, indicators=MANAGEMENT, windows=["1d", "7d", "91d", "364d"])
    found += reads.figures(store, view, indicators=["migrants_known"])
    return found


def ratio(store: Store, view: View, paths: Paths) -> dict[str, Any]:
    """The funnel of the sex ratio at birth, and the path of its monitor.

    The path is that of now, and of exact daily counts: neither a past day of knowledge nor the
    public has one.
    """
    rows = reads.figures(store, view, indicators=[RATIO], windows=[RATIO_WINDOW])
    path = None if view.public or view.known_on else _path(store, paths)
    return {"rows": rows, "window": RATIO_WINDOW, **_funnel(rows), "path": path}


def _funnel(rows: list[Row]) -> dict[str, Any]:
    """Limits by number of births, and the districts beyond the outer ones."""
    from pipeline.core.drift.funnel import funnel_limits, place  # SciPy takes a moment

    city = next((row for row in rows if row["district"] == CITY), None)
    shown = [row for row in rows if row["value"] is not None and row["district"] != CITY]
    if city is None or not city["value"] or not shown:
        return {"center": None, "limits": [], "outside": []}
    share = city["numerator"] / (city["numerator"] + city["denominator"])
    most = max(map(_births, shown)) * 1.15
    sizes = [max(1.0, most * step / FUNNEL_STEPS) for step in range(1, FUNNEL_STEPS + 1)]
    return {
        "center": city["value"],
        "limits": [{"births": births, **_limits(births, share)} for births in sizes],
        "outside": [
            row["district"]
            for row in shown
            if place(row["numerator"], _births(row), funnel_limits(_births(row), share))
            == "outside998"
        ],
    }


def _path(store: Store, paths: Paths) -> dict[str, Any] | None:
    """The city's CUSUM as the monitor has it; while no baseline is known, against 105."""
    from consumers.drift.paths import SUREST
    from consumers.drift.watch import look
    from pipeline.core.drift.cusum import Design, cusum

    seen = look(store, reads.today(), paths, [MONITOR]).seen.get((MONITOR, RATIO, CITY))
    if seen is None or seen.path is None or not seen.path.series.trials.any():
        return None
    path, rule = seen.path, shift_of(RATIO)
    learned = next((each for each in reversed(path.baselines) if each is not None), None)
    if learned is None:
        known = NORMAL_RATIO / (100 + NORMAL_RATIO)
        path = cusum(path.series, Design(rule.factor, rule.promise_days, SUREST, known))
    first = max(0, len(path.series) - reads.COURSE_DAYS)
    return {
        "days": [path.series.day(index) for index in range(first, len(path.series))],
        "up": path.up[first:].tolist(),
        "down": path.down[first:].tolist(),
        "limits": path.limits[first:].tolist(),
        "normal": NORMAL_RATIO if learned is None else 100 * exp(learned.odds),
        "learned": learned is not None,
        "promise_days": rule.promise_days,
        "alarms": [each.alarm for each in path.episodes] if learned else [],
    }


def _births(row: Row) -> float:
    return float(row["numerator"] + row["denominator"])


def _limits(births: float, share: float) -> dict[str, float]:
    """Limits of the ratio of so many births when the share of boys is the city's."""
    from pipeline.core.drift.funnel import funnel_limits

    limits = asdict(funnel_limits(births, share))
    return {name: 100 * at / (1 - at) for name, at in limits.items() if at < 1}


def quality(store: Store, *, public: bool = False) -> dict[str, Any]:
    """Alerts, feeds, findings and refusals; for the public in whole tens, and no single person's.

    An alert's sentence has counts in it, so the public gets the monitor's name alone.
    """
    told: dict[str, Any] = {
        "alerts": [_alert(alert, public=public) for alert in reads.alerts(store)],
        "feeds": [{**feed, "silent": _silent(feed)} for feed in reads.feeds(store)],
        "findings": reads.findings(store),
        "refused": reads.refused(store),
        "today": reads.today(),
    }
    if public:
        for feed in told["feeds"]:
            feed.update({name: _tens(feed[name]) for name in ("reports", "recent", "usual")})
        for row in (*told["findings"], *told["refused"]):
            row["count"] = _tens(row["count"])
    return told


def _alert(alert: Row, *, public: bool) -> Row:
    monitor = MONITORS.get(alert["monitor"])
    names = (monitor.name_zh, monitor.name_en) if monitor else (alert["monitor"],) * 2
    shown = ("district", "state", "severity", "since", "late_reporting_could_explain")
    what = names if public else (alert["summary_zh"], alert["summary_en"])
    return {"what": what, **{name: alert[name] for name in shown}}


def pulse(told: Row, *, public: bool) -> Row:
    """The counters of the head; for the public they move in steps of ten."""
    if not public:
        return told
    return {**told, "accepted": _tens(told["accepted"]), "refused": _tens(told["refused"])}


def _tens(count: int) -> int:
    return count // STEP * STEP


def _silent(feed: Row) -> int:
    """Days for which a source has been silent, when so long a silence is improbable; else 0."""
    if feed["last_day"] is None:
        return 0
    days = int((reads.today() - feed["last_day"]).days)
    expected = feed["usual"] / reads.USUAL_DAYS * days
    return days if days > 1 and expected > IMPROBABLE else 0


def district(store: Store, view: View, code: str) -> dict[str, Any]:
    """All figures of an area and the counts of its last year."""
    return {
        "figures": reads.figures(store, view, indicators=list(INDICATORS), districts=[code]),
        "counts": [
            row
            for row in reads.counts(store, view, code, COUNTED_DAYS)
            if row["measure"] in MEASURES
        ],
        "days": COUNTED_DAYS,
        "year": view.as_of.year if view.public else None,
    }


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names)
