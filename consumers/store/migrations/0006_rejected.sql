-- Refused events, personal numbers masked. The same bytes on the same topic are one row.
-- A row that says "mended" carries bit 63 in its version, so that a later refusal of the
-- same bytes (a replay) never takes the mark away.
CREATE TABLE IF NOT EXISTS population.rejected_rows
(
    topic       LowCardinality(String),
    digest      String,
    id          String DEFAULT substring(digest, 1, 12),
    code        LowCardinality(String),
    reason      String,
    partition   Int32,
    offset      Int64,
    rejected_at DateTime64(3, 'Asia/Shanghai'),
    key         String,
    value       String CODEC(ZSTD(1)),
    mended      Bool DEFAULT false,
    version     UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic, digest);

CREATE OR REPLACE VIEW population.rejected AS
SELECT
    r.id AS id,
    r.code AS code,
    r.reason AS reason,
    r.topic AS topic,
    r.partition AS partition,
    r.offset AS offset,
    r.rejected_at AS rejected_at,
    r.value AS value,
    r.mended AS mended
FROM population.rejected_rows AS r FINAL;
