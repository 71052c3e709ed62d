-- The city's districts and their aliases. A seed writes all rows with one version, in one
-- insert; the greatest version is the list.
CREATE TABLE IF NOT EXISTS population.district_rows
(
    code       String,
    name_zh    String,
    name_en    String,
    alias_of   String,
    valid_from Nullable(Date32),
    valid_to   Nullable(Date32),
    in_city    Bool,
    version    UInt64
)
ENGINE = MergeTree
ORDER BY (version, code);

CREATE OR REPLACE VIEW population.districts AS
SELECT
    d.code AS code,
    d.name_zh AS name_zh,
    d.name_en AS name_en,
    d.alias_of AS alias_of,
    d.valid_from AS valid_from,
    d.valid_to AS valid_to,
    d.in_city AS in_city
FROM population.district_rows AS d
WHERE d.version = (SELECT max(version) FROM population.district_rows);

-- The hukou population at the end of a day. One baseline is all rows of one (as_of,
-- known_on) with its greatest version: loaded anew, it replaces the whole of the former.
CREATE TABLE IF NOT EXISTS population.baseline_rows
(
    as_of      Date32,
    known_on   Date32,
    district   LowCardinality(String),
    sex        LowCardinality(String),
    birth_year Int32,
    value      Int64,
    loaded_at  DateTime64(3, 'Asia/Shanghai'),
    version    UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (as_of, known_on, district, sex, birth_year);

CREATE OR REPLACE VIEW population.baseline AS
SELECT
    b.as_of AS as_of,
    b.known_on AS known_on,
    b.district AS district,
    b.sex AS sex,
    b.birth_year AS birth_year,
    b.value AS value,
    b.loaded_at AS loaded_at
FROM population.baseline_rows AS b FINAL
WHERE (b.as_of, b.known_on, b.version) IN (
    SELECT m.as_of, m.known_on, max(m.version)
    FROM population.baseline_rows AS m
    GROUP BY m.as_of, m.known_on
);
