-- Who was forgotten (popflow forget): only a digest of the pseudonym, so that intake knows an
-- event about such a person when it comes again.
CREATE TABLE IF NOT EXISTS population.forgotten_rows
(
    digest       String,
    forgotten_at DateTime64(3, 'Asia/Shanghai'),
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY digest;

-- What forgotten persons still add to the published counts: one anonymous total a cell and
-- journal partition for all of them together, like a row of cells. Their reports are gone, so a
-- recount and a rebuild start from these.
CREATE TABLE IF NOT EXISTS population.forgotten_cells
(
    measure   LowCardinality(String),
    district  LowCardinality(String),
    day       Date32,
    known_on  Date32,
    residency LowCardinality(String),
    sex       LowCardinality(String),
    band      LowCardinality(String),
    shard     UInt16,
    value     Int64,
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (measure, district, day, known_on, residency, sex, band, shard);
