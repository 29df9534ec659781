-- What the detection service keeps: who may work, and which alerts went out.
-- Promises: the columns of ../duckdb/0006_service.sql, in that order.
-- Read next: lab/src/service/lease.rs, lab/src/service/alert/mod.rs.

-- claims on work that only one process may do at a time, stage is wanted or held, a claim past expires_ns counts for nothing
CREATE TABLE IF NOT EXISTS ja4_processing.leases (
  name String,
  token String,
  holder String,
  stage LowCardinality(String),
  acquired_ns Int64,
  expires_ns Int64
) ENGINE = MergeTree
ORDER BY (name, token);

-- alerts that were handed to their targets, alert_key is kind, subject and window, day (YYYY-MM-DD, UTC) is that of the window
CREATE TABLE IF NOT EXISTS ja4_processing.alerts_sent (
  alert_key String,
  day LowCardinality(String),
  kind LowCardinality(String),
  subject String,
  severity LowCardinality(String),
  sent_ns Int64,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (day, alert_key)
TTL received_day + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;
