"""Every metric of the workers, in one typed list; ``/metrics`` serves them on 127.0.0.1.

Labels are bounded: kinds, refusal codes, finding codes and partitions, never a source or a person.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

REGISTRY = CollectorRegistry(auto_describe=True)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

ACCEPTED = Counter(
    "popflow_events_accepted", "Events accepted by intake 已接收事件", ["kind"], registry=REGISTRY
)
REFUSED = Counter(
    "popflow_events_refused", "Messages refused by intake 已拒绝消息", ["code"], registry=REGISTRY
)
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
READINGS = Counter(
    "popflow_readings_published", "Readings published 已发布指标值", registry=REGISTRY
)
WATCHING_SECONDS = Histogram(
    "popflow_watching_seconds",
    "Time for all drift monitors to look 漂移监测耗时",
    buckets=_SECONDS,
    registry=REGISTRY,
)
ALERTS = Counter(
    "popflow_alert_changes",
    "Changes of state of alerts 预警状态变更",
    ["monitor", "state"],
    registry=REGISTRY,
)


def serve(host: str, port: int) -> int:
    """Serve ``/metrics``; port 0 takes a free one. Gives the port that was taken."""
    server, _ = start_http_server(port, addr=host, registry=REGISTRY)
    return int(server.server_port)
