-- Desktop: fingerprints, the most anomalous first.
SELECT ja4, CAST(sum(anomaly) AS BIGINT) AS anomalous, CAST(count(*) AS BIGINT) AS sessions, CAST(sum(hits) AS BIGINT) AS hits, max(score) AS score,
  CAST(count(DISTINCT src_ip) AS BIGINT) AS ips
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ 1 = 1)
GROUP BY ja4 ORDER BY anomalous DESC, score DESC, ja4
LIMIT /*limit*/ 1000;
