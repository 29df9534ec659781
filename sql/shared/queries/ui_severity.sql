-- Desktop: sessions by severity.
SELECT severity, CAST(count(*) AS BIGINT) AS sessions, CAST(sum(hits) AS BIGINT) AS requests
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ 1 = 1)
GROUP BY severity ORDER BY sessions DESC, severity;
