"""What receivers are sent: alerts in, documents and texts out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from consumers.delivery.history import FIRING, Change
from schemas.alert import SEVERITIES, Alert
from schemas.districts import CITY, DISTRICTS

RUNBOOKS = "deploy/runbooks/"
"""Where runbooks are in the project; a receiver that has them elsewhere puts its own before."""
HOLD = timedelta(hours=24)
"""How long Alertmanager believes in an alert that nobody repeats: long enough for a broken
delivery to be mended, since the end of an alert is always said."""

_STATES = {
    "firing": ("告警", "firing"),
    "resolved": ("恢复", "resolved"),
    "withdrawn": ("撤回（迟到数据可解释）", "withdrawn: late data explained it"),
}
_SEVERITIES = {key: names[0] for key, names in SEVERITIES.items()}
_RANK = {"critical": 0, "warning": 1, "info": 2}
_PLACES = {d.code: (d.name_zh, d.name_en) for d in DISTRICTS} | {CITY: ("苏州市", "Suzhou")}


class Text(NamedTuple):
    """A message for people."""

    title: str
    body: str


def message_id(changes: Sequence[Change]) -> str:
    """The same for the same changes in the same order: a receiver drops what it has had."""
    keys = [change.key for change in changes]
    if len(keys) == 1:
        return keys[0]
    return "group-" + hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]


def webhook_document(changes: Sequence[Change]) -> dict[str, Any]:
    """What a webhook is sent: the alerts as published, each with its key."""
    alerts = [{"key": one.key, **one.alert.model_dump(mode="json")} for one in changes]
    return {"version": "1", "alerts": alerts}


def alertmanager_alert(change: Change, now: datetime) -> dict[str, Any]:
    """An alert as Alertmanager's API v2 takes it.

    Labels make the identity of an alert there, so they are those it began with: an end under
    another severity would end nothing.

    Args:
        change: the newest.
        now: the present; an end may not lie after it.
    """
    _, alert, beginning = change
    starts_at = min(beginning.at.astimezone(UTC), now)
    ends_at = now + HOLD if alert.state == FIRING else min(alert.at.astimezone(UTC), now)
    return {
        "labels": {
            "alertname": beginning.monitor,
            "origin": "popflow",
            "indicator": beginning.indicator,
            "district": beginning.district,
            "severity": beginning.severity,
            "episode": beginning.id,
        },
        "annotations": {
            "summary": alert.summary_en,
            "summary_zh": alert.summary_zh,
            "state": alert.state,
            "since": alert.since.isoformat(),
            "as_of": alert.as_of.isoformat(),
            "known_on": alert.known_on.isoformat(),
            "figures": _figures(alert),
            "limit": alert.limit,
            "late_reporting_could_explain": str(alert.late_reporting_could_explain).lower(),
            "worklist": alert.worklist,
            "runbook_url": RUNBOOKS + alert.runbook,
        },
        "startsAt": starts_at.isoformat(),
        "endsAt": max(ends_at, starts_at).isoformat(),
    }


def text(changes: Sequence[Change], language: str, most_bytes: int) -> Text:
    """One message for people about all of these, the worst first.

    Args:
        changes: at least one.
        language: ``zh``, ``en`` or ``both``.
        most_bytes: of title and body in UTF-8; what does not fit is counted, not shown.
    """
    alerts = [change.alert for change in changes]
    ordered = sorted(alerts, key=lambda alert: (alert.state != FIRING, _RANK[alert.severity]))
    title = _title(ordered, language)
    left = most_bytes - len(title.encode()) - 8
    lines: list[str] = []
    for place, alert in enumerate(ordered):
        line = _paragraph(alert, language)
        rest = _more(len(ordered) - place, language)
        size = len(line.encode()) + 2
        needed = size if place == len(ordered) - 1 else size + len(rest.encode()) + 2
        if needed > left:
            lines.append(_cut(line, left) if not lines else rest)
            break
        lines.append(line)
        left -= size
    return Text(title, "\n\n".join(lines))


def _title(alerts: Sequence[Alert], language: str) -> str:
    if len(alerts) == 1:
        (alert,) = alerts
        return "[popflow] " + _said(
            language,
            f"{_SEVERITIES[alert.severity]}{_STATES[alert.state][0]}",
            f"{alert.severity}, {_STATES[alert.state][1]}",
        )
    counts = Counter(alert.state for alert in alerts)
    return "[popflow] " + _said(
        language,
        "、".join(f"{_STATES[state][0]} {n}" for state, n in counts.items()),
        ", ".join(f"{n} {state}" for state, n in counts.items()),
    )


def _paragraph(alert: Alert, language: str) -> str:
    head = _said(
        language,
        f"【{_SEVERITIES[alert.severity]}·{_STATES[alert.state][0]}】{alert.summary_zh}",
        f"{_STATES[alert.state][1]} ({alert.severity}): {alert.summary_en}",
        "\n",
    )
    names = _PLACES.get(alert.district, (alert.district, ""))
    rest = [
        _said(language, f"地区 {names[0]}", f"district {alert.district} {names[1]}"),
        _said(language, f"自 {alert.since}", f"since {alert.since}, as of {alert.as_of}"),
        _figures(alert),
    ]
    if alert.late_reporting_could_explain and alert.state == FIRING:
        rest.append(
            _said(language, "迟报可能是原因", "late reporting could explain it"),
        )
    lines = [head, "; ".join(rest)]
    if alert.worklist:
        lines.append(_said(language, "核查清单: ", "work list: ", "/ ") + alert.worklist)
    lines.append(_said(language, "处置手册: ", "runbook: ", "/ ") + RUNBOOKS + alert.runbook)
    return "\n".join(lines)


def _figures(alert: Alert) -> str:
    """Numerator, denominator, value, interval and completeness, those that there are."""
    parts = []
    if alert.numerator is not None and alert.denominator is not None:
        parts.append(f"{_number(alert.numerator)} / {_number(alert.denominator)}")
    if alert.value is not None:
        parts.append(f"= {_number(alert.value)}")
    if alert.low is not None and alert.high is not None:
        parts.append(f"[{_number(alert.low)}, {_number(alert.high)}]")
    if alert.completeness is not None:
        parts.append(f"完整率 completeness {100 * alert.completeness:.1f} %")
    return " ".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _more(count: int, language: str) -> str:
    return _said(language, f"另有 {count} 条", f"and {count} more: popflow alerts")


def _cut(line: str, most_bytes: int) -> str:
    return line.encode()[: max(most_bytes - 4, 0)].decode("utf-8", "ignore") + "…"


def _said(language: str, chinese: str, english: str, between: str = " ") -> str:
    if language == "both":
        return chinese + between + english
    return chinese if language == "zh" else english
