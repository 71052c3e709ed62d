-- What was written since a version is found without reading the whole table: the readings' agent
-- asks after every flush.
ALTER TABLE population.cells ADD INDEX IF NOT EXISTS by_version version TYPE minmax GRANULARITY 1;
