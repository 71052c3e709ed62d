-- The registry of publishers. A change is a row of a greater version; a removed source
-- keeps its row, since its priority still orders the reports it once sent.
CREATE TABLE IF NOT EXISTS population.sources_rows
(
    name     String,
    sector   LowCardinality(String),
    priority UInt32,
    added_at DateTime64(3, 'Asia/Shanghai'),
    removed  Bool DEFAULT false,
    version  UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name;

CREATE OR REPLACE VIEW population.sources AS
SELECT s.name AS name, s.sector AS sector, s.priority AS priority, s.added_at AS added_at
FROM population.sources_rows AS s FINAL
WHERE NOT s.removed;
