-- Inserts at less cost for the same rows, the same sums and the same answers.
-- Promises: no value changes, and rows may come in meanwhile: a view is changed in place. Sums by host, source address and JA4 are fed from
-- the sums by session, of which a block has fewer than rows, what was summed before stays. Rows stored before keep their codecs until they
-- are merged. Every statement may be repeated.
-- Read next: 0001_init.sql, 0002_aggregates.sql, docs/SCALING.md (what was measured).

-- numbers with LZ4 behind T64 in place of ZSTD, long texts with less effort (about a tenth more bytes)
ALTER TABLE ja4_logs.http_logs
  MODIFY COLUMN src_port Int64 CODEC(T64, LZ4), MODIFY COLUMN dst_port Int64 CODEC(T64, LZ4), MODIFY COLUMN request_no Int64 CODEC(T64, LZ4),
  MODIFY COLUMN status Int64 CODEC(T64, LZ4), MODIFY COLUMN request_bytes Int64 CODEC(T64, LZ4), MODIFY COLUMN response_bytes Int64 CODEC(T64, LZ4),
  MODIFY COLUMN duration_us Int64 CODEC(T64, LZ4), MODIFY COLUMN headers_known Int64 CODEC(T64, LZ4),
  MODIFY COLUMN header_count Int64 CODEC(T64, LZ4), MODIFY COLUMN cookie_bytes Int64 CODEC(T64, LZ4),
  MODIFY COLUMN authorization_bytes Int64 CODEC(T64, LZ4), MODIFY COLUMN has_user_agent Int64 CODEC(T64, LZ4),
  MODIFY COLUMN has_accept Int64 CODEC(T64, LZ4), MODIFY COLUMN has_accept_language Int64 CODEC(T64, LZ4),
  MODIFY COLUMN has_accept_encoding Int64 CODEC(T64, LZ4), MODIFY COLUMN has_referer Int64 CODEC(T64, LZ4),
  MODIFY COLUMN has_cookie Int64 CODEC(T64, LZ4), MODIFY COLUMN has_origin Int64 CODEC(T64, LZ4), MODIFY COLUMN has_sec_fetch Int64 CODEC(T64, LZ4),
  MODIFY COLUMN has_client_hints Int64 CODEC(T64, LZ4), MODIFY COLUMN has_upgrade_insecure Int64 CODEC(T64, LZ4),
  MODIFY COLUMN path_depth Int64 CODEC(T64, LZ4), MODIFY COLUMN path_bytes Int64 CODEC(T64, LZ4), MODIFY COLUMN query_bytes Int64 CODEC(T64, LZ4),
  MODIFY COLUMN query_params Int64 CODEC(T64, LZ4), MODIFY COLUMN is_asset Int64 CODEC(T64, LZ4), MODIFY COLUMN is_page Int64 CODEC(T64, LZ4),
  MODIFY COLUMN is_api Int64 CODEC(T64, LZ4), MODIFY COLUMN is_sensitive Int64 CODEC(T64, LZ4), MODIFY COLUMN is_login Int64 CODEC(T64, LZ4),
  MODIFY COLUMN is_robots Int64 CODEC(T64, LZ4), MODIFY COLUMN ua_bytes Int64 CODEC(T64, LZ4), MODIFY COLUMN ua_major Int64 CODEC(T64, LZ4),
  MODIFY COLUMN tls_version Int64 CODEC(T64, LZ4), MODIFY COLUMN ja4l_us Int64 CODEC(T64, LZ4), MODIFY COLUMN hello_bytes Int64 CODEC(T64, LZ4),
  MODIFY COLUMN hello_segments Int64 CODEC(T64, LZ4), MODIFY COLUMN cipher_count Int64 CODEC(T64, LZ4),
  MODIFY COLUMN extension_count Int64 CODEC(T64, LZ4), MODIFY COLUMN grease Int64 CODEC(T64, LZ4), MODIFY COLUMN resumption Int64 CODEC(T64, LZ4),
  MODIFY COLUMN ech Int64 CODEC(T64, LZ4), MODIFY COLUMN ip_ttl Int64 CODEC(T64, LZ4), MODIFY COLUMN ip_df Int64 CODEC(T64, LZ4),
  MODIFY COLUMN tcp_window Int64 CODEC(T64, LZ4), MODIFY COLUMN tcp_mss Int64 CODEC(T64, LZ4), MODIFY COLUMN tcp_wscale Int64 CODEC(T64, LZ4),
  MODIFY COLUMN syn_to_hello_us Int64 CODEC(T64, LZ4), MODIFY COLUMN match_candidates Int64 CODEC(T64, LZ4),
  MODIFY COLUMN hello_to_request_us Int64 CODEC(T64, LZ4), MODIFY COLUMN handshake_request_no Int64 CODEC(T64, LZ4),
  MODIFY COLUMN asn Int64 CODEC(T64, LZ4), MODIFY COLUMN ua_ja4_mismatch Int64 CODEC(T64, LZ4), MODIFY COLUMN alpn_mismatch Int64 CODEC(T64, LZ4),
  MODIFY COLUMN sni_mismatch Int64 CODEC(T64, LZ4), MODIFY COLUMN h2_mismatch Int64 CODEC(T64, LZ4),
  MODIFY COLUMN hints_mismatch Int64 CODEC(T64, LZ4), MODIFY COLUMN path String CODEC(ZSTD(1)), MODIFY COLUMN query String CODEC(ZSTD(1)),
  MODIFY COLUMN header_names String CODEC(ZSTD(1)), MODIFY COLUMN user_agent String CODEC(ZSTD(1)), MODIFY COLUMN referer String CODEC(ZSTD(1)),
  MODIFY COLUMN ja4_r String CODEC(ZSTD(1)), MODIFY COLUMN ja4_o String CODEC(ZSTD(1));

-- a block of an import is one file in place of one a column, parts become wide when they are merged
ALTER TABLE ja4_logs.http_logs MODIFY SETTING min_bytes_for_wide_part = 268435456;

-- by host, from the sums by session
ALTER TABLE ja4_processing.agg_host_1h_mv MODIFY QUERY
SELECT s.win_ms AS win_ms, s.host AS host,
  toInt64(sum(s.hits)) AS hits, toInt64(sum(s.n_2xx)) AS n_2xx, toInt64(sum(s.n_3xx)) AS n_3xx, toInt64(sum(s.n_4xx)) AS n_4xx,
  toInt64(sum(s.n_5xx)) AS n_5xx, toInt64(sum(s.n_post)) AS n_post, toInt64(sum(s.n_page)) AS n_page, toInt64(sum(s.n_asset)) AS n_asset,
  toInt64(sum(s.n_sensitive)) AS n_sensitive, toInt64(sum(s.n_login_post)) AS n_login_post, toInt64(sum(s.n_joined)) AS n_joined,
  toInt64(sum(s.n_mismatch)) AS n_mismatch, toInt64(sum(s.request_bytes_sum)) AS request_bytes_sum,
  toInt64(sum(s.response_bytes_sum)) AS response_bytes_sum, toInt64(sum(s.duration_us_sum)) AS duration_us_sum,
  toInt64(sum(s.header_count_n)) AS header_count_n, toInt64(sum(s.header_count_sum)) AS header_count_sum,
  toInt64(sum(s.header_count_squares)) AS header_count_squares, toInt64(min(s.first_ns)) AS first_ns, toInt64(max(s.last_ns)) AS last_ns
FROM ja4_processing.agg_session_1h_parts AS s
GROUP BY s.win_ms, s.host;

-- by source address, from the sums by session
ALTER TABLE ja4_processing.agg_src_ip_1h_mv MODIFY QUERY
SELECT s.win_ms AS win_ms, s.src_ip AS src_ip,
  toInt64(sum(s.hits)) AS hits, toInt64(sum(s.n_2xx)) AS n_2xx, toInt64(sum(s.n_3xx)) AS n_3xx, toInt64(sum(s.n_4xx)) AS n_4xx,
  toInt64(sum(s.n_5xx)) AS n_5xx, toInt64(sum(s.n_post)) AS n_post, toInt64(sum(s.n_page)) AS n_page, toInt64(sum(s.n_asset)) AS n_asset,
  toInt64(sum(s.n_sensitive)) AS n_sensitive, toInt64(sum(s.n_login_post)) AS n_login_post, toInt64(sum(s.n_joined)) AS n_joined,
  toInt64(sum(s.n_mismatch)) AS n_mismatch, toInt64(sum(s.request_bytes_sum)) AS request_bytes_sum,
  toInt64(sum(s.response_bytes_sum)) AS response_bytes_sum, toInt64(sum(s.duration_us_sum)) AS duration_us_sum,
  toInt64(sum(s.header_count_n)) AS header_count_n, toInt64(sum(s.header_count_sum)) AS header_count_sum,
  toInt64(sum(s.header_count_squares)) AS header_count_squares, toInt64(min(s.first_ns)) AS first_ns, toInt64(max(s.last_ns)) AS last_ns
FROM ja4_processing.agg_session_1h_parts AS s
GROUP BY s.win_ms, s.src_ip;

-- by JA4, from the sums by session
ALTER TABLE ja4_processing.agg_ja4_1h_mv MODIFY QUERY
SELECT s.win_ms AS win_ms, s.ja4 AS ja4,
  toInt64(sum(s.hits)) AS hits, toInt64(sum(s.n_2xx)) AS n_2xx, toInt64(sum(s.n_3xx)) AS n_3xx, toInt64(sum(s.n_4xx)) AS n_4xx,
  toInt64(sum(s.n_5xx)) AS n_5xx, toInt64(sum(s.n_post)) AS n_post, toInt64(sum(s.n_page)) AS n_page, toInt64(sum(s.n_asset)) AS n_asset,
  toInt64(sum(s.n_sensitive)) AS n_sensitive, toInt64(sum(s.n_login_post)) AS n_login_post, toInt64(sum(s.n_joined)) AS n_joined,
  toInt64(sum(s.n_mismatch)) AS n_mismatch, toInt64(sum(s.request_bytes_sum)) AS request_bytes_sum,
  toInt64(sum(s.response_bytes_sum)) AS response_bytes_sum, toInt64(sum(s.duration_us_sum)) AS duration_us_sum,
  toInt64(sum(s.header_count_n)) AS header_count_n, toInt64(sum(s.header_count_sum)) AS header_count_sum,
  toInt64(sum(s.header_count_squares)) AS header_count_squares, toInt64(min(s.first_ns)) AS first_ns, toInt64(max(s.last_ns)) AS last_ns
FROM ja4_processing.agg_session_1h_parts AS s
GROUP BY s.win_ms, s.ja4;
