-- One address as a whole (the address twice).
SELECT CAST(count(*) AS BIGINT) AS sessions, CAST(coalesce(sum(hits), 0) AS BIGINT) AS requests,
  CAST(count(CASE WHEN anomaly = 1 THEN 1 END) AS BIGINT) AS anomalies, coalesce(max(s.score), -1) AS worst_score,
  CAST(count(DISTINCT CASE WHEN ja4 <> '' THEN ja4 END) AS BIGINT) AS fingerprints, CAST(count(DISTINCT user_agent) AS BIGINT) AS user_agents,
  CAST(count(DISTINCT host) AS BIGINT) AS hosts, coalesce(max(s.asn), -1) AS asn_seen, coalesce(max(s.as_name), '') AS as_name_seen,
  coalesce(max(s.country), '') AS country_seen, CAST(coalesce(min(s.first_ns), -1) AS BIGINT) AS from_ns,
  CAST(coalesce(max(s.last_ns), -1) AS BIGINT) AS to_ns
FROM ja4_processing.ml_all_scores AS s
WHERE src_ip = ? OR client_ip = ?;
