-- The counts. A row is the absolute total of one cell on one journal partition (shard);
-- of equal keys the greatest version stands, so repeats and replays never add up.
-- Not partitioned: an insert that touches many partitions costs ten times as much.
CREATE TABLE IF NOT EXISTS population.cells
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

-- The figures as known now, exact whatever merges have run.
CREATE OR REPLACE VIEW population.daily AS
SELECT
    c.day AS day,
    c.district AS district,
    c.measure AS measure,
    c.residency AS residency,
    c.sex AS sex,
    c.band AS band,
    sum(c.value) AS value
FROM population.cells AS c FINAL
GROUP BY c.day, c.district, c.measure, c.residency, c.sex, c.band
HAVING sum(c.value) != 0;

-- The figures as they were known at the end of a day:
-- SELECT … FROM population.daily_as_known(known_on = '2026-01-31')
CREATE OR REPLACE VIEW population.daily_as_known AS
SELECT
    c.day AS day,
    c.district AS district,
    c.measure AS measure,
    c.residency AS residency,
    c.sex AS sex,
    c.band AS band,
    sum(c.value) AS value
FROM population.cells AS c FINAL
WHERE c.known_on <= {known_on:Date32}
GROUP BY c.day, c.district, c.measure, c.residency, c.sex, c.band
HAVING sum(c.value) != 0;
