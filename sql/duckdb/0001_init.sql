-- Tables of the DuckDB store: requests, results, records and reference data.
-- Promises: every column is BIGINT, DOUBLE or VARCHAR and never NULL, unknown is -1 or the empty text.
-- No index: the store itself drops rows whose (row_hi, row_lo) it already holds. Times are UTC nanoseconds, windows milliseconds.
-- Read next: prelude.sql, base.sql, ../shared/, the same tables for ClickHouse are in ../clickhouse/0001_init.sql.

CREATE SCHEMA IF NOT EXISTS ja4_logs;
CREATE SCHEMA IF NOT EXISTS ja4_processing;

-- applied migrations, sha256 is that of the file as applied
CREATE TABLE IF NOT EXISTS ja4_processing.schema_migrations (
  version BIGINT NOT NULL,
  name VARCHAR NOT NULL,
  sha256 VARCHAR NOT NULL,
  applied_ns BIGINT NOT NULL
);

-- one request joined with its connection: exactly the columns of replay/join/src/row.rs, in that order
CREATE TABLE IF NOT EXISTS ja4_logs.http_logs (
  -- Identity.
  row_hi BIGINT NOT NULL,
  row_lo BIGINT NOT NULL,
  ts_ns BIGINT NOT NULL,
  -- Connection.
  src_ip VARCHAR NOT NULL,
  src_port BIGINT NOT NULL,
  dst_ip VARCHAR NOT NULL,
  dst_port BIGINT NOT NULL,
  client_ip VARCHAR NOT NULL,
  server VARCHAR NOT NULL,
  conn_id VARCHAR NOT NULL,
  request_no BIGINT NOT NULL,
  -- Request.
  scheme VARCHAR NOT NULL,
  method VARCHAR NOT NULL,
  host VARCHAR NOT NULL,
  path VARCHAR NOT NULL,
  query VARCHAR NOT NULL,
  http_version VARCHAR NOT NULL,
  status BIGINT NOT NULL,
  request_bytes BIGINT NOT NULL,
  response_bytes BIGINT NOT NULL,
  duration_us BIGINT NOT NULL,
  -- Headers.
  headers_known BIGINT NOT NULL,
  header_count BIGINT NOT NULL,
  header_names VARCHAR NOT NULL,
  header_order VARCHAR NOT NULL,
  user_agent VARCHAR NOT NULL,
  referer VARCHAR NOT NULL,
  accept VARCHAR NOT NULL,
  accept_language VARCHAR NOT NULL,
  accept_encoding VARCHAR NOT NULL,
  content_type VARCHAR NOT NULL,
  origin VARCHAR NOT NULL,
  sec_ch_ua VARCHAR NOT NULL,
  sec_ch_ua_mobile VARCHAR NOT NULL,
  sec_ch_ua_platform VARCHAR NOT NULL,
  sec_fetch_site VARCHAR NOT NULL,
  sec_fetch_mode VARCHAR NOT NULL,
  sec_fetch_dest VARCHAR NOT NULL,
  x_requested_with VARCHAR NOT NULL,
  cookie_bytes BIGINT NOT NULL,
  authorization_bytes BIGINT NOT NULL,
  has_user_agent BIGINT NOT NULL,
  has_accept BIGINT NOT NULL,
  has_accept_language BIGINT NOT NULL,
  has_accept_encoding BIGINT NOT NULL,
  has_referer BIGINT NOT NULL,
  has_cookie BIGINT NOT NULL,
  has_origin BIGINT NOT NULL,
  has_sec_fetch BIGINT NOT NULL,
  has_client_hints BIGINT NOT NULL,
  has_upgrade_insecure BIGINT NOT NULL,
  h2 VARCHAR NOT NULL,
  -- Parsed from the request.
  path_depth BIGINT NOT NULL,
  path_bytes BIGINT NOT NULL,
  query_bytes BIGINT NOT NULL,
  query_params BIGINT NOT NULL,
  is_asset BIGINT NOT NULL,
  asset_kind VARCHAR NOT NULL,
  is_page BIGINT NOT NULL,
  is_api BIGINT NOT NULL,
  is_sensitive BIGINT NOT NULL,
  is_login BIGINT NOT NULL,
  is_robots BIGINT NOT NULL,
  ua_bytes BIGINT NOT NULL,
  ua_class VARCHAR NOT NULL,
  ua_family VARCHAR NOT NULL,
  ua_major BIGINT NOT NULL,
  ua_os VARCHAR NOT NULL,
  -- Connection as seen on the wire.
  protocol VARCHAR NOT NULL,
  sni VARCHAR NOT NULL,
  alpn VARCHAR NOT NULL,
  tls_version BIGINT NOT NULL,
  ja3 VARCHAR NOT NULL,
  ja4 VARCHAR NOT NULL,
  ja4_r VARCHAR NOT NULL,
  ja4_o VARCHAR NOT NULL,
  ja4s VARCHAR NOT NULL,
  ja4t VARCHAR NOT NULL,
  ja4ts VARCHAR NOT NULL,
  ja4l_us BIGINT NOT NULL,
  hello_ts_ns BIGINT NOT NULL,
  hello_bytes BIGINT NOT NULL,
  hello_segments BIGINT NOT NULL,
  cipher_count BIGINT NOT NULL,
  extension_count BIGINT NOT NULL,
  grease BIGINT NOT NULL,
  resumption BIGINT NOT NULL,
  ech BIGINT NOT NULL,
  ip_ttl BIGINT NOT NULL,
  ip_df BIGINT NOT NULL,
  tcp_window BIGINT NOT NULL,
  tcp_mss BIGINT NOT NULL,
  tcp_wscale BIGINT NOT NULL,
  tcp_options VARCHAR NOT NULL,
  syn_to_hello_us BIGINT NOT NULL,
  -- The join.
  match_kind VARCHAR NOT NULL,
  match_confidence DOUBLE NOT NULL,
  match_candidates BIGINT NOT NULL,
  hello_to_request_us BIGINT NOT NULL,
  handshake_request_no BIGINT NOT NULL,
  -- Enrichment.
  asn BIGINT NOT NULL,
  as_name VARCHAR NOT NULL,
  country VARCHAR NOT NULL,
  ip_bot VARCHAR NOT NULL,
  ja4_bot VARCHAR NOT NULL,
  ja4_browser VARCHAR NOT NULL,
  h2_browser VARCHAR NOT NULL,
  -- Claims against facts.
  ua_ja4_mismatch BIGINT NOT NULL,
  alpn_mismatch BIGINT NOT NULL,
  sni_mismatch BIGINT NOT NULL,
  h2_mismatch BIGINT NOT NULL,
  hints_mismatch BIGINT NOT NULL
);

-- lines of foreign shippers, as they came, kept until parsed
CREATE TABLE IF NOT EXISTS ja4_logs.http_logs_raw (
  received_ns BIGINT NOT NULL,
  source VARCHAR NOT NULL,
  position BIGINT NOT NULL,
  line VARCHAR NOT NULL
);

-- handshakes that no request was joined to, key_hi and key_lo identify the handshake
CREATE TABLE IF NOT EXISTS ja4_logs.tls_only (
  ts_ns BIGINT NOT NULL,
  src_ip VARCHAR NOT NULL,
  src_port BIGINT NOT NULL,
  dst_ip VARCHAR NOT NULL,
  dst_port BIGINT NOT NULL,
  protocol VARCHAR NOT NULL,
  sni VARCHAR NOT NULL,
  alpn VARCHAR NOT NULL,
  tls_version BIGINT NOT NULL,
  ja3 VARCHAR NOT NULL,
  ja4 VARCHAR NOT NULL,
  ja4_r VARCHAR NOT NULL,
  ja4s VARCHAR NOT NULL,
  ja4t VARCHAR NOT NULL,
  ip_ttl BIGINT NOT NULL,
  tcp_window BIGINT NOT NULL,
  tcp_mss BIGINT NOT NULL,
  tcp_wscale BIGINT NOT NULL,
  tcp_options VARCHAR NOT NULL,
  key_hi BIGINT NOT NULL,
  key_lo BIGINT NOT NULL
);

-- one row per session, model and scoring run, a voice that was not asked is -1, score is 0 to 1, anomaly is 1 at or above threshold
CREATE TABLE IF NOT EXISTS ja4_processing.ml_all_scores (
  win_ms BIGINT NOT NULL,
  src_ip VARCHAR NOT NULL,
  ja4 VARCHAR NOT NULL,
  host VARCHAR NOT NULL,
  session_id VARCHAR NOT NULL,
  model_name VARCHAR NOT NULL,
  model_id VARCHAR NOT NULL,
  model_kind VARCHAR NOT NULL,
  hits BIGINT NOT NULL,
  score_eif DOUBLE NOT NULL,
  score_autoencoder DOUBLE NOT NULL,
  score_boosted DOUBLE NOT NULL,
  score DOUBLE NOT NULL,
  threshold DOUBLE NOT NULL,
  anomaly BIGINT NOT NULL,
  severity VARCHAR NOT NULL,
  agreement DOUBLE NOT NULL,
  reason VARCHAR NOT NULL,
  explanation VARCHAR NOT NULL,
  population_share DOUBLE NOT NULL,
  label BIGINT NOT NULL,
  label_source VARCHAR NOT NULL,
  user_agent VARCHAR NOT NULL,
  ua_family VARCHAR NOT NULL,
  client_ip VARCHAR NOT NULL,
  asn BIGINT NOT NULL,
  as_name VARCHAR NOT NULL,
  country VARCHAR NOT NULL,
  scored_run VARCHAR NOT NULL,
  first_ns BIGINT NOT NULL,
  last_ns BIGINT NOT NULL
);

-- the rows of ml_all_scores with anomaly = 1, kept longer
CREATE TABLE IF NOT EXISTS ja4_processing.ml_detected_anomalies (
  win_ms BIGINT NOT NULL,
  src_ip VARCHAR NOT NULL,
  ja4 VARCHAR NOT NULL,
  host VARCHAR NOT NULL,
  session_id VARCHAR NOT NULL,
  model_name VARCHAR NOT NULL,
  model_id VARCHAR NOT NULL,
  model_kind VARCHAR NOT NULL,
  hits BIGINT NOT NULL,
  score_eif DOUBLE NOT NULL,
  score_autoencoder DOUBLE NOT NULL,
  score_boosted DOUBLE NOT NULL,
  score DOUBLE NOT NULL,
  threshold DOUBLE NOT NULL,
  anomaly BIGINT NOT NULL,
  severity VARCHAR NOT NULL,
  agreement DOUBLE NOT NULL,
  reason VARCHAR NOT NULL,
  explanation VARCHAR NOT NULL,
  population_share DOUBLE NOT NULL,
  label BIGINT NOT NULL,
  label_source VARCHAR NOT NULL,
  user_agent VARCHAR NOT NULL,
  ua_family VARCHAR NOT NULL,
  client_ip VARCHAR NOT NULL,
  asn BIGINT NOT NULL,
  as_name VARCHAR NOT NULL,
  country VARCHAR NOT NULL,
  scored_run VARCHAR NOT NULL,
  first_ns BIGINT NOT NULL,
  last_ns BIGINT NOT NULL
);

-- quality and drift figures of a model in a run
CREATE TABLE IF NOT EXISTS ja4_processing.ml_performance_metrics (
  ts_ns BIGINT NOT NULL,
  scored_run VARCHAR NOT NULL,
  model_name VARCHAR NOT NULL,
  model_id VARCHAR NOT NULL,
  model_kind VARCHAR NOT NULL,
  voice VARCHAR NOT NULL,
  metric VARCHAR NOT NULL,
  value DOUBLE NOT NULL,
  sessions BIGINT NOT NULL,
  labelled BIGINT NOT NULL,
  detail VARCHAR NOT NULL
);

-- one client software behind many addresses
CREATE TABLE IF NOT EXISTS ja4_processing.fleet_detections (
  fleet_id VARCHAR NOT NULL,
  first_ns BIGINT NOT NULL,
  last_ns BIGINT NOT NULL,
  ja4 VARCHAR NOT NULL,
  header_order VARCHAR NOT NULL,
  user_agent VARCHAR NOT NULL,
  ips BIGINT NOT NULL,
  networks BIGINT NOT NULL,
  asns BIGINT NOT NULL,
  countries BIGINT NOT NULL,
  hosts BIGINT NOT NULL,
  sessions BIGINT NOT NULL,
  hits BIGINT NOT NULL,
  score DOUBLE NOT NULL,
  severity VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  traits VARCHAR NOT NULL,
  scored_run VARCHAR NOT NULL
);

-- groups of sessions with common traits
CREATE TABLE IF NOT EXISTS ja4_processing.campaigns (
  campaign_id VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  first_ns BIGINT NOT NULL,
  last_ns BIGINT NOT NULL,
  sessions BIGINT NOT NULL,
  ips BIGINT NOT NULL,
  ja4s BIGINT NOT NULL,
  hosts BIGINT NOT NULL,
  hits BIGINT NOT NULL,
  score DOUBLE NOT NULL,
  severity VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  traits VARCHAR NOT NULL,
  state VARCHAR NOT NULL,
  scored_run VARCHAR NOT NULL
);

-- sessions of a campaign
CREATE TABLE IF NOT EXISTS ja4_processing.campaign_members (
  campaign_id VARCHAR NOT NULL,
  session_id VARCHAR NOT NULL,
  win_ms BIGINT NOT NULL,
  src_ip VARCHAR NOT NULL,
  ja4 VARCHAR NOT NULL,
  host VARCHAR NOT NULL,
  hits BIGINT NOT NULL,
  score DOUBLE NOT NULL,
  membership DOUBLE NOT NULL,
  scored_run VARCHAR NOT NULL
);

-- who did what, and whether it worked
CREATE TABLE IF NOT EXISTS ja4_processing.audit_logs (
  ts_ns BIGINT NOT NULL,
  actor VARCHAR NOT NULL,
  action VARCHAR NOT NULL,
  target VARCHAR NOT NULL,
  outcome VARCHAR NOT NULL,
  detail VARCHAR NOT NULL
);

-- what analysts decided: label 1 bot, 0 legitimate, -1 withdrawn, the newest row of a target counts
CREATE TABLE IF NOT EXISTS ja4_processing.soc_feedback (
  ts_ns BIGINT NOT NULL,
  feedback_id VARCHAR NOT NULL,
  target_kind VARCHAR NOT NULL,
  session_id VARCHAR NOT NULL,
  src_ip VARCHAR NOT NULL,
  ja4 VARCHAR NOT NULL,
  host VARCHAR NOT NULL,
  user_agent VARCHAR NOT NULL,
  label BIGINT NOT NULL,
  verdict VARCHAR NOT NULL,
  note VARCHAR NOT NULL,
  analyst VARCHAR NOT NULL
);

-- what was imported: content_hash with kind identifies an input, bytes and records are what was read so far
CREATE TABLE IF NOT EXISTS ja4_processing.inputs (
  content_hash VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  bytes BIGINT NOT NULL,
  records BIGINT NOT NULL,
  damaged BIGINT NOT NULL,
  state VARCHAR NOT NULL,
  first_ns BIGINT NOT NULL,
  last_ns BIGINT NOT NULL,
  skew_ns BIGINT NOT NULL,
  run_id VARCHAR NOT NULL,
  detail VARCHAR NOT NULL
);

-- every command that changed the store: its configuration, digests and counters (JSON)
CREATE TABLE IF NOT EXISTS ja4_processing.runs (
  run_id VARCHAR NOT NULL,
  command VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  config VARCHAR NOT NULL,
  rows_digest VARCHAR NOT NULL,
  features_digest VARCHAR NOT NULL,
  scores_digest VARCHAR NOT NULL,
  counters VARCHAR NOT NULL,
  started_ns BIGINT NOT NULL,
  finished_ns BIGINT NOT NULL,
  state VARCHAR NOT NULL
);

-- address ranges and their autonomous systems, kind is hosting, isp, business, education or empty
CREATE TABLE IF NOT EXISTS ja4_processing.ref_asn (
  cidr VARCHAR NOT NULL,
  asn BIGINT NOT NULL,
  as_name VARCHAR NOT NULL,
  country VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  source VARCHAR NOT NULL
);

-- address ranges that operators publish for their crawlers
CREATE TABLE IF NOT EXISTS ja4_processing.ref_bot_ip (
  cidr VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  source VARCHAR NOT NULL
);

-- JA4 of tools
CREATE TABLE IF NOT EXISTS ja4_processing.ref_bot_ja4 (
  ja4 VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  source VARCHAR NOT NULL
);

-- JA4 of browsers
CREATE TABLE IF NOT EXISTS ja4_processing.ref_browser_ja4 (
  ja4 VARCHAR NOT NULL,
  family VARCHAR NOT NULL,
  os VARCHAR NOT NULL,
  major_from BIGINT NOT NULL,
  major_to BIGINT NOT NULL,
  source VARCHAR NOT NULL
);

-- HTTP/2 fingerprints of browsers
CREATE TABLE IF NOT EXISTS ja4_processing.ref_browser_h2 (
  h2 VARCHAR NOT NULL,
  family VARCHAR NOT NULL,
  source VARCHAR NOT NULL
);

-- imported policy rules in order, kind is user_agent, ip, asn, country, path or header, action is allow, deny, challenge or weigh
CREATE TABLE IF NOT EXISTS ja4_processing.ref_rules_anubis (
  position BIGINT NOT NULL,
  name VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  field VARCHAR NOT NULL,
  pattern VARCHAR NOT NULL,
  action VARCHAR NOT NULL,
  weight BIGINT NOT NULL,
  source VARCHAR NOT NULL
);
