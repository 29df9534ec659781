-- Tables of the ClickHouse store: requests, results, records and reference data (syntax of 24.8).
-- Promises: every stored column is Int64, Float64 or String (LowCardinality where values repeat) and never Nullable, unknown is -1 or the empty text.
-- Retention counts from the day of arrival (received_day), so that an old capture replayed today is not removed at once.
-- Retried blocks are dropped by their token: every target of an insert has a deduplication window.
-- Read next: 0002_aggregates.sql, prelude.sql, base.sql, ../shared/, the same tables for DuckDB are in ../duckdb/0001_init.sql.

CREATE DATABASE IF NOT EXISTS ja4_logs;
CREATE DATABASE IF NOT EXISTS ja4_processing;

-- applied migrations, sha256 is that of the file as applied
CREATE TABLE IF NOT EXISTS ja4_processing.schema_migrations (
  version Int64,
  name String,
  sha256 String,
  applied_ns Int64
) ENGINE = MergeTree ORDER BY version;

-- one request joined with its connection: the columns of replay/join/src/row.rs, in that order, the order key begins with the hour, so a
-- window reads its own granules only
CREATE TABLE IF NOT EXISTS ja4_logs.http_logs (
  -- Identity.
  row_hi Int64 CODEC(NONE),
  row_lo Int64 CODEC(NONE),
  ts_ns Int64 CODEC(Delta(8), ZSTD(1)),
  -- Connection.
  src_ip String CODEC(ZSTD(1)),
  src_port Int64 CODEC(T64, ZSTD(1)),
  dst_ip LowCardinality(String),
  dst_port Int64 CODEC(T64, ZSTD(1)),
  client_ip String CODEC(ZSTD(1)),
  server LowCardinality(String),
  conn_id String CODEC(ZSTD(1)),
  request_no Int64 CODEC(T64, ZSTD(1)),
  -- Request.
  scheme LowCardinality(String),
  method LowCardinality(String),
  host LowCardinality(String),
  path String CODEC(ZSTD(3)),
  query String CODEC(ZSTD(3)),
  http_version LowCardinality(String),
  status Int64 CODEC(T64, ZSTD(1)),
  request_bytes Int64 CODEC(T64, ZSTD(1)),
  response_bytes Int64 CODEC(T64, ZSTD(1)),
  duration_us Int64 CODEC(T64, ZSTD(1)),
  -- Headers.
  headers_known Int64 CODEC(T64, ZSTD(1)),
  header_count Int64 CODEC(T64, ZSTD(1)),
  header_names String CODEC(ZSTD(3)),
  header_order LowCardinality(String),
  user_agent String CODEC(ZSTD(3)),
  referer String CODEC(ZSTD(3)),
  accept LowCardinality(String),
  accept_language LowCardinality(String),
  accept_encoding LowCardinality(String),
  content_type LowCardinality(String),
  origin LowCardinality(String),
  sec_ch_ua LowCardinality(String),
  sec_ch_ua_mobile LowCardinality(String),
  sec_ch_ua_platform LowCardinality(String),
  sec_fetch_site LowCardinality(String),
  sec_fetch_mode LowCardinality(String),
  sec_fetch_dest LowCardinality(String),
  x_requested_with LowCardinality(String),
  cookie_bytes Int64 CODEC(T64, ZSTD(1)),
  authorization_bytes Int64 CODEC(T64, ZSTD(1)),
  has_user_agent Int64 CODEC(T64, ZSTD(1)),
  has_accept Int64 CODEC(T64, ZSTD(1)),
  has_accept_language Int64 CODEC(T64, ZSTD(1)),
  has_accept_encoding Int64 CODEC(T64, ZSTD(1)),
  has_referer Int64 CODEC(T64, ZSTD(1)),
  has_cookie Int64 CODEC(T64, ZSTD(1)),
  has_origin Int64 CODEC(T64, ZSTD(1)),
  has_sec_fetch Int64 CODEC(T64, ZSTD(1)),
  has_client_hints Int64 CODEC(T64, ZSTD(1)),
  has_upgrade_insecure Int64 CODEC(T64, ZSTD(1)),
  h2 LowCardinality(String),
  -- Parsed from the request.
  path_depth Int64 CODEC(T64, ZSTD(1)),
  path_bytes Int64 CODEC(T64, ZSTD(1)),
  query_bytes Int64 CODEC(T64, ZSTD(1)),
  query_params Int64 CODEC(T64, ZSTD(1)),
  is_asset Int64 CODEC(T64, ZSTD(1)),
  asset_kind LowCardinality(String),
  is_page Int64 CODEC(T64, ZSTD(1)),
  is_api Int64 CODEC(T64, ZSTD(1)),
  is_sensitive Int64 CODEC(T64, ZSTD(1)),
  is_login Int64 CODEC(T64, ZSTD(1)),
  is_robots Int64 CODEC(T64, ZSTD(1)),
  ua_bytes Int64 CODEC(T64, ZSTD(1)),
  ua_class LowCardinality(String),
  ua_family LowCardinality(String),
  ua_major Int64 CODEC(T64, ZSTD(1)),
  ua_os LowCardinality(String),
  -- Connection as seen on the wire.
  protocol LowCardinality(String),
  sni LowCardinality(String),
  alpn LowCardinality(String),
  tls_version Int64 CODEC(T64, ZSTD(1)),
  ja3 String CODEC(ZSTD(1)),
  ja4 LowCardinality(String),
  ja4_r String CODEC(ZSTD(3)),
  ja4_o String CODEC(ZSTD(3)),
  ja4s LowCardinality(String),
  ja4t LowCardinality(String),
  ja4ts LowCardinality(String),
  ja4l_us Int64 CODEC(T64, ZSTD(1)),
  hello_ts_ns Int64 CODEC(Delta(8), ZSTD(1)),
  hello_bytes Int64 CODEC(T64, ZSTD(1)),
  hello_segments Int64 CODEC(T64, ZSTD(1)),
  cipher_count Int64 CODEC(T64, ZSTD(1)),
  extension_count Int64 CODEC(T64, ZSTD(1)),
  grease Int64 CODEC(T64, ZSTD(1)),
  resumption Int64 CODEC(T64, ZSTD(1)),
  ech Int64 CODEC(T64, ZSTD(1)),
  ip_ttl Int64 CODEC(T64, ZSTD(1)),
  ip_df Int64 CODEC(T64, ZSTD(1)),
  tcp_window Int64 CODEC(T64, ZSTD(1)),
  tcp_mss Int64 CODEC(T64, ZSTD(1)),
  tcp_wscale Int64 CODEC(T64, ZSTD(1)),
  tcp_options LowCardinality(String),
  syn_to_hello_us Int64 CODEC(T64, ZSTD(1)),
  -- The join.
  match_kind LowCardinality(String),
  match_confidence Float64 CODEC(ZSTD(1)),
  match_candidates Int64 CODEC(T64, ZSTD(1)),
  hello_to_request_us Int64 CODEC(T64, ZSTD(1)),
  handshake_request_no Int64 CODEC(T64, ZSTD(1)),
  -- Enrichment.
  asn Int64 CODEC(T64, ZSTD(1)),
  as_name LowCardinality(String),
  country LowCardinality(String),
  ip_bot LowCardinality(String),
  ja4_bot LowCardinality(String),
  ja4_browser LowCardinality(String),
  h2_browser LowCardinality(String),
  -- Claims against facts.
  ua_ja4_mismatch Int64 CODEC(T64, ZSTD(1)),
  alpn_mismatch Int64 CODEC(T64, ZSTD(1)),
  sni_mismatch Int64 CODEC(T64, ZSTD(1)),
  h2_mismatch Int64 CODEC(T64, ZSTD(1)),
  hints_mismatch Int64 CODEC(T64, ZSTD(1)),
  -- Not inserted.
  received_day Date MATERIALIZED today(),
  INDEX by_src_ip src_ip TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_client_ip client_ip TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_ja4 ja4 TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_row row_lo TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX by_path path TYPE tokenbf_v1(8192, 3, 7) GRANULARITY 4,
  INDEX by_ts ts_ns TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(ts_ns, 1000000000), 'UTC'))
ORDER BY (intDiv(ts_ns, 3600000000000), host, src_ip, ja4, ts_ns, row_hi, row_lo)
TTL received_day + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 0, non_replicated_deduplication_window = 10000;

-- lines of foreign shippers, as they came, kept until parsed
CREATE TABLE IF NOT EXISTS ja4_logs.http_logs_raw (
  received_ns Int64,
  source LowCardinality(String),
  position Int64,
  line String,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (received_ns, source, position)
TTL received_day + INTERVAL 7 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- handshakes that no request was joined to, key_hi and key_lo identify the handshake
CREATE TABLE IF NOT EXISTS ja4_logs.tls_only (
  ts_ns Int64,
  src_ip String,
  src_port Int64,
  dst_ip LowCardinality(String),
  dst_port Int64,
  protocol LowCardinality(String),
  sni LowCardinality(String),
  alpn LowCardinality(String),
  tls_version Int64,
  ja3 String,
  ja4 LowCardinality(String),
  ja4_r String,
  ja4s LowCardinality(String),
  ja4t LowCardinality(String),
  ip_ttl Int64,
  tcp_window Int64,
  tcp_mss Int64,
  tcp_wscale Int64,
  tcp_options LowCardinality(String),
  key_hi Int64,
  key_lo Int64,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(ts_ns, 1000000000), 'UTC'))
ORDER BY (intDiv(ts_ns, 3600000000000), src_ip, ja4, ts_ns)
TTL received_day + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- one row per session, model and scoring run, a voice that was not asked is -1, score is 0 to 1, anomaly is 1 at or above threshold
CREATE TABLE IF NOT EXISTS ja4_processing.ml_all_scores (
  win_ms Int64,
  src_ip String,
  ja4 LowCardinality(String),
  host LowCardinality(String),
  session_id String,
  model_name LowCardinality(String),
  model_id LowCardinality(String),
  model_kind LowCardinality(String),
  hits Int64,
  score_eif Float64,
  score_autoencoder Float64,
  score_boosted Float64,
  score Float64,
  threshold Float64,
  anomaly Int64,
  severity LowCardinality(String),
  agreement Float64,
  reason String,
  explanation String,
  population_share Float64,
  label Int64,
  label_source LowCardinality(String),
  user_agent String,
  ua_family LowCardinality(String),
  client_ip String,
  asn Int64,
  as_name LowCardinality(String),
  country LowCardinality(String),
  scored_run LowCardinality(String),
  first_ns Int64,
  last_ns Int64,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (scored_run, win_ms, src_ip, ja4, host)
TTL received_day + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- the rows of ml_all_scores with anomaly = 1, kept longer
CREATE TABLE IF NOT EXISTS ja4_processing.ml_detected_anomalies (
  win_ms Int64,
  src_ip String,
  ja4 LowCardinality(String),
  host LowCardinality(String),
  session_id String,
  model_name LowCardinality(String),
  model_id LowCardinality(String),
  model_kind LowCardinality(String),
  hits Int64,
  score_eif Float64,
  score_autoencoder Float64,
  score_boosted Float64,
  score Float64,
  threshold Float64,
  anomaly Int64,
  severity LowCardinality(String),
  agreement Float64,
  reason String,
  explanation String,
  population_share Float64,
  label Int64,
  label_source LowCardinality(String),
  user_agent String,
  ua_family LowCardinality(String),
  client_ip String,
  asn Int64,
  as_name LowCardinality(String),
  country LowCardinality(String),
  scored_run LowCardinality(String),
  first_ns Int64,
  last_ns Int64,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (win_ms, src_ip, ja4, host, scored_run)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- quality and drift figures of a model in a run
CREATE TABLE IF NOT EXISTS ja4_processing.ml_performance_metrics (
  ts_ns Int64,
  scored_run LowCardinality(String),
  model_name LowCardinality(String),
  model_id LowCardinality(String),
  model_kind LowCardinality(String),
  voice LowCardinality(String),
  metric LowCardinality(String),
  value Float64,
  sessions Int64,
  labelled Int64,
  detail String,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (model_name, metric, ts_ns)
TTL received_day + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- one client software behind many addresses
CREATE TABLE IF NOT EXISTS ja4_processing.fleet_detections (
  fleet_id String,
  first_ns Int64,
  last_ns Int64,
  ja4 LowCardinality(String),
  header_order String,
  user_agent String,
  ips Int64,
  networks Int64,
  asns Int64,
  countries Int64,
  hosts Int64,
  sessions Int64,
  hits Int64,
  score Float64,
  severity LowCardinality(String),
  reason String,
  traits String,
  scored_run LowCardinality(String),
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (fleet_id, scored_run)
TTL received_day + INTERVAL 7 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- groups of sessions with common traits
CREATE TABLE IF NOT EXISTS ja4_processing.campaigns (
  campaign_id LowCardinality(String),
  name String,
  first_ns Int64,
  last_ns Int64,
  sessions Int64,
  ips Int64,
  ja4s Int64,
  hosts Int64,
  hits Int64,
  score Float64,
  severity LowCardinality(String),
  reason String,
  traits String,
  state LowCardinality(String),
  scored_run LowCardinality(String),
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (campaign_id, scored_run)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- sessions of a campaign
CREATE TABLE IF NOT EXISTS ja4_processing.campaign_members (
  campaign_id LowCardinality(String),
  session_id String,
  win_ms Int64,
  src_ip String,
  ja4 LowCardinality(String),
  host LowCardinality(String),
  hits Int64,
  score Float64,
  membership Float64,
  scored_run LowCardinality(String),
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (campaign_id, session_id, scored_run)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- who did what, and whether it worked
CREATE TABLE IF NOT EXISTS ja4_processing.audit_logs (
  ts_ns Int64,
  actor LowCardinality(String),
  action LowCardinality(String),
  target String,
  outcome LowCardinality(String),
  detail String,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (ts_ns, actor)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- what analysts decided: label 1 bot, 0 legitimate, -1 withdrawn, the newest row of a target counts
CREATE TABLE IF NOT EXISTS ja4_processing.soc_feedback (
  ts_ns Int64,
  feedback_id String,
  target_kind LowCardinality(String),
  session_id String,
  src_ip String,
  ja4 LowCardinality(String),
  host LowCardinality(String),
  user_agent String,
  label Int64,
  verdict LowCardinality(String),
  note String,
  analyst String
) ENGINE = MergeTree
ORDER BY (ts_ns, feedback_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- what was imported: content_hash with kind identifies an input, bytes and records are what was read so far
CREATE TABLE IF NOT EXISTS ja4_processing.inputs (
  content_hash String,
  kind LowCardinality(String),
  name String,
  bytes Int64,
  records Int64,
  damaged Int64,
  state LowCardinality(String),
  first_ns Int64,
  last_ns Int64,
  skew_ns Int64,
  run_id String,
  detail String
) ENGINE = MergeTree
ORDER BY (content_hash, kind, run_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- every command that changed the store: its configuration, digests and counters (JSON)
CREATE TABLE IF NOT EXISTS ja4_processing.runs (
  run_id String,
  command LowCardinality(String),
  version LowCardinality(String),
  config String,
  rows_digest String,
  features_digest String,
  scores_digest String,
  counters String,
  started_ns Int64,
  finished_ns Int64,
  state LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (run_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- address ranges and their autonomous systems, kind is hosting, isp, business, education or empty
CREATE TABLE IF NOT EXISTS ja4_processing.ref_asn (
  cidr String,
  asn Int64,
  as_name LowCardinality(String),
  country LowCardinality(String),
  kind LowCardinality(String),
  source LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (cidr)
SETTINGS non_replicated_deduplication_window = 10000;

-- address ranges that operators publish for their crawlers
CREATE TABLE IF NOT EXISTS ja4_processing.ref_bot_ip (
  cidr String,
  name String,
  kind LowCardinality(String),
  source LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (cidr, name)
SETTINGS non_replicated_deduplication_window = 10000;

-- JA4 of tools
CREATE TABLE IF NOT EXISTS ja4_processing.ref_bot_ja4 (
  ja4 LowCardinality(String),
  name String,
  kind LowCardinality(String),
  source LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (ja4, name)
SETTINGS non_replicated_deduplication_window = 10000;

-- JA4 of browsers
CREATE TABLE IF NOT EXISTS ja4_processing.ref_browser_ja4 (
  ja4 LowCardinality(String),
  family LowCardinality(String),
  os LowCardinality(String),
  major_from Int64,
  major_to Int64,
  source LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (ja4, family)
SETTINGS non_replicated_deduplication_window = 10000;

-- HTTP/2 fingerprints of browsers
CREATE TABLE IF NOT EXISTS ja4_processing.ref_browser_h2 (
  h2 String,
  family LowCardinality(String),
  source LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (h2, family)
SETTINGS non_replicated_deduplication_window = 10000;

-- imported policy rules in order, kind is user_agent, ip, asn, country, path or header, action is allow, deny, challenge or weigh
CREATE TABLE IF NOT EXISTS ja4_processing.ref_rules_anubis (
  position Int64,
  name String,
  kind LowCardinality(String),
  field String,
  pattern String,
  action LowCardinality(String),
  weight Int64,
  source LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (position, name)
SETTINGS non_replicated_deduplication_window = 10000;
