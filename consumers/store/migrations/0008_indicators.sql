-- Facts that no event yields (beds, doctors, unemployment, urban class of a district), as
-- loaded. A fact loaded again under the same days replaces the former.
CREATE TABLE IF NOT EXISTS population.reference_rows
(
    indicator LowCardinality(String),
    district  LowCardinality(String),
    as_of     Date32,
    known_on  Date32,
    value     Decimal64(6),
    unit      String,
    source    String,
    loaded_at DateTime64(3, 'Asia/Shanghai'),
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (indicator, district, as_of, known_on);

CREATE OR REPLACE VIEW population.reference AS
SELECT
    r.indicator AS indicator,
    r.district AS district,
    r.as_of AS as_of,
    r.known_on AS known_on,
    r.value AS value,
    r.unit AS unit,
    r.source AS source,
    r.loaded_at AS loaded_at
FROM population.reference_rows AS r FINAL;

-- Published values: one row for each day of knowledge on which a value was another. What is
-- known on a later day never replaces it; within the day the newest stands.
CREATE TABLE IF NOT EXISTS population.readings
(
    indicator    LowCardinality(String),
    base         LowCardinality(String),
    district     LowCardinality(String),
    window       LowCardinality(String),
    as_of        Date32,
    known_on     Date32,
    numerator    Nullable(Float64),
    denominator  Nullable(Float64),
    value        Nullable(Float64),
    low          Nullable(Float64),
    high         Nullable(Float64),
    completeness Nullable(Float64),
    status       LowCardinality(String),
    reason       LowCardinality(String),
    note         LowCardinality(String),
    cause        String,
    published_at DateTime64(3, 'Asia/Shanghai')
)
ENGINE = ReplacingMergeTree(published_at)
ORDER BY (indicator, base, district, window, as_of, known_on);

-- The newest of each.
CREATE OR REPLACE VIEW population.indicators AS
SELECT
    r.indicator AS indicator,
    r.base AS base,
    r.district AS district,
    r.window AS window,
    r.as_of AS as_of,
    r.known_on AS known_on,
    r.numerator AS numerator,
    r.denominator AS denominator,
    r.value AS value,
    r.low AS low,
    r.high AS high,
    r.completeness AS completeness,
    r.status AS status,
    r.reason AS reason,
    r.note AS note,
    r.cause AS cause,
    r.published_at AS published_at
FROM population.readings AS r
ORDER BY r.indicator, r.base, r.district, r.window, r.as_of, r.known_on DESC,
    r.published_at DESC
LIMIT 1 BY r.indicator, r.base, r.district, r.window, r.as_of;

-- The newest day of each.
CREATE OR REPLACE VIEW population.now AS
SELECT
    n.indicator AS indicator,
    n.base AS base,
    n.district AS district,
    n.window AS window,
    n.as_of AS as_of,
    n.known_on AS known_on,
    n.numerator AS numerator,
    n.denominator AS denominator,
    n.value AS value,
    n.low AS low,
    n.high AS high,
    n.completeness AS completeness,
    n.status AS status,
    n.reason AS reason,
    n.note AS note,
    n.cause AS cause,
    n.published_at AS published_at
FROM population.readings AS n
ORDER BY n.indicator, n.base, n.district, n.window, n.as_of DESC, n.known_on DESC,
    n.published_at DESC
LIMIT 1 BY n.indicator, n.base, n.district, n.window;
