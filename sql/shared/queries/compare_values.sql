-- Compare: each value of one column in [from, to), ns since 1970, with who showed it and how many of the addresses have an anomalous session.
-- Known is what the lists know of a JA4 with that value, and says nothing of other columns.
SELECT CAST(r./*column*/ja4 AS VARCHAR) AS value_v, CAST(count(*) AS BIGINT) AS requests_n, CAST(count(DISTINCT r.src_ip) AS BIGINT) AS addresses_n,
  CAST(count(DISTINCT CASE WHEN s.anomaly_hi = 1 THEN r.src_ip END) AS BIGINT) AS anomalous_n, min(r.ts_ns) AS lo_ns, max(r.ts_ns) AS hi_ns,
  CASE WHEN max(r.ja4_browser) <> '' THEN max(r.ja4_browser) ELSE max(r.ja4_bot) END AS known_v
FROM ja4_processing.v_requests AS r
LEFT JOIN (
  SELECT win_ms, src_ip, ja4, host, max(anomaly) AS anomaly_hi FROM ja4_processing.ml_all_scores GROUP BY win_ms, src_ip, ja4, host
) AS s ON s.win_ms = r.win_ms AND s.src_ip = r.src_ip AND s.ja4 = r.ja4 AND s.host = r.host
WHERE r.ts_ns >= CAST(? AS BIGINT) AND r.ts_ns < CAST(? AS BIGINT)
GROUP BY value_v
ORDER BY value_v;
