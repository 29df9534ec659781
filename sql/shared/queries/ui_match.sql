-- Desktop: requests by how they were joined.
SELECT match_kind, CAST(count(*) AS BIGINT) AS requests, min(match_confidence) AS least_confidence, CAST(max(match_candidates) AS BIGINT) AS most_candidates
FROM ja4_logs.http_logs
WHERE (/*condition*/ 1 = 1)
GROUP BY match_kind ORDER BY requests DESC, match_kind;
