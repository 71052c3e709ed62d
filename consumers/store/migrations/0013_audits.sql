-- What each recount found, so that a difference is seen by whoever watches and not only by
-- whoever ran it.
CREATE TABLE IF NOT EXISTS population.audits
(
    at        DateTime64(3, 'Asia/Shanghai'),
    reports   UInt64,
    cells     UInt64,
    findings  UInt64,
    different UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY at;
