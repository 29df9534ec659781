-- Desktop: the figures on top of the overview, of the sessions that are searched for.
SELECT CAST(count(*) AS BIGINT) AS sessions, CAST(coalesce(sum(anomaly), 0) AS BIGINT) AS anomalous, CAST(coalesce(sum(hits), 0) AS BIGINT) AS requests,
  CAST(count(DISTINCT src_ip) AS BIGINT) AS addresses, CAST(count(DISTINCT ja4) AS BIGINT) AS ja4s, CAST(count(DISTINCT host) AS BIGINT) AS hosts,
  CAST(count(CASE WHEN severity = 'critical' THEN 1 END) AS BIGINT) AS critical, CAST(count(CASE WHEN label >= 0 THEN 1 END) AS BIGINT) AS labelled
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ 1 = 1);
