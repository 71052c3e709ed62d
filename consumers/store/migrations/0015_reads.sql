-- Who read rows about single persons: one row a statement, written by the store process and by
-- popflow's commands. (A ClickHouse server has this in system.query_log as well.)
CREATE TABLE IF NOT EXISTS population.reads
(
    read_at   DateTime64(3, 'Asia/Shanghai'),
    account   LowCardinality(String),
    who       String,
    tables    Array(LowCardinality(String)),
    statement String CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY read_at;
