-- Scored sessions by the hour.
-- filter host (text): AND host = ?
-- filter country (text): AND country = ?
-- sort: win_ms, sessions, requests, anomalies, severe, addresses
SELECT win_ms, CAST(count(*) AS BIGINT) AS sessions, CAST(sum(hits) AS BIGINT) AS requests,
  CAST(count(CASE WHEN anomaly = 1 THEN 1 END) AS BIGINT) AS anomalies,
  CAST(count(CASE WHEN anomaly = 1 AND severity IN ('high', 'critical') THEN 1 END) AS BIGINT) AS severe,
  CAST(count(DISTINCT src_ip) AS BIGINT) AS addresses
FROM ja4_processing.ml_all_scores
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
GROUP BY win_ms
ORDER BY /*sort*/ win_ms DESC, win_ms
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
