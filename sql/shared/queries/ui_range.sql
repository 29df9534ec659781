-- Desktop: the span of time that the database covers.
SELECT CAST(coalesce(min(ts_ns), 0) AS BIGINT) AS first_ns, CAST(coalesce(max(ts_ns), 0) AS BIGINT) AS last_ns, CAST(count(*) AS BIGINT) AS requests
FROM ja4_logs.http_logs;
