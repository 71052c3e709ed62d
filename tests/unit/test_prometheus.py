"""Rules and configuration are what the catalogue says, and what Prometheus' own tools accept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from consumers.delivery.service import trial
from deploy.prometheus.__main__ import HERE, TESTS, Place, documents, main
from deploy.prometheus.rules import RECORDINGS, RULES
from pipeline import metrics
from pipeline.catalogue import INDICATORS
from pipeline.catalogue.monitors import MONITORS
from pipeline.catalogue.targets import TARGETS
from tests.meta.documents import ROOT
from tests.monitoring import checked

RUNBOOKS = ROOT / "deploy/runbooks"
PAGES = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
ALERTS = {rule.alert for rule in RULES if not rule.runbook}


def labels_of(metric: Counter | Gauge | Histogram) -> set[str]:
    return set(metric._labelnames)


SERIES = {
    sample: labels_of(metric)
    for metric in vars(metrics).values()
    if isinstance(metric, Counter | Gauge | Histogram)
    for (family,) in [metric.describe()]
    for sample in {
        "counter": [f"{family.name}_total"],
        "gauge": [family.name],
        "histogram": [f"{family.name}_bucket", f"{family.name}_sum", f"{family.name}_count"],
    }[family.type]
}


def test_what_is_committed_is_what_the_catalogue_says() -> None:
    for name, text in documents(Place()).items():
        written = (HERE / name).read_text("utf-8")
        assert written == text, f"python -m deploy.prometheus {HERE.relative_to(ROOT)}"
        assert yaml.safe_load(text)


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    assert "SUCCESS" in checked("promtool", "check", "rules", HERE / "rules.yml")
    assert "SUCCESS" in checked("promtool", "check", "config", HERE / "prometheus.yml")


@pytest.mark.parametrize("name", TESTS)
def test_every_alert_rests_fires_and_ends(name: str) -> None:
    assert "SUCCESS" in checked("promtool", "test", "rules", HERE / name)


def test_every_rule_has_its_three_cases() -> None:
    tested: dict[str, set[tuple[bool, ...]]] = {}
    for name in TESTS:
        for test in yaml.safe_load((HERE / name).read_text("utf-8"))["tests"]:
            rule = test["name"].removesuffix("quiet").removesuffix("fires, then ends").strip()
            fires = tuple(bool(each["exp_alerts"]) for each in test["alert_rule_test"])
            tested.setdefault(rule, set()).add(fires)
    assert len(tested) == len(RULES)
    assert all(cases == {(False, False), (True, False)} for cases in tested.values())


def test_alertmanager_takes_its_configuration_and_sends_each_severity_its_way() -> None:
    file = HERE / "alertmanager.yml"
    assert "SUCCESS" in checked("amtool", "check-config", file)
    for severity, receiver in {"critical": "duty", "warning": "office", "info": "record"}.items():
        told = checked(
            *("amtool", "config", "routes", "test", f"--config.file={file}"),
            *(f"--verify.receivers={receiver}", f"severity={severity}", "alertname=PopflowDown"),
        )
        assert told.split()[0] == receiver


def test_rules_name_metrics_and_labels_that_exist() -> None:
    used = set()
    for expr in [rule.expr for rule in RULES] + [one.expr for one in RECORDINGS]:
        names = re.findall(r"\b(popflow_\w+)(\{[^}]*\})?", expr)
        for name, chosen in names:
            assert name in SERIES, f"{expr}: no metric {name}"
            given = set(re.findall(r"(\w+)=~?\"", chosen))
            assert given <= SERIES[name], f"{expr}: {name} has no label {given - SERIES[name]}"
            used.add(name)
    assert len(used) > 15


def test_every_limit_of_the_plan_has_its_rule() -> None:
    ruled = {rule.labels["indicator"] for rule in RULES if rule.alert == "PopflowTargetMissed"}
    limits = {t.indicator for t in TARGETS if t.comparator in ("<=", ">=", "within")}
    assert ruled == limits
    both = [r for r in RULES if r.labels.get("indicator") == "sex_ratio_at_birth"]
    assert sorted(r.labels["limit"] for r in both) == ["< 103", "> 107"]
    recorded = {one.record for one in RECORDINGS}
    assert {f"district:popflow_{key}:newest" for key in INDICATORS} <= recorded


def test_every_alert_and_every_monitor_has_its_page_and_no_page_is_left_over() -> None:
    assert ALERTS | set(MONITORS) == PAGES
    assert {monitor.runbook for monitor in MONITORS.values()} == {f"{m}.md" for m in MONITORS}
    assert (RUNBOOKS / trial().runbook).exists()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_says_what_it_means_and_what_to_do_in_both_languages(page: str) -> None:
    text = (RUNBOOKS / f"{page}.md").read_text("utf-8")
    english, chinese = text.split("\n## ", 1)
    assert english.startswith(f"# {page}: ")
    assert chinese.startswith(f"{page}：")
    for said in ("**Means.**", "end.**" if "Look and mend.**" in english else "**Mend.**"):
        assert said in english
    for said in ("**含义**", "处理**"):
        assert said in chinese


def test_another_place_is_named_at_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stack.json").write_text("[]")
    main(
        [
            str(tmp_path),
            "--alertmanager=10.0.0.1:9093",
            "--alertmanager=10.0.0.2:9093",
            "--targets=stack.json",
            "--runbooks=https://handbook.example/",
            "--webhook=http://10.0.0.3/hook",
        ]
    )
    assert str(tmp_path / "rules.yml") in capsys.readouterr().out
    assert "SUCCESS" in checked("promtool", "check", "config", tmp_path / "prometheus.yml")
    assert "SUCCESS" in checked("amtool", "check-config", tmp_path / "alertmanager.yml")
    assert "10.0.0.2:9093" in (tmp_path / "prometheus.yml").read_text("utf-8")
    assert "https://handbook.example/PopflowDown.md" in (tmp_path / "rules.yml").read_text("utf-8")
