"""What an alert says: figures, limit, summaries in both languages, and the list to work through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline.catalogue.monitors import AtLeast, Fall, Monitor, Within
from pipeline.catalogue.series import quoted
from pipeline.core.drift.cusum import Episode
from pipeline.core.drift.silence import Pause
from schemas.districts import CITY, DISTRICTS

_NAMES = {d.code: (d.name_zh, d.name_en) for d in DISTRICTS} | {CITY: ("全市", "the city")}
_DIRECTIONS = {"up": ("偏高", "higher"), "down": ("偏低", "lower")}


@dataclass(frozen=True)
class Figures:
    """Numbers of an alert, in the indicator's unit.

    Attributes:
        numerator, denominator, value, low, high: as a reading has them; None where there is none.
        normal: what the value left, or has to keep.
    """

    numerator: float | None = None
    denominator: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    normal: float | None = None


def _shown(number: float | None, places: int = 1) -> str:
    return "–" if number is None else f"{number:,.{places}f}"


def limit_of(monitor: Monitor, figures: Figures, pause: Pause | None) -> str:
    """What is wanted."""
    rule = monitor.rule
    if isinstance(rule, AtLeast):
        return f">= {rule.limit:g}"
    if isinstance(rule, Fall):
        return f"< {rule.points:g} in {rule.days} days"
    if isinstance(rule, Within):
        return f"{rule.low:g}–{rule.high:g}"
    if pause is not None:
        return f"<= {pause.limit} days"
    return f"= {_shown(figures.normal)}" if figures.normal is not None else ""


def summaries(
    monitor: Monitor,
    name: str,
    district: str,
    episode: Episode | Pause | None,
    figures: Figures,
    since: date,
    last: date,
) -> tuple[str, str]:
    """One sentence in Chinese and one in English.

    Args:
        monitor: Of the catalogue.
        name: The indicator, or the feed.
        district: 320500 is the city.
        episode: The alarm that lasts; None when it is over.
        figures: Present numbers.
        since: First day of the alarm.
        last: Last day read.
    """
    if not monitor.indicator:
        return _of_feed(name, district, episode if isinstance(episode, Pause) else None, last)
    lasting = episode if isinstance(episode, Episode) else None
    if isinstance(monitor.rule, AtLeast | Fall):
        return _of_level(monitor, district, lasting, figures, last)
    return _of_counts(monitor, district, lasting, figures, f"{since}–{last}")


def _of_feed(name: str, district: str, pause: Pause | None, last: date) -> tuple[str, str]:
    zh, en = _NAMES[district]
    if pause is None:
        return f"{zh}“{name}”，{last}", f"{name} ({en}), {last}"
    in_english = (
        f"{name} ({en}) has sent nothing for {pause.days} days, since {pause.since};"
        f" up to {pause.limit} are usual"
    )
    in_chinese = (
        f"{zh}“{name}”自{pause.since}起连续{pause.days}天无数据（通常不超过{pause.limit}天）"
    )
    return in_chinese, in_english


def _of_level(
    monitor: Monitor, district: str, episode: Episode | None, figures: Figures, last: date
) -> tuple[str, str]:
    zh, en = _NAMES[district]
    entry, rule = monitor.entry, monitor.rule
    counts = _counts(figures)
    in_chinese = f"{zh}{entry.name_zh}{last}为{_shown(figures.value, 2)}%（{counts}）"
    in_english = f"{en}: {entry.name_en} {_shown(figures.value, 2)} % on {last} ({counts})"
    if episode is not None and isinstance(rule, Fall):
        lost = _shown(episode.statistic, 2)
        in_chinese += f"，{rule.days}天内下降{lost}个百分点"
        in_english += f", down by {lost} points within {rule.days} days"
    if episode is not None and isinstance(rule, AtLeast):
        in_chinese += f"，低于{rule.limit:g}%"
        in_english += f", under {rule.limit:g} %"
    missing = _missing(figures)
    in_chinese += f"；{missing}人无有效登记"
    in_english += f"; {missing} people without a registration in force"
    return in_chinese, in_english


def _of_counts(
    monitor: Monitor, district: str, episode: Episode | None, figures: Figures, span: str
) -> tuple[str, str]:
    zh, en = _NAMES[district]
    entry, rule = monitor.entry, monitor.rule
    around = f"{_shown(figures.low)}–{_shown(figures.high)}"
    value, counts = _shown(figures.value), _counts(figures)
    in_chinese = f"{zh}{entry.name_zh}{span}为{value}（95%区间{around}，{counts}）"
    in_english = f"{en}: {entry.name_en} {value} in {span} (95 % {around}; {counts})"
    if episode is None:
        return in_chinese, in_english
    way_zh, way_en = _DIRECTIONS[episode.direction]
    if isinstance(rule, Within):
        ends = f"{rule.low:g}–{rule.high:g}"
        return f"{in_chinese}，较正常范围{ends}{way_zh}", f"{in_english}, {way_en} than {ends}"
    normal = _shown(figures.normal)
    return (
        f"{in_chinese}，较自身基线{normal}{way_zh}",
        f"{in_english}, {way_en} than its own baseline of {normal}",
    )


def _counts(figures: Figures) -> str:
    return f"{_shown(figures.numerator, 0)} / {_shown(figures.denominator, 0)}"


def _missing(figures: Figures) -> str:
    if figures.numerator is None or figures.denominator is None:
        return "–"
    return f"{figures.denominator - figures.numerator:,.0f}"


def worklist(monitor: Monitor, name: str, district: str, since: date, last: date) -> str:
    """A statement that lists what to work through.

    The unregistered, the longest lapsed first; births by source and sex; what a feed last sent.
    """
    inside = "" if district == CITY else f" AND district = {quoted(district)}"
    if isinstance(monitor.rule, AtLeast | Fall):
        day = f"toDate32({quoted(last.isoformat())})"
        return (
            "SELECT person, household, district, registered_until, known_from"  # noqa: S608
            " FROM population.people"
            f" WHERE known_from <= {day} AND ifNull({day} < known_until, true)"
            f" AND NOT (ifNull(managed_from <= {day}, false)"
            f" AND ifNull({day} < managed_until, true)){inside}"
            " ORDER BY registered_until, person"
        )
    if monitor.indicator:
        return (
            "SELECT source, JSONExtractString(event, 'sex') AS sex, count() AS births"  # noqa: S608
            " FROM population.records WHERE kind = 'birth' AND NOT void"
            f" AND day BETWEEN {quoted(since.isoformat())} AND {quoted(last.isoformat())}{inside}"
            " GROUP BY source, sex ORDER BY source, sex"
        )
    if district == CITY:
        which = f"source = {quoted(name)}"
    else:
        sector, _, kind = name.partition(".")
        which = f"startsWith(source, {quoted(sector + '.')}) AND kind = {quoted(kind)}{inside}"
    return (
        "SELECT source, kind, district, max(accepted_at) AS last_heard, count() AS reports"  # noqa: S608
        f" FROM population.records WHERE {which}"
        " GROUP BY source, kind, district ORDER BY last_heard"
    )
