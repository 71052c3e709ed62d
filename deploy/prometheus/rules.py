"""The rules: of the stream by hand, of the plan's targets from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from deploy.prometheus.model import Recording, Rule
from pipeline.catalogue import INDICATORS
from pipeline.catalogue.targets import TARGETS, Target
from schemas.districts import CITY
from schemas.refusals import Code

_DAY: Literal[86400] = 86_400

RECORDINGS = (
    Recording("topic:popflow_lag_messages:max", "max by (topic) (popflow_lag_messages)"),
    Recording(
        "kind:popflow_events_accepted:rate5m",
        "sum by (kind) (rate(popflow_events_accepted_total[5m]))",
    ),
    Recording(
        "code:popflow_events_refused:rate5m",
        "sum by (code) (rate(popflow_events_refused_total[5m]))",
    ),
    Recording(
        "outcome:popflow_events_posted:rate5m",
        "sum by (outcome) (rate(popflow_events_posted_total[5m]))",
    ),
    Recording(
        "stage:popflow_flush_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (stage, le) (rate(popflow_flush_seconds_bucket[5m])))",
    ),
    Recording("popflow_state_bytes:sum", "sum(popflow_state_bytes)"),
    Recording(
        "receiver:popflow_delivery_seconds:p95_1h",
        "histogram_quantile(0.95,"
        " sum by (receiver, le) (rate(popflow_delivery_seconds_bucket[1h])))",
    ),
    *(
        Recording(
            f"district:popflow_{key}:newest",
            "max by (base, district, window) "
            f'(popflow_indicator_value{{indicator="{key}"}})',
        )
        for key in INDICATORS
    ),
)  # fmt: skip

_STREAM = (
    Rule(
        "PopflowDown",
        'up{job="popflow"} == 0',
        "2m",
        "critical",
        "{{ $labels.instance }} 无法抓取指标：进程已停止或不可达",
        "{{ $labels.instance }} cannot be scraped: the process has ended or is out of reach",
        {'up{job="popflow",instance="a:1"}': "0+0"},
        {'up{job="popflow",instance="a:1"}': "1+0"},
        {"job": "popflow", "instance": "a:1"},
    ),
    Rule(
        "PopflowNobodyLeads",
        "(sum(popflow_leading) or vector(0)) < 1",
        "2m",
        "critical",
        "没有主进程：指标值、监测和告警均已停止",
        "no worker leads: readings, monitors and alerts stand still",
        {'popflow_leading{instance="a:1"}': "0+0", 'popflow_leading{instance="b:1"}': "_"},
        {'popflow_leading{instance="a:1"}': "0+0", 'popflow_leading{instance="b:1"}': "1+0"},
    ),
    Rule(
        "PopflowNotMeasured",
        "time() - max(popflow_measured_timestamp_seconds) > 300",
        "5m",
        "warning",
        "主进程已五分钟以上未能测量数据流：Kafka 或存储不应答",
        "the leader has not measured for five minutes: Kafka or the store does not answer",
        {"popflow_measured_timestamp_seconds": "0+0"},
        {"popflow_measured_timestamp_seconds": "3600+60"},
    ),
    Rule(
        "PopflowStuck",
        "sum(max by (topic) (popflow_lag_messages)) > 0"
        " and sum(rate(popflow_events_accepted_total[10m]))"
        " + sum(rate(popflow_events_posted_total[10m])) == 0",
        "10m",
        "critical",
        "有消息等待，但十分钟以上没有任何处理",
        "messages wait, and none has been handled for ten minutes",
        {
            'popflow_lag_messages{topic="population.births.v1"}': "7+0",
            'popflow_events_accepted_total{kind="birth"}': "5+0",
            'popflow_events_posted_total{outcome="new"}': "5+0",
        },
        {
            'popflow_lag_messages{topic="population.births.v1"}': "0+0",
            'popflow_events_accepted_total{kind="birth"}': "5+0",
            'popflow_events_posted_total{outcome="new"}': "5+0",
        },
    ),
    Rule(
        "PopflowLagging",
        "sum(max by (topic) (popflow_lag_messages)) > 100000",
        "15m",
        "warning",
        "积压超过十万条消息",
        "more than 100,000 messages wait",
        {'popflow_lag_messages{topic="population.births.v1"}': "100001+0"},
        {'popflow_lag_messages{topic="population.births.v1"}': "100000+0"},
    ),
    Rule(
        "PopflowLate",
        "max(popflow_freshness_seconds) > 300 and sum(max by (topic) (popflow_lag_messages)) > 0",
        "15m",
        "warning",
        "新事件需五分钟以上才可见（回放历史数据时属正常）",
        "new events take more than five minutes to be visible (normal while history is replayed)",
        {
            "popflow_freshness_seconds": "301+0",
            'popflow_lag_messages{topic="population.births.v1"}': "7+0",
        },
        {
            "popflow_freshness_seconds": "301+0",
            'popflow_lag_messages{topic="population.births.v1"}': "0+0",
        },
    ),
    Rule(
        "PopflowFlushSlow",
        "histogram_quantile(0.99, sum by (stage, le) (rate(popflow_flush_seconds_bucket[5m]))) > 5",
        "15m",
        "warning",
        "{{ $labels.stage }} 批处理最慢的百分之一超过五秒",
        "the slowest hundredth of batches of {{ $labels.stage }} takes more than five seconds",
        {
            'popflow_flush_seconds_bucket{stage="ledger",le="5.0"}': "0+90",
            'popflow_flush_seconds_bucket{stage="ledger",le="10.0"}': "0+100",
            'popflow_flush_seconds_bucket{stage="ledger",le="+Inf"}': "0+100",
        },
        {
            'popflow_flush_seconds_bucket{stage="ledger",le="5.0"}': "0+100",
            'popflow_flush_seconds_bucket{stage="ledger",le="10.0"}': "0+100",
            'popflow_flush_seconds_bucket{stage="ledger",le="+Inf"}': "0+100",
        },
        {"stage": "ledger"},
    ),
    Rule(
        "PopflowStoreAway",
        "sum(increase(popflow_store_retries_total[10m])) > 10",
        "5m",
        "critical",
        "存储不应答，写入一再重试（没有丢失，但不再更新）",
        "the store does not answer, writes are tried again (nothing is lost, nothing is new)",
        {"popflow_store_retries_total": "0+6"},
        {"popflow_store_retries_total": "0+0"},
    ),
    Rule(
        "PopflowIdentityNumber",
        f'sum(increase(popflow_events_refused_total{{code="{Code.PLAIN_IDENTITY}"}}[1h])) > 0',
        "0m",
        "critical",
        "有发布方发送了明文身份证号（已拒收并遮蔽）",
        "a publisher sends plain identity numbers (refused and masked)",
        {f'popflow_events_refused_total{{code="{Code.PLAIN_IDENTITY}"}}': "0+1"},
        {f'popflow_events_refused_total{{code="{Code.PLAIN_IDENTITY}"}}': "1+0"},
        minutes=70,
    ),
    Rule(
        "PopflowManyRefused",
        "sum(rate(popflow_events_refused_total[1h]))"
        " / (sum(rate(popflow_events_refused_total[1h]))"
        " + sum(rate(popflow_events_accepted_total[1h]))) > 0.05",
        "15m",
        "warning",
        "一小时内超过二十分之一的消息被拒收",
        "more than one message in twenty was refused in an hour",
        {
            'popflow_events_refused_total{code="schema"}': "0+10",
            'popflow_events_accepted_total{kind="birth"}': "0+90",
        },
        {
            'popflow_events_refused_total{code="schema"}': "0+1",
            'popflow_events_accepted_total{kind="birth"}': "0+99",
        },
        minutes=70,
    ),
    Rule(
        "PopflowRefusalsUnmended",
        "sum(max by (code) (popflow_rejected_waiting)) > 100",
        "1d",
        "info",
        "一百条以上被拒收的消息一天以上无人更正",
        "more than a hundred refused messages have waited for a day to be mended",
        {'popflow_rejected_waiting{code="schema"}': "101+0"},
        {'popflow_rejected_waiting{code="schema"}': "100+0"},
        minutes=5 * 24 * 60,
        step=_DAY,
    ),
    Rule(
        "PopflowFindingsJump",
        "max by (code) (popflow_findings) > 1.5 * max by (code) (popflow_findings offset 1d) + 100",
        "1h",
        "warning",
        "待核查事项 {{ $labels.code }} 一天内增加一半以上",
        "findings {{ $labels.code }} have grown by more than half in a day",
        {'popflow_findings{code="second_birth"}': "100+240"},
        {'popflow_findings{code="second_birth"}': "100+1"},
        {"code": "second_birth"},
        minutes=30 * 60,
        step=3600,
    ),
    Rule(
        "PopflowAuditDifference",
        "max(popflow_audit_differences) > 0",
        "0m",
        "critical",
        "审计发现差异：存储与独立重算不一致",
        "the audit found a difference: the store and the independent recount disagree",
        {"popflow_audit_differences": "3+0"},
        {"popflow_audit_differences": "0+0"},
    ),
    Rule(
        "PopflowAuditOld",
        f"time() - max(popflow_audit_timestamp_seconds) > {35 * _DAY}",
        "1h",
        "info",
        "三十五天以上未作审计",
        "nothing has been audited for 35 days",
        {"popflow_audit_timestamp_seconds": "0+0"},
        {"popflow_audit_timestamp_seconds": f"{38 * _DAY}+{_DAY}"},
        minutes=38 * 24 * 60,
        step=_DAY,
    ),
    Rule(
        "PopflowReadingsOld",
        f"time() - max(popflow_readings_as_of_timestamp_seconds) > {2 * _DAY}",
        "30m",
        "warning",
        "两天以上没有新的指标值",
        "no readings for more than two days",
        {"popflow_readings_as_of_timestamp_seconds": "0+0"},
        {"popflow_readings_as_of_timestamp_seconds": f"{5 * _DAY}+{_DAY}"},
        minutes=5 * 24 * 60,
        step=_DAY,
    ),
    Rule(
        "PopflowIncomplete",
        'min by (indicator, district) (popflow_indicator_completeness{window="91d"}) < 0.8',
        "6h",
        "warning",
        "{{ $labels.district }} 的 {{ $labels.indicator }} 近91天登记不足八成",
        "less than 80 % of {{ $labels.indicator }} of {{ $labels.district }} is known by now",
        {
            'popflow_indicator_completeness{indicator="birth_rate",district="320508",'
            'window="91d"}': "0.79+0"
        },
        {
            'popflow_indicator_completeness{indicator="birth_rate",district="320508",'
            'window="91d"}': "0.81+0"
        },
        {"indicator": "birth_rate", "district": "320508"},
        minutes=24 * 60,
        step=3600,
    ),
    Rule(
        "PopflowDeliveryAway",
        "max by (receiver) (popflow_delivery_oldest_seconds) > 300",
        "0m",
        "critical",
        "接收者 {{ $labels.receiver }} 五分钟以上未收下告警",
        "receiver {{ $labels.receiver }} has not taken alerts for five minutes",
        {'popflow_delivery_oldest_seconds{receiver="duty"}': "301+0"},
        {'popflow_delivery_oldest_seconds{receiver="duty"}': "0+0"},
        {"receiver": "duty"},
    ),
    Rule(
        "PopflowDeliveryGivenUp",
        'sum by (receiver) (increase(popflow_deliveries_total{outcome="given_up"}[1h])) > 0',
        "0m",
        "critical",
        "接收者 {{ $labels.receiver }} 始终拒收某条告警，该告警已搁置",
        "receiver {{ $labels.receiver }} refused an alert to the end: it was set aside",
        {'popflow_deliveries_total{receiver="duty",outcome="given_up"}': "0+1"},
        {'popflow_deliveries_total{receiver="duty",outcome="given_up"}': "1+0"},
        {"receiver": "duty"},
        minutes=70,
    ),
    Rule(
        "PopflowMonitorFiring",
        'sum by (monitor, severity) (popflow_alerts{state="firing"}) > 0',
        "0m",
        None,
        "监测项 {{ $labels.monitor }} 有告警",
        "monitor {{ $labels.monitor }} fires",
        {'popflow_alerts{monitor="quiet_feed",severity="warning",state="firing"}': "1+0"},
        {'popflow_alerts{monitor="quiet_feed",severity="warning",state="firing"}': "_"},
        {"monitor": "quiet_feed", "severity": "warning"},
        runbook="{{ $labels.monitor }}",
    ),
)


def _missed(target: Target) -> Iterator[tuple[str, str, str]]:
    """How a target is missed: operator and figure, and a value that does."""
    if target.comparator in ("<=", "within") and target.high is not None:
        yield ">", _number(float(target.high)), _number(float(target.high) * 1.01)
    if target.comparator in (">=", "within") and target.low is not None:
        yield "<", _number(float(target.low)), _number(float(target.low) * 0.99)


def _number(value: float) -> str:
    return f"{value:.6g}"


def of_targets() -> Iterator[Rule]:
    """One rule for each limit of the plan, for the city, on values that are nearly complete.

    To know, not to be woken for: what changes is the monitors' part, with their promise on false
    alarms.
    """
    for target in TARGETS:
        entry = INDICATORS[target.indicator]
        labels = {
            "indicator": target.indicator,
            "base": target.base,
            "district": CITY,
            "window": target.window,
        }
        chosen = ",".join(f'{name}="{value}"' for name, value in labels.items())
        for operator, figure, beyond in _missed(target):
            series = f"popflow_indicator_value{{{chosen}}}"
            words = {">": ("高于", "above"), "<": ("低于", "below")}[operator]
            yield Rule(
                "PopflowTargetMissed",
                f"max by (indicator, base, district, window) ({series}) {operator} {figure}"
                " unless on (indicator, base, district, window)"
                f" popflow_indicator_completeness{{{chosen}}} < 0.95",
                "1h",
                "info",
                f"全市{entry.name_zh}{words[0]}规划目标 {figure}",
                f"the city's {entry.name_en} is {words[1]} the plan's {figure}",
                {series: f"{beyond}+0"},
                {series: f"{figure}+0"},
                {"district": CITY, "window": target.window} | _base(target.base),
                labels={"indicator": target.indicator, "limit": f"{operator} {figure}"},
                minutes=240,
                step=3600,
            )


def _base(base: str) -> dict[str, str]:
    """A label that is empty is none."""
    return {"base": base} if base else {}


RULES = (*_STREAM, *of_targets())
