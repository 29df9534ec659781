-- Who may do what: roles, quotas and one user for each program. An administrator applies it once, after the migrations, and sets passwords.
-- Promises: the writer cannot read scores or change tables' form, the detector cannot touch requests, the analyst can change nothing but feedback.
-- No password stands here: users cannot log in from anywhere (HOST NONE) until the administrator alters them (docs/DATABASE.md).
-- Not part of the migrations, because it needs rights that programs should not have. The syntax is checked by formatQuery, the rest on a server.
-- Read next: 0001_init.sql, ../../docs/SECURITY.md.

-- stores requests and handshakes: reads keys to leave out what is there, records what it imported
CREATE ROLE IF NOT EXISTS ja4_writer;
GRANT SELECT, INSERT ON ja4_logs.* TO ja4_writer;
GRANT SELECT, INSERT ON ja4_processing.inputs TO ja4_writer;
GRANT SELECT, INSERT ON ja4_processing.runs TO ja4_writer;
GRANT SELECT ON ja4_processing.schema_migrations TO ja4_writer;
GRANT INSERT ON ja4_processing.audit_logs TO ja4_writer;

-- what inputs and runs are replaced with: a staging table that takes the place of the table
GRANT CREATE TABLE, DROP TABLE, ALTER TABLE, ALTER DELETE ON ja4_processing.inputs TO ja4_writer;
GRANT SELECT, INSERT, CREATE TABLE, DROP TABLE, ALTER TABLE, ALTER DELETE ON ja4_processing.inputs_staging TO ja4_writer;
GRANT CREATE TABLE, DROP TABLE, ALTER TABLE, ALTER DELETE ON ja4_processing.runs TO ja4_writer;
GRANT SELECT, INSERT, CREATE TABLE, DROP TABLE, ALTER TABLE, ALTER DELETE ON ja4_processing.runs_staging TO ja4_writer;

-- sends lines of other shippers and nothing else
CREATE ROLE IF NOT EXISTS ja4_shipper;
GRANT INSERT ON ja4_logs.http_logs_raw TO ja4_shipper;

-- scores: reads everything, replaces results
CREATE ROLE IF NOT EXISTS ja4_detector;
CREATE ROLE IF NOT EXISTS ja4_admin;
GRANT SELECT ON ja4_logs.* TO ja4_detector;
GRANT SELECT, INSERT, CREATE TABLE, DROP TABLE, ALTER TABLE, ALTER DELETE ON ja4_processing.* TO ja4_detector;
GRANT dictGet ON ja4_processing.* TO ja4_detector;

-- what `db info` says of sizes and health, where a server asks for rights to its own tables
GRANT SELECT ON system.parts TO ja4_detector, ja4_admin;
GRANT SELECT ON system.detached_parts TO ja4_detector, ja4_admin;
GRANT SELECT ON system.mutations TO ja4_detector, ja4_admin;
GRANT SELECT ON system.replicas TO ja4_detector, ja4_admin;
GRANT SELECT ON system.dictionaries TO ja4_detector, ja4_admin;

-- looks: reads everything of ours, nothing of the server's, and may write down what was decided
CREATE ROLE IF NOT EXISTS ja4_analyst;
GRANT SELECT ON ja4_logs.* TO ja4_analyst;
GRANT SELECT ON ja4_processing.* TO ja4_analyst;
GRANT dictGet ON ja4_processing.* TO ja4_analyst;
GRANT INSERT ON ja4_processing.soc_feedback TO ja4_analyst;

-- migrates: everything within the two databases, and the neutral functions
GRANT ALL ON ja4_logs.* TO ja4_admin;
GRANT ALL ON ja4_processing.* TO ja4_admin;
GRANT CREATE FUNCTION, DROP FUNCTION ON *.* TO ja4_admin;
GRANT CLUSTER, REMOTE ON *.* TO ja4_admin;

-- one question of an analyst cannot take the server
CREATE SETTINGS PROFILE IF NOT EXISTS ja4_analyst_limits SETTINGS
  max_execution_time = 60 MAX 300,
  max_memory_usage = 4000000000 MAX 16000000000,
  max_threads = 4 MAX 8,
  max_result_rows = 1000000 MAX 10000000,
  allow_ddl = 0 READONLY
TO ja4_analyst;
CREATE QUOTA IF NOT EXISTS ja4_analyst_quota KEYED BY user_name
FOR INTERVAL 1 hour MAX queries = 2000, errors = 500, execution_time = 3600
TO ja4_analyst;
CREATE QUOTA IF NOT EXISTS ja4_shipper_quota KEYED BY user_name
FOR INTERVAL 1 minute MAX queries = 6000
TO ja4_shipper;

CREATE USER IF NOT EXISTS ja4_writer IDENTIFIED WITH no_authentication HOST NONE DEFAULT ROLE ja4_writer;
CREATE USER IF NOT EXISTS ja4_shipper IDENTIFIED WITH no_authentication HOST NONE DEFAULT ROLE ja4_shipper;
CREATE USER IF NOT EXISTS ja4_detector IDENTIFIED WITH no_authentication HOST NONE DEFAULT ROLE ja4_detector;
CREATE USER IF NOT EXISTS ja4_analyst IDENTIFIED WITH no_authentication HOST NONE DEFAULT ROLE ja4_analyst;
CREATE USER IF NOT EXISTS ja4_admin IDENTIFIED WITH no_authentication HOST NONE DEFAULT ROLE ja4_admin;
