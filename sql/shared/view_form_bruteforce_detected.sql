-- Brute force against forms: one row per (hour, address, JA4, host, login path) with at least 10 POSTs, or 5 on a path that 5 or more
-- clients attack in the same hour.
-- Promises: same bits on both engines, the thresholds stand here and nowhere else. Read next: docs/FEATURES.md, family brute force.

CREATE OR REPLACE VIEW ja4_processing.view_form_bruteforce_detected AS
WITH
attempts AS (
  SELECT r.win_ms AS win_ms, r.src_ip AS src_ip, r.ja4 AS ja4, r.host AS host, r.path AS path, count(*) AS n, min(r.ts_ns) AS first_seen_ns,
  max(r.ts_ns) AS last_seen_ns, max(r.ts_ms) - min(r.ts_ms) AS span_ms,
    count(CASE WHEN r.status BETWEEN 400 AND 499 THEN 1 END) AS n_4xx, count(CASE WHEN r.status = 429 THEN 1 END) AS n_429,
    count(CASE WHEN r.status BETWEEN 300 AND 399 THEN 1 END) AS n_3xx, count(CASE WHEN r.status BETWEEN 200 AND 299 THEN 1 END) AS n_2xx,
    count(DISTINCT r.user_agent) AS uas, min(r.user_agent) AS ua_seen, max(r.ua_class) AS ua_class_seen, min(r.request_bytes) AS bytes_lo,
    max(r.request_bytes) AS bytes_hi
  FROM ja4_processing.v_requests AS r WHERE r.is_login = 1 AND r.method = 'POST'
  GROUP BY r.win_ms, r.src_ip, r.ja4, r.host, r.path
),
compared AS (
  SELECT win_ms, src_ip, ja4, host, path, n, first_seen_ns, last_seen_ns, span_ms, n_4xx, n_429, n_3xx, n_2xx, uas, ua_seen, ua_class_seen, bytes_lo, bytes_hi,
    count(*) OVER (PARTITION BY win_ms, host, path) AS clients, sum(n) OVER (PARTITION BY win_ms, host, path) AS n_path
  FROM attempts
)
SELECT win_ms, src_ip, ja4, host, path, bw_int(n) AS attempts, bw_int(n_4xx) AS answers_4xx, bw_int(n_429) AS answers_429, bw_int(n_3xx) AS answers_3xx,
bw_int(n_2xx) AS answers_2xx,
  bw_share(n_4xx, n, 0) AS failed_share, bw_share(n * 60000, span_ms + 1000, 0) AS attempts_per_minute, bw_int(uas) AS user_agents,
  bw_int(bytes_hi - bytes_lo) AS request_bytes_spread,
  bw_int(clients) AS clients_on_path, bw_int(n_path) AS attempts_on_path, first_seen_ns AS first_ns, last_seen_ns AS last_ns, ua_seen AS user_agent,
  ua_class_seen AS ua_class,
  CASE WHEN n >= 100 OR n * 60000 >= 60 * (span_ms + 1000) AND n >= 20 THEN 'high' WHEN n >= 30 OR clients >= 20 THEN 'medium' ELSE 'low' END AS severity,
  CASE WHEN clients >= 5 AND n < 10 THEN 'distributed' ELSE 'single' END AS kind
FROM compared WHERE n >= 10 OR (n >= 5 AND clients >= 5);
