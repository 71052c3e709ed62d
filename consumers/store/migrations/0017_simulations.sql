-- The simulated cities that have published here, so that whoever shows a figure can say that
-- it is of invented people. A row is written before a city's first message.
CREATE TABLE IF NOT EXISTS population.simulation_rows
(
    tag      String,
    seed     Int64,
    scale    Float64,
    start    Date32,
    begun_at DateTime64(3, 'Asia/Shanghai'),
    version  UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY tag;

CREATE OR REPLACE VIEW population.simulations AS
SELECT s.tag AS tag, s.seed AS seed, s.scale AS scale, s.start AS start, s.begun_at AS begun_at
FROM population.simulation_rows AS s FINAL;
