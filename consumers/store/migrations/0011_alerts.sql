-- Every change of state of every alert. A change written twice is one row.
CREATE TABLE IF NOT EXISTS population.alert_rows
(
    id           String,
    monitor      LowCardinality(String),
    indicator    LowCardinality(String),
    district     LowCardinality(String),
    state        LowCardinality(String),
    severity     LowCardinality(String),
    since        Date32,
    as_of        Date32,
    known_on     Date32,
    numerator    Nullable(Float64),
    denominator  Nullable(Float64),
    value        Nullable(Float64),
    low          Nullable(Float64),
    high         Nullable(Float64),
    completeness Nullable(Float64),
    limit        String,
    statistic    Float64,
    threshold    Float64,
    late_reporting_could_explain Bool,
    summary_zh   String,
    summary_en   String,
    runbook      LowCardinality(String),
    worklist     String,
    at           DateTime64(3, 'Asia/Shanghai')
)
ENGINE = ReplacingMergeTree
ORDER BY (id, at);

-- Who has taken an alert on, or does not want to hear of it until a moment, and why. A row is a
-- decision; the newest of an alert and action stands.
CREATE TABLE IF NOT EXISTS population.alert_decisions
(
    id      String,
    action  LowCardinality(String),
    who     String,
    why     String,
    until   DateTime64(3, 'Asia/Shanghai'),
    at      DateTime64(3, 'Asia/Shanghai')
)
ENGINE = ReplacingMergeTree
ORDER BY (id, action, at);

-- The newest state of each alert, with who acknowledged it and until when it is silenced. A
-- decision taken before the alert was last resolved or withdrawn and came back still stands.
CREATE OR REPLACE VIEW population.alerts AS
SELECT
    a.id AS id,
    a.monitor AS monitor,
    a.indicator AS indicator,
    a.district AS district,
    a.state AS state,
    a.severity AS severity,
    a.since AS since,
    a.as_of AS as_of,
    a.known_on AS known_on,
    a.numerator AS numerator,
    a.denominator AS denominator,
    a.value AS value,
    a.low AS low,
    a.high AS high,
    a.completeness AS completeness,
    a.limit AS limit,
    a.statistic AS statistic,
    a.threshold AS threshold,
    a.late_reporting_could_explain AS late_reporting_could_explain,
    a.summary_zh AS summary_zh,
    a.summary_en AS summary_en,
    a.runbook AS runbook,
    a.worklist AS worklist,
    a.at AS at,
    d.acknowledged_by AS acknowledged_by,
    d.silenced_by AS silenced_by,
    d.silenced_until AS silenced_until,
    d.why AS why
FROM
(
    SELECT * FROM population.alert_rows ORDER BY id, at DESC LIMIT 1 BY id
) AS a
LEFT JOIN
(
    SELECT
        n.id AS id,
        argMaxIf(n.who, n.at, n.action = 'ack') AS acknowledged_by,
        argMaxIf(n.who, n.at, n.action = 'silence') AS silenced_by,
        argMaxIf(n.until, n.at, n.action = 'silence') AS silenced_until,
        argMax(n.why, n.at) AS why
    FROM population.alert_decisions AS n
    GROUP BY n.id
) AS d ON a.id = d.id;
