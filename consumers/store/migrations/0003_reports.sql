-- Every accepted report, whole. Of equal keys the greatest version stands.
-- The last columns are read from the event once, when it is written, for the findings
-- that join two persons; they are not part of an insert, nor of SELECT *.
CREATE TABLE IF NOT EXISTS population.reports
(
    person         String,
    kind           LowCardinality(String),
    record_id      String,
    source         LowCardinality(String),
    revision       Int64,
    void           Bool,
    digest         String,
    known_on       Date32,
    accepted_at    DateTime64(3, 'Asia/Shanghai'),
    topic          LowCardinality(String),
    partition      Int32,
    offset         Int64,
    day            Nullable(Date32),
    district       LowCardinality(String),
    household      String,
    event          String CODEC(ZSTD(1)),
    shard          UInt16,
    journal_offset Int64,
    version        UInt64,
    mother         String MATERIALIZED if(kind = 'birth', JSONExtractString(event, 'mother'), ''),
    admitted_on    Nullable(Date32) MATERIALIZED
        if(kind = 'discharge', toDate32OrNull(JSONExtractString(event, 'admitted_on')), NULL),
    delivery       Bool MATERIALIZED kind = 'discharge' AND arrayExists(
        code -> substring(code, 1, 3) IN ('Z37', 'O80', 'O81', 'O82', 'O83', 'O84'),
        if(kind = 'discharge', JSONExtract(event, 'diagnoses', 'Array(String)'), [])),
    INDEX by_person person TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kind, record_id, person, source, revision, digest);

-- The newest report of each source for each record: at equal revision a void wins, then
-- the greater digest. Exact without FINAL, since the version takes part. (argMax over
-- GROUP BY says the same and takes thirty times as long.)
CREATE OR REPLACE VIEW population.records AS
SELECT
    r.kind AS kind,
    r.record_id AS record_id,
    r.person AS person,
    r.source AS source,
    r.revision AS revision,
    r.void AS void,
    r.digest AS digest,
    r.known_on AS known_on,
    r.accepted_at AS accepted_at,
    r.topic AS topic,
    r.partition AS partition,
    r.offset AS offset,
    r.day AS day,
    r.district AS district,
    r.household AS household,
    r.event AS event,
    r.shard AS shard,
    r.journal_offset AS journal_offset,
    r.version AS version
FROM population.reports AS r
ORDER BY
    r.kind, r.record_id, r.person, r.source,
    r.revision DESC, r.void DESC, r.digest DESC, r.version DESC
LIMIT 1 BY r.kind, r.record_id, r.person, r.source;

-- The facts that stand, each with the content of its first standing source: health before
-- police for births, deaths and discharges, police before health for moves and permits;
-- then the smallest priority of the registry, then the name.
CREATE OR REPLACE VIEW population.facts AS
WITH (
    SELECT mapFromArrays(groupArray(s.name), groupArray(s.priority))
    FROM population.sources_rows AS s FINAL
) AS priorities
SELECT
    n.kind AS kind,
    n.record_id AS record_id,
    n.person AS person,
    n.source AS source,
    n.day AS day,
    n.district AS district,
    n.mother AS mother,
    n.admitted_on AS admitted_on,
    n.delivery AS delivery
FROM
(
    SELECT
        r.kind AS kind, r.record_id AS record_id, r.person AS person, r.source AS source,
        r.void AS void, r.day AS day, r.district AS district, r.mother AS mother,
        r.admitted_on AS admitted_on, r.delivery AS delivery
    FROM population.reports AS r
    ORDER BY
        r.kind, r.record_id, r.person, r.source,
        r.revision DESC, r.void DESC, r.digest DESC, r.version DESC
    LIMIT 1 BY r.kind, r.record_id, r.person, r.source
) AS n
WHERE NOT n.void
ORDER BY
    n.kind, n.record_id, n.person,
    startsWith(n.source, 'police.') = (n.kind IN ('birth', 'death', 'discharge')),
    if(mapContains(priorities, n.source), priorities[n.source], 4294967295),
    n.source
LIMIT 1 BY n.kind, n.record_id, n.person;
