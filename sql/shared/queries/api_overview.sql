-- Everything at a glance: one row over the scored sessions whose hour begins in [from, to), ms since 1970.
SELECT CAST(count(*) AS BIGINT) AS sessions, CAST(coalesce(sum(hits), 0) AS BIGINT) AS requests,
  CAST(count(CASE WHEN anomaly = 1 THEN 1 END) AS BIGINT) AS anomalies,
  CAST(count(CASE WHEN anomaly = 1 AND severity = 'critical' THEN 1 END) AS BIGINT) AS critical,
  CAST(count(CASE WHEN anomaly = 1 AND severity = 'high' THEN 1 END) AS BIGINT) AS high,
  CAST(count(CASE WHEN anomaly = 1 AND severity = 'medium' THEN 1 END) AS BIGINT) AS medium,
  CAST(count(CASE WHEN anomaly = 1 AND severity = 'low' THEN 1 END) AS BIGINT) AS low,
  CAST(count(DISTINCT src_ip) AS BIGINT) AS addresses, CAST(count(DISTINCT CASE WHEN anomaly = 1 THEN src_ip END) AS BIGINT) AS anomalous_addresses,
  CAST(count(DISTINCT CASE WHEN ja4 <> '' THEN ja4 END) AS BIGINT) AS fingerprints, CAST(count(DISTINCT host) AS BIGINT) AS hosts,
  CAST(coalesce(min(s.first_ns), -1) AS BIGINT) AS from_ns, CAST(coalesce(max(s.last_ns), -1) AS BIGINT) AS to_ns
FROM ja4_processing.ml_all_scores AS s
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
