"""What a rule is, together with the series on which it has to fire, to rest and to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.alert import Severity

RUNBOOKS = "deploy/runbooks/"

Series = dict[str, str]
"""A series → how its values go on from one to the next, both in Prometheus' notation: ``5+0``
stays, ``0+60`` grows, ``_`` is absent."""


@dataclass(frozen=True)
class Recording:
    """A figure kept by Prometheus under a name.

    Attributes:
        record: ``level:metric:operation``.
        expr: in PromQL.
    """

    record: str
    expr: str

    def document(self) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {"record": self.record, "expr": self.expr}


@dataclass(frozen=True)
class Rule:
    """One alert.

    Attributes:
        alert: its name; its runbook is the page of that name.
        expr: in PromQL.
        hold: how long the expression has to hold, in Prometheus' notation.
        severity: None: the series' own.
        zh: what it says in Chinese; may show labels: ``{{ $labels.topic }}``.
        en: the same in English.
        broken: series on which it fires, as they are while something is wrong.
        sound: the same series while nothing is wrong.
        fires: labels of the alert on the broken series, beyond its name and severity.
        labels: added to the alert.
        runbook: page, when it is not the alert's name; may show labels.
        minutes: for which the series are broken, in the tests.
        step: seconds from one value of the series to the next, and from one evaluation to the
            next, in the tests: a minute, an hour or a day.
    """

    alert: str
    expr: str
    hold: str
    severity: Severity | None
    zh: str
    en: str
    broken: Series
    sound: Series
    fires: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    runbook: str = ""
    minutes: int = 30
    step: Literal[60, 3600, 86400] = 60

    def document(self, runbooks: str = RUNBOOKS, hold: str | None = None) -> dict[str, Any]:
        """As Prometheus reads it.

        Args:
            runbooks: put before a page's name.
            hold: instead of the rule's own.
        """
        severity = {} if self.severity is None else {"severity": self.severity}
        return {
            "alert": self.alert,
            "expr": self.expr,
            "for": self.hold if hold is None else hold,
            "labels": {**severity, "origin": "prometheus", **self.labels},
            "annotations": {
                "summary": self.en,
                "summary_zh": self.zh,
                "runbook_url": f"{runbooks}{self.runbook or self.alert}.md",
            },
        }

    def tests(self) -> list[dict[str, Any]]:
        """As promtool reads them: sound, then broken until it fires, then sound until it ends."""
        count = self.minutes * 60 // self.step
        quiet = {name: f"{values}x{2 * count}" for name, values in self.sound.items()}
        turning = {
            name: f"{self.broken[name]}x{count} {self.sound[name]}x{count}" for name in self.broken
        }
        broken_at, sound_at = f"{(count - 1) * self.step}s", f"{2 * (count - 1) * self.step}s"
        return [
            self._test("quiet", quiet, {broken_at: False, sound_at: False}),
            self._test("fires, then ends", turning, {broken_at: True, sound_at: False}),
        ]

    def _test(self, name: str, series: Series, wanted: dict[str, bool]) -> dict[str, Any]:
        severity = {} if self.severity is None else {"severity": self.severity}
        labels = {"origin": "prometheus", **severity, **self.labels, **self.fires}
        said = {
            name: _rendered(text, labels) for name, text in self.document()["annotations"].items()
        }
        alerts = [{"exp_labels": labels, "exp_annotations": said}]
        return {
            "name": f"{self.alert} {' '.join(self.labels.values())} {name}".replace("  ", " "),
            "interval": f"{self.step}s",
            "input_series": [{"series": s, "values": v} for s, v in series.items()],
            "alert_rule_test": [
                {"eval_time": at, "alertname": self.alert, "exp_alerts": alerts if fires else []}
                for at, fires in wanted.items()
            ],
        }


def _rendered(text: str, labels: dict[str, str]) -> str:
    """A text with the labels that it shows; Prometheus' templates can more, ours need no more."""
    for name, value in labels.items():
        text = text.replace(f"{{{{ $labels.{name} }}}}", value)
    return text
