-- Findings about one person, as the ledger wrote them; one that no longer stands is a row
-- with standing = false and a greater version.
CREATE TABLE IF NOT EXISTS population.finding_rows
(
    code      LowCardinality(String),
    person    String,
    kind      LowCardinality(String),
    record_id String,
    source    LowCardinality(String),
    day       Nullable(Date32),
    district  LowCardinality(String),
    standing  Bool,
    shard     UInt16,
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (person, code, kind, record_id, source);

-- Standing findings. The two that join persons are computed from the reports, live.
CREATE OR REPLACE VIEW population.findings AS
SELECT
    toString(f.code) AS code,
    f.person AS person,
    toString(f.kind) AS kind,
    f.record_id AS record_id,
    f.day AS day,
    toString(f.district) AS district
FROM population.finding_rows AS f FINAL
WHERE f.standing

UNION ALL

-- One record whose fact stands for two persons: both count until it is mended.
SELECT
    'same_record_two_persons' AS code,
    t.person AS person,
    toString(t.kind) AS kind,
    t.record_id AS record_id,
    t.day AS day,
    toString(t.district) AS district
FROM
(
    SELECT
        a.kind AS kind, a.record_id AS record_id, a.person AS person, a.day AS day,
        a.district AS district,
        count() OVER (PARTITION BY a.kind, a.record_id) AS persons
    FROM population.facts AS a
    WHERE (a.kind, a.record_id) IN (
        SELECT r.kind, r.record_id
        FROM population.reports AS r
        GROUP BY r.kind, r.record_id
        HAVING min(r.person) != max(r.person)
        SETTINGS optimize_aggregation_in_order = 1
    )
) AS t
WHERE t.persons > 1

UNION ALL

-- A delivery in hospital, and no birth of that mother (live or still) from 30 days before
-- admission to 30 days after discharge. A discharge's day is the day of discharge.
SELECT
    'delivery_without_birth' AS code,
    d.person AS person,
    toString(d.kind) AS kind,
    d.record_id AS record_id,
    d.day + 30 AS day,
    toString(d.district) AS district
FROM
(
    SELECT
        a.kind AS kind, a.record_id AS record_id, a.person AS person, a.day AS day,
        a.admitted_on AS admitted_on, a.district AS district
    FROM population.facts AS a
    WHERE a.kind = 'discharge' AND a.delivery AND (a.kind, a.record_id, a.person) IN (
        SELECT r.kind, r.record_id, r.person
        FROM population.reports AS r
        WHERE r.kind = 'discharge' AND r.delivery
    )
) AS d
LEFT JOIN
(
    SELECT a.mother AS mother, groupArray(assumeNotNull(a.day)) AS days
    FROM population.facts AS a
    WHERE a.kind = 'birth' AND a.day IS NOT NULL
    GROUP BY a.mother
) AS b ON d.person = b.mother
WHERE NOT arrayExists(
    born_on -> ifNull(born_on BETWEEN d.admitted_on - 30 AND d.day + 30, false), b.days
);
