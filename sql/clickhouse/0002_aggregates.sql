-- Six aggregates by the hour: partial sums kept by materialized views on http_logs, and a view over each that adds them up.
-- Promises: agg_* have the same names, types and values as the views of ../duckdb/aggregates.sql, every sum is an integer.
-- A retried block is dropped from the partial sums too if the insert sets deduplicate_blocks_in_dependent_materialized_views = 1
-- and carries a token. Rows deleted from http_logs stay in the sums until purged there. Read next: prelude.sql, base.sql.

-- by host
CREATE TABLE IF NOT EXISTS ja4_processing.agg_host_1h_parts (
  win_ms Int64,
  host LowCardinality(String),
  hits SimpleAggregateFunction(sum, Int64),
  n_2xx SimpleAggregateFunction(sum, Int64),
  n_3xx SimpleAggregateFunction(sum, Int64),
  n_4xx SimpleAggregateFunction(sum, Int64),
  n_5xx SimpleAggregateFunction(sum, Int64),
  n_post SimpleAggregateFunction(sum, Int64),
  n_page SimpleAggregateFunction(sum, Int64),
  n_asset SimpleAggregateFunction(sum, Int64),
  n_sensitive SimpleAggregateFunction(sum, Int64),
  n_login_post SimpleAggregateFunction(sum, Int64),
  n_joined SimpleAggregateFunction(sum, Int64),
  n_mismatch SimpleAggregateFunction(sum, Int64),
  request_bytes_sum SimpleAggregateFunction(sum, Int64),
  response_bytes_sum SimpleAggregateFunction(sum, Int64),
  duration_us_sum SimpleAggregateFunction(sum, Int64),
  header_count_n SimpleAggregateFunction(sum, Int64),
  header_count_sum SimpleAggregateFunction(sum, Int64),
  header_count_squares SimpleAggregateFunction(sum, Int64),
  first_ns SimpleAggregateFunction(min, Int64),
  last_ns SimpleAggregateFunction(max, Int64),
  received_day SimpleAggregateFunction(max, Date) DEFAULT today()
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(win_ms, 1000), 'UTC'))
ORDER BY (win_ms, host)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_processing.agg_host_1h_mv TO ja4_processing.agg_host_1h_parts AS
SELECT intDiv(ts_ns, 1000000) - intDiv(ts_ns, 1000000) % 3600000 AS win_ms, host,
  toInt64(count(*)) AS hits,
  toInt64(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END)) AS n_2xx,
  toInt64(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END)) AS n_3xx,
  toInt64(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END)) AS n_4xx,
  toInt64(count(CASE WHEN status >= 500 THEN 1 END)) AS n_5xx,
  toInt64(count(CASE WHEN method = 'POST' THEN 1 END)) AS n_post,
  toInt64(count(CASE WHEN is_page = 1 THEN 1 END)) AS n_page,
  toInt64(count(CASE WHEN is_asset = 1 THEN 1 END)) AS n_asset,
  toInt64(count(CASE WHEN is_sensitive = 1 THEN 1 END)) AS n_sensitive,
  toInt64(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END)) AS n_login_post,
  toInt64(count(CASE WHEN handshake_request_no >= 0 THEN 1 END)) AS n_joined,
  toInt64(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END)) AS n_mismatch,
  toInt64(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END)) AS request_bytes_sum,
  toInt64(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END)) AS response_bytes_sum,
  toInt64(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END)) AS duration_us_sum,
  toInt64(count(CASE WHEN header_count >= 0 THEN 1 END)) AS header_count_n,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END)) AS header_count_sum,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END)) AS header_count_squares,
  toInt64(min(ts_ns)) AS first_ns,
  toInt64(max(ts_ns)) AS last_ns
FROM ja4_logs.http_logs
GROUP BY win_ms, host;

CREATE VIEW IF NOT EXISTS ja4_processing.agg_host_1h AS
SELECT a.win_ms AS win_ms, CAST(a.host AS String) AS host,
  toInt64(sum(a.hits)) AS hits, toInt64(sum(a.n_2xx)) AS n_2xx, toInt64(sum(a.n_3xx)) AS n_3xx, toInt64(sum(a.n_4xx)) AS n_4xx, toInt64(sum(a.n_5xx)) AS n_5xx,
  toInt64(sum(a.n_post)) AS n_post, toInt64(sum(a.n_page)) AS n_page, toInt64(sum(a.n_asset)) AS n_asset, toInt64(sum(a.n_sensitive)) AS n_sensitive,
  toInt64(sum(a.n_login_post)) AS n_login_post, toInt64(sum(a.n_joined)) AS n_joined, toInt64(sum(a.n_mismatch)) AS n_mismatch,
  toInt64(sum(a.request_bytes_sum)) AS request_bytes_sum, toInt64(sum(a.response_bytes_sum)) AS response_bytes_sum,
  toInt64(sum(a.duration_us_sum)) AS duration_us_sum, toInt64(sum(a.header_count_n)) AS header_count_n, toInt64(sum(a.header_count_sum)) AS header_count_sum,
  toInt64(sum(a.header_count_squares)) AS header_count_squares, toInt64(min(a.first_ns)) AS first_ns, toInt64(max(a.last_ns)) AS last_ns
FROM ja4_processing.agg_host_1h_parts AS a
GROUP BY a.win_ms, a.host;

-- by source address
CREATE TABLE IF NOT EXISTS ja4_processing.agg_src_ip_1h_parts (
  win_ms Int64,
  src_ip String,
  hits SimpleAggregateFunction(sum, Int64),
  n_2xx SimpleAggregateFunction(sum, Int64),
  n_3xx SimpleAggregateFunction(sum, Int64),
  n_4xx SimpleAggregateFunction(sum, Int64),
  n_5xx SimpleAggregateFunction(sum, Int64),
  n_post SimpleAggregateFunction(sum, Int64),
  n_page SimpleAggregateFunction(sum, Int64),
  n_asset SimpleAggregateFunction(sum, Int64),
  n_sensitive SimpleAggregateFunction(sum, Int64),
  n_login_post SimpleAggregateFunction(sum, Int64),
  n_joined SimpleAggregateFunction(sum, Int64),
  n_mismatch SimpleAggregateFunction(sum, Int64),
  request_bytes_sum SimpleAggregateFunction(sum, Int64),
  response_bytes_sum SimpleAggregateFunction(sum, Int64),
  duration_us_sum SimpleAggregateFunction(sum, Int64),
  header_count_n SimpleAggregateFunction(sum, Int64),
  header_count_sum SimpleAggregateFunction(sum, Int64),
  header_count_squares SimpleAggregateFunction(sum, Int64),
  first_ns SimpleAggregateFunction(min, Int64),
  last_ns SimpleAggregateFunction(max, Int64),
  received_day SimpleAggregateFunction(max, Date) DEFAULT today()
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(win_ms, 1000), 'UTC'))
ORDER BY (win_ms, src_ip)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_processing.agg_src_ip_1h_mv TO ja4_processing.agg_src_ip_1h_parts AS
SELECT intDiv(ts_ns, 1000000) - intDiv(ts_ns, 1000000) % 3600000 AS win_ms, src_ip,
  toInt64(count(*)) AS hits,
  toInt64(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END)) AS n_2xx,
  toInt64(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END)) AS n_3xx,
  toInt64(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END)) AS n_4xx,
  toInt64(count(CASE WHEN status >= 500 THEN 1 END)) AS n_5xx,
  toInt64(count(CASE WHEN method = 'POST' THEN 1 END)) AS n_post,
  toInt64(count(CASE WHEN is_page = 1 THEN 1 END)) AS n_page,
  toInt64(count(CASE WHEN is_asset = 1 THEN 1 END)) AS n_asset,
  toInt64(count(CASE WHEN is_sensitive = 1 THEN 1 END)) AS n_sensitive,
  toInt64(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END)) AS n_login_post,
  toInt64(count(CASE WHEN handshake_request_no >= 0 THEN 1 END)) AS n_joined,
  toInt64(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END)) AS n_mismatch,
  toInt64(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END)) AS request_bytes_sum,
  toInt64(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END)) AS response_bytes_sum,
  toInt64(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END)) AS duration_us_sum,
  toInt64(count(CASE WHEN header_count >= 0 THEN 1 END)) AS header_count_n,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END)) AS header_count_sum,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END)) AS header_count_squares,
  toInt64(min(ts_ns)) AS first_ns,
  toInt64(max(ts_ns)) AS last_ns
FROM ja4_logs.http_logs
GROUP BY win_ms, src_ip;

CREATE VIEW IF NOT EXISTS ja4_processing.agg_src_ip_1h AS
SELECT a.win_ms AS win_ms, CAST(a.src_ip AS String) AS src_ip,
  toInt64(sum(a.hits)) AS hits, toInt64(sum(a.n_2xx)) AS n_2xx, toInt64(sum(a.n_3xx)) AS n_3xx, toInt64(sum(a.n_4xx)) AS n_4xx, toInt64(sum(a.n_5xx)) AS n_5xx,
  toInt64(sum(a.n_post)) AS n_post, toInt64(sum(a.n_page)) AS n_page, toInt64(sum(a.n_asset)) AS n_asset, toInt64(sum(a.n_sensitive)) AS n_sensitive,
  toInt64(sum(a.n_login_post)) AS n_login_post, toInt64(sum(a.n_joined)) AS n_joined, toInt64(sum(a.n_mismatch)) AS n_mismatch,
  toInt64(sum(a.request_bytes_sum)) AS request_bytes_sum, toInt64(sum(a.response_bytes_sum)) AS response_bytes_sum,
  toInt64(sum(a.duration_us_sum)) AS duration_us_sum, toInt64(sum(a.header_count_n)) AS header_count_n, toInt64(sum(a.header_count_sum)) AS header_count_sum,
  toInt64(sum(a.header_count_squares)) AS header_count_squares, toInt64(min(a.first_ns)) AS first_ns, toInt64(max(a.last_ns)) AS last_ns
FROM ja4_processing.agg_src_ip_1h_parts AS a
GROUP BY a.win_ms, a.src_ip;

-- by JA4
CREATE TABLE IF NOT EXISTS ja4_processing.agg_ja4_1h_parts (
  win_ms Int64,
  ja4 LowCardinality(String),
  hits SimpleAggregateFunction(sum, Int64),
  n_2xx SimpleAggregateFunction(sum, Int64),
  n_3xx SimpleAggregateFunction(sum, Int64),
  n_4xx SimpleAggregateFunction(sum, Int64),
  n_5xx SimpleAggregateFunction(sum, Int64),
  n_post SimpleAggregateFunction(sum, Int64),
  n_page SimpleAggregateFunction(sum, Int64),
  n_asset SimpleAggregateFunction(sum, Int64),
  n_sensitive SimpleAggregateFunction(sum, Int64),
  n_login_post SimpleAggregateFunction(sum, Int64),
  n_joined SimpleAggregateFunction(sum, Int64),
  n_mismatch SimpleAggregateFunction(sum, Int64),
  request_bytes_sum SimpleAggregateFunction(sum, Int64),
  response_bytes_sum SimpleAggregateFunction(sum, Int64),
  duration_us_sum SimpleAggregateFunction(sum, Int64),
  header_count_n SimpleAggregateFunction(sum, Int64),
  header_count_sum SimpleAggregateFunction(sum, Int64),
  header_count_squares SimpleAggregateFunction(sum, Int64),
  first_ns SimpleAggregateFunction(min, Int64),
  last_ns SimpleAggregateFunction(max, Int64),
  received_day SimpleAggregateFunction(max, Date) DEFAULT today()
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(win_ms, 1000), 'UTC'))
ORDER BY (win_ms, ja4)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_processing.agg_ja4_1h_mv TO ja4_processing.agg_ja4_1h_parts AS
SELECT intDiv(ts_ns, 1000000) - intDiv(ts_ns, 1000000) % 3600000 AS win_ms, ja4,
  toInt64(count(*)) AS hits,
  toInt64(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END)) AS n_2xx,
  toInt64(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END)) AS n_3xx,
  toInt64(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END)) AS n_4xx,
  toInt64(count(CASE WHEN status >= 500 THEN 1 END)) AS n_5xx,
  toInt64(count(CASE WHEN method = 'POST' THEN 1 END)) AS n_post,
  toInt64(count(CASE WHEN is_page = 1 THEN 1 END)) AS n_page,
  toInt64(count(CASE WHEN is_asset = 1 THEN 1 END)) AS n_asset,
  toInt64(count(CASE WHEN is_sensitive = 1 THEN 1 END)) AS n_sensitive,
  toInt64(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END)) AS n_login_post,
  toInt64(count(CASE WHEN handshake_request_no >= 0 THEN 1 END)) AS n_joined,
  toInt64(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END)) AS n_mismatch,
  toInt64(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END)) AS request_bytes_sum,
  toInt64(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END)) AS response_bytes_sum,
  toInt64(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END)) AS duration_us_sum,
  toInt64(count(CASE WHEN header_count >= 0 THEN 1 END)) AS header_count_n,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END)) AS header_count_sum,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END)) AS header_count_squares,
  toInt64(min(ts_ns)) AS first_ns,
  toInt64(max(ts_ns)) AS last_ns
FROM ja4_logs.http_logs
GROUP BY win_ms, ja4;

CREATE VIEW IF NOT EXISTS ja4_processing.agg_ja4_1h AS
SELECT a.win_ms AS win_ms, CAST(a.ja4 AS String) AS ja4,
  toInt64(sum(a.hits)) AS hits, toInt64(sum(a.n_2xx)) AS n_2xx, toInt64(sum(a.n_3xx)) AS n_3xx, toInt64(sum(a.n_4xx)) AS n_4xx, toInt64(sum(a.n_5xx)) AS n_5xx,
  toInt64(sum(a.n_post)) AS n_post, toInt64(sum(a.n_page)) AS n_page, toInt64(sum(a.n_asset)) AS n_asset, toInt64(sum(a.n_sensitive)) AS n_sensitive,
  toInt64(sum(a.n_login_post)) AS n_login_post, toInt64(sum(a.n_joined)) AS n_joined, toInt64(sum(a.n_mismatch)) AS n_mismatch,
  toInt64(sum(a.request_bytes_sum)) AS request_bytes_sum, toInt64(sum(a.response_bytes_sum)) AS response_bytes_sum,
  toInt64(sum(a.duration_us_sum)) AS duration_us_sum, toInt64(sum(a.header_count_n)) AS header_count_n, toInt64(sum(a.header_count_sum)) AS header_count_sum,
  toInt64(sum(a.header_count_squares)) AS header_count_squares, toInt64(min(a.first_ns)) AS first_ns, toInt64(max(a.last_ns)) AS last_ns
FROM ja4_processing.agg_ja4_1h_parts AS a
GROUP BY a.win_ms, a.ja4;

-- by session (source address, JA4, host)
CREATE TABLE IF NOT EXISTS ja4_processing.agg_session_1h_parts (
  win_ms Int64,
  src_ip String,
  ja4 LowCardinality(String),
  host LowCardinality(String),
  hits SimpleAggregateFunction(sum, Int64),
  n_2xx SimpleAggregateFunction(sum, Int64),
  n_3xx SimpleAggregateFunction(sum, Int64),
  n_4xx SimpleAggregateFunction(sum, Int64),
  n_5xx SimpleAggregateFunction(sum, Int64),
  n_post SimpleAggregateFunction(sum, Int64),
  n_page SimpleAggregateFunction(sum, Int64),
  n_asset SimpleAggregateFunction(sum, Int64),
  n_sensitive SimpleAggregateFunction(sum, Int64),
  n_login_post SimpleAggregateFunction(sum, Int64),
  n_joined SimpleAggregateFunction(sum, Int64),
  n_mismatch SimpleAggregateFunction(sum, Int64),
  request_bytes_sum SimpleAggregateFunction(sum, Int64),
  response_bytes_sum SimpleAggregateFunction(sum, Int64),
  duration_us_sum SimpleAggregateFunction(sum, Int64),
  header_count_n SimpleAggregateFunction(sum, Int64),
  header_count_sum SimpleAggregateFunction(sum, Int64),
  header_count_squares SimpleAggregateFunction(sum, Int64),
  first_ns SimpleAggregateFunction(min, Int64),
  last_ns SimpleAggregateFunction(max, Int64),
  received_day SimpleAggregateFunction(max, Date) DEFAULT today()
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(win_ms, 1000), 'UTC'))
ORDER BY (win_ms, src_ip, ja4, host)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_processing.agg_session_1h_mv TO ja4_processing.agg_session_1h_parts AS
SELECT intDiv(ts_ns, 1000000) - intDiv(ts_ns, 1000000) % 3600000 AS win_ms, src_ip, ja4, host,
  toInt64(count(*)) AS hits,
  toInt64(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END)) AS n_2xx,
  toInt64(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END)) AS n_3xx,
  toInt64(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END)) AS n_4xx,
  toInt64(count(CASE WHEN status >= 500 THEN 1 END)) AS n_5xx,
  toInt64(count(CASE WHEN method = 'POST' THEN 1 END)) AS n_post,
  toInt64(count(CASE WHEN is_page = 1 THEN 1 END)) AS n_page,
  toInt64(count(CASE WHEN is_asset = 1 THEN 1 END)) AS n_asset,
  toInt64(count(CASE WHEN is_sensitive = 1 THEN 1 END)) AS n_sensitive,
  toInt64(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END)) AS n_login_post,
  toInt64(count(CASE WHEN handshake_request_no >= 0 THEN 1 END)) AS n_joined,
  toInt64(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END)) AS n_mismatch,
  toInt64(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END)) AS request_bytes_sum,
  toInt64(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END)) AS response_bytes_sum,
  toInt64(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END)) AS duration_us_sum,
  toInt64(count(CASE WHEN header_count >= 0 THEN 1 END)) AS header_count_n,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END)) AS header_count_sum,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END)) AS header_count_squares,
  toInt64(min(ts_ns)) AS first_ns,
  toInt64(max(ts_ns)) AS last_ns
FROM ja4_logs.http_logs
GROUP BY win_ms, src_ip, ja4, host;

CREATE VIEW IF NOT EXISTS ja4_processing.agg_session_1h AS
SELECT a.win_ms AS win_ms, CAST(a.src_ip AS String) AS src_ip, CAST(a.ja4 AS String) AS ja4, CAST(a.host AS String) AS host,
  toInt64(sum(a.hits)) AS hits, toInt64(sum(a.n_2xx)) AS n_2xx, toInt64(sum(a.n_3xx)) AS n_3xx, toInt64(sum(a.n_4xx)) AS n_4xx, toInt64(sum(a.n_5xx)) AS n_5xx,
  toInt64(sum(a.n_post)) AS n_post, toInt64(sum(a.n_page)) AS n_page, toInt64(sum(a.n_asset)) AS n_asset, toInt64(sum(a.n_sensitive)) AS n_sensitive,
  toInt64(sum(a.n_login_post)) AS n_login_post, toInt64(sum(a.n_joined)) AS n_joined, toInt64(sum(a.n_mismatch)) AS n_mismatch,
  toInt64(sum(a.request_bytes_sum)) AS request_bytes_sum, toInt64(sum(a.response_bytes_sum)) AS response_bytes_sum,
  toInt64(sum(a.duration_us_sum)) AS duration_us_sum, toInt64(sum(a.header_count_n)) AS header_count_n, toInt64(sum(a.header_count_sum)) AS header_count_sum,
  toInt64(sum(a.header_count_squares)) AS header_count_squares, toInt64(min(a.first_ns)) AS first_ns, toInt64(max(a.last_ns)) AS last_ns
FROM ja4_processing.agg_session_1h_parts AS a
GROUP BY a.win_ms, a.src_ip, a.ja4, a.host;

-- by header order and User-Agent family
CREATE TABLE IF NOT EXISTS ja4_processing.agg_header_signature_1h_parts (
  win_ms Int64,
  header_order LowCardinality(String),
  ua_family LowCardinality(String),
  hits SimpleAggregateFunction(sum, Int64),
  n_2xx SimpleAggregateFunction(sum, Int64),
  n_3xx SimpleAggregateFunction(sum, Int64),
  n_4xx SimpleAggregateFunction(sum, Int64),
  n_5xx SimpleAggregateFunction(sum, Int64),
  n_post SimpleAggregateFunction(sum, Int64),
  n_page SimpleAggregateFunction(sum, Int64),
  n_asset SimpleAggregateFunction(sum, Int64),
  n_sensitive SimpleAggregateFunction(sum, Int64),
  n_login_post SimpleAggregateFunction(sum, Int64),
  n_joined SimpleAggregateFunction(sum, Int64),
  n_mismatch SimpleAggregateFunction(sum, Int64),
  request_bytes_sum SimpleAggregateFunction(sum, Int64),
  response_bytes_sum SimpleAggregateFunction(sum, Int64),
  duration_us_sum SimpleAggregateFunction(sum, Int64),
  header_count_n SimpleAggregateFunction(sum, Int64),
  header_count_sum SimpleAggregateFunction(sum, Int64),
  header_count_squares SimpleAggregateFunction(sum, Int64),
  first_ns SimpleAggregateFunction(min, Int64),
  last_ns SimpleAggregateFunction(max, Int64),
  received_day SimpleAggregateFunction(max, Date) DEFAULT today()
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(win_ms, 1000), 'UTC'))
ORDER BY (win_ms, header_order, ua_family)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_processing.agg_header_signature_1h_mv TO ja4_processing.agg_header_signature_1h_parts AS
SELECT intDiv(ts_ns, 1000000) - intDiv(ts_ns, 1000000) % 3600000 AS win_ms, header_order, ua_family,
  toInt64(count(*)) AS hits,
  toInt64(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END)) AS n_2xx,
  toInt64(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END)) AS n_3xx,
  toInt64(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END)) AS n_4xx,
  toInt64(count(CASE WHEN status >= 500 THEN 1 END)) AS n_5xx,
  toInt64(count(CASE WHEN method = 'POST' THEN 1 END)) AS n_post,
  toInt64(count(CASE WHEN is_page = 1 THEN 1 END)) AS n_page,
  toInt64(count(CASE WHEN is_asset = 1 THEN 1 END)) AS n_asset,
  toInt64(count(CASE WHEN is_sensitive = 1 THEN 1 END)) AS n_sensitive,
  toInt64(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END)) AS n_login_post,
  toInt64(count(CASE WHEN handshake_request_no >= 0 THEN 1 END)) AS n_joined,
  toInt64(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END)) AS n_mismatch,
  toInt64(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END)) AS request_bytes_sum,
  toInt64(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END)) AS response_bytes_sum,
  toInt64(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END)) AS duration_us_sum,
  toInt64(count(CASE WHEN header_count >= 0 THEN 1 END)) AS header_count_n,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END)) AS header_count_sum,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END)) AS header_count_squares,
  toInt64(min(ts_ns)) AS first_ns,
  toInt64(max(ts_ns)) AS last_ns
FROM ja4_logs.http_logs
GROUP BY win_ms, header_order, ua_family;

CREATE VIEW IF NOT EXISTS ja4_processing.agg_header_signature_1h AS
SELECT a.win_ms AS win_ms, CAST(a.header_order AS String) AS header_order, CAST(a.ua_family AS String) AS ua_family,
  toInt64(sum(a.hits)) AS hits, toInt64(sum(a.n_2xx)) AS n_2xx, toInt64(sum(a.n_3xx)) AS n_3xx, toInt64(sum(a.n_4xx)) AS n_4xx, toInt64(sum(a.n_5xx)) AS n_5xx,
  toInt64(sum(a.n_post)) AS n_post, toInt64(sum(a.n_page)) AS n_page, toInt64(sum(a.n_asset)) AS n_asset, toInt64(sum(a.n_sensitive)) AS n_sensitive,
  toInt64(sum(a.n_login_post)) AS n_login_post, toInt64(sum(a.n_joined)) AS n_joined, toInt64(sum(a.n_mismatch)) AS n_mismatch,
  toInt64(sum(a.request_bytes_sum)) AS request_bytes_sum, toInt64(sum(a.response_bytes_sum)) AS response_bytes_sum,
  toInt64(sum(a.duration_us_sum)) AS duration_us_sum, toInt64(sum(a.header_count_n)) AS header_count_n, toInt64(sum(a.header_count_sum)) AS header_count_sum,
  toInt64(sum(a.header_count_squares)) AS header_count_squares, toInt64(min(a.first_ns)) AS first_ns, toInt64(max(a.last_ns)) AS last_ns
FROM ja4_processing.agg_header_signature_1h_parts AS a
GROUP BY a.win_ms, a.header_order, a.ua_family;

-- by path of a host
CREATE TABLE IF NOT EXISTS ja4_processing.agg_path_1h_parts (
  win_ms Int64,
  host LowCardinality(String),
  path String,
  hits SimpleAggregateFunction(sum, Int64),
  n_2xx SimpleAggregateFunction(sum, Int64),
  n_3xx SimpleAggregateFunction(sum, Int64),
  n_4xx SimpleAggregateFunction(sum, Int64),
  n_5xx SimpleAggregateFunction(sum, Int64),
  n_post SimpleAggregateFunction(sum, Int64),
  n_page SimpleAggregateFunction(sum, Int64),
  n_asset SimpleAggregateFunction(sum, Int64),
  n_sensitive SimpleAggregateFunction(sum, Int64),
  n_login_post SimpleAggregateFunction(sum, Int64),
  n_joined SimpleAggregateFunction(sum, Int64),
  n_mismatch SimpleAggregateFunction(sum, Int64),
  request_bytes_sum SimpleAggregateFunction(sum, Int64),
  response_bytes_sum SimpleAggregateFunction(sum, Int64),
  duration_us_sum SimpleAggregateFunction(sum, Int64),
  header_count_n SimpleAggregateFunction(sum, Int64),
  header_count_sum SimpleAggregateFunction(sum, Int64),
  header_count_squares SimpleAggregateFunction(sum, Int64),
  first_ns SimpleAggregateFunction(min, Int64),
  last_ns SimpleAggregateFunction(max, Int64),
  received_day SimpleAggregateFunction(max, Date) DEFAULT today()
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(win_ms, 1000), 'UTC'))
ORDER BY (win_ms, host, path)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_processing.agg_path_1h_mv TO ja4_processing.agg_path_1h_parts AS
SELECT intDiv(ts_ns, 1000000) - intDiv(ts_ns, 1000000) % 3600000 AS win_ms, host, path,
  toInt64(count(*)) AS hits,
  toInt64(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END)) AS n_2xx,
  toInt64(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END)) AS n_3xx,
  toInt64(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END)) AS n_4xx,
  toInt64(count(CASE WHEN status >= 500 THEN 1 END)) AS n_5xx,
  toInt64(count(CASE WHEN method = 'POST' THEN 1 END)) AS n_post,
  toInt64(count(CASE WHEN is_page = 1 THEN 1 END)) AS n_page,
  toInt64(count(CASE WHEN is_asset = 1 THEN 1 END)) AS n_asset,
  toInt64(count(CASE WHEN is_sensitive = 1 THEN 1 END)) AS n_sensitive,
  toInt64(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END)) AS n_login_post,
  toInt64(count(CASE WHEN handshake_request_no >= 0 THEN 1 END)) AS n_joined,
  toInt64(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END)) AS n_mismatch,
  toInt64(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END)) AS request_bytes_sum,
  toInt64(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END)) AS response_bytes_sum,
  toInt64(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END)) AS duration_us_sum,
  toInt64(count(CASE WHEN header_count >= 0 THEN 1 END)) AS header_count_n,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END)) AS header_count_sum,
  toInt64(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END)) AS header_count_squares,
  toInt64(min(ts_ns)) AS first_ns,
  toInt64(max(ts_ns)) AS last_ns
FROM ja4_logs.http_logs
GROUP BY win_ms, host, path;

CREATE VIEW IF NOT EXISTS ja4_processing.agg_path_1h AS
SELECT a.win_ms AS win_ms, CAST(a.host AS String) AS host, CAST(a.path AS String) AS path,
  toInt64(sum(a.hits)) AS hits, toInt64(sum(a.n_2xx)) AS n_2xx, toInt64(sum(a.n_3xx)) AS n_3xx, toInt64(sum(a.n_4xx)) AS n_4xx, toInt64(sum(a.n_5xx)) AS n_5xx,
  toInt64(sum(a.n_post)) AS n_post, toInt64(sum(a.n_page)) AS n_page, toInt64(sum(a.n_asset)) AS n_asset, toInt64(sum(a.n_sensitive)) AS n_sensitive,
  toInt64(sum(a.n_login_post)) AS n_login_post, toInt64(sum(a.n_joined)) AS n_joined, toInt64(sum(a.n_mismatch)) AS n_mismatch,
  toInt64(sum(a.request_bytes_sum)) AS request_bytes_sum, toInt64(sum(a.response_bytes_sum)) AS response_bytes_sum,
  toInt64(sum(a.duration_us_sum)) AS duration_us_sum, toInt64(sum(a.header_count_n)) AS header_count_n, toInt64(sum(a.header_count_sum)) AS header_count_sum,
  toInt64(sum(a.header_count_squares)) AS header_count_squares, toInt64(min(a.first_ns)) AS first_ns, toInt64(max(a.last_ns)) AS last_ns
FROM ja4_processing.agg_path_1h_parts AS a
GROUP BY a.win_ms, a.host, a.path;
