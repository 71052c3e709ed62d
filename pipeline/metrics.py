"""Every metric of the workers, in one typed list; ``/metrics`` serves them on 127.0.0.1.

Labels are bounded: kinds, refusal and finding codes, partitions, topics, receivers, the catalogue's
indicators, districts and windows, and registered sources (anybody else's messages are of source
``other``); never a person.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from schemas.refusals import Code

REGISTRY = CollectorRegistry(auto_describe=True)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

ACCEPTED = Counter(
    "popflow_events_accepted",
    "Events accepted by intake 已接收事件",
    ["kind", "source"],
    registry=REGISTRY,
)
REFUSED = Counter(
    "popflow_events_refused",
    "Messages refused by intake 已拒绝消息",
    ["code", "source"],
    registry=REGISTRY,
)
OTHER = "other"
"""Source, in metrics, of messages that name no registered one."""
for code in Code:  # from 0 on, so that Prometheus sees the first refusal as an increase
    REFUSED.labels(code, OTHER)
POSTED = Counter(
    "popflow_events_posted",
    "Events the ledger took, by outcome (new, repeat) 已入账事件",
    ["outcome"],
    registry=REGISTRY,
)
CELLS_WRITTEN = Counter(
    "popflow_cells_written", "Cell totals written to the store 已写入计数单元", registry=REGISTRY
)
FLUSH_SECONDS = Histogram(
    "popflow_flush_seconds",
    "Time from taking a batch to its rows being stored 批处理耗时",
    ["stage"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
STORE_RETRIES = Counter(
    "popflow_store_retries", "Writes that had to be tried again 存储重试", registry=REGISTRY
)
STATE_BYTES = Gauge(
    "popflow_state_bytes", "Size of a partition's state 状态大小", ["partition"], registry=REGISTRY
)
JOURNAL_OFFSET = Gauge(
    "popflow_journal_offset",
    "First journal offset not yet counted 已处理位点",
    ["partition"],
    registry=REGISTRY,
)
FRESHNESS_SECONDS = Gauge(
    "popflow_freshness_seconds",
    "Age of the newest event when it became visible 数据时延",
    registry=REGISTRY,
)
EVALUATION_SECONDS = Histogram(
    "popflow_evaluation_seconds",
    "Time to evaluate and publish the readings of one day 指标计算耗时",
    buckets=_SECONDS,
    registry=REGISTRY,
)
LISTENER_ANSWERS = Counter(
    "popflow_listener_answers",
    "Answers of a listener: by HL7's code, the outcome of an event, FHIR's status 监听应答",
    ["listener", "answer"],
    registry=REGISTRY,
)
READINGS = Counter(
    "popflow_readings_published", "Readings published 已发布指标值", registry=REGISTRY
)
LEADING = Gauge(
    "popflow_leading",
    "1 in the worker that publishes readings and measures the stream 是否主进程",
    registry=REGISTRY,
)
MEASURED_AT = Gauge(
    "popflow_measured_timestamp_seconds",
    "When the leader last measured what follows 最近测量时间",
    registry=REGISTRY,
)
LAG = Gauge(
    "popflow_lag_messages",
    "Messages of a topic that the pipeline has not acknowledged 积压消息",
    ["topic"],
    registry=REGISTRY,
)
REJECTED_WAITING = Gauge(
    "popflow_rejected_waiting",
    "Refused messages that wait to be mended 待更正消息",
    ["code"],
    registry=REGISTRY,
)
FINDINGS = Gauge("popflow_findings", "Standing findings 待核查事项", ["code"], registry=REGISTRY)
INDICATOR_VALUE = Gauge(
    "popflow_indicator_value",
    "Newest published value of an indicator, in its unit 指标最新值",
    ["indicator", "base", "district", "window"],
    registry=REGISTRY,
)
INDICATOR_COMPLETENESS = Gauge(
    "popflow_indicator_completeness",
    "Share of the newest value's facts that is known (0 to 1) 指标完整率",
    ["indicator", "base", "district", "window"],
    registry=REGISTRY,
)
AS_OF = Gauge(
    "popflow_readings_as_of_timestamp_seconds",
    "Newest day with published readings 指标截至日",
    registry=REGISTRY,
)
ALERTS = Gauge(
    "popflow_alerts",
    "Alerts of the monitors by their state now 监测告警数",
    ["monitor", "severity", "state"],
    registry=REGISTRY,
)
AUDIT_DIFFERENCES = Gauge(
    "popflow_audit_differences",
    "Cells and findings in which the newest recount differed 审计差异数",
    registry=REGISTRY,
)
AUDITED_AT = Gauge(
    "popflow_audit_timestamp_seconds",
    "When everything was last recounted; 0: never 最近审计时间",
    registry=REGISTRY,
)
DELIVERIES = Counter(
    "popflow_deliveries",
    "Messages to a receiver of alerts, by outcome (delivered, silenced, away, refused, given_up)"
    " 告警送达",
    ["receiver", "outcome"],
    registry=REGISTRY,
)
DELIVERY_WAITING = Gauge(
    "popflow_delivery_waiting",
    "Alerts that a receiver has not taken yet 待送达告警",
    ["receiver"],
    registry=REGISTRY,
)
DELIVERY_OLDEST = Gauge(
    "popflow_delivery_oldest_seconds",
    "How long the first of them has been waiting 最早一条已等待",
    ["receiver"],
    registry=REGISTRY,
)
DELIVERY_SECONDS = Histogram(
    "popflow_delivery_seconds",
    "From a change of an alert to its receiver having taken it 告警送达耗时",
    ["receiver"],
    buckets=(0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
    registry=REGISTRY,
)
WATCHING_SECONDS = Histogram(
    "popflow_watching_seconds",
    "Time for all drift monitors to look 漂移监测耗时",
    buckets=_SECONDS,
    registry=REGISTRY,
)
ALERT_CHANGES = Counter(
    "popflow_alert_changes",
    "Changes of state of alerts 预警状态变更",
    ["monitor", "state"],
    registry=REGISTRY,
)


def serve(host: str, port: int) -> int:
    """Serve ``/metrics``; port 0 takes a free one. Gives the port that was taken."""
    server, _ = start_http_server(port, addr=host, registry=REGISTRY)
    return int(server.server_port)
