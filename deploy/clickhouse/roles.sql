-- Roles of popflow on a ClickHouse server. Made by `python -m consumers.store.roles`.
--
-- Run it as an administrator of the server, once before the first `popflow` and again after an
-- update (every statement may be repeated). Then make users, with passwords of your own:
--
--   CREATE USER admin_of_popflow IDENTIFIED BY '…' DEFAULT ROLE popflow_admin;
--   CREATE USER pipeline IDENTIFIED BY '…' HOST IP '10.0.0.0/24' DEFAULT ROLE popflow_writer;
--   CREATE USER dashboards IDENTIFIED BY '…' DEFAULT ROLE popflow_reader;
--   CREATE USER page IDENTIFIED BY '…' DEFAULT ROLE popflow_public;
--
-- Who reads persons' rows is in system.query_log (popflow_admin may read it).

CREATE DATABASE IF NOT EXISTS population;

-- Views run with the rights of who made them: a reader needs no table behind a view.
CREATE SETTINGS PROFILE OR REPLACE popflow_writing SETTINGS default_normal_view_sql_security = 'DEFINER', async_insert = 0;
CREATE SETTINGS PROFILE OR REPLACE popflow_reading SETTINGS max_execution_time = 30 CONST, timeout_overflow_mode = 'throw' CONST, max_result_rows = 1000000 CONST, max_result_bytes = 268435456 CONST, result_overflow_mode = 'throw' CONST, max_memory_usage = 1073741824 CONST, max_threads = 2 CONST, readonly = 2, allow_ddl = 0;

CREATE ROLE OR REPLACE popflow_writer SETTINGS PROFILE 'popflow_writing';
CREATE ROLE OR REPLACE popflow_admin SETTINGS PROFILE 'popflow_writing';
CREATE ROLE OR REPLACE popflow_reader SETTINGS PROFILE 'popflow_reading';
CREATE ROLE OR REPLACE popflow_public SETTINGS PROFILE 'popflow_reading';

-- The workers and the command line: the whole database, nothing beside it.
GRANT SELECT, INSERT, ALTER DELETE, ALTER UPDATE, OPTIMIZE, SHOW, CREATE TABLE, CREATE VIEW, DROP VIEW, TRUNCATE ON population.* TO popflow_writer;
GRANT CREATE DATABASE ON population.* TO popflow_writer;

GRANT ALL ON population.* TO popflow_admin;
GRANT SELECT ON system.query_log TO popflow_admin;
GRANT SELECT ON system.processes TO popflow_admin;
GRANT KILL QUERY ON *.* TO popflow_admin;

-- Views without a column about a person.
GRANT SELECT ON population.alerts TO popflow_reader;
GRANT SELECT ON population.baseline TO popflow_reader;
GRANT SELECT ON population.catalogue TO popflow_reader;
GRANT SELECT ON population.daily TO popflow_reader;
GRANT SELECT ON population.daily_as_known TO popflow_reader;
GRANT SELECT ON population.districts TO popflow_reader;
GRANT SELECT ON population.indicators TO popflow_reader;
GRANT SELECT ON population.indicators_as_known TO popflow_reader;
GRANT SELECT ON population.now TO popflow_reader;
GRANT SELECT ON population.nowcast TO popflow_reader;
GRANT SELECT ON population.nowcast_as_known TO popflow_reader;
GRANT SELECT ON population.public_counts TO popflow_reader;
GRANT SELECT ON population.public_indicators TO popflow_reader;
GRANT SELECT ON population.readings TO popflow_reader;
GRANT SELECT ON population.reference TO popflow_reader;
GRANT SELECT ON population.simulations TO popflow_reader;
GRANT SELECT ON population.sources TO popflow_reader;
GRANT SELECT ON population.targets TO popflow_reader;

-- Small counts suppressed.
GRANT SELECT ON population.catalogue TO popflow_public;
GRANT SELECT ON population.districts TO popflow_public;
GRANT SELECT ON population.public_counts TO popflow_public;
GRANT SELECT ON population.public_indicators TO popflow_public;
GRANT SELECT ON population.simulations TO popflow_public;
GRANT SELECT ON population.targets TO popflow_public;

CREATE QUOTA OR REPLACE popflow_reading KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 600, execution_time = 120 FOR INTERVAL 1 day MAX result_rows = 100000000 TO popflow_reader, popflow_public;
