-- One row a person, written whole. Days named "until" are exclusive.
CREATE TABLE IF NOT EXISTS population.people_rows
(
    person           String,
    alive            Bool,
    died_on          Nullable(Date32),
    born_on          Nullable(Date32),
    sex              LowCardinality(String),
    district         LowCardinality(String),
    residency        LowCardinality(String),
    household        String,
    known_from       Nullable(Date32),
    known_until      Nullable(Date32),
    managed_from     Nullable(Date32),
    managed_until    Nullable(Date32),
    resident_from    Nullable(Date32),
    resident_until   Nullable(Date32),
    registered_until Nullable(Date32),
    points           Nullable(Int64),
    last_evidence    Nullable(Date32),
    shard            UInt16,
    version          UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY person;

-- Known, managed and resident as of today in the city, so that a state that ends by
-- itself needs no later row.
CREATE OR REPLACE VIEW population.people AS
WITH toDate32(now(), 'Asia/Shanghai') AS today
SELECT
    p.person AS person,
    p.alive AS alive,
    p.died_on AS died_on,
    p.born_on AS born_on,
    p.sex AS sex,
    p.district AS district,
    p.residency AS residency,
    p.household AS household,
    ifNull(p.known_from <= today, false) AND ifNull(today < p.known_until, true) AS known,
    ifNull(p.managed_from <= today, false) AND ifNull(today < p.managed_until, true) AS managed,
    ifNull(p.resident_from <= today, false) AND ifNull(today < p.resident_until, true) AS resident,
    p.known_from AS known_from,
    p.known_until AS known_until,
    p.managed_from AS managed_from,
    p.managed_until AS managed_until,
    p.resident_from AS resident_from,
    p.resident_until AS resident_until,
    p.registered_until AS registered_until,
    p.points AS points,
    p.last_evidence AS last_evidence
FROM population.people_rows AS p FINAL;
