-- Desktop: other addresses that share a JA4 with one address, those with most of it first.
SELECT src_ip, ja4, CAST(sum(hits) AS BIGINT) AS hits, CAST(sum(anomaly) AS BIGINT) AS anomalous, max(score) AS score, max(country) AS country, max(as_name) AS as_name
FROM ja4_processing.ml_all_scores
WHERE ja4 <> '' AND src_ip <> ? AND ja4 IN (SELECT ja4 FROM ja4_processing.ml_all_scores WHERE src_ip = ?)
GROUP BY src_ip, ja4 ORDER BY anomalous DESC, hits DESC, src_ip, ja4
LIMIT /*limit*/ 1000;
