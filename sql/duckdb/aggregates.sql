-- Six aggregates by the hour, as views over the base: integer counts, sums and extremes, so that any two may be added.
-- Promises: the same names, types and values as the tables of ../clickhouse/0002_aggregates.sql, sizes capped as in base.sql.
-- Read next: ../shared/.

-- by host
CREATE OR REPLACE VIEW ja4_processing.agg_host_1h AS
SELECT win_ms, host,
  CAST(count(*) AS BIGINT) AS hits,
  CAST(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END) AS BIGINT) AS n_2xx,
  CAST(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END) AS BIGINT) AS n_3xx,
  CAST(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END) AS BIGINT) AS n_4xx,
  CAST(count(CASE WHEN status >= 500 THEN 1 END) AS BIGINT) AS n_5xx,
  CAST(count(CASE WHEN method = 'POST' THEN 1 END) AS BIGINT) AS n_post,
  CAST(count(CASE WHEN is_page = 1 THEN 1 END) AS BIGINT) AS n_page,
  CAST(count(CASE WHEN is_asset = 1 THEN 1 END) AS BIGINT) AS n_asset,
  CAST(count(CASE WHEN is_sensitive = 1 THEN 1 END) AS BIGINT) AS n_sensitive,
  CAST(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END) AS BIGINT) AS n_login_post,
  CAST(count(CASE WHEN handshake_request_no >= 0 THEN 1 END) AS BIGINT) AS n_joined,
  CAST(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS BIGINT) AS n_mismatch,
  CAST(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END) AS BIGINT) AS request_bytes_sum,
  CAST(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END) AS BIGINT) AS response_bytes_sum,
  CAST(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END) AS BIGINT) AS duration_us_sum,
  CAST(count(CASE WHEN header_count >= 0 THEN 1 END) AS BIGINT) AS header_count_n,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END) AS BIGINT) AS header_count_sum,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END) AS BIGINT) AS header_count_squares,
  CAST(min(ts_ns) AS BIGINT) AS first_ns,
  CAST(max(ts_ns) AS BIGINT) AS last_ns
FROM ja4_processing.v_requests
GROUP BY win_ms, host;

-- by source address
CREATE OR REPLACE VIEW ja4_processing.agg_src_ip_1h AS
SELECT win_ms, src_ip,
  CAST(count(*) AS BIGINT) AS hits,
  CAST(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END) AS BIGINT) AS n_2xx,
  CAST(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END) AS BIGINT) AS n_3xx,
  CAST(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END) AS BIGINT) AS n_4xx,
  CAST(count(CASE WHEN status >= 500 THEN 1 END) AS BIGINT) AS n_5xx,
  CAST(count(CASE WHEN method = 'POST' THEN 1 END) AS BIGINT) AS n_post,
  CAST(count(CASE WHEN is_page = 1 THEN 1 END) AS BIGINT) AS n_page,
  CAST(count(CASE WHEN is_asset = 1 THEN 1 END) AS BIGINT) AS n_asset,
  CAST(count(CASE WHEN is_sensitive = 1 THEN 1 END) AS BIGINT) AS n_sensitive,
  CAST(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END) AS BIGINT) AS n_login_post,
  CAST(count(CASE WHEN handshake_request_no >= 0 THEN 1 END) AS BIGINT) AS n_joined,
  CAST(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS BIGINT) AS n_mismatch,
  CAST(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END) AS BIGINT) AS request_bytes_sum,
  CAST(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END) AS BIGINT) AS response_bytes_sum,
  CAST(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END) AS BIGINT) AS duration_us_sum,
  CAST(count(CASE WHEN header_count >= 0 THEN 1 END) AS BIGINT) AS header_count_n,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END) AS BIGINT) AS header_count_sum,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END) AS BIGINT) AS header_count_squares,
  CAST(min(ts_ns) AS BIGINT) AS first_ns,
  CAST(max(ts_ns) AS BIGINT) AS last_ns
FROM ja4_processing.v_requests
GROUP BY win_ms, src_ip;

-- by JA4
CREATE OR REPLACE VIEW ja4_processing.agg_ja4_1h AS
SELECT win_ms, ja4,
  CAST(count(*) AS BIGINT) AS hits,
  CAST(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END) AS BIGINT) AS n_2xx,
  CAST(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END) AS BIGINT) AS n_3xx,
  CAST(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END) AS BIGINT) AS n_4xx,
  CAST(count(CASE WHEN status >= 500 THEN 1 END) AS BIGINT) AS n_5xx,
  CAST(count(CASE WHEN method = 'POST' THEN 1 END) AS BIGINT) AS n_post,
  CAST(count(CASE WHEN is_page = 1 THEN 1 END) AS BIGINT) AS n_page,
  CAST(count(CASE WHEN is_asset = 1 THEN 1 END) AS BIGINT) AS n_asset,
  CAST(count(CASE WHEN is_sensitive = 1 THEN 1 END) AS BIGINT) AS n_sensitive,
  CAST(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END) AS BIGINT) AS n_login_post,
  CAST(count(CASE WHEN handshake_request_no >= 0 THEN 1 END) AS BIGINT) AS n_joined,
  CAST(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS BIGINT) AS n_mismatch,
  CAST(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END) AS BIGINT) AS request_bytes_sum,
  CAST(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END) AS BIGINT) AS response_bytes_sum,
  CAST(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END) AS BIGINT) AS duration_us_sum,
  CAST(count(CASE WHEN header_count >= 0 THEN 1 END) AS BIGINT) AS header_count_n,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END) AS BIGINT) AS header_count_sum,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END) AS BIGINT) AS header_count_squares,
  CAST(min(ts_ns) AS BIGINT) AS first_ns,
  CAST(max(ts_ns) AS BIGINT) AS last_ns
FROM ja4_processing.v_requests
GROUP BY win_ms, ja4;

-- by session (source address, JA4, host)
CREATE OR REPLACE VIEW ja4_processing.agg_session_1h AS
SELECT win_ms, src_ip, ja4, host,
  CAST(count(*) AS BIGINT) AS hits,
  CAST(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END) AS BIGINT) AS n_2xx,
  CAST(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END) AS BIGINT) AS n_3xx,
  CAST(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END) AS BIGINT) AS n_4xx,
  CAST(count(CASE WHEN status >= 500 THEN 1 END) AS BIGINT) AS n_5xx,
  CAST(count(CASE WHEN method = 'POST' THEN 1 END) AS BIGINT) AS n_post,
  CAST(count(CASE WHEN is_page = 1 THEN 1 END) AS BIGINT) AS n_page,
  CAST(count(CASE WHEN is_asset = 1 THEN 1 END) AS BIGINT) AS n_asset,
  CAST(count(CASE WHEN is_sensitive = 1 THEN 1 END) AS BIGINT) AS n_sensitive,
  CAST(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END) AS BIGINT) AS n_login_post,
  CAST(count(CASE WHEN handshake_request_no >= 0 THEN 1 END) AS BIGINT) AS n_joined,
  CAST(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS BIGINT) AS n_mismatch,
  CAST(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END) AS BIGINT) AS request_bytes_sum,
  CAST(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END) AS BIGINT) AS response_bytes_sum,
  CAST(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END) AS BIGINT) AS duration_us_sum,
  CAST(count(CASE WHEN header_count >= 0 THEN 1 END) AS BIGINT) AS header_count_n,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END) AS BIGINT) AS header_count_sum,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END) AS BIGINT) AS header_count_squares,
  CAST(min(ts_ns) AS BIGINT) AS first_ns,
  CAST(max(ts_ns) AS BIGINT) AS last_ns
FROM ja4_processing.v_requests
GROUP BY win_ms, src_ip, ja4, host;

-- by header order and User-Agent family
CREATE OR REPLACE VIEW ja4_processing.agg_header_signature_1h AS
SELECT win_ms, header_order, ua_family,
  CAST(count(*) AS BIGINT) AS hits,
  CAST(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END) AS BIGINT) AS n_2xx,
  CAST(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END) AS BIGINT) AS n_3xx,
  CAST(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END) AS BIGINT) AS n_4xx,
  CAST(count(CASE WHEN status >= 500 THEN 1 END) AS BIGINT) AS n_5xx,
  CAST(count(CASE WHEN method = 'POST' THEN 1 END) AS BIGINT) AS n_post,
  CAST(count(CASE WHEN is_page = 1 THEN 1 END) AS BIGINT) AS n_page,
  CAST(count(CASE WHEN is_asset = 1 THEN 1 END) AS BIGINT) AS n_asset,
  CAST(count(CASE WHEN is_sensitive = 1 THEN 1 END) AS BIGINT) AS n_sensitive,
  CAST(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END) AS BIGINT) AS n_login_post,
  CAST(count(CASE WHEN handshake_request_no >= 0 THEN 1 END) AS BIGINT) AS n_joined,
  CAST(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS BIGINT) AS n_mismatch,
  CAST(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END) AS BIGINT) AS request_bytes_sum,
  CAST(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END) AS BIGINT) AS response_bytes_sum,
  CAST(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END) AS BIGINT) AS duration_us_sum,
  CAST(count(CASE WHEN header_count >= 0 THEN 1 END) AS BIGINT) AS header_count_n,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END) AS BIGINT) AS header_count_sum,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END) AS BIGINT) AS header_count_squares,
  CAST(min(ts_ns) AS BIGINT) AS first_ns,
  CAST(max(ts_ns) AS BIGINT) AS last_ns
FROM ja4_processing.v_requests
GROUP BY win_ms, header_order, ua_family;

-- by path of a host
CREATE OR REPLACE VIEW ja4_processing.agg_path_1h AS
SELECT win_ms, host, path,
  CAST(count(*) AS BIGINT) AS hits,
  CAST(count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END) AS BIGINT) AS n_2xx,
  CAST(count(CASE WHEN status BETWEEN 300 AND 399 THEN 1 END) AS BIGINT) AS n_3xx,
  CAST(count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END) AS BIGINT) AS n_4xx,
  CAST(count(CASE WHEN status >= 500 THEN 1 END) AS BIGINT) AS n_5xx,
  CAST(count(CASE WHEN method = 'POST' THEN 1 END) AS BIGINT) AS n_post,
  CAST(count(CASE WHEN is_page = 1 THEN 1 END) AS BIGINT) AS n_page,
  CAST(count(CASE WHEN is_asset = 1 THEN 1 END) AS BIGINT) AS n_asset,
  CAST(count(CASE WHEN is_sensitive = 1 THEN 1 END) AS BIGINT) AS n_sensitive,
  CAST(count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END) AS BIGINT) AS n_login_post,
  CAST(count(CASE WHEN handshake_request_no >= 0 THEN 1 END) AS BIGINT) AS n_joined,
  CAST(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS BIGINT) AS n_mismatch,
  CAST(sum(CASE WHEN request_bytes <= 0 THEN 0 WHEN request_bytes > 68719476736 THEN 68719476736 ELSE request_bytes END) AS BIGINT) AS request_bytes_sum,
  CAST(sum(CASE WHEN response_bytes <= 0 THEN 0 WHEN response_bytes > 68719476736 THEN 68719476736 ELSE response_bytes END) AS BIGINT) AS response_bytes_sum,
  CAST(sum(CASE WHEN duration_us <= 0 THEN 0 WHEN duration_us > 68719476736 THEN 68719476736 ELSE duration_us END) AS BIGINT) AS duration_us_sum,
  CAST(count(CASE WHEN header_count >= 0 THEN 1 END) AS BIGINT) AS header_count_n,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1048576 ELSE header_count END) AS BIGINT) AS header_count_sum,
  CAST(sum(CASE WHEN header_count <= 0 THEN 0 WHEN header_count > 1048576 THEN 1099511627776 ELSE header_count * header_count END) AS BIGINT) AS header_count_squares,
  CAST(min(ts_ns) AS BIGINT) AS first_ns,
  CAST(max(ts_ns) AS BIGINT) AS last_ns
FROM ja4_processing.v_requests
GROUP BY win_ms, host, path;
