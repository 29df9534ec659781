-- Desktop: sites, the most attacked first.
SELECT host, CAST(sum(anomaly) AS BIGINT) AS anomalous, CAST(count(*) AS BIGINT) AS sessions, CAST(sum(hits) AS BIGINT) AS hits, max(score) AS score
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ 1 = 1)
GROUP BY host ORDER BY anomalous DESC, score DESC, host
LIMIT /*limit*/ 1000;
