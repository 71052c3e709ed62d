-- What recent days will have in the end, as estimated on a day of knowledge; within the day the
-- newest estimate stands.
CREATE TABLE IF NOT EXISTS population.nowcast_rows
(
    known_on     Date32,
    measure      LowCardinality(String),
    district     LowCardinality(String),
    day          Date32,
    known        Int64,
    expected     Float64,
    low          Float64,
    high         Float64,
    published_at DateTime64(3, 'Asia/Shanghai')
)
ENGINE = ReplacingMergeTree(published_at)
ORDER BY (known_on, measure, district, day);

-- The newest day's.
CREATE OR REPLACE VIEW population.nowcast AS
SELECT
    n.day AS day,
    n.district AS district,
    n.measure AS measure,
    n.known AS known,
    n.expected AS expected,
    n.low AS low,
    n.high AS high,
    n.known_on AS known_on,
    n.published_at AS published_at
FROM population.nowcast_rows AS n FINAL
WHERE n.known_on = (SELECT max(m.known_on) FROM population.nowcast_rows AS m);

-- As it was estimated on another day:
-- SELECT … FROM population.nowcast_as_known(known_on = '2026-01-31')
CREATE OR REPLACE VIEW population.nowcast_as_known AS
SELECT
    n.day AS day,
    n.district AS district,
    n.measure AS measure,
    n.known AS known,
    n.expected AS expected,
    n.low AS low,
    n.high AS high,
    n.known_on AS known_on,
    n.published_at AS published_at
FROM population.nowcast_rows AS n FINAL
WHERE n.known_on = {known_on:Date32};
