-- Desktop: sessions and anomalous ones by the time they began, in buckets as wide as the parameter (ns).
SELECT first_ns - first_ns % CAST(? AS BIGINT) AS bucket_ns, CAST(count(*) AS BIGINT) AS sessions, CAST(sum(anomaly) AS BIGINT) AS anomalous
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ 1 = 1)
GROUP BY bucket_ns ORDER BY bucket_ns;
