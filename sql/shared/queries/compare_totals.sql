-- Compare: what is stored in [from, to), ns since 1970; times are -1 where there is nothing.
SELECT CAST(count(*) AS BIGINT) AS requests_n, CAST(count(DISTINCT r.src_ip) AS BIGINT) AS addresses_n,
  CAST(count(DISTINCT CASE WHEN s.anomaly_hi = 1 THEN r.src_ip END) AS BIGINT) AS anomalous_n,
  CAST(count(DISTINCT CASE WHEN r.ja4 <> '' THEN r.ja4 END) AS BIGINT) AS ja4s_n, CAST(count(DISTINCT r.host) AS BIGINT) AS hosts_n,
  coalesce(min(r.ts_ns), -1) AS lo_ns, coalesce(max(r.ts_ns), -1) AS hi_ns
FROM ja4_processing.v_requests AS r
LEFT JOIN (
  SELECT win_ms, src_ip, ja4, host, max(anomaly) AS anomaly_hi FROM ja4_processing.ml_all_scores GROUP BY win_ms, src_ip, ja4, host
) AS s ON s.win_ms = r.win_ms AND s.src_ip = r.src_ip AND s.ja4 = r.ja4 AND s.host = r.host
WHERE r.ts_ns >= CAST(? AS BIGINT) AND r.ts_ns < CAST(? AS BIGINT);
