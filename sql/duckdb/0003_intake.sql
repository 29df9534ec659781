-- Dead letters: the table that ClickHouse fills by a view (there a shipper may insert lines itself), here for what is copied from there.
-- Promises: same columns as ../clickhouse/0003_intake.sql. Read next: ../README.md.

CREATE TABLE IF NOT EXISTS ja4_logs.http_logs_dead (
  received_ns BIGINT NOT NULL,
  source VARCHAR NOT NULL,
  position BIGINT NOT NULL,
  reason VARCHAR NOT NULL,
  line VARCHAR NOT NULL
);
