-- Desktop: requests by time, in buckets as wide as the parameter (ns).
SELECT ts_ns - ts_ns % CAST(? AS BIGINT) AS bucket_ns, CAST(count(*) AS BIGINT) AS requests,
  CAST(count(CASE WHEN status >= 400 THEN 1 END) AS BIGINT) AS errors,
  CAST(count(CASE WHEN match_kind = 'http_only' THEN 1 END) AS BIGINT) AS unmatched
FROM ja4_logs.http_logs
WHERE (/*condition*/ 1 = 1)
GROUP BY bucket_ns ORDER BY bucket_ns;
