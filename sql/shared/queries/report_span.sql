-- What a report says of time: that of the first and of the last request, 0 without any.
SELECT CAST(coalesce(min(ts_ns), 0) AS BIGINT) AS first_ns, CAST(coalesce(max(ts_ns), 0) AS BIGINT) AS last_ns FROM ja4_logs.http_logs;
