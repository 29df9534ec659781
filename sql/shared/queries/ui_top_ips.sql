-- Desktop: addresses, the most anomalous first.
SELECT src_ip, CAST(sum(anomaly) AS BIGINT) AS anomalous, CAST(count(*) AS BIGINT) AS sessions, CAST(sum(hits) AS BIGINT) AS hits, max(score) AS score,
  max(country) AS country, max(as_name) AS as_name
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ 1 = 1)
GROUP BY src_ip ORDER BY anomalous DESC, score DESC, src_ip
LIMIT /*limit*/ 1000;
