-- What the detection service keeps: who may work, and which alerts went out.
-- Promises: as in 0001: every column is BIGINT, DOUBLE or VARCHAR and never NULL.
-- Read next: lab/src/service/lease.rs, lab/src/service/alert/mod.rs.

-- claims on work that only one process may do at a time, stage is wanted or held, a claim past expires_ns counts for nothing
CREATE TABLE IF NOT EXISTS ja4_processing.leases (
  name VARCHAR NOT NULL,
  token VARCHAR NOT NULL,
  holder VARCHAR NOT NULL,
  stage VARCHAR NOT NULL,
  acquired_ns BIGINT NOT NULL,
  expires_ns BIGINT NOT NULL
);

-- alerts that were handed to their targets, alert_key is kind, subject and window, day (YYYY-MM-DD, UTC) is that of the window
CREATE TABLE IF NOT EXISTS ja4_processing.alerts_sent (
  alert_key VARCHAR NOT NULL,
  day VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  subject VARCHAR NOT NULL,
  severity VARCHAR NOT NULL,
  sent_ns BIGINT NOT NULL
);
